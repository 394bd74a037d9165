//! Writes files to their own paths, where links need privileges (Windows).
//!
//! Each file is exchanged in one rename, so nobody reads half a file; but files change one after
//! another, not all at once as with `atomic_writer.rs`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::ProjectedFile;
use crate::VolumeError;
use crate::disk::{HostDir, Mode};

/// Where a file is written before it takes its place: no key may have this name.
const NEXT: &str = "..data_tmp";

/// Mode of the directories in a volume; without effect where this is used.
const DIRECTORY_MODE: u32 = 0o755;

/// Writes the files into a volume that is empty or was written by this function before. `true` if
/// the volume was not like this already.
pub(crate) fn write(volume: &HostDir, files: &[ProjectedFile]) -> Result<bool, VolumeError> {
    let mut has_changed = false;
    for file in files {
        if volume
            .dir()
            .read(&file.path)
            .is_ok_and(|bytes| bytes == file.bytes)
        {
            continue;
        }
        has_changed = true;
        if let Some(parent) = Path::new(&file.path).parent()
            && !parent.as_os_str().is_empty()
        {
            volume
                .try_create_all(parent, DIRECTORY_MODE)
                .map_err(|source| volume.error("create directory", parent, source))?;
        }
        volume.remove(NEXT)?;
        volume.write_new(NEXT, &file.bytes, Mode::Exact(file.mode))?;
        volume
            .dir()
            .rename(NEXT, volume.dir(), &file.path)
            .map_err(|source| volume.error("exchange file", &file.path, source))?;
    }
    let wanted: HashSet<PathBuf> = files.iter().map(|file| PathBuf::from(&file.path)).collect();
    for (path, _) in volume.files()? {
        if !wanted.contains(&path) {
            has_changed = true;
            volume.remove(&path)?;
        }
    }
    Ok(has_changed)
}
