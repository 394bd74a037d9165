//! Names and uids that nobody chose.

use uuid::Uuid;

/// How many letters are put behind `metadata.generateName` (apiserver `storage/names/generate.go`).
pub const SUFFIX_LENGTH: usize = 5;

/// The most bytes of `generateName` that are kept, so that the name fits into a label (63) with its suffix; the rest is
/// cut off, as the API server does.
pub const MAX_GENERATED_BASE: usize = 63 - SUFFIX_LENGTH;

/// Kubernetes' letters for names: no vowels and nothing that looks like one, so that no word comes out.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Letters as they stand behind the name of what a controller creates.
#[must_use]
pub fn random_suffix() -> String {
    let random = Uuid::new_v4();
    let bytes = random.as_bytes().iter();
    let letters = bytes.map(|byte| {
        let index = usize::from(*byte) % LETTERS.len();
        char::from(LETTERS.get(index).copied().unwrap_or(b'x'))
    });
    letters.take(SUFFIX_LENGTH).collect()
}

/// A name made from `metadata.generateName`.
#[must_use]
pub fn generate_name(base: &str) -> String {
    let mut end = base.len().min(MAX_GENERATED_BASE);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let base = base.get(..end).unwrap_or_default();
    format!("{base}{}", random_suffix())
}

/// A new uid.
pub(crate) fn uid() -> String {
    Uuid::new_v4().to_string()
}
