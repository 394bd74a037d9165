//! Where emptyDir volumes, and the directories of configMap and secret volumes, are made.
//!
//! On disk they have the kubelet's names below the pod's directory. In memory they lie in a
//! directory of the pod on the memory file system, and a link with the kubelet's name says where,
//! so that a person, or a clean-up after a crash, finds them.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::VolumeError;
use crate::disk::HostDir;

/// Mode of an emptyDir: every user of the pod may write; the kubelet's.
pub(crate) const EMPTY_DIR_MODE: u32 = 0o777;

/// Mode of the directories that we keep for ourselves, so that other users of the host cannot read
/// the volumes of a pod, whatever modes these have.
pub(crate) const PRIVATE_MODE: u32 = 0o700;

/// How many names are tried for the pod's directory on the memory file system, which all users of
/// the host share: a name that is taken is never used, for it may be somebody else's.
const MAX_MEMORY_NAME_ATTEMPTS: u32 = 16;

/// Makes the pod's own directory on the memory file system. Gives the memory file system's
/// directory, the name in it, and the new directory.
pub(crate) fn create_memory_dir(
    memory: &HostDir,
    pod_dir: &Path,
) -> Result<(OsString, HostDir), VolumeError> {
    let mut base = OsString::from("wasmpod-");
    base.push(pod_dir.file_name().unwrap_or_default());
    let mut attempt = 0;
    loop {
        let mut name = base.clone();
        if attempt > 0 {
            name.push(format!(".{attempt}"));
        }
        match memory.create(&name, PRIVATE_MODE) {
            Ok(dir) => return Ok((name, dir)),
            Err(VolumeError::Io { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists
                    && attempt < MAX_MEMORY_NAME_ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Leaves a link with the kubelet's name to a volume that lies in memory. Only a help for people:
/// nothing of ours follows it, and systems without links go without.
pub(crate) fn link_memory_dir(
    plugin: &HostDir,
    name: &str,
    target: &Path,
) -> Result<(), VolumeError> {
    #[cfg(unix)]
    plugin
        .dir()
        .symlink_contents(target, name)
        .map_err(|source| plugin.error("create link", name, source))?;
    #[cfg(not(unix))]
    let _ = (plugin, name, target);
    Ok(())
}
