//! What a container may open: its root directory and its mounts, as WASI preopens.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;

/// The directories of one attempt of a container, ready to be given to its instance.
///
/// The value only keeps them open; it does not own them: `PodVolumes::detach` removes the root.
/// Drop it once the engine has opened each [`Preopen::open_path`], which frees one file descriptor
/// for the root and one for each sub-path.
#[derive(Debug)]
pub struct ContainerRoot {
    /// `/` first, then each mount, outer mounts before those that lie inside them.
    pub preopens: Vec<Preopen>,
}

/// One directory that a guest may open, and what is below it.
#[derive(Clone)]
pub struct Preopen {
    /// Absolute path by which the guest knows the directory; without `.`, `..` or a slash at the end.
    pub guest_path: String,
    /// Nothing below it may be changed through this preopen.
    pub read_only: bool,
    dir: Arc<Dir>,
    real_path: PathBuf,
}

impl Preopen {
    pub(crate) fn new(
        guest_path: String,
        read_only: bool,
        dir: Arc<Dir>,
        real_path: PathBuf,
    ) -> Self {
        Self {
            guest_path,
            read_only,
            dir,
            real_path,
        }
    }

    /// A path that opens exactly this directory, for as long as this value lives.
    ///
    /// On Linux it goes through the descriptor that is held open (`/proc/self/fd/N`), so a link
    /// that a guest plants on the way has no effect. On Windows the directory and its parents
    /// cannot be renamed while it is held open. On other systems (and on a Linux without `/proc`)
    /// it is the path on the host, in which a sub-path of a writable volume could still be swapped
    /// by a guest between [`attach`](crate::PodVolumes::attach) and this call's use.
    #[must_use]
    pub fn open_path(&self) -> PathBuf {
        held_path(&self.dir).unwrap_or_else(|| self.real_path.clone())
    }

    /// Where the directory is on the host, for messages only: see [`open_path`](Self::open_path).
    #[must_use]
    pub fn host_path(&self) -> &Path {
        &self.real_path
    }
}

#[cfg(target_os = "linux")]
fn held_path(dir: &Dir) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    static HAS_PROC: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    HAS_PROC
        .get_or_init(|| Path::new("/proc/self/fd").is_dir())
        .then(|| PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())))
}

#[cfg(not(target_os = "linux"))]
fn held_path(_dir: &Dir) -> Option<PathBuf> {
    None
}

impl fmt::Debug for Preopen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preopen")
            .field("guest_path", &self.guest_path)
            .field("read_only", &self.read_only)
            .field("real_path", &self.real_path)
            .finish_non_exhaustive()
    }
}
