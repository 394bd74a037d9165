//! How much a directory takes on the host, walked without following links.
//!
//! The walk may run beside guests that change the tree: what vanishes meanwhile is left out, and
//! cap-std keeps a swapped link from leading the walk out. It is iterative; a path that grows long
//! is cut by opening the directory there, so depth costs neither stack nor one descriptor a level.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::{Dir, Metadata};

use super::HostDir;
use crate::VolumeError;

/// Longest path, in bytes, that is walked from one open directory before the next one is opened.
/// Half of Linux' `PATH_MAX` (4,096), which leaves room for one more name (`NAME_MAX`, 255).
const MAX_WALK_PATH_BYTES: usize = 2_048;

impl HostDir {
    /// Bytes that the files below take on the host: blocks where the system counts them (so a
    /// sparse file counts what it holds, as for `du` and the kubelet), else lengths. A file with
    /// several names counts once.
    pub(crate) fn usage(&self) -> Result<u64, VolumeError> {
        let mut seen = HashSet::new();
        let mut bytes: u64 = 0;
        let mut pending = vec![(Arc::clone(self.dir()), PathBuf::new())];
        while let Some((base, relative)) = pending.pop() {
            let step = visit(&base, &relative, &mut seen, &mut bytes, &mut pending);
            match step {
                Err(error) if !has_vanished(&error) => {
                    return Err(self.error("measure", relative, error));
                }
                _ => {}
            }
        }
        Ok(bytes)
    }
}

fn visit(
    base: &Arc<Dir>,
    relative: &Path,
    seen: &mut HashSet<(u64, u64)>,
    bytes: &mut u64,
    pending: &mut Vec<(Arc<Dir>, PathBuf)>,
) -> io::Result<()> {
    let is_base = relative.as_os_str().is_empty();
    let (base, relative, entries) = if relative.as_os_str().len() > MAX_WALK_PATH_BYTES {
        let cut = Arc::new(base.open_dir(relative)?);
        let entries = cut.entries()?;
        (cut, PathBuf::new(), entries)
    } else {
        let entries = if is_base {
            base.entries()?
        } else {
            base.read_dir(relative)?
        };
        (Arc::clone(base), relative.to_owned(), entries)
    };
    for entry in entries {
        let entry = entry?;
        let found = match entry.metadata() {
            Err(error) if has_vanished(&error) => continue,
            found => found?,
        };
        if found.is_dir() {
            pending.push((Arc::clone(&base), relative.join(entry.file_name())));
        }
        if is_first_name(&found, seen) {
            *bytes = bytes.saturating_add(occupied_bytes(&found));
        }
    }
    Ok(())
}

fn has_vanished(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(unix)]
fn is_first_name(found: &Metadata, seen: &mut HashSet<(u64, u64)>) -> bool {
    use cap_std::fs::MetadataExt;
    found.is_dir() || found.nlink() < 2 || seen.insert((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn is_first_name(_found: &Metadata, _seen: &mut HashSet<(u64, u64)>) -> bool {
    true
}

#[cfg(unix)]
fn occupied_bytes(found: &Metadata) -> u64 {
    use cap_std::fs::MetadataExt;
    /// `st_blocks` counts these, whatever the file system's own block size is: stat(2).
    const BLOCK_BYTES: u64 = 512;
    found.blocks().saturating_mul(BLOCK_BYTES)
}

#[cfg(not(unix))]
fn occupied_bytes(found: &Metadata) -> u64 {
    found.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn sparse_files_links_and_second_names_do_not_count() {
        let temp = tempfile::tempdir().unwrap();
        let host = HostDir::open_ambient(temp.path()).unwrap();
        host.dir().create_dir_all("a/b").unwrap();
        host.dir().write("a/b/real", vec![7; 1 << 20]).unwrap();
        let before = host.usage().unwrap();
        assert!((1 << 20..1 << 21).contains(&before), "{before}");

        host.dir()
            .hard_link("a/b/real", host.dir(), "a/second")
            .unwrap();
        host.dir()
            .create("sparse")
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        std::os::unix::fs::symlink("/", temp.path().join("a/root")).unwrap();
        let after = host.usage().unwrap();
        assert!(after - before < 1 << 16, "{before} then {after}");
    }

    #[test]
    fn a_tree_longer_than_any_path_is_measured() {
        let temp = tempfile::tempdir().unwrap();
        let host = HostDir::open_ambient(temp.path()).unwrap();
        let mut dir = Dir::reopen_dir(&host.dir().open_dir(".").unwrap()).unwrap();
        let name = "d".repeat(200);
        for _ in 0..100 {
            dir.create_dir(&name).unwrap();
            dir = dir.open_dir(&name).unwrap();
        }
        dir.write("file", vec![7; 1 << 20]).unwrap();
        assert!(host.usage().unwrap() >= 1 << 20);
        host.remove(&name).unwrap();
    }
}
