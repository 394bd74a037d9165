//! What a container may open: its root directory and its mounts, as WASI preopens.

use std::fmt;
use std::io::{self, Read as _};
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

impl ContainerRoot {
    /// The file that a program of the container means by `path`, which counts from `working_dir`. Nothing for a path that is
    /// in none of the directories.
    ///
    /// Links are followed within the directory in which the path lies. `..` is not: it is in no path that a mount has.
    #[must_use]
    pub fn file(&self, working_dir: &str, path: &str) -> Option<ContainerFile> {
        let absolute = Path::new(working_dir).join(path);
        // Inner mounts come later.
        let mut preopens = self.preopens.iter().rev();
        preopens.find_map(|preopen| {
            let below = absolute.strip_prefix(&preopen.guest_path).ok()?;
            Some(ContainerFile {
                dir: Arc::clone(&preopen.dir),
                path: below.to_owned(),
            })
        })
    }
}

/// A file of a container, which need not be there. It keeps open the directory in which it is.
#[derive(Clone, Debug)]
pub struct ContainerFile {
    dir: Arc<Dir>,
    path: PathBuf,
}

impl ContainerFile {
    /// All of the file, as it is now.
    ///
    /// # Errors
    /// It is not there, is not an ordinary file, lies outside, cannot be read, or is larger than `max_bytes`
    /// ([`io::ErrorKind::FileTooLarge`]).
    pub fn read(&self, max_bytes: usize) -> io::Result<Vec<u8>> {
        // A pipe must not hold up who opens it.
        if !self.dir.metadata(&self.path)?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let file = self.dir.open(&self.path)?;
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }
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

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn a_file_is_the_one_that_the_container_means() {
        let folder = tempfile::tempdir().unwrap();
        let (root, mount) = (folder.path().join("root"), folder.path().join("mount"));
        for (path, text) in [
            (root.join("etc/tls/ca.crt"), "hidden"),
            (root.join("etc/other"), "other"),
            (mount.join("ca.crt"), "mounted"),
            (folder.path().join("secret"), "outside"),
        ] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let preopen = |guest: &str, real: &Path| {
            let dir = Dir::open_ambient_dir(real, ambient_authority()).unwrap();
            Preopen::new(guest.to_owned(), true, Arc::new(dir), real.to_owned())
        };
        let root = ContainerRoot {
            preopens: vec![preopen("/", &root), preopen("/etc/tls", &mount)],
        };
        for (working_dir, path, expected) in [
            ("/", "/etc/tls/ca.crt", Ok("mounted")),
            ("/etc", "tls/ca.crt", Ok("mounted")),
            ("/etc/tls", "ca.crt", Ok("mounted")),
            ("/", "/etc/other", Ok("other")),
            ("/", "etc/other", Ok("other")),
            ("/", "/etc/missing", Err(io::ErrorKind::NotFound)),
            ("/", "/etc", Err(io::ErrorKind::InvalidInput)),
            ("/", "/../secret", Err(io::ErrorKind::PermissionDenied)),
            (
                "/",
                "/etc/tls/../../secret",
                Err(io::ErrorKind::PermissionDenied),
            ),
        ] {
            let file = root.file(working_dir, path).unwrap();
            let read = file.read(7).map_err(|error| error.kind());
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(read, expected, "{working_dir} {path}");
        }
        let file = root.file("/", "/etc/other").unwrap();
        let error = file.read(4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
