//! The volumes of one pod and the roots of its containers: acquire, attach, detach, release.
//!
//! Everything that is made is written down in the order of its making and removed in reverse. An
//! operation that fails half-way removes what it made, and reports both failures if that fails too.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;

use wasmpod_manifest::k8s::{Container, PodSpec, Volume as VolumeSpec};

use crate::disk::HostDir;
use crate::empty_dir::{self, EMPTY_DIR_MODE, PRIVATE_MODE};
use crate::mount::{self, GuestPath, Placing};
use crate::{
    ContainerRoot, Preopen, RootFiles, VolumeError, VolumePolicy, VolumeSources, host_path,
    projected, root,
};

/// Mode of a configMap or secret volume's directory, and the one for folders in a hostPath.
const VOLUME_MODE: u32 = 0o755;

/// Mode of a container's root directory.
const ROOT_MODE: u32 = 0o755;

/// The volumes of one pod, and the root directories of its containers.
///
/// Dropping it without [`release`](Self::release) removes everything too, but tells nobody when
/// that fails.
#[derive(Debug)]
pub struct PodVolumes {
    volumes: Vec<Volume>,
    containers: Option<HostDir>,
    /// What release removes, in the order in which it was made: a name in a directory.
    made: Vec<(HostDir, OsString)>,
}

/// One volume that is ready to be mounted.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) root: VolumeRoot,
    kind: Kind,
    /// Mode of folders that a `subPath` makes: that of the volume, as the kubelet has it.
    pub(crate) directory_mode: u32,
}

impl Volume {
    /// Whether the contents are those of a ConfigMap or Secret, which no container may change.
    pub(crate) fn is_projected(&self) -> bool {
        self.kind == Kind::Projected
    }
}

/// Where a volume's contents are.
#[derive(Debug)]
pub(crate) enum VolumeRoot {
    /// In a directory.
    Directory(HostDir),
    /// A hostPath volume that is a file.
    File {
        /// The directory that holds it.
        parent: HostDir,
        /// Its name there.
        name: OsString,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    EmptyDir,
    Projected,
    HostPath,
}

impl PodVolumes {
    /// Makes the directories of all volumes of the pod under `dir`, the pod's own state directory.
    ///
    /// # Errors
    ///
    /// The first volume that cannot be made. What was made before it is removed again; if that
    /// fails too, the error says both.
    pub fn acquire(
        dir: &Path,
        spec: &PodSpec,
        sources: &dyn VolumeSources,
        policy: &VolumePolicy,
    ) -> Result<Self, VolumeError> {
        let mut pod = Self {
            volumes: Vec::new(),
            containers: None,
            made: Vec::new(),
        };
        match pod.fill(dir, spec, sources, policy) {
            Ok(()) => Ok(pod),
            Err(error) => Err(error.and(pod.remove_all())),
        }
    }

    fn fill(
        &mut self,
        dir: &Path,
        spec: &PodSpec,
        sources: &dyn VolumeSources,
        policy: &VolumePolicy,
    ) -> Result<(), VolumeError> {
        let state = HostDir::open_ambient(dir)?;
        let mut places = Places {
            volumes: self.make(&state, "volumes", PRIVATE_MODE)?,
            pod_dir: dir,
            memory: None,
        };
        for volume in spec.volumes.iter().flatten() {
            check_name("volume", &volume.name)?;
            if self.volumes.iter().any(|other| other.name == volume.name) {
                return Err(VolumeError::DuplicateVolume {
                    volume: volume.name.clone(),
                });
            }
            let made = self.make_volume(&mut places, volume, sources, policy)?;
            self.volumes.push(made);
        }
        self.containers = Some(self.make(&state, "containers", PRIVATE_MODE)?);
        Ok(())
    }

    fn make_volume(
        &mut self,
        places: &mut Places<'_>,
        volume: &VolumeSpec,
        sources: &dyn VolumeSources,
        policy: &VolumePolicy,
    ) -> Result<Volume, VolumeError> {
        let name = &volume.name;
        let ready = |root, kind, directory_mode| {
            Ok(Volume {
                name: name.clone(),
                root,
                kind,
                directory_mode,
            })
        };
        if let Some(source_kind) = unsupported_source(volume) {
            return Err(VolumeError::UnsupportedSource {
                volume: name.clone(),
                source_kind,
            });
        }
        if let Some(source) = &volume.host_path {
            let root = host_path::open(name, source, policy)?;
            return ready(root, Kind::HostPath, VOLUME_MODE);
        }
        if let Some(source) = &volume.config_map {
            let files = projected::config_map(name, source, sources)?;
            let dir = self.make_dir(places, "kubernetes.io~configmap", name, None, VOLUME_MODE)?;
            projected::write(&dir, &files)?;
            return ready(VolumeRoot::Directory(dir), Kind::Projected, VOLUME_MODE);
        }
        if let Some(source) = &volume.secret {
            let files = projected::secret(name, source, sources)?;
            let memory = policy.memory_dir.as_deref();
            let dir = self.make_dir(places, "kubernetes.io~secret", name, memory, VOLUME_MODE)?;
            projected::write(&dir, &files)?;
            return ready(VolumeRoot::Directory(dir), Kind::Projected, VOLUME_MODE);
        }
        // The API's default for a volume without a source is an emptyDir.
        let wants_memory = volume
            .empty_dir
            .as_ref()
            .is_some_and(|source| source.medium.as_deref() == Some("Memory"));
        let memory = policy.memory_dir.as_deref().filter(|_| wants_memory);
        let dir = self.make_dir(
            places,
            "kubernetes.io~empty-dir",
            name,
            memory,
            EMPTY_DIR_MODE,
        )?;
        ready(VolumeRoot::Directory(dir), Kind::EmptyDir, EMPTY_DIR_MODE)
    }

    /// Makes the directory of one volume, in memory if there is a memory file system to use.
    fn make_dir(
        &mut self,
        places: &mut Places<'_>,
        plugin: &'static str,
        name: &str,
        memory: Option<&Path>,
        mode: u32,
    ) -> Result<HostDir, VolumeError> {
        let on_disk = places.volumes.open_or_create(plugin, PRIVATE_MODE)?;
        let Some(memory) = memory.filter(|path| path.is_dir()) else {
            let dir = self.make(&on_disk, name, mode)?;
            on_disk.set_mode(name, mode)?;
            return Ok(dir);
        };
        let pod_memory = match &places.memory {
            Some(made) => made.clone(),
            None => {
                let shared = HostDir::open_ambient(memory)?;
                let (taken, made) = empty_dir::create_memory_dir(&shared, places.pod_dir)?;
                self.made.push((shared, taken));
                places.memory.insert(made).clone()
            }
        };
        let plugin_dir = pod_memory.open_or_create(plugin, PRIVATE_MODE)?;
        let dir = self.make(&plugin_dir, name, mode)?;
        plugin_dir.set_mode(name, mode)?;
        empty_dir::link_memory_dir(&on_disk, name, dir.path())?;
        Ok(dir)
    }

    /// Makes a directory and writes it down for release.
    fn make(&mut self, parent: &HostDir, name: &str, mode: u32) -> Result<HostDir, VolumeError> {
        let dir = parent.create(name, mode)?;
        self.made.push((parent.clone(), name.into()));
        Ok(dir)
    }

    /// Makes the root directory of one attempt of a container, with its mounts in place.
    ///
    /// `root` holds what the root contains besides the mounts. The container's `workingDir`, or
    /// else that of `root`, is made if it is not there. Each attempt gets a fresh root.
    ///
    /// # Errors
    ///
    /// A mount that cannot be made, or a host file system that refuses. Nothing of the attempt is
    /// left then; if removing it fails too, the error says both.
    pub fn attach(
        &self,
        container: &Container,
        attempt: u32,
        root: &RootFiles,
    ) -> Result<ContainerRoot, VolumeError> {
        check_name("container", &container.name)?;
        let Some(containers) = &self.containers else {
            return Ok(ContainerRoot {
                preopens: Vec::new(),
            });
        };
        let attempts = containers.open_or_create(&container.name, PRIVATE_MODE)?;
        let name = attempt.to_string();
        let dir = attempts.create(&name, PRIVATE_MODE)?;
        self.build_root(&dir, container, root).map_err(|error| {
            let then = attempts.remove(&name).err().into_iter().collect();
            error.and(then)
        })
    }

    fn build_root(
        &self,
        dir: &HostDir,
        container: &Container,
        files: &RootFiles,
    ) -> Result<ContainerRoot, VolumeError> {
        let specs = container.volume_mounts.as_deref().unwrap_or_default();
        let mounts = mount::resolve(&container.name, specs, &self.volumes)?;
        let rootfs = dir.create("rootfs", ROOT_MODE)?;
        root::write(&container.name, &rootfs, files, &mounts)?;
        let placing = Placing {
            container: &container.name,
            root: &rootfs,
            is_root_read_only: container
                .security_context
                .as_ref()
                .is_some_and(|context| context.read_only_root_filesystem == Some(true)),
        };
        let mounted = mount::place(&placing, &mounts)?;
        let working_dir = container
            .working_dir
            .as_deref()
            .filter(|path| !path.is_empty())
            .unwrap_or(&files.working_dir);
        let working_dir = GuestPath::parse(working_dir).ok_or_else(|| VolumeError::RootPath {
            container: container.name.clone(),
            path: working_dir.to_owned(),
            rule: "a path cannot hold a NUL byte",
        })?;
        placing.make_directory(&mounts, &working_dir, None)?;
        let mut preopens = vec![Preopen::new(
            "/".to_owned(),
            placing.is_root_read_only,
            rootfs.dir().clone(),
            rootfs.path().to_owned(),
        )];
        preopens.extend(mounted);
        Ok(ContainerRoot { preopens })
    }

    /// Removes the root directory of one attempt; its volumes stay. Doing it twice is no error.
    ///
    /// # Errors
    ///
    /// The host's file system refuses to remove something.
    pub fn detach(&self, container: &str, attempt: u32) -> Result<(), VolumeError> {
        check_name("container", container)?;
        let Some(containers) = &self.containers else {
            return Ok(());
        };
        containers.remove(Path::new(container).join(attempt.to_string()))?;
        // Stays as long as another attempt is there; release removes what is left.
        let _ = containers.dir().remove_dir(container);
        Ok(())
    }

    /// Reads an ordinary file in the root directory of an attempt, at most its first `max_bytes`. Links are followed
    /// inside the root only; what lies in a mount is not seen.
    ///
    /// # Errors
    ///
    /// The file is not there, is not an ordinary one, or cannot be read.
    pub fn read_root_file(
        &self,
        container: &str,
        attempt: u32,
        path: &str,
        max_bytes: usize,
    ) -> io::Result<Vec<u8>> {
        check_name("container", container).map_err(|_| io::ErrorKind::InvalidInput)?;
        let containers = self.containers.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let rootfs = Path::new(container).join(attempt.to_string()).join("rootfs");
        let root = containers.dir().open_dir(rootfs)?;
        let file = root.open(path.trim_start_matches('/'))?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        file.take(u64::try_from(max_bytes).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// How many bytes each volume takes on the host, without hostPath volumes, which are not ours.
    ///
    /// May be called while guests run. A volume that cannot be measured is left out.
    #[must_use]
    pub fn usage(&self) -> Vec<(String, u64)> {
        self.volumes
            .iter()
            .filter(|volume| volume.kind != Kind::HostPath)
            .filter_map(|volume| match &volume.root {
                VolumeRoot::Directory(dir) => Some((volume.name.clone(), dir.usage().ok()?)),
                VolumeRoot::File { .. } => None,
            })
            .collect()
    }

    /// Removes all roots and volumes, in reverse order of making; what hostPath volumes hold stays.
    ///
    /// # Errors
    ///
    /// Everything that could not be removed, the first failure first; the rest is removed.
    pub fn release(mut self) -> Result<(), VolumeError> {
        VolumeError::all(self.remove_all())
    }

    fn remove_all(&mut self) -> Vec<VolumeError> {
        // Closed first: Windows does not remove a directory that is open.
        self.volumes.clear();
        self.containers = None;
        let mut errors = Vec::new();
        while let Some((parent, name)) = self.made.pop() {
            errors.extend(parent.remove(&name).err());
        }
        errors
    }
}

impl Drop for PodVolumes {
    fn drop(&mut self) {
        let _ = self.remove_all();
    }
}

/// Where volumes are made.
struct Places<'a> {
    /// `volumes` in the pod's directory.
    volumes: HostDir,
    pod_dir: &'a Path,
    /// The pod's directory on the memory file system, once a volume needed one.
    memory: Option<HostDir>,
}

/// Names come from a checked manifest; this holds the wall even if one did not.
fn check_name(what: &'static str, name: &str) -> Result<(), VolumeError> {
    let is_good = !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':', '\0']);
    if is_good {
        Ok(())
    } else {
        Err(VolumeError::BadName {
            what,
            name: name.to_owned(),
        })
    }
}

/// The field of the volume's source, if it is one that this program does not offer.
fn unsupported_source(volume: &VolumeSpec) -> Option<&'static str> {
    [
        (
            "awsElasticBlockStore",
            volume.aws_elastic_block_store.is_some(),
        ),
        ("azureDisk", volume.azure_disk.is_some()),
        ("azureFile", volume.azure_file.is_some()),
        ("cephfs", volume.cephfs.is_some()),
        ("cinder", volume.cinder.is_some()),
        ("csi", volume.csi.is_some()),
        ("downwardAPI", volume.downward_api.is_some()),
        ("ephemeral", volume.ephemeral.is_some()),
        ("fc", volume.fc.is_some()),
        ("flexVolume", volume.flex_volume.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some()),
        ("gitRepo", volume.git_repo.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("image", volume.image.is_some()),
        ("iscsi", volume.iscsi.is_some()),
        ("nfs", volume.nfs.is_some()),
        (
            "persistentVolumeClaim",
            volume.persistent_volume_claim.is_some(),
        ),
        (
            "photonPersistentDisk",
            volume.photon_persistent_disk.is_some(),
        ),
        ("portworxVolume", volume.portworx_volume.is_some()),
        ("projected", volume.projected.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("rbd", volume.rbd.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("storageos", volume.storageos.is_some()),
        ("vsphereVolume", volume.vsphere_volume.is_some()),
    ]
    .into_iter()
    .find_map(|(field, is_there)| is_there.then_some(field))
}
