//! What the API server fills in where a manifest is silent.
//!
//! The values are those of the `SetDefaults_*` functions of the core API. Two that need a cluster
//! are left out: the service account and the tolerations that admission plugins add. Nothing that
//! the user wrote is changed, but for a negative grace period, which the API server reads as 1.

mod batch;
mod container;
mod network_policy;
mod pod_resources;
mod service;
mod storage;
mod workload;

use crate::k8s::{
    ConfigMap, DownwardAPIVolumeFile, Namespace, ObjectMeta, Pod, PodSpec, PodTemplateSpec,
    Quantity, ResourceFieldSelector, Secret, Volume,
};

pub(crate) use network_policy::network_policy;
pub(crate) use service::service;
pub(crate) use storage::{persistent_volume, persistent_volume_claim};
pub(crate) use workload::workload;

/// The namespace of objects that name none.
pub(crate) const NAMESPACE: &str = "default";

/// `DefaultTerminationGracePeriodSeconds` of the core API.
const GRACE_PERIOD_SECONDS: i64 = 30;

/// The mode of projected files: `ConfigMapVolumeSourceDefaultMode` and its three twins.
const FILE_MODE: i32 = 0o644;

/// The defaults of all namespaced objects.
pub(crate) fn metadata(metadata: &mut ObjectMeta) {
    if metadata.namespace.as_deref().unwrap_or_default().is_empty() {
        metadata.namespace = Some(NAMESPACE.to_owned());
    }
}

/// The defaults of a pod.
pub(crate) fn pod(pod: &mut Pod) {
    metadata(&mut pod.metadata);
    if let Some(spec) = &mut pod.spec {
        pod_spec(spec);
    }
}

/// The defaults of a pod's template.
fn pod_template(template: &mut PodTemplateSpec) {
    if let Some(spec) = &mut template.spec {
        pod_spec(spec);
    }
}

fn pod_spec(spec: &mut PodSpec) {
    set(&mut spec.restart_policy, "Always");
    set(&mut spec.dns_policy, "ClusterFirst");
    set(&mut spec.scheduler_name, "default-scheduler");
    spec.enable_service_links.get_or_insert(true);
    spec.security_context.get_or_insert_default();
    let grace = spec
        .termination_grace_period_seconds
        .get_or_insert(GRACE_PERIOD_SECONDS);
    if *grace < 0 {
        *grace = 1;
    }
    for one in spec
        .init_containers
        .iter_mut()
        .flatten()
        .chain(&mut spec.containers)
    {
        container::container(one);
    }
    pod_resources::pod_resources(spec);
    spec.volumes.iter_mut().flatten().for_each(volume);
}

fn volume(volume: &mut Volume) {
    if let Some(source) = &mut volume.config_map {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.secret {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.downward_api {
        source.default_mode.get_or_insert(FILE_MODE);
        source.items.iter_mut().flatten().for_each(downward_file);
    }
    if let Some(source) = &mut volume.projected {
        source.default_mode.get_or_insert(FILE_MODE);
        let parts = source.sources.iter_mut().flatten();
        parts
            .filter_map(|part| part.downward_api.as_mut())
            .flat_map(|part| part.items.iter_mut().flatten())
            .for_each(downward_file);
    }
    if let Some(template) = volume
        .ephemeral
        .as_mut()
        .and_then(|source| source.volume_claim_template.as_mut())
    {
        set(&mut template.spec.volume_mode, "Filesystem");
    }
    if let Some(source) = &mut volume.host_path {
        source.type_.get_or_insert_default();
    }
}

fn downward_file(file: &mut DownwardAPIVolumeFile) {
    if let Some(reference) = &mut file.field_ref {
        set(&mut reference.api_version, "v1");
    }
    if let Some(reference) = &mut file.resource_field_ref {
        divisor(reference);
    }
}

/// `0` stands for 1 of the resource's own unit.
fn divisor(reference: &mut ResourceFieldSelector) {
    reference
        .divisor
        .get_or_insert_with(|| Quantity("0".to_owned()));
}

/// The defaults of a namespace: the label by which selectors find it.
pub(crate) fn namespace(namespace: &mut Namespace) {
    if let Some(name) = namespace.metadata.name.clone() {
        let labels = namespace.metadata.labels.get_or_insert_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), name);
    }
}

/// The defaults of a config map.
pub(crate) fn config_map(map: &mut ConfigMap) {
    metadata(&mut map.metadata);
}

/// The defaults of a secret: its type, and `stringData` merged into `data`.
pub(crate) fn secret(secret: &mut Secret) {
    metadata(&mut secret.metadata);
    set(&mut secret.type_, "Opaque");
    for (key, value) in secret.string_data.take().into_iter().flatten() {
        let bytes = crate::k8s::ByteString(value.into_bytes());
        secret.data.get_or_insert_default().insert(key, bytes);
    }
}

/// Sets a text that is missing or empty.
fn set(field: &mut Option<String>, value: &str) {
    if field.as_deref().unwrap_or_default().is_empty() {
        *field = Some(value.to_owned());
    }
}
