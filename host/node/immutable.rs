//! What of an object stays as it was created: the API server's validation of updates.
//!
//! Standard: `ValidateXUpdate` of Kubernetes' own validation, with its words. Only what the store's kinds have; what a
//! kind may change is checked as at its creation.

use serde::Serialize;
use wasmpod_manifest::k8s::{
    ConfigMap, Job, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec, Secret, Service,
    StatefulSet,
};
use wasmpod_store::Object;

/// What of a change is not allowed: `path: Kind: value: detail`.
pub(crate) fn forbidden(old: &Object, new: &Object) -> Option<String> {
    match (old, new) {
        (Object::ConfigMap(old), Object::ConfigMap(new)) => immutable_config_map(old, new),
        (Object::Secret(old), Object::Secret(new)) => immutable_secret(old, new),
        (Object::Pod(old), Object::Pod(new)) => immutable_pod(old, new),
        (Object::Deployment(old), Object::Deployment(new)) => {
            stays("spec.selector", &old.spec.selector, &new.spec.selector)
        }
        (Object::ReplicaSet(old), Object::ReplicaSet(new)) => {
            stays("spec.selector", &old.spec.selector, &new.spec.selector)
        }
        (Object::DaemonSet(old), Object::DaemonSet(new)) => {
            stays("spec.selector", &old.spec.selector, &new.spec.selector)
        }
        (Object::StatefulSet(old), Object::StatefulSet(new)) => immutable_stateful_set(old, new),
        (Object::Job(old), Object::Job(new)) => immutable_job(old, new),
        (Object::Service(old), Object::Service(new)) => immutable_service(old, new),
        (Object::EndpointSlice(old), Object::EndpointSlice(new)) => {
            stays("addressType", &old.address_type, &new.address_type)
        }
        (Object::PersistentVolumeClaim(old), Object::PersistentVolumeClaim(new)) => {
            immutable_claim(old, new)
        }
        (Object::PersistentVolume(old), Object::PersistentVolume(new)) => {
            immutable_volume(old, new)
        }
        _ => None,
    }
}

fn stays<T: PartialEq + Serialize>(field: &str, old: &T, new: &T) -> Option<String> {
    (old != new).then(|| {
        let value = serde_json::to_string(new).unwrap_or_default();
        format!("{field}: Invalid value: {value}: field is immutable")
    })
}

fn immutable_stateful_set(old: &StatefulSet, new: &StatefulSet) -> Option<String> {
    let (old, mut same) = (&old.spec, new.spec.clone());
    same.replicas = old.replicas;
    same.ordinals.clone_from(&old.ordinals);
    same.template.clone_from(&old.template);
    same.update_strategy.clone_from(&old.update_strategy);
    same.revision_history_limit = old.revision_history_limit;
    same.min_ready_seconds = old.min_ready_seconds;
    same.persistent_volume_claim_retention_policy
        .clone_from(&old.persistent_volume_claim_retention_policy);
    (same != *old).then(|| {
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
         'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
         forbidden"
            .to_owned()
    })
}

fn immutable_job(old: &Job, new: &Job) -> Option<String> {
    let (Some(old), Some(new)) = (&old.spec, &new.spec) else {
        return None;
    };
    // An indexed job may be made larger or smaller as a whole ("elastic").
    let is_elastic =
        new.completion_mode.as_deref() == Some("Indexed") && new.completions == new.parallelism;
    let completions = || stays("spec.completions", &old.completions, &new.completions);
    (!is_elastic)
        .then(completions)
        .flatten()
        .or_else(|| stays("spec.selector", &old.selector, &new.selector))
        .or_else(|| stays("spec.template", &old.template, &new.template))
        .or_else(|| {
            stays(
                "spec.completionMode",
                &old.completion_mode,
                &new.completion_mode,
            )
        })
        .or_else(|| {
            let field = "spec.podFailurePolicy";
            stays(field, &old.pod_failure_policy, &new.pod_failure_policy)
        })
        .or_else(|| {
            let field = "spec.backoffLimitPerIndex";
            stays(
                field,
                &old.backoff_limit_per_index,
                &new.backoff_limit_per_index,
            )
        })
        .or_else(|| {
            stays(
                "spec.successPolicy",
                &old.success_policy,
                &new.success_policy,
            )
        })
}

fn immutable_service(old: &Service, new: &Service) -> Option<String> {
    let (old, new) = (old.spec.as_ref()?, new.spec.as_ref()?);
    let is_named = |type_: &Option<String>| type_.as_deref() == Some("ExternalName");
    if is_named(&old.type_) || is_named(&new.type_) {
        return None;
    }
    let had = old.cluster_ip.as_deref().filter(|ip| !ip.is_empty())?;
    (new.cluster_ip.as_deref() != Some(had)).then(|| {
        let value = new.cluster_ip.as_deref().unwrap_or_default();
        format!("spec.clusterIPs[0]: Invalid value: [{value:?}]: may not change once set")
    })
}

fn immutable_claim(old: &PersistentVolumeClaim, new: &PersistentVolumeClaim) -> Option<String> {
    let (old, mut same) = (old.spec.as_ref()?, new.spec.clone()?);
    let requests = old.resources.as_ref();
    same.resources.get_or_insert_default().requests =
        requests.and_then(|found| found.requests.clone());
    // Who binds the claim names its volume.
    if old.volume_name.is_none() {
        same.volume_name = None;
    }
    let mut old = old.clone();
    old.resources.get_or_insert_default();
    (same != old).then(|| {
        "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for \
         bound claims"
            .to_owned()
    })
}

fn immutable_volume(old: &PersistentVolume, new: &PersistentVolume) -> Option<String> {
    let (old, mut same) = (old.spec.as_ref()?, new.spec.clone()?);
    same.access_modes.clone_from(&old.access_modes);
    same.capacity.clone_from(&old.capacity);
    same.claim_ref.clone_from(&old.claim_ref);
    same.mount_options.clone_from(&old.mount_options);
    same.node_affinity.clone_from(&old.node_affinity);
    same.persistent_volume_reclaim_policy
        .clone_from(&old.persistent_volume_reclaim_policy);
    same.storage_class_name.clone_from(&old.storage_class_name);
    (same != *old).then(|| {
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation".to_owned()
    })
}

fn when_set(field: &str) -> Option<String> {
    Some(format!(
        "{field}: Forbidden: field is immutable when `immutable` is set"
    ))
}

fn immutable_config_map(old: &ConfigMap, new: &ConfigMap) -> Option<String> {
    if old.immutable != Some(true) {
        return None;
    }
    if new.immutable != Some(true) {
        return when_set("immutable");
    }
    if new.data != old.data {
        return when_set("data");
    }
    (new.binary_data != old.binary_data).then(|| when_set("binaryData"))?
}

fn immutable_secret(old: &Secret, new: &Secret) -> Option<String> {
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            return when_set("immutable");
        }
        if new.data != old.data {
            return when_set("data");
        }
    }
    let is_same = new.type_ == old.type_;
    (!is_same).then(|| "type: Invalid value: field is immutable".to_owned())
}

/// A pod's spec stays, but for images, deadlines, tolerations and gates that are removed (`pods#pod-update-and-replacement`).
fn immutable_pod(old: &Pod, new: &Pod) -> Option<String> {
    let (Some(old), Some(new)) = (&old.spec, &new.spec) else {
        return None;
    };
    let gates = |spec: &PodSpec| spec.scheduling_gates.clone().unwrap_or_default();
    let allowed = gates(old);
    if gates(new).iter().any(|gate| !allowed.contains(gate)) {
        return Some(
            "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate"
                .to_owned(),
        );
    }
    let tolerations = |spec: &PodSpec| spec.tolerations.clone().unwrap_or_default();
    let kept = tolerations(new);
    if tolerations(old).iter().any(|one| !kept.contains(one)) {
        return Some(
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
                .to_owned(),
        );
    }
    let mut same = new.clone();
    same.active_deadline_seconds = old.active_deadline_seconds;
    same.tolerations.clone_from(&old.tolerations);
    same.scheduling_gates.clone_from(&old.scheduling_gates);
    same.node_name.clone_from(&old.node_name);
    if old
        .termination_grace_period_seconds
        .is_some_and(|seconds| seconds < 0)
    {
        same.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    for (new, old) in same.containers.iter_mut().zip(&old.containers) {
        new.image.clone_from(&old.image);
    }
    let new_init = same.init_containers.iter_mut().flatten();
    for (new, old) in new_init.zip(old.init_containers.iter().flatten()) {
        new.image.clone_from(&old.image);
    }
    (same != *old).then(|| {
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,\
         `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
         tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
            .to_owned()
    })
}
