//! Objects that change while a pod runs, and a pod whose volumes show them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use wasmpod_manifest::k8s::{
    ByteString, ConfigMap, ConfigMapProjection, ConfigMapVolumeSource, DownwardAPIProjection,
    DownwardAPIVolumeFile, DownwardAPIVolumeSource, KeyToPath, ObjectFieldSelector, PodSpec,
    ProjectedVolumeSource, ResourceFieldSelector, Secret, SecretProjection, SecretVolumeSource,
    Volume, VolumeProjection,
};
use wasmpod_volume::{Claim, PodVolumes, VolumeError, VolumePolicy, VolumeSources};

use crate::pod::{Guest, container, root_files};

/// What an API server would hold, by name.
#[derive(Default)]
pub(crate) struct Cluster {
    config_maps: Mutex<BTreeMap<String, Arc<ConfigMap>>>,
    secrets: Mutex<BTreeMap<String, Arc<Secret>>>,
    labels: Mutex<String>,
    pub(crate) claims: BTreeMap<String, Claim>,
}

impl VolumeSources for Cluster {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.config_maps.lock().unwrap().get(name).cloned()
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.secrets.lock().unwrap().get(name).cloned()
    }

    fn field(&self, field: &ObjectFieldSelector) -> Result<String, String> {
        match field.field_path.as_str() {
            "metadata.name" => Ok("web".to_owned()),
            "metadata.labels" => Ok(self.labels.lock().unwrap().clone()),
            other => Err(format!("unsupported fieldPath: {other}")),
        }
    }

    fn resource_field(&self, field: &ResourceFieldSelector) -> Result<String, String> {
        let container = field.container_name.as_deref().unwrap_or_default();
        Ok(format!("{container} {}", field.resource))
    }

    fn claim(&self, name: &str) -> Option<Claim> {
        self.claims.get(name).cloned()
    }
}

impl Cluster {
    pub(crate) fn with(name: &str, keys: &[(&str, &str)]) -> Self {
        let cluster = Self::default();
        cluster.set(name, keys);
        cluster
    }

    /// Makes or replaces a ConfigMap.
    pub(crate) fn set(&self, name: &str, keys: &[(&str, &str)]) {
        self.set_map(name, keys, false);
    }

    pub(crate) fn set_immutable(&self, name: &str, keys: &[(&str, &str)]) {
        self.set_map(name, keys, true);
    }

    fn set_map(&self, name: &str, keys: &[(&str, &str)], immutable: bool) {
        let data = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let map = ConfigMap {
            data: Some(data.collect()),
            immutable: Some(immutable),
            ..ConfigMap::default()
        };
        let mut maps = self.config_maps.lock().unwrap();
        maps.insert(name.to_owned(), Arc::new(map));
    }

    pub(crate) fn set_secret(&self, name: &str, keys: &[(&str, &str)]) {
        let data = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        let secret = Secret {
            data: Some(data.collect()),
            ..Secret::default()
        };
        let mut secrets = self.secrets.lock().unwrap();
        secrets.insert(name.to_owned(), Arc::new(secret));
    }

    pub(crate) fn delete(&self, name: &str) {
        self.config_maps.lock().unwrap().remove(name);
        self.secrets.lock().unwrap().remove(name);
    }

    pub(crate) fn set_labels(&self, text: &str) {
        text.clone_into(&mut self.labels.lock().unwrap());
    }
}

pub(crate) fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath {
        key: key.to_owned(),
        path: path.to_owned(),
        ..KeyToPath::default()
    }
}

pub(crate) fn config_map(name: &str, map: &str, optional: bool, items: Vec<KeyToPath>) -> Volume {
    Volume {
        name: name.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: map.to_owned(),
            optional: Some(optional),
            items: Some(items),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(crate) fn secret(name: &str, secret: &str, optional: bool) -> Volume {
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            optional: Some(optional),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(crate) fn field_file(path: &str, field: &str, mode: Option<i32>) -> DownwardAPIVolumeFile {
    DownwardAPIVolumeFile {
        path: path.to_owned(),
        field_ref: Some(ObjectFieldSelector {
            field_path: field.to_owned(),
            ..ObjectFieldSelector::default()
        }),
        mode,
        ..DownwardAPIVolumeFile::default()
    }
}

pub(crate) fn resource_file(path: &str, container: &str, resource: &str) -> DownwardAPIVolumeFile {
    DownwardAPIVolumeFile {
        path: path.to_owned(),
        resource_field_ref: Some(ResourceFieldSelector {
            container_name: Some(container.to_owned()),
            resource: resource.to_owned(),
            divisor: None,
        }),
        ..DownwardAPIVolumeFile::default()
    }
}

pub(crate) fn downward(name: &str, default_mode: i32, items: Vec<DownwardAPIVolumeFile>) -> Volume {
    Volume {
        name: name.to_owned(),
        downward_api: Some(DownwardAPIVolumeSource {
            default_mode: Some(default_mode),
            items: Some(items),
            ..DownwardAPIVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(crate) fn projected(name: &str, sources: Vec<VolumeProjection>) -> Volume {
    Volume {
        name: name.to_owned(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(sources),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(crate) fn map_part(map: &str, items: Vec<KeyToPath>) -> VolumeProjection {
    VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: map.to_owned(),
            items: Some(items),
            ..ConfigMapProjection::default()
        }),
        ..VolumeProjection::default()
    }
}

pub(crate) fn secret_part(secret: &str, optional: bool) -> VolumeProjection {
    VolumeProjection {
        secret: Some(SecretProjection {
            name: secret.to_owned(),
            optional: Some(optional),
            ..SecretProjection::default()
        }),
        ..VolumeProjection::default()
    }
}

pub(crate) fn downward_part(items: Vec<DownwardAPIVolumeFile>) -> VolumeProjection {
    VolumeProjection {
        downward_api: Some(DownwardAPIProjection { items: Some(items) }),
        ..VolumeProjection::default()
    }
}

/// A pod on a cluster.
pub(crate) struct ClusterPod {
    pub(crate) volumes: PodVolumes,
    pub(crate) temp: tempfile::TempDir,
}

impl ClusterPod {
    pub(crate) fn try_new(volumes: Vec<Volume>, cluster: &Cluster) -> Result<Self, VolumeError> {
        let temp = tempfile::tempdir().unwrap();
        let spec = PodSpec {
            volumes: Some(volumes),
            ..PodSpec::default()
        };
        let policy = VolumePolicy::default();
        let volumes = PodVolumes::acquire(temp.path(), &spec, cluster, &policy)?;
        Ok(Self { volumes, temp })
    }

    pub(crate) fn new(volumes: Vec<Volume>, cluster: &Cluster) -> Self {
        Self::try_new(volumes, cluster).unwrap()
    }

    pub(crate) fn refusal(volumes: Vec<Volume>, cluster: &Cluster) -> String {
        Self::try_new(volumes, cluster).err().unwrap().to_string()
    }

    pub(crate) fn attach(&self, name: &str, mounts: &[&str]) -> Guest {
        let root = self
            .volumes
            .attach(&container(name, mounts), 0, &root_files());
        Guest::new(&root.unwrap())
    }

    /// Where a volume lies on the host.
    pub(crate) fn path(&self, plugin: &str, name: &str) -> PathBuf {
        self.temp
            .path()
            .join(format!("volumes/kubernetes.io~{plugin}/{name}"))
    }
}
