//! The root directory of a container: the image's files, the three files of `/etc` that the
//! kubelet manages, `/tmp`.
//!
//! It is made anew for each attempt and written before the guest starts, so nothing in it can be
//! contested. Image files are written, never linked from a store: a guest that writes to a linked
//! file would change the store for everybody.
//!
//! There is no `/dev`: no device can be offered, and an ordinary file named `null` would keep all
//! that is written to it. A program that opens `/dev/null` is told that there is none; the shell
//! of the built-in images knows the name itself.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::VolumeError;
use crate::disk::{HostDir, Mode};
use crate::mount::{GuestPath, Mount};

/// Mode of `/tmp`, less the umask: every user of the pod is the same user here, and no other user of
/// the host comes this far.
const TMP_MODE: u32 = 0o1777;

/// Mode of the directories that hold the image's files.
const DIRECTORY_MODE: u32 = 0o755;

/// Mode of the files that the kubelet manages.
const MANAGED_FILE_MODE: u32 = 0o644;

/// What a container's root directory holds besides its mounts.
#[derive(Clone, Debug, Default)]
pub struct RootFiles {
    /// Contents of `/etc/hosts`.
    pub hosts: String,
    /// Contents of `/etc/hostname`.
    pub hostname: String,
    /// Contents of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// The image's files. One whose path a mount hides is left out; so is one of the three above.
    pub image: Vec<ImageFile>,
    /// The image's working directory, made if the container has no `workingDir` of its own; empty
    /// for `/`.
    pub working_dir: String,
}

/// One file of an image.
#[derive(Clone, Debug)]
pub struct ImageFile {
    /// Absolute path as the guest sees it; with a slash at its end it is an empty directory.
    pub path: String,
    /// The contents, shared with the image.
    pub bytes: Arc<[u8]>,
    /// Permission bits on the host, less the umask; WASI shows none to a guest.
    pub mode: u32,
}

/// The step in which file systems give space to files, in bytes: ext4, xfs, tmpfs and most others.
const BLOCK_BYTES: u64 = 4096;

/// Writes the root's own contents. Mounted files come after, so those leave their place free.
/// Gives the bytes that the image's files take on the host, as far as one can tell without asking.
pub(crate) fn write(
    container: &str,
    root: &HostDir,
    files: &RootFiles,
    mounts: &[Mount<'_>],
) -> Result<u64, VolumeError> {
    let mut image_bytes: u64 = 0;
    let managed = [
        ("etc/hosts", &files.hosts),
        ("etc/hostname", &files.hostname),
        ("etc/resolv.conf", &files.resolv_conf),
    ];
    let mut made: HashSet<PathBuf> = HashSet::from([PathBuf::new(), PathBuf::from("etc")]);
    root.make("etc", DIRECTORY_MODE)?;
    root.make("tmp", TMP_MODE)?;

    let is_hidden = |path: &GuestPath| mounts.iter().any(|mount| mount.hides(path));
    for (path, text) in managed {
        if GuestPath::parse(path).is_some_and(|guest| !is_hidden(&guest)) {
            root.write_new(path, text.as_bytes(), Mode::Masked(MANAGED_FILE_MODE))?;
        }
    }
    for file in &files.image {
        let refuse = |rule| VolumeError::RootPath {
            container: container.to_owned(),
            path: file.path.clone(),
            rule,
        };
        let path = GuestPath::parse(&file.path)
            .filter(|path| !path.is_root())
            .ok_or_else(|| refuse("not the path of a file"))?;
        let target = path.in_root();
        if is_hidden(&path) || managed.iter().any(|(name, _)| target == Path::new(name)) {
            continue;
        }
        let is_directory = file.path.ends_with('/');
        let directory = if is_directory {
            Some(target.as_path())
        } else {
            target.parent()
        };
        if let Some(directory) = directory
            && !made.contains(directory)
        {
            root.try_create_all(directory, DIRECTORY_MODE)
                .map_err(|source| root.error("create directory", directory, source))?;
            made.insert(directory.to_owned());
        }
        if is_directory {
            continue;
        }
        root.write_new(&target, &file.bytes, Mode::Masked(file.mode & 0o777))?;
        let bytes = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        image_bytes =
            image_bytes.saturating_add(bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES));
    }
    Ok(image_bytes)
}
