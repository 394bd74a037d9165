//! Keeping the store small: the entries that were not used for the longest time go first, whoever they are for.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How a file that is still being written is named.
pub(super) const TEMPORARY: &str = "partial";

/// The age above which a half-written file belongs to nobody any more: its writer was killed.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// How many folders, and how many files in each, a sweep looks at, so that a store that someone filled with rubbish
/// cannot hold up a start.
const MAX_LOOKED_AT: usize = 10_000;

struct Found {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Removes old entries until what is left is at most `max_bytes`. `just_written` is spared. Failures are left for the
/// next sweep: another process may be sweeping as well.
pub(super) fn sweep(dir: &Path, max_bytes: u64, just_written: &Path) {
    let mut found: Vec<Found> = folders(dir)
        .iter()
        .flat_map(|folder| files(folder))
        .collect();
    let now = SystemTime::now();
    found.retain(|file| {
        let abandoned = file
            .path
            .extension()
            .is_some_and(|extension| extension == TEMPORARY)
            && now
                .duration_since(file.used)
                .is_ok_and(|age| age > ABANDONED);
        if abandoned {
            drop(fs::remove_file(&file.path));
        }
        !abandoned
    });
    let mut total: u64 = found.iter().map(|file| file.bytes).sum();
    found.sort_by_key(|file| file.used);
    for file in found.iter().filter(|file| file.path != just_written) {
        if total <= max_bytes {
            break;
        }
        if fs::remove_file(&file.path).is_ok() {
            total = total.saturating_sub(file.bytes);
            // The folder goes with its last entry; removing one that is not empty fails, as it should.
            drop(file.path.parent().map(fs::remove_dir));
        }
    }
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let folders = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .take(MAX_LOOKED_AT)
        .map(|entry| entry.path())
        .collect()
}

fn files(folder: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let found = entries.filter_map(Result::ok).filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        let used = metadata.modified().ok()?;
        metadata.is_file().then(|| Found {
            path: entry.path(),
            bytes: metadata.len(),
            used,
        })
    });
    found.take(MAX_LOOKED_AT).collect()
}
