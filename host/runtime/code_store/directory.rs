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
    belongs_to_us_alone(&metadata)
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

/// Whether `dir` belongs to this process's user, and nobody else has any right to it.
#[cfg(unix)]
fn belongs_to_us_alone(metadata: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    const RIGHTS_OF_OTHERS: u32 = 0o077;

    let mode = metadata.permissions().mode() & 0o7777;
    if mode & RIGHTS_OF_OTHERS != 0 {
        return Err(format!(
            "its mode is {mode:04o}, but must be 0700: others could put code there"
        ));
    }
    let (owner, us) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == us {
        Ok(())
    } else {
        Err(format!("it belongs to user {owner}, not to user {us}"))
    }
}

/// Elsewhere the user's own profile directory is closed to others by default, and there is nothing to compare.
#[cfg(not(unix))]
fn belongs_to_us_alone(_metadata: &fs::Metadata) -> Result<(), String> {
    Ok(())
}
