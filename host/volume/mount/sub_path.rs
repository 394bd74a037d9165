//! `subPath`: a folder or a file within a volume.
//!
//! The path is walked through cap-std on the directory of the volume, which follows links that
//! stay inside (as the kubelet does) and refuses all others, also when a guest of the pod swaps
//! the link in while the path is walked. What the walk has opened stays open: nothing is looked up
//! by name a second time but the file of a link, whose kind is checked after linking.

use std::io;
use std::path::PathBuf;

use crate::disk::HostDir;

/// What a sub-path names.
#[derive(Debug)]
pub(crate) enum Target {
    /// A directory, held open.
    Directory(HostDir),
    /// A file: a path within the volume without links, as it was when it was looked up.
    File(PathBuf),
    /// Something that cannot be mounted: a socket, a pipe, a device.
    Other,
}

/// What is wrong with the form of a sub-path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BadForm {
    Absolute,
    GoesUp,
    Nul,
}

/// Checks the form of a sub-path: relative and without `..`. An empty one is the volume itself.
pub(crate) fn parse(sub_path: &str) -> Result<PathBuf, BadForm> {
    if sub_path.starts_with('/') || (cfg!(windows) && sub_path.contains([':', '\\'])) {
        return Err(BadForm::Absolute);
    }
    if sub_path.contains('\0') {
        return Err(BadForm::Nul);
    }
    let mut clean = PathBuf::new();
    for component in sub_path.split('/') {
        match component {
            "" | "." => {}
            ".." => return Err(BadForm::GoesUp),
            name => clean.push(name),
        }
    }
    Ok(clean)
}

/// Finds what a sub-path names. What is missing is made, as a directory, if `create` holds.
pub(crate) fn resolve(
    volume: &HostDir,
    sub_path: &PathBuf,
    create: Option<u32>,
) -> io::Result<Target> {
    let found = match volume.dir().metadata(sub_path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(mode) = create else {
                return Err(error);
            };
            volume.try_create_all(sub_path, mode)?;
            return volume.try_open(sub_path).map(Target::Directory);
        }
        found => found?,
    };
    if found.is_dir() {
        volume.try_open(sub_path).map(Target::Directory)
    } else if found.is_file() {
        volume.dir().canonicalize(sub_path).map(Target::File)
    } else {
        Ok(Target::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_paths_without_dot_dot_are_taken() {
        for bad in ["/etc", "..", "a/../b", "../a", "a/..", "a\0"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(parse("a//b/./c/").unwrap(), PathBuf::from("a/b/c"));
        assert_eq!(parse("").unwrap(), PathBuf::new());
        assert_eq!(parse("..a/b..").unwrap(), PathBuf::from("..a/b.."));
    }
}
