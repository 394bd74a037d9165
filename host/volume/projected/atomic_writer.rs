//! Lays files out so that they can later be exchanged all at once, as the kubelet's AtomicWriter:
//!
//! ```text
//! ..1/nginx.conf              the files of one generation
//! ..data -> ..1               the link whose exchange changes all files at once
//! nginx.conf -> ..data/nginx.conf
//! ```
//!
//! The kubelet names a generation after the time; here it is a number, for no clock is read in
//! passing. All links are relative and stay inside, so cap-std lets guests follow them. Where
//! links need privileges (Windows) the files stand at their paths themselves.

use std::collections::BTreeSet;
use std::path::Path;

use super::ProjectedFile;
use crate::VolumeError;
use crate::disk::{HostDir, Mode};

/// The link to the generation that is valid; the kubelet's name.
#[cfg(unix)]
const DATA_LINK: &str = "..data";

/// The directory of the first generation.
#[cfg(unix)]
const FIRST_GENERATION: &str = "..1";

/// Mode of the directories in a volume; the kubelet's.
const DIRECTORY_MODE: u32 = 0o755;

/// Writes the files into an empty volume.
#[cfg(unix)]
pub(crate) fn write(volume: &HostDir, files: &[ProjectedFile]) -> Result<(), VolumeError> {
    let generation = volume.create(FIRST_GENERATION, DIRECTORY_MODE)?;
    volume.set_mode(FIRST_GENERATION, DIRECTORY_MODE)?;
    write_files(&generation, files)?;
    symlink(volume, Path::new(FIRST_GENERATION), DATA_LINK)?;
    let tops: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.split('/').next())
        .collect();
    for top in tops {
        symlink(volume, &Path::new(DATA_LINK).join(top), top)?;
    }
    Ok(())
}

/// Writes the files into an empty volume.
#[cfg(not(unix))]
pub(crate) fn write(volume: &HostDir, files: &[ProjectedFile]) -> Result<(), VolumeError> {
    write_files(volume, files)
}

fn write_files(root: &HostDir, files: &[ProjectedFile]) -> Result<(), VolumeError> {
    for file in files {
        if let Some(parent) = Path::new(&file.path).parent()
            && !parent.as_os_str().is_empty()
        {
            root.try_create_all(parent, DIRECTORY_MODE)
                .map_err(|source| root.error("create directory", parent, source))?;
        }
        root.write_new(&file.path, &file.bytes, Mode::Exact(file.mode))?;
    }
    Ok(())
}

#[cfg(unix)]
fn symlink(volume: &HostDir, target: &Path, name: &str) -> Result<(), VolumeError> {
    volume
        .dir()
        .symlink(target, name)
        .map_err(|source| volume.error("create link", name, source))
}
