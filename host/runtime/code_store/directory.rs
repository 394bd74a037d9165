//! Directories and files that only this user may touch.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes `dir` if it is missing, and checks that nobody else can write what we are going to run.
pub(super) fn secure(dir: &Path) -> Result<(), String> {
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_private(dir).map_err(|error| error.to_string())?;
        }
        Err(error) => return Err(error.to_string()),
        Ok(_) => {}
    }
    let metadata = fs::symlink_metadata(dir).map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Err("it is not a directory".to_owned());
    }
    belongs_to_us_alone(dir, &metadata)
}

/// Makes `dir` and what is missing above it, closed to others.
pub(super) fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes a file that must not exist yet, closed to others.
pub(super) fn create_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether the owner of `dir` is this process's user, and nobody else has any right to it.
///
/// Who this process is shows in a file that it makes: no call of the operating system that would need `unsafe`. Where
/// nothing can be made the directory is read-only, and it is enough that nobody else may write there either.
#[cfg(unix)]
fn belongs_to_us_alone(dir: &Path, metadata: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    const RIGHTS_OF_OTHERS: u32 = 0o077;

    let mode = metadata.permissions().mode();
    if mode & RIGHTS_OF_OTHERS != 0 {
        return Err(format!("its mode is {:04o}, but must be 0700: others could put code there", mode & 0o7777));
    }
    let our_uid = tempfile_uid(dir).or_else(|| fs::metadata("/proc/self").ok().map(|me| me.uid()));
    match our_uid {
        Some(uid) if uid == metadata.uid() => Ok(()),
        Some(uid) => Err(format!("it belongs to user {}, not to user {uid}", metadata.uid())),
        None => Err("its owner cannot be compared with the user of this process".to_owned()),
    }
}

/// The owner of a file that this process makes in `dir`.
#[cfg(unix)]
fn tempfile_uid(dir: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    let path = dir.join(format!("{}.owner", std::process::id()));
    let uid = create_private_file(&path).and_then(|file| file.metadata()).map(|me| me.uid()).ok();
    drop(fs::remove_file(&path));
    uid
}

/// Elsewhere the user's own profile directory is closed to others by default, and there is nothing to compare.
#[cfg(not(unix))]
fn belongs_to_us_alone(_dir: &Path, _metadata: &fs::Metadata) -> Result<(), String> {
    Ok(())
}
