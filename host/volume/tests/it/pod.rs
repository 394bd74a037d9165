//! A pod's volumes in a temporary directory, and the eyes of a guest: directories opened exactly
//! as the runtime opens them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use wasmpod_manifest::k8s::{
    ByteString, ConfigMap, ConfigMapVolumeSource, Container, EmptyDirVolumeSource,
    HostPathVolumeSource, ObjectFieldSelector, PodSpec, ResourceFieldSelector, Secret,
    SecretVolumeSource, SecurityContext, Volume, VolumeMount,
};
use wasmpod_volume::{
    Claim, ContainerRoot, ImageFile, PodVolumes, RootFiles, VolumeError, VolumePolicy,
    VolumeSources,
};

pub(crate) struct Objects;

impl VolumeSources for Objects {
    fn field(&self, field: &ObjectFieldSelector) -> Result<String, String> {
        match field.field_path.as_str() {
            "metadata.name" => Ok("pod".to_owned()),
            other => Err(format!("unsupported fieldPath: {other}")),
        }
    }

    fn resource_field(&self, field: &ResourceFieldSelector) -> Result<String, String> {
        Err(format!(
            "unsupported container resource: {}",
            field.resource
        ))
    }

    fn claim(&self, _: &str) -> Option<Claim> {
        None
    }

    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        (name == "cfg").then(|| {
            let data = [("nginx.conf", "events {}"), ("other", "o")];
            let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
            Arc::new(ConfigMap {
                data: Some(BTreeMap::from(data)),
                ..ConfigMap::default()
            })
        })
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        (name == "sec").then(|| {
            let data = BTreeMap::from([("key".to_owned(), ByteString(b"secret".to_vec()))]);
            Arc::new(Secret {
                data: Some(data),
                ..Secret::default()
            })
        })
    }
}

pub(crate) fn empty_dir(name: &str) -> Volume {
    let source = EmptyDirVolumeSource::default();
    Volume {
        name: name.to_owned(),
        empty_dir: Some(source),
        ..Volume::default()
    }
}

pub(crate) fn memory(name: &str) -> Volume {
    let medium = Some("Memory".to_owned());
    let source = EmptyDirVolumeSource {
        medium,
        ..EmptyDirVolumeSource::default()
    };
    Volume {
        name: name.to_owned(),
        empty_dir: Some(source),
        ..Volume::default()
    }
}

pub(crate) fn config_map(name: &str) -> Volume {
    let source = ConfigMapVolumeSource {
        name: "cfg".to_owned(),
        ..ConfigMapVolumeSource::default()
    };
    Volume {
        name: name.to_owned(),
        config_map: Some(source),
        ..Volume::default()
    }
}

pub(crate) fn secret(name: &str) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some("sec".to_owned()),
        default_mode: Some(0o400),
        ..SecretVolumeSource::default()
    };
    Volume {
        name: name.to_owned(),
        secret: Some(source),
        ..Volume::default()
    }
}

pub(crate) fn host_path(name: &str, path: &Path, type_: &str) -> Volume {
    let source = HostPathVolumeSource {
        path: path.to_str().unwrap().to_owned(),
        type_: Some(type_.to_owned()),
    };
    Volume {
        name: name.to_owned(),
        host_path: Some(source),
        ..Volume::default()
    }
}

/// A mount in the form `VOLUME[/SUBPATH]:MOUNTPATH[:ro]`.
pub(crate) fn mount(text: &str) -> VolumeMount {
    let mut parts = text.split(':');
    let (name, sub_path) = match parts.next().unwrap().split_once('/') {
        Some((name, sub_path)) => (name, Some(sub_path.to_owned())),
        None => (text.split(':').next().unwrap(), None),
    };
    VolumeMount {
        name: name.to_owned(),
        mount_path: parts.next().unwrap().to_owned(),
        read_only: parts.next().map(|word| word == "ro"),
        sub_path,
        ..VolumeMount::default()
    }
}

pub(crate) fn container(name: &str, mounts: &[&str]) -> Container {
    Container {
        name: name.to_owned(),
        volume_mounts: Some(mounts.iter().map(|text| mount(text)).collect()),
        ..Container::default()
    }
}

pub(crate) fn with_read_only_root(mut container: Container) -> Container {
    container.security_context = Some(SecurityContext {
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    });
    container
}

pub(crate) fn root_files() -> RootFiles {
    let file = |path: &str, text: &str| ImageFile {
        path: path.to_owned(),
        bytes: text.as_bytes().into(),
        mode: 0o644,
    };
    RootFiles {
        hosts: "127.0.0.1\tlocalhost\n".to_owned(),
        hostname: "pod\n".to_owned(),
        resolv_conf: "nameserver 127.0.0.1\n".to_owned(),
        image: vec![
            file("/etc/nginx/nginx.conf", "from the image"),
            file("/etc/nginx/mime.types", "types {}"),
            file("/usr/share/nginx/html/index.html", "welcome"),
        ],
        working_dir: String::new(),
    }
}

pub(crate) struct TestPod {
    pub(crate) volumes: Option<PodVolumes>,
    pub(crate) temp: tempfile::TempDir,
}

impl TestPod {
    pub(crate) fn new(volumes: Vec<Volume>) -> Self {
        Self::try_new(volumes, &VolumePolicy::default()).unwrap()
    }

    pub(crate) fn try_new(
        volumes: Vec<Volume>,
        policy: &VolumePolicy,
    ) -> Result<Self, VolumeError> {
        let temp = tempfile::tempdir().unwrap();
        let spec = PodSpec {
            volumes: Some(volumes),
            ..PodSpec::default()
        };
        let volumes = PodVolumes::acquire(temp.path(), &spec, &Objects, policy)?;
        Ok(Self {
            volumes: Some(volumes),
            temp,
        })
    }

    pub(crate) fn volumes(&self) -> &PodVolumes {
        self.volumes.as_ref().unwrap()
    }

    pub(crate) fn try_attach(&self, container: &Container) -> Result<ContainerRoot, VolumeError> {
        self.volumes().attach(container, 0, &root_files())
    }

    pub(crate) fn attach(&self, name: &str, mounts: &[&str]) -> Guest {
        Guest::new(&self.try_attach(&container(name, mounts)).unwrap())
    }

    pub(crate) fn refusal(&self, name: &str, mounts: &[&str]) -> VolumeError {
        let error = self.try_attach(&container(name, mounts)).unwrap_err();
        let left = self.temp.path().join("containers").join(name).join("0");
        assert!(!left.exists(), "a refused container leaves nothing behind");
        error
    }

    pub(crate) fn release(&mut self) -> Result<(), VolumeError> {
        self.volumes.take().unwrap().release()
    }
}

/// The preopens of a container, opened by their paths as the engine does.
pub(crate) struct Guest {
    preopens: Vec<(String, bool, Dir)>,
}

impl Guest {
    pub(crate) fn new(root: &ContainerRoot) -> Self {
        let preopens = root.preopens.iter().map(|preopen| {
            let dir = Dir::open_ambient_dir(preopen.open_path(), ambient_authority()).unwrap();
            (preopen.guest_path.clone(), preopen.read_only, dir)
        });
        Self {
            preopens: preopens.collect(),
        }
    }

    /// The directory that is preopened as `guest_path`.
    pub(crate) fn dir(&self, guest_path: &str) -> &Dir {
        &self
            .preopens
            .iter()
            .find(|(path, ..)| path == guest_path)
            .unwrap()
            .2
    }

    pub(crate) fn paths(&self) -> Vec<(&str, bool)> {
        self.preopens
            .iter()
            .map(|(path, read_only, _)| (path.as_str(), *read_only))
            .collect()
    }

    pub(crate) fn read(&self, guest_path: &str, path: &str) -> String {
        self.dir(guest_path).read_to_string(path).unwrap()
    }
}
