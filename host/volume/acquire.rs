//! Making the volumes of a pod: once, before its first container.

use std::path::Path;

use wasmpod_manifest::k8s::{ObjectFieldSelector, PodSpec, Volume as VolumeSpec};
use wasmpod_manifest::quantity;

use crate::disk::HostDir;
use crate::empty_dir::{self, EMPTY_DIR_MODE, PRIVATE_MODE};
use crate::pod::check_name;
use crate::volume::{Kind, VOLUME_MODE, Volume, VolumeRoot, unsupported_source};
use crate::{Claim, PodVolumes, VolumeError, VolumePolicy, VolumeSources, host_path, projected};

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
        let mut pod = Self::empty();
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
        if let Some((claim, read_only)) = claim_of(volume, sources)? {
            let root = VolumeRoot::Directory(HostDir::open_ambient(&claim.path)?);
            let read_only = read_only || claim.read_only;
            return ready(root, Kind::Claim { read_only }, VOLUME_MODE);
        }
        if let Some(plugin) = projected::plugin(volume) {
            let sources = self.immutable.over(sources);
            let files = projected::files(volume, &sources)?;
            let memory = policy
                .memory_dir
                .as_deref()
                .filter(|_| plugin.is_in_memory());
            let dir = self.make_dir(places, plugin.directory(), name, memory, VOLUME_MODE)?;
            projected::write(&dir, &files)?;
            let kind = Kind::Projected(Box::new(volume.clone()));
            return ready(VolumeRoot::Directory(dir), kind, VOLUME_MODE);
        }
        // The API's default for a volume without a source is an emptyDir.
        let source = volume.empty_dir.as_ref();
        let is_memory = source.is_some_and(|source| source.medium.as_deref() == Some("Memory"));
        let limit_bytes = source
            .and_then(|source| source.size_limit.as_ref())
            .and_then(|limit| quantity::parse_bytes(&limit.0).ok())
            .filter(|bytes| *bytes > 0);
        let memory = policy.memory_dir.as_deref().filter(|_| is_memory);
        let plugin = "kubernetes.io~empty-dir";
        let dir = self.make_dir(places, plugin, name, memory, EMPTY_DIR_MODE)?;
        let kind = Kind::EmptyDir {
            limit_bytes,
            is_memory,
        };
        ready(VolumeRoot::Directory(dir), kind, EMPTY_DIR_MODE)
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
}

/// Where volumes are made.
struct Places<'a> {
    /// The pod's own directory of volumes.
    volumes: HostDir,
    pod_dir: &'a Path,
    /// The pod's directory on the memory file system, once a volume needs it.
    memory: Option<HostDir>,
}

/// The claim that a volume is made of, and whether the volume wants it read-only.
fn claim_of(
    volume: &VolumeSpec,
    sources: &dyn VolumeSources,
) -> Result<Option<(Claim, bool)>, VolumeError> {
    let (name, read_only) = if let Some(source) = &volume.persistent_volume_claim {
        (source.claim_name.clone(), source.read_only == Some(true))
    } else if volume.ephemeral.is_some() {
        let field = ObjectFieldSelector {
            field_path: "metadata.name".to_owned(),
            ..ObjectFieldSelector::default()
        };
        let pod = sources
            .field(&field)
            .map_err(|message| VolumeError::Downward {
                volume: volume.name.clone(),
                message,
            })?;
        // The name is Kubernetes' own: `ephemeral-volumes#persistentvolumeclaim-naming`.
        (format!("{pod}-{}", volume.name), false)
    } else {
        return Ok(None);
    };
    match sources.claim(&name) {
        Some(claim) => Ok(Some((claim, read_only))),
        None => Err(VolumeError::ClaimNotFound { claim: name }),
    }
}
