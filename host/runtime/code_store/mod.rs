//! Machine code that was compiled before, kept on disk for the next start.
//!
//! Loading code means running it outside of any sandbox: whoever can write into this store owns the process. Hence
//! its rules:
//! * only this module writes there, into a directory that belongs to this user and that nobody else may enter
//!   (`0700`); any other directory is refused;
//! * an entry is named after what it was made from (the SHA-256 of the WebAssembly bytes), what it was made for (a
//!   hash of the engine's version, settings and processor features) and what it is (the SHA-256 of the entry itself).
//!   It appears under that name complete, by renaming, and is checked against it at each load. One that does not match
//!   is removed, and the caller compiles again; one for another engine is never looked at;
//! * compiled code is never taken from an image or from anywhere else.
//!
//! The store is a cache: everything in it may be deleted at any time. It is bounded ([`MAX_STORE_BYTES`]), the entries
//! that were not used for the longest time go first. A directory that cannot be written to is used for reading; one
//! notice says so.
//!
//! Layout: `<dir>/<wasm sha256>/<engine hash>-<tier>-<kind>-<code sha256>.cwasm`.

mod directory;
mod key;
mod load;
mod sweep;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime::Engine;

pub(crate) use key::Key;
pub(crate) use load::{Code, Compiled, load_bytes};

use crate::inspect::Kind;
use crate::notice::{Notice, Notices};

/// The size of all entries together, in bytes, above which the oldest are removed. Some hundred ordinary programs, or
/// thirty as big as the shell; a fraction of what a container engine keeps for its images.
pub(crate) const MAX_STORE_BYTES: u64 = 1 << 30;

/// The size of one entry, in bytes, above which it is not kept. The code of the biggest WebAssembly programs in use
/// (language runtimes) is around 100 MB.
const MAX_ENTRY_BYTES: u64 = 256 << 20;

/// How compiled code is named on disk.
const EXTENSION: &str = "cwasm";

/// A directory of compiled code.
pub(crate) struct CodeStore {
    dir: PathBuf,
    max_bytes: u64,
    notices: Notices,
    said_unwritable: AtomicBool,
    temporary: AtomicU64,
}

impl CodeStore {
    /// Opens the store in `dir`, which is made if it is missing. `None`, with a notice, if it must not be used.
    pub(crate) fn open(dir: &Path, max_bytes: u64, notices: &Notices) -> Option<Self> {
        if let Err(problem) = directory::secure(dir) {
            notices.tell(Notice::CodeStoreUnusable {
                dir: dir.to_owned(),
                problem,
            });
            return None;
        }
        Some(Self {
            dir: dir.to_owned(),
            max_bytes,
            notices: notices.clone(),
            said_unwritable: AtomicBool::new(false),
            temporary: AtomicU64::new(0),
        })
    }

    /// The code that was stored for `key`, ready to run in `engine`. An entry that is damaged is removed.
    pub(crate) fn load(&self, engine: &Engine, key: &Key) -> Option<Code> {
        let path = self.find(key)?;
        match load::load_file(engine, &path) {
            Ok(code) => {
                // The time of the last use, for the sweep. A read-only store simply keeps the old one.
                drop(
                    File::options()
                        .write(true)
                        .open(&path)
                        .and_then(|file| file.set_modified(std::time::SystemTime::now())),
                );
                Some(code)
            }
            Err(problem) => {
                drop(fs::remove_file(&path));
                self.notices
                    .tell(Notice::CodeStoreEntryDiscarded { path, problem });
                None
            }
        }
    }

    /// The code that was loaded or stored for `key` just now, for another engine with the same settings.
    pub(crate) fn load_again(&self, engine: &Engine, key: &Key, kind: Kind) -> Option<Code> {
        load::map_file(engine, &self.find(key)?, kind).ok()
    }

    /// Keeps `code`, which was compiled just now for `key`, and gives it back as [`Self::load`] would. Failing to is no
    /// error: the next start compiles again.
    pub(crate) fn store(
        &self,
        engine: &Engine,
        key: &Key,
        kind: Kind,
        code: &Compiled,
    ) -> Option<Code> {
        let path = self.keep(key, kind, code.bytes())?;
        load::map_file(engine, &path, kind).ok()
    }

    fn keep(&self, key: &Key, kind: Kind, code: &[u8]) -> Option<PathBuf> {
        if u64::try_from(code.len()).unwrap_or(u64::MAX) > MAX_ENTRY_BYTES.min(self.max_bytes) {
            return None;
        }
        match self.write(key, kind, code) {
            Ok(path) => {
                sweep::sweep(&self.dir, self.max_bytes, &path);
                Some(path)
            }
            Err(error) => {
                if !self.said_unwritable.swap(true, Ordering::Relaxed) {
                    let problem = error.to_string();
                    self.notices.tell(Notice::CodeStoreReadOnly {
                        dir: self.dir.clone(),
                        problem,
                    });
                }
                None
            }
        }
    }

    /// Removes the entry for `key`, which a better one has replaced.
    pub(crate) fn remove(&self, key: &Key) {
        if let Some(path) = self.find(key) {
            // What cannot be removed now goes with the next sweep.
            drop(fs::remove_file(path));
        }
    }

    fn find(&self, key: &Key) -> Option<PathBuf> {
        let prefix = key.entry_prefix();
        fs::read_dir(self.dir.join(key.program()))
            .ok()?
            .filter_map(Result::ok)
            .find_map(|entry| {
                let name = entry.file_name();
                let name = name.to_str()?;
                (name.starts_with(prefix) && name.ends_with(EXTENSION)).then(|| entry.path())
            })
    }

    fn write(&self, key: &Key, kind: Kind, code: &[u8]) -> io::Result<PathBuf> {
        let folder = self.dir.join(key.program());
        directory::make_private(&folder)?;
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(
            "{}-{number}.{}",
            std::process::id(),
            sweep::TEMPORARY
        ));
        let kind = load::kind_word(kind);
        let (prefix, hash) = (key.entry_prefix(), key::hex_sha256(code));
        let path = folder.join(format!("{prefix}{kind}-{hash}.{EXTENSION}"));
        let written = directory::create_private_file(&temporary)
            .and_then(|mut file| file.write_all(code))
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            drop(fs::remove_file(&temporary));
            return Err(error);
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
