//! The name of an entry: from what it was made, and for which engine.

use std::fmt::Write as _;
use std::fs::File;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::engine::Tier;

/// Characters of the engine's hash that go into a name: 128 bits, far beyond any chance of two alike.
const ENGINE_HASH_CHARS: usize = 32;

/// Bytes of an entry that are read at once to hash it: they stay in the processor's cache.
const READ_BYTES: usize = 128 << 10;

/// What one entry of the store is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    program: String,
    entry_prefix: String,
}

impl Key {
    /// The key of the program whose bytes have `program_sha256` (hexadecimal), as code of `tier` for `engine`.
    pub(crate) fn new(program_sha256: &str, tier: Tier, engine: &Engine) -> Self {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let mut engine_hash = hex(&hasher.0.finalize());
        engine_hash.truncate(ENGINE_HASH_CHARS);
        let entry_prefix = format!("{engine_hash}-{}-", tier.as_str());
        Self {
            program: program_sha256.to_owned(),
            entry_prefix,
        }
    }

    /// The folder of the program's entries.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// How the entry's name begins; its kind, its own hash and the extension follow.
    pub(super) fn entry_prefix(&self) -> &str {
        &self.entry_prefix
    }
}

/// The SHA-256 of `bytes` in hexadecimal.
pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a file's content in hexadecimal, read in pieces: entries are tens of megabytes.
pub(super) fn hex_sha256_of_file(mut file: File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(piece.get(..read).unwrap_or_default());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Feeds what is hashed into SHA-256, because the standard library's hasher may change with the compiler and names on
/// disk must not.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The first eight bytes of the hash so far; the store uses all of it instead.
    fn finish(&self) -> u64 {
        let hash = self.0.clone().finalize();
        hash.iter()
            .take(8)
            .fold(0, |value, byte| (value << 8) | u64::from(*byte))
    }
}
