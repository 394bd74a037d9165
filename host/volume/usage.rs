//! How much of the host's storage a pod takes: what `sizeLimit` and `ephemeral-storage` are held
//! against.

use std::sync::PoisonError;

use crate::attach::rootfs_path;
use crate::pod::check_name;
use crate::volume::{Kind, VolumeRoot};
use crate::{PodVolumes, VolumeError};

/// What one emptyDir volume takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeUsage {
    /// Name of the volume.
    pub volume: String,
    /// Bytes that its files take on the host.
    pub bytes: u64,
    /// Its `sizeLimit` in bytes, if it has one.
    pub limit_bytes: Option<u64>,
    /// `medium: Memory`: it does not count as ephemeral storage of the pod.
    pub is_memory: bool,
}

impl PodVolumes {
    /// What each emptyDir volume takes on the host. May be called while guests run: what vanishes
    /// meanwhile does not count.
    ///
    /// # Errors
    ///
    /// The host's file system refuses to be looked at.
    pub fn usage(&self) -> Result<Vec<VolumeUsage>, VolumeError> {
        let mut all = Vec::new();
        for volume in &self.volumes {
            if let (
                Kind::EmptyDir {
                    limit_bytes,
                    is_memory,
                },
                VolumeRoot::Directory(dir),
            ) = (&volume.kind, &volume.root)
            {
                all.push(VolumeUsage {
                    volume: volume.name.clone(),
                    bytes: dir.usage()?,
                    limit_bytes: *limit_bytes,
                    is_memory: *is_memory,
                });
            }
        }
        Ok(all)
    }

    /// Bytes that the root directory of an attempt takes beyond its image's files, which do not
    /// count as ephemeral storage of a container. Mounts lie elsewhere and do not count either.
    /// An attempt that is not there takes nothing.
    ///
    /// # Errors
    ///
    /// The host's file system refuses to be looked at.
    pub fn root_usage(&self, container: &str, attempt: u32) -> Result<u64, VolumeError> {
        check_name("container", container)?;
        let image_bytes = {
            let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
            match attached.get(&(container.to_owned(), attempt)) {
                Some(attached) => attached.image_bytes,
                None => return Ok(0),
            }
        };
        let Some(containers) = &self.containers else {
            return Ok(0);
        };
        let root = rootfs_path(container, attempt);
        match containers.try_open(&root) {
            Ok(root) => Ok(root.usage()?.saturating_sub(image_bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(containers.error("open directory", root, error)),
        }
    }
}
