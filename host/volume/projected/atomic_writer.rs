//! Lays files out so that they can be exchanged all at once, as the kubelet's AtomicWriter does:
//!
//! ```text
//! ..1/nginx.conf              the files of one generation
//! ..data -> ..1               the link whose exchange changes all files at once
//! nginx.conf -> ..data/nginx.conf
//! ```
//!
//! The next generation is written beside the one that is shown; then a new link takes the place of
//! `..data` in one rename; then links to new names are made and those of names that are gone are
//! removed; at last the old generation goes, as in the kubelet at once, for it may hold a secret that
//! was taken back. So a path leads to a whole file, and who opens the directory `..data` sees files of
//! one generation only; who no longer finds a file there has met an exchange, and opens it again.
//!
//! The kubelet names a generation after the time; here it is a number, for no clock is read in
//! passing. All links are relative and stay inside, so cap-std lets guests follow them. Where
//! links need privileges (Windows) the files stand at their paths themselves (`plain_writer.rs`).

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_std::fs::Metadata;

use super::ProjectedFile;
use crate::VolumeError;
use crate::disk::{HostDir, Mode};

/// The link to the generation that is valid; the kubelet's name.
const DATA_LINK: &str = "..data";

/// The link that is about to become it; the kubelet's name.
const NEXT_LINK: &str = "..data_tmp";

/// Mode of the directories in a volume; the kubelet's.
const DIRECTORY_MODE: u32 = 0o755;

/// Writes the files into a volume that is empty or was written by this function before. `true` if
/// the volume was not like this already.
pub(crate) fn write(volume: &HostDir, files: &[ProjectedFile]) -> Result<bool, VolumeError> {
    let current = current(volume)?;
    let is_new = match current {
        Some(number) => !holds(&volume.open(generation(number))?, files)?,
        None => true,
    };
    let number = match current {
        Some(number) if !is_new => number,
        _ => {
            let next = current.unwrap_or(0).wrapping_add(1);
            exchange(volume, next, files).map_err(|error| {
                error.and(volume.remove(generation(next)).err().into_iter().collect())
            })?;
            next
        }
    };
    let is_settled = settle(volume, number, files)?;
    Ok(is_new || !is_settled)
}

fn generation(number: u64) -> String {
    format!("..{number}")
}

/// The number of the generation that is shown; `None` in a volume that was never written.
fn current(volume: &HostDir) -> Result<Option<u64>, VolumeError> {
    match volume.dir().read_link_contents(DATA_LINK) {
        Ok(target) => Ok(target
            .to_str()
            .and_then(|name| name.strip_prefix("..")?.parse().ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(volume.error("read link", DATA_LINK, source)),
    }
}

/// Writes a generation, and shows it.
fn exchange(volume: &HostDir, number: u64, files: &[ProjectedFile]) -> Result<(), VolumeError> {
    let name = generation(number);
    // Left of an exchange that failed.
    volume.remove(&name)?;
    volume.remove(NEXT_LINK)?;
    let next = volume.create(&name, DIRECTORY_MODE)?;
    volume.set_mode(&name, DIRECTORY_MODE)?;
    write_files(&next, files)?;
    symlink(volume, Path::new(&name), NEXT_LINK)?;
    volume
        .dir()
        .rename(NEXT_LINK, volume.dir(), DATA_LINK)
        .map_err(|source| volume.error("exchange link", DATA_LINK, source))
}

/// Makes the links that the files need, and removes all else: links of names that are gone, old
/// generations. `true` if there was nothing to be done.
fn settle(volume: &HostDir, number: u64, files: &[ProjectedFile]) -> Result<bool, VolumeError> {
    let generation = generation(number);
    let mut missing: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.split('/').next())
        .collect();
    let mut extra = Vec::new();
    let at = |source| volume.error("list", "", source);
    for entry in volume.dir().entries().map_err(at)? {
        let name = entry.map_err(at)?.file_name();
        let is_known = name == DATA_LINK
            || name.to_str() == Some(&generation)
            || name.to_str().is_some_and(|name| missing.remove(name));
        if !is_known {
            extra.push(name);
        }
    }
    let is_settled = missing.is_empty() && extra.is_empty();
    for top in missing {
        symlink(volume, &Path::new(DATA_LINK).join(top), top)?;
    }
    for name in extra {
        volume.remove(&name)?;
    }
    Ok(is_settled)
}

/// Whether a generation has these files with these contents, and no others. Modes come from the
/// manifest and do not change.
fn holds(generation: &HostDir, files: &[ProjectedFile]) -> Result<bool, VolumeError> {
    let there = generation.files()?;
    if there.len() != files.len() {
        return Ok(false);
    }
    let there: std::collections::HashMap<PathBuf, Metadata> = there.into_iter().collect();
    Ok(files.iter().all(|file| {
        let length = u64::try_from(file.bytes.len()).ok();
        there
            .get(Path::new(&file.path))
            .is_some_and(|found| Some(found.len()) == length)
            && is_same(generation, file)
    }))
}

/// Whether a file has the wanted contents. One that cannot be read has not: it is written anew.
fn is_same(generation: &HostDir, file: &ProjectedFile) -> bool {
    let mut bytes = Vec::with_capacity(file.bytes.len());
    generation
        .dir()
        .open(&file.path)
        .and_then(|open| {
            let limit = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
            open.take(limit.saturating_add(1)).read_to_end(&mut bytes)
        })
        .is_ok_and(|_| bytes == file.bytes)
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

fn symlink(volume: &HostDir, target: &Path, name: &str) -> Result<(), VolumeError> {
    volume
        .dir()
        .symlink(target, name)
        .map_err(|source| volume.error("create link", name, source))
}
