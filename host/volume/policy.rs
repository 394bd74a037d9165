//! What the operator of this host allows volumes to use.

use std::path::PathBuf;

/// The operator's settings for volumes; the default allows no host path and uses no memory.
#[derive(Clone, Debug, Default)]
pub struct VolumePolicy {
    /// A hostPath volume must lie in one of these directories once all links are resolved
    /// (`--allow-host-path PREFIX`). Empty: every hostPath volume is refused.
    pub allow_host_path: Vec<PathBuf>,
    /// A directory on a memory file system (`/dev/shm` on Linux), where emptyDirs with
    /// `medium: Memory` and secrets go, as the kubelet puts both on tmpfs. `None`, or a directory
    /// that is not there: they go to disk, into the pod's private directory.
    pub memory_dir: Option<PathBuf>,
}

impl VolumePolicy {
    /// The memory file system of this host where there is a well-known one, and no host path.
    #[must_use]
    pub fn for_this_host() -> Self {
        let shm = PathBuf::from("/dev/shm");
        Self {
            allow_host_path: Vec::new(),
            memory_dir: (cfg!(target_os = "linux") && shm.is_dir()).then_some(shm),
        }
    }
}
