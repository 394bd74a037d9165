//! How much a directory takes on the host, walked without following links.
//!
//! The walk may run beside guests that change the tree: what vanishes meanwhile is left out, and
//! cap-std keeps a swapped link from leading the walk out. It is iterative; a path that grows long
//! is cut by opening the directory there, so depth costs neither stack nor one descriptor a level.
//! The number of entries is bounded too.

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

/// Most entries that one walk looks at: about a second's work. What lies beyond is not counted, so
/// the result is a lower bound then, which is all that a limit needs. Ours.
const MAX_WALK_ENTRIES: u64 = 1 << 20;

impl HostDir {
    /// Bytes that the files below take on the host: blocks where the system counts them (so a
    /// sparse file counts what it holds, as for `du` and the kubelet), else lengths. A file with
    /// several names counts once.
    pub(crate) fn usage(&self) -> Result<u64, VolumeError> {
        self.usage_of(MAX_WALK_ENTRIES)
    }

    fn usage_of(&self, max_entries: u64) -> Result<u64, VolumeError> {
        let mut walk = Walk {
            entries_left: max_entries,
            ..Walk::default()
        };
        walk.pending.push((Arc::clone(self.dir()), PathBuf::new()));
        while let Some((base, relative)) = walk.pending.pop() {
            match walk.visit(&base, &relative) {
                Err(error) if !has_vanished(&error) => {
                    return Err(self.error("measure", relative, error));
                }
                _ => {}
            }
        }
        Ok(walk.bytes)
    }
}

/// A walk on its way.
#[derive(Default)]
struct Walk {
    bytes: u64,
    entries_left: u64,
    /// Device and number of the files with several names.
    seen: HashSet<(u64, u64)>,
    pending: Vec<(Arc<Dir>, PathBuf)>,
}

impl Walk {
    fn visit(&mut self, base: &Arc<Dir>, relative: &Path) -> io::Result<()> {
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
            if self.entries_left == 0 {
                self.pending.clear();
                return Ok(());
            }
            self.entries_left -= 1;
            let found = match entry.metadata() {
                Err(error) if has_vanished(&error) => continue,
                found => found?,
            };
            if found.is_dir() {
                self.pending
                    .push((Arc::clone(&base), relative.join(entry.file_name())));
            }
            if is_first_name(&found, &mut self.seen) {
                self.bytes = self.bytes.saturating_add(occupied_bytes(&found));
            }
        }
        Ok(())
    }
}

/// Whether what was there a moment ago has gone, or has been exchanged for a link that leads out:
/// the wall refuses that itself, and so without a number of the system.
fn has_vanished(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => true,
        io::ErrorKind::PermissionDenied => error.raw_os_error().is_none(),
        _ => error
            .raw_os_error()
            .is_some_and(|code| Some(code) == TOO_MANY_LINKS),
    }
}

/// `ELOOP`: a directory has become a link to itself. Linux' number; elsewhere it is an error.
const TOO_MANY_LINKS: Option<i32> = if cfg!(target_os = "linux") {
    Some(40)
} else {
    None
};

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
    fn a_walk_ends_at_its_bound() {
        let temp = tempfile::tempdir().unwrap();
        let host = HostDir::open_ambient(temp.path()).unwrap();
        for number in 0..20 {
            host.dir().create_dir(format!("{number}")).unwrap();
            host.dir()
                .write(format!("{number}/file"), vec![7; 1 << 16])
                .unwrap();
        }
        let whole = host.usage().unwrap();
        let part = host.usage_of(25).unwrap();
        assert!(whole >= 20 << 16, "{whole}");
        assert!((1 << 16..=whole / 2).contains(&part), "{part} of {whole}");
        assert_eq!(host.usage_of(0).unwrap(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn what_vanishes_or_is_exchanged_under_the_walk_is_left_out() {
        use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
        let temp = tempfile::tempdir().unwrap();
        let host = HostDir::open_ambient(temp.path()).unwrap();
        let is_done = AtomicBool::new(false);
        let rounds = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) && rounds.load(Ordering::Relaxed) < 1_000_000
                {
                    for name in ["a", "b", "c"] {
                        host.dir().create_dir_all(format!("{name}/deep")).unwrap();
                        host.dir().write(format!("{name}/deep/file"), b"x").unwrap();
                    }
                    host.dir().remove_dir_all("a").unwrap();
                    host.dir().symlink_contents("/", "a").unwrap();
                    host.dir().remove_file("a").unwrap();
                    host.dir().symlink_contents("a", "a").unwrap();
                    host.dir().remove_dir_all("b").unwrap();
                    host.dir().remove_file("a").unwrap();
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
            let mut walks = 0;
            while walks < 200 || rounds.load(Ordering::Relaxed) < 10 {
                let bytes = host.usage().unwrap();
                assert!(bytes < 1 << 20, "nothing of outside counts: {bytes}");
                walks += 1;
                assert!(walks < 1_000_000, "the other thread makes its rounds");
            }
            is_done.store(true, Ordering::Relaxed);
        });
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
