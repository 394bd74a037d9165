//! The root directories of containers: made for each attempt, opened once more for `exec`, removed.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use wasmpod_manifest::k8s::Container;

use crate::disk::HostDir;
use crate::empty_dir::PRIVATE_MODE;
use crate::mount::{self, GuestPath, Placing};
use crate::pod::check_name;
use crate::{ContainerRoot, PodVolumes, Preopen, RootFiles, VolumeError, root};

/// Mode of a container's root directory.
const ROOT_MODE: u32 = 0o755;

/// What is remembered of a root that is there.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The preopens but the root's. They keep a descriptor open for each sub-path, so that a further
    /// instance sees the same directories even if a guest has moved them.
    mounts: Vec<Preopen>,
    is_root_read_only: bool,
    /// What the image's files took on the host when they were written.
    pub(crate) image_bytes: u64,
}

impl PodVolumes {
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
        let _one_generation = self
            .generation
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let attempts = containers.open_or_create(&container.name, PRIVATE_MODE)?;
        let name = attempt.to_string();
        let dir = attempts.create(&name, PRIVATE_MODE)?;
        match self.build_root(&dir, container, root) {
            Ok((rootfs, attached)) => {
                let root = container_root(&rootfs, &attached);
                self.attached
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert((container.name.clone(), attempt), attached);
                Ok(root)
            }
            Err(error) => {
                let then = attempts.remove(&name).err().into_iter().collect();
                Err(error.and(then))
            }
        }
    }

    fn build_root(
        &self,
        dir: &HostDir,
        container: &Container,
        files: &RootFiles,
    ) -> Result<(HostDir, Attached), VolumeError> {
        let specs = container.volume_mounts.as_deref().unwrap_or_default();
        let mounts = mount::resolve(&container.name, specs, &self.volumes)?;
        let rootfs = dir.create("rootfs", ROOT_MODE)?;
        let image_bytes = root::write(&container.name, &rootfs, files, &mounts)?;
        let placing = Placing {
            container: &container.name,
            attempt: dir,
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
        let attached = Attached {
            mounts: mounted,
            is_root_read_only: placing.is_root_read_only,
            image_bytes,
        };
        Ok((rootfs, attached))
    }

    /// Opens the root of an attempt that is attached once more, with the same mounts, for a further
    /// instance beside the container (`exec`).
    ///
    /// # Errors
    ///
    /// The attempt is not attached, or the host refuses to open its root.
    pub fn open(&self, container: &Container, attempt: u32) -> Result<ContainerRoot, VolumeError> {
        let name = &container.name;
        check_name("container", name)?;
        let not_attached = || VolumeError::NotAttached {
            container: name.clone(),
            attempt,
        };
        let containers = self.containers.as_ref().ok_or_else(not_attached)?;
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        let attached = attached
            .get(&(name.clone(), attempt))
            .ok_or_else(not_attached)?;
        let rootfs = containers.open(rootfs_path(name, attempt))?;
        Ok(container_root(&rootfs, attached))
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
        // Closed first: Windows does not remove a directory that is open.
        drop(
            self.attached
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&(container.to_owned(), attempt)),
        );
        // Opened first: a name in an open directory costs fewer system calls than a path.
        let attempts = match containers.try_open(Path::new(container)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(|source| containers.error("open", container, source))?,
        };
        attempts.remove(attempt.to_string())?;
        drop(attempts);
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
        let root = containers.dir().open_dir(rootfs_path(container, attempt))?;
        let file = root.open(path.trim_start_matches('/'))?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        file.take(u64::try_from(max_bytes).unwrap_or(u64::MAX))
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Where the root of an attempt is below the directory of all containers.
pub(crate) fn rootfs_path(container: &str, attempt: u32) -> PathBuf {
    Path::new(container)
        .join(attempt.to_string())
        .join("rootfs")
}

fn container_root(rootfs: &HostDir, attached: &Attached) -> ContainerRoot {
    let root = Preopen::new(
        "/".to_owned(),
        attached.is_root_read_only,
        rootfs.dir().clone(),
        rootfs.path().to_owned(),
    );
    let mut preopens = Vec::with_capacity(attached.mounts.len() + 1);
    preopens.push(root);
    preopens.extend_from_slice(&attached.mounts);
    ContainerRoot { preopens }
}
