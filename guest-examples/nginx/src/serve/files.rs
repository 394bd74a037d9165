//! The files that are served, with those asked for often kept open and small ones kept in memory.
//!
//! What is known of a path is believed for [`VALIDITY`]; then the file is looked at again, so that a change by another
//! container is seen within that time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::rc::Rc;

use http_loop::clock::{Instant, MILLISECOND};
use http_loop::date;
use http_loop::decimal::push_hex;

/// For how long what is known of a path is believed: 100 ms.
pub const VALIDITY: Instant = 100 * MILLISECOND;
/// Files up to this size in bytes are kept in memory.
const MAX_KEPT_FILE_BYTES: u64 = 64 * 1024;
/// All kept content together in bytes; beyond it everything is forgotten and begins anew.
const MAX_KEPT_BYTES: u64 = 8 * 1024 * 1024;
/// The most paths that are known at a time, those without a file included; beyond it likewise.
const MAX_KNOWN_PATHS: usize = 1024;

/// What is at a path.
#[derive(Debug, Clone)]
pub enum Found {
    /// A file.
    File(Rc<OpenFile>),
    /// A directory.
    Directory,
    /// Nothing.
    Missing,
    /// Something that may not be read.
    Denied(String),
}

/// An open file.
#[derive(Debug)]
pub struct OpenFile {
    /// The file.
    pub file: Rc<File>,
    /// Its size in bytes.
    pub length: u64,
    /// Seconds since the Unix epoch.
    pub modified: u64,
    modified_nanos: u128,
    /// All of it, if it is small.
    pub content: Option<Vec<u8>>,
    /// `"65b7-1a"`, with its quotes.
    pub etag: Vec<u8>,
    /// As an HTTP date.
    pub last_modified: Vec<u8>,
}

struct Known {
    found: Found,
    checked: Instant,
}

/// What is known of paths.
#[derive(Default)]
pub struct FileCache {
    known: HashMap<String, Known>,
    kept_bytes: u64,
}

impl std::fmt::Debug for FileCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileCache")
            .field("paths", &self.known.len())
            .field("bytes", &self.kept_bytes)
            .finish()
    }
}

impl FileCache {
    /// What is at `path`, at most [`VALIDITY`] old at `now`.
    pub fn find(&mut self, path: &str, now: Instant) -> Found {
        if let Some(known) = self.known.get_mut(path) {
            if now.saturating_sub(known.checked) < VALIDITY {
                return known.found.clone();
            }
            if let Found::File(open) = &known.found
                && let Ok(metadata) = std::fs::metadata(path)
                && metadata.is_file()
                && metadata.len() == open.length
                && modified(&metadata) == open.modified_nanos
            {
                known.checked = now;
                return known.found.clone();
            }
            self.forget(path);
        }
        let found = look(path);
        if self.known.len() >= MAX_KNOWN_PATHS || self.kept_bytes > MAX_KEPT_BYTES {
            self.known.clear();
            self.kept_bytes = 0;
        }
        self.kept_bytes += kept(&found);
        self.known.insert(
            path.to_owned(),
            Known {
                found: found.clone(),
                checked: now,
            },
        );
        found
    }

    fn forget(&mut self, path: &str) {
        if let Some(known) = self.known.remove(path) {
            self.kept_bytes = self.kept_bytes.saturating_sub(kept(&known.found));
        }
    }
}

fn kept(found: &Found) -> u64 {
    match found {
        Found::File(open) if open.content.is_some() => open.length,
        _ => 0,
    }
}

fn modified(metadata: &std::fs::Metadata) -> u128 {
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos())
}

fn look(path: &str) -> Found {
    match open(path) {
        Ok(found) => found,
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
                Found::Missing
            }
            _ => Found::Denied(crate::config::tree::errno_text(&error)),
        },
    }
}

fn open(path: &str) -> std::io::Result<Found> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Ok(Found::Directory);
    }
    if !metadata.is_file() {
        return Err(ErrorKind::PermissionDenied.into());
    }
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut length = metadata.len();
    let content = if length <= MAX_KEPT_FILE_BYTES {
        let mut content = Vec::new();
        (&mut file)
            .take(MAX_KEPT_FILE_BYTES)
            .read_to_end(&mut content)?;
        length = u64::try_from(content.len()).unwrap_or(0);
        Some(content)
    } else {
        None
    };
    let modified_nanos = modified(&metadata);
    let seconds = u64::try_from(modified_nanos / 1_000_000_000).unwrap_or(0);
    let mut etag = vec![b'"'];
    push_hex(&mut etag, seconds);
    etag.push(b'-');
    push_hex(&mut etag, length);
    etag.push(b'"');
    let mut last_modified = Vec::new();
    date::push_http(&mut last_modified, &date::Parts::of(seconds));
    let file = Rc::new(file);
    Ok(Found::File(Rc::new(OpenFile {
        file,
        length,
        modified: seconds,
        modified_nanos,
        content,
        etag,
        last_modified,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_when_the_knowledge_is_too_old_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page").to_str().unwrap().to_owned();
        let content = |found: Found| match found {
            Found::File(open) => open.content.clone(),
            _ => None,
        };
        let mut cache = FileCache::default();
        assert!(matches!(cache.find(&path, 0), Found::Missing));
        std::fs::write(&path, "one").unwrap();
        assert!(matches!(cache.find(&path, VALIDITY - 1), Found::Missing));
        assert_eq!(content(cache.find(&path, VALIDITY)).unwrap(), b"one");
        std::fs::write(&path, "two and more").unwrap();
        assert_eq!(
            content(cache.find(&path, 2 * VALIDITY - 1)).unwrap(),
            b"one"
        );
        assert_eq!(
            content(cache.find(&path, 2 * VALIDITY)).unwrap(),
            b"two and more"
        );
        assert!(matches!(
            cache.find(folder.path().to_str().unwrap(), 0),
            Found::Directory
        ));
    }

    #[test]
    fn the_memory_for_paths_and_contents_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = FileCache::default();
        let big = vec![b'a'; usize::try_from(MAX_KEPT_FILE_BYTES).unwrap()];
        for index in 0..200 {
            let path = folder.path().join(index.to_string());
            std::fs::write(&path, &big).unwrap();
            cache.find(path.to_str().unwrap(), 0);
            assert!(cache.kept_bytes <= MAX_KEPT_BYTES + MAX_KEPT_FILE_BYTES);
        }
        for index in 0..2 * MAX_KNOWN_PATHS {
            cache.find(&format!("/nowhere/{index}"), 0);
        }
        assert!(cache.known.len() <= MAX_KNOWN_PATHS);
    }
}
