//! Bytes to text: what has to hold before the YAML parser may look at it.

use super::Unreadable;
use super::limits::MAX_SOURCE_BYTES;
use super::position::Lines;
use super::tree::Place;

/// The text of a source without its byte order mark.
pub(crate) fn decode_text(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > MAX_SOURCE_BYTES {
        return Err(Unreadable::new(
            "source/size",
            format!(
                "the file has more than {MAX_SOURCE_BYTES} bytes, the most that a manifest may have"
            ),
        )
        .hint("split it into several files; large data belongs into a volume or an image"));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(
            Unreadable::new("source/utf-16", "the file is UTF-16, not UTF-8")
                .hint("save it as UTF-8, e.g. `iconv -f UTF-16 -t UTF-8`"),
        );
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(bytes, error.valid_up_to())),
    };
    if let Some(offset) = text.find('\0') {
        let place = place_of(text, offset);
        return Err(Unreadable::new(
            "source/nul",
            format!("NUL byte at offset {offset}: this is not a text file"),
        )
        .at(place));
    }
    Ok(text)
}

fn not_utf8(bytes: &[u8], offset: usize) -> Unreadable {
    let valid = bytes.get(..offset).unwrap_or_default();
    let byte = bytes.get(offset).copied().unwrap_or_default();
    let text = std::str::from_utf8(valid).unwrap_or_default();
    Unreadable::new(
        "source/utf-8",
        format!("invalid UTF-8: byte {byte:02x} at offset {offset}"),
    )
    .at(place_of(text, offset))
    .hint("a manifest is UTF-8 text; binary data goes base64-encoded into `binaryData` or `data`")
}

fn place_of(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = Lines::new(before).last_number();
    let column = before
        .rsplit(['\n', '\r'])
        .next()
        .map_or(0, |tail| tail.chars().count())
        + 1;
    Place {
        line,
        column,
        width: 1,
    }
}
