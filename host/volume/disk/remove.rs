//! Removes a directory with all that guests have put below it.
//!
//! The usual recursive removal holds one file descriptor (and one stack frame) a level, so a guest
//! could make a tree so deep that it cannot be removed. Here recursion ends at a depth that honest
//! trees seldom have; what lies deeper is moved up to the top and removed from there in another
//! pass. Permissions are looked at only when they are in the way.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;

use super::HostDir;
use crate::VolumeError;

/// Names of directories on their way out. A volume's own names cannot be in the way for long: the
/// next number is tried.
const MOVED_PREFIX: &str = ".wasmpod-removed-";

/// How deep one pass goes, and so how many descriptors it holds: enough for a container's root.
const MAX_DEPTH: u32 = 12;

/// How often the next number is tried before the error is reported: more than any honest tree has
/// names of that form, and bounded.
const MAX_NAME_ATTEMPTS: u32 = 1024;

impl HostDir {
    /// Removes what is at `name`: a file, a link (not what it leads to), or a whole directory,
    /// read-only ones included. Nothing there is success: the aim is reached.
    pub(crate) fn remove(&self, name: impl AsRef<Path>) -> Result<(), VolumeError> {
        let name = name.as_ref();
        remove_any(self.dir(), name).map_err(|source| self.error("remove", name, source))
    }
}

fn remove_any(parent: &Dir, name: &Path) -> io::Result<()> {
    let found = match parent.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.is_dir() {
        return remove_leaf(parent, name);
    }
    let mut moved: u64 = 0;
    // Each pass takes away as many levels as one pass goes deep.
    loop {
        let before = moved;
        with_permission(parent, name, &mut |top| {
            empty(top, top, MAX_DEPTH, &mut moved)
        })?;
        if moved == before {
            break;
        }
    }
    parent.remove_dir(name)
}

/// Removes everything in `dir`, which lies in `top` or is it, but what lies deeper than `depth`
/// levels: that moves up into `top`.
fn empty(dir: &Dir, top: &Dir, depth: u32, moved: &mut u64) -> io::Result<()> {
    // Collected first: removing while reading a directory may skip entries on some systems.
    let entries = dir.entries()?.collect::<io::Result<Vec<_>>>()?;
    for entry in entries {
        let name = entry.file_name();
        let name = Path::new(&name);
        if !entry.file_type()?.is_dir() {
            remove_leaf(dir, name)?;
        } else if depth > 0 {
            with_permission(dir, name, &mut |inner| empty(inner, top, depth - 1, moved))?;
            dir.remove_dir(name)?;
        } else if dir.remove_dir(name).is_err() {
            // A directory must be writable to be moved, for its `..` changes.
            make_writable(dir, name);
            move_up(dir, name, top, moved)?;
        }
    }
    Ok(())
}

/// Does something in a directory; if its permissions are in the way, they are changed, and it is
/// done once more.
fn with_permission(
    parent: &Dir,
    name: &Path,
    act: &mut dyn FnMut(&Dir) -> io::Result<()>,
) -> io::Result<()> {
    match parent.open_dir(name).and_then(|dir| act(&dir)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(parent, name);
            act(&parent.open_dir(name)?)
        }
        result => result,
    }
}

fn move_up(from: &Dir, child: &Path, top: &Dir, moved: &mut u64) -> io::Result<()> {
    let mut attempt = 0;
    loop {
        *moved = moved.wrapping_add(1);
        let target = PathBuf::from(format!("{MOVED_PREFIX}{moved}"));
        match from.rename(child, top, &target) {
            Err(error) if attempt < MAX_NAME_ATTEMPTS && is_taken(&error) => attempt += 1,
            result => return result,
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists
            | io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::NotADirectory
            // Windows says so of a target that exists.
            | io::ErrorKind::PermissionDenied
    )
}

/// Makes a directory readable and writable for its owner if it is not.
#[cfg(unix)]
fn make_writable(parent: &Dir, name: &Path) {
    use cap_std::fs::{Permissions, PermissionsExt};
    const OWNER_ALL: u32 = 0o700;
    let is_open = parent
        .symlink_metadata(name)
        .is_ok_and(|found| found.permissions().mode() & 0o700 == 0o700);
    if !is_open {
        // If this fails, so does the removal, and that error says more.
        let _ = parent.set_permissions(name, Permissions::from_mode(OWNER_ALL));
    }
}

#[cfg(not(unix))]
fn make_writable(_parent: &Dir, _name: &Path) {}

/// Removes a file or a link.
fn remove_leaf(dir: &Dir, name: &Path) -> io::Result<()> {
    match dir.remove_file(name) {
        // Windows keeps read-only files until the attribute is taken away, and has a call of its
        // own for links to directories.
        #[cfg(windows)]
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let mut permissions = dir.symlink_metadata(name)?.permissions();
            permissions.set_readonly(false);
            let _ = dir.set_permissions(name, permissions);
            dir.remove_file(name)
                .or_else(|_| dir.remove_dir(name))
                .map_err(|_| error)
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    fn scratch() -> (tempfile::TempDir, HostDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = HostDir::open_ambient(temp.path()).unwrap();
        (temp, dir)
    }

    #[test]
    fn a_tree_deeper_than_descriptors_and_path_lengths_is_removed() {
        let (temp, host) = scratch();
        host.dir().create_dir("tree").unwrap();
        let mut dir = host.dir().open_dir("tree").unwrap();
        // 6,000 levels: above the usual limit of 1,024 descriptors, and 12,000 bytes of path
        // where Linux takes 4,096.
        for level in 0..6_000 {
            if level % 1_000 == 0 {
                dir.write("file", b"x").unwrap();
            }
            dir.create_dir("d").unwrap();
            dir = dir.open_dir("d").unwrap();
        }
        drop(dir);
        host.remove("tree").unwrap();
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_wide_tree_with_names_of_our_own_is_removed() {
        let (temp, host) = scratch();
        for outer in 1..5 {
            for inner in 1..5 {
                let path = format!("tree/{MOVED_PREFIX}{outer}/{MOVED_PREFIX}{inner}/deep");
                host.dir().create_dir_all(&path).unwrap();
                host.dir().write(format!("{path}/file"), b"x").unwrap();
            }
        }
        host.remove("tree").unwrap();
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_removed_and_what_they_lead_to_stays() {
        let (temp, host) = scratch();
        std::fs::create_dir_all(temp.path().join("kept/inner")).unwrap();
        std::fs::write(temp.path().join("kept/file"), "kept").unwrap();
        host.dir().create_dir_all("tree/inner").unwrap();
        std::os::unix::fs::symlink(temp.path().join("kept"), temp.path().join("tree/link"))
            .unwrap();
        std::os::unix::fs::symlink("../../kept", temp.path().join("tree/inner/link")).unwrap();
        host.remove("tree").unwrap();
        assert!(!temp.path().join("tree").exists());
        assert_eq!(
            std::fs::read_to_string(temp.path().join("kept/file")).unwrap(),
            "kept"
        );
        assert!(temp.path().join("kept/inner").is_dir());
    }

    #[cfg(unix)]
    #[test]
    fn read_only_directories_and_files_are_removed() {
        use std::os::unix::fs::PermissionsExt;
        let (temp, host) = scratch();
        host.dir().create_dir_all("tree/a/b/c").unwrap();
        host.dir().write("tree/a/b/file", b"x").unwrap();
        for path in ["tree/a/b/file", "tree/a/b/c", "tree/a/b", "tree/a", "tree"] {
            let mode = std::fs::Permissions::from_mode(0o400);
            std::fs::set_permissions(temp.path().join(path), mode).unwrap();
        }
        host.remove("tree").unwrap();
        assert!(!temp.path().join("tree").exists());
    }

    #[test]
    fn nothing_to_remove_is_success() {
        let (_temp, host) = scratch();
        host.remove("absent").unwrap();
        let dir = Dir::open_ambient_dir(host.path(), ambient_authority()).unwrap();
        assert!(remove_any(&dir, Path::new("absent/below")).is_ok());
    }
}
