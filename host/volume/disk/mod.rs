//! Directories of the host, held open: the only way in which this crate touches files.
//!
//! A [`HostDir`] is a cap-std `Dir` with its path for messages. All but [`HostDir::open_ambient`]
//! (which is for paths that only we or the operator named) stay inside the directory, whatever
//! links lie there. Modes are for the host: WASI shows none to a guest; elsewhere than on Unix
//! they are not set.

mod list;
mod remove;
mod usage;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, OpenOptions, Permissions};
#[cfg(unix)]
use cap_std::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

use crate::VolumeError;

/// A directory of the host that is held open.
#[derive(Clone, Debug)]
pub(crate) struct HostDir {
    dir: Arc<Dir>,
    path: PathBuf,
}

impl HostDir {
    /// Opens a directory by a path that no guest has a hand in; links are followed.
    pub(crate) fn open_ambient(path: &Path) -> Result<Self, VolumeError> {
        let dir =
            Dir::open_ambient_dir(path, ambient_authority()).map_err(|source| VolumeError::Io {
                action: "open directory",
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            dir: Arc::new(dir),
            path: path.to_owned(),
        })
    }

    pub(crate) fn dir(&self) -> &Arc<Dir> {
        &self.dir
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Names the failed action and the path in the error.
    pub(crate) fn error(
        &self,
        action: &'static str,
        relative: impl AsRef<Path>,
        source: io::Error,
    ) -> VolumeError {
        VolumeError::Io {
            action,
            path: self.path.join(relative),
            source,
        }
    }

    /// Opens a directory below this one; links that stay inside are followed.
    pub(crate) fn open(&self, relative: impl AsRef<Path>) -> Result<Self, VolumeError> {
        let relative = relative.as_ref();
        self.try_open(relative)
            .map_err(|source| self.error("open directory", relative, source))
    }

    /// As [`open`](Self::open), for callers that have a better message.
    pub(crate) fn try_open(&self, relative: &Path) -> io::Result<Self> {
        let dir = self.dir.open_dir(relative)?;
        Ok(Self {
            dir: Arc::new(dir),
            path: self.path.join(relative),
        })
    }

    /// Makes a directory that must not exist yet, and opens it. The umask applies to the mode.
    pub(crate) fn create(
        &self,
        relative: impl AsRef<Path>,
        mode: u32,
    ) -> Result<Self, VolumeError> {
        let relative = relative.as_ref();
        self.make(relative, mode)?;
        self.open(relative)
    }

    /// Makes a directory that must not exist yet. The umask applies to the mode.
    pub(crate) fn make(&self, relative: impl AsRef<Path>, mode: u32) -> Result<(), VolumeError> {
        let relative = relative.as_ref();
        self.dir
            .create_dir_with(relative, &dir_builder(mode))
            .map_err(|source| self.error("create directory", relative, source))
    }

    /// Makes a directory where there is none yet, and opens it.
    pub(crate) fn open_or_create(
        &self,
        relative: impl AsRef<Path>,
        mode: u32,
    ) -> Result<Self, VolumeError> {
        let relative = relative.as_ref();
        match self.dir.create_dir_with(relative, &dir_builder(mode)) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(self.error("create directory", relative, source))
            }
            _ => self.open(relative),
        }
    }

    /// Makes a directory with all its parents; those that exist stay as they are.
    pub(crate) fn try_create_all(&self, relative: &Path, mode: u32) -> io::Result<()> {
        self.dir
            .create_dir_with(relative, dir_builder(mode).recursive(true))
    }

    /// Sets the mode of a directory exactly, whatever the umask is.
    #[cfg(unix)]
    pub(crate) fn set_mode(
        &self,
        relative: impl AsRef<Path>,
        mode: u32,
    ) -> Result<(), VolumeError> {
        let relative = relative.as_ref();
        self.dir
            .set_permissions(relative, Permissions::from_mode(mode))
            .map_err(|source| self.error("set the mode of", relative, source))
    }

    /// Modes are Unix' own.
    #[cfg(not(unix))]
    pub(crate) fn set_mode(
        &self,
        _relative: impl AsRef<Path>,
        _mode: u32,
    ) -> Result<(), VolumeError> {
        Ok(())
    }

    /// Writes a file that must not exist yet, with one open and one write.
    pub(crate) fn write_new(
        &self,
        relative: impl AsRef<Path>,
        bytes: &[u8],
        mode: Mode,
    ) -> Result<(), VolumeError> {
        let relative = relative.as_ref();
        let mut file = self
            .dir
            .open_with(relative, &new_file(mode))
            .map_err(|source| self.error("create file", relative, source))?;
        file.write_all(bytes)
            .map_err(|source| self.error("write", relative, source))?;
        #[cfg(unix)]
        if let Mode::Exact(bits) = mode {
            file.set_permissions(Permissions::from_mode(bits))
                .map_err(|source| self.error("set the mode of", relative, source))?;
        }
        Ok(())
    }
}

/// The mode of a new file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// These bits, whatever the umask is: the manifest asks for them.
    Exact(u32),
    /// These bits less those of the umask: saves a system call where nobody asked.
    Masked(u32),
}

fn dir_builder(mode: u32) -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    builder.mode(mode);
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

fn new_file(mode: Mode) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    match mode {
        // Closed to others until the exact mode is set.
        Mode::Exact(_) => options.mode(0o600),
        Mode::Masked(bits) => options.mode(bits),
    };
    #[cfg(not(unix))]
    let _ = mode;
    options
}
