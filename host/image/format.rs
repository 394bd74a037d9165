//! The outline of a module file: is it WebAssembly, of which kind, and is it whole?
//!
//! Follows the binary format of the core specification (5.5 Modules) and of the component model (Binary.md): eight
//! bytes of preamble, then sections, each an id, a length in LEB128 and that many bytes. Only the outline is read, so
//! that a wrong file is named for what it is before an engine sees it; whether the sections are valid, the engine
//! says.

use std::fmt;

/// What a WebAssembly file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A core module: WASI 0.1 programs are.
    Module,
    /// A component: WASI 0.2 programs are.
    Component,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Module => "core module",
            Self::Component => "component",
        })
    }
}

/// Why a file is no WebAssembly program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The file does not begin with the four magic bytes.
    #[error("not a WebAssembly module: {0}")]
    NotWasm(Looks),
    /// The version and layer after the magic bytes are of no known kind.
    #[error(
        "a WebAssembly file of an unknown version: the preamble ends with {0:02x} {1:02x} {2:02x} {3:02x}"
    )]
    UnknownVersion(u8, u8, u8, u8),
    /// The file ends before a section does.
    #[error(
        "the module is truncated: the section at offset {offset:#x} should end at {end} bytes, the file has {len}"
    )]
    Truncated {
        /// Where the section begins.
        offset: usize,
        /// Where it says that it ends.
        end: u64,
        /// The file's length.
        len: usize,
    },
    /// A section's length is not a LEB128 number of 32 bits.
    #[error("the module is damaged: the section at offset {offset:#x} has no valid length")]
    BadLength {
        /// Where the section begins.
        offset: usize,
    },
}

impl FormatError {
    /// What is likely to help.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotWasm(Looks::Native(..)) => {
                Some("build it for a wasm target, e.g. --target wasm32-wasip1")
            }
            Self::NotWasm(Looks::Wat) => {
                Some("this is the text format; translate it first, e.g. with `wasm-tools parse`")
            }
            Self::NotWasm(Looks::Script) => Some(
                "a script needs an image with a shell, e.g. image: debian with command: [\"/bin/sh\", \"-c\", …]",
            ),
            Self::Truncated { .. } | Self::BadLength { .. } => Some("build or copy the file again"),
            Self::NotWasm(_) | Self::UnknownVersion(..) => None,
        }
    }
}

/// What a file that is no WebAssembly looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looks {
    /// Nothing in it.
    Empty,
    /// A native executable of this format, and how the file starts.
    Native(&'static str, String),
    /// A script: `#!` at the start.
    Script,
    /// WebAssembly's text format.
    Wat,
    /// Some other text.
    Text,
    /// Anything else: how the file starts.
    Other(String),
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::Native(format, start) => write!(f, "file starts with {start} ({format})"),
            Self::Script => f.write_str("the file is a script"),
            Self::Wat => f.write_str("the file is WebAssembly text"),
            Self::Text => f.write_str("the file is text"),
            Self::Other(start) => write!(f, "file starts with {start}"),
        }
    }
}

const MAGIC: [u8; 4] = *b"\0asm";
const PREAMBLE_LEN: usize = 8;

/// Reads the outline of `bytes`.
///
/// # Errors
///
/// When `bytes` is not WebAssembly, of an unknown version, or ends early.
pub fn read_outline(bytes: &[u8]) -> Result<Kind, FormatError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(FormatError::NotWasm(looks_like(bytes)));
    }
    let kind = match bytes.get(4..PREAMBLE_LEN) {
        Some([1, 0, 0, 0]) => Kind::Module,
        Some([0x0d, 0, 1, 0]) => Kind::Component,
        Some(&[a, b, c, d]) => return Err(FormatError::UnknownVersion(a, b, c, d)),
        _ => {
            let (offset, end) = (0, PREAMBLE_LEN as u64);
            return Err(FormatError::Truncated {
                offset,
                end,
                len: bytes.len(),
            });
        }
    };
    let mut offset = PREAMBLE_LEN;
    while offset < bytes.len() {
        let (length, body) =
            read_u32_leb(bytes, offset + 1).ok_or(if offset + 6 > bytes.len() {
                FormatError::Truncated {
                    offset,
                    end: offset as u64 + 2,
                    len: bytes.len(),
                }
            } else {
                FormatError::BadLength { offset }
            })?;
        let end = body as u64 + u64::from(length);
        offset = match usize::try_from(end) {
            Ok(end) if end <= bytes.len() => end,
            _ => {
                return Err(FormatError::Truncated {
                    offset,
                    end,
                    len: bytes.len(),
                });
            }
        };
    }
    Ok(kind)
}

/// The number at `at` and where the bytes after it begin.
fn read_u32_leb(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.get(at..)?.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, at + index + 1));
        }
    }
    None
}

fn looks_like(bytes: &[u8]) -> Looks {
    let start = || {
        let shown: Vec<_> = bytes
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        shown.join(" ")
    };
    match bytes {
        [] => Looks::Empty,
        [0x7f, b'E', b'L', b'F', ..] => Looks::Native("ELF", start()),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => {
            Looks::Native("Mach-O", start())
        }
        [b'M', b'Z', ..] => Looks::Native("PE", start()),
        [b'#', b'!', ..] => Looks::Script,
        // A four-byte look at the start may cut a character in two: what is before the cut decides.
        _ => match std::str::from_utf8(bytes.get(..512).unwrap_or(bytes)) {
            Ok(text) => text_looks_like(text),
            Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => Looks::Text,
            Err(_) => Looks::Other(start()),
        },
    }
}

fn text_looks_like(text: &str) -> Looks {
    let text = text.trim_start();
    if text.starts_with("(module") || text.starts_with("(component") {
        Looks::Wat
    } else if text
        .chars()
        .any(|char| char.is_control() && !char.is_whitespace())
    {
        Looks::Other(
            text.bytes()
                .take(4)
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .join(" "),
        )
    } else {
        Looks::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn the_preamble_tells_modules_from_components() {
        assert_eq!(read_outline(MODULE), Ok(Kind::Module));
        assert_eq!(read_outline(b"\0asm\x0d\0\x01\0"), Ok(Kind::Component));
        assert_eq!(
            read_outline(b"\0asm\x02\0\0\0"),
            Err(FormatError::UnknownVersion(2, 0, 0, 0))
        );
    }

    #[test]
    fn a_wrong_file_is_named_for_what_it_is() {
        let cases: [(&[u8], &str); 8] = [
            (b"", "not a WebAssembly module: the file is empty"),
            (
                b"\x7fELF\x02\x01",
                "not a WebAssembly module: file starts with 7f 45 4c 46 (ELF)",
            ),
            (
                b"MZ\x90\0",
                "not a WebAssembly module: file starts with 4d 5a 90 00 (PE)",
            ),
            (
                b"#!/bin/sh\n",
                "not a WebAssembly module: the file is a script",
            ),
            (
                b"(module)",
                "not a WebAssembly module: the file is WebAssembly text",
            ),
            (
                "héllo\n".as_bytes(),
                "not a WebAssembly module: the file is text",
            ),
            (
                b"\xff\xfe\0\0",
                "not a WebAssembly module: file starts with ff fe 00 00",
            ),
            (
                b"a\0b",
                "not a WebAssembly module: file starts with 61 00 62",
            ),
        ];
        for (bytes, message) in cases {
            assert_eq!(read_outline(bytes).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn every_cut_through_a_section_is_seen() {
        // A custom section of five bytes: a name "a" and three bytes.
        let whole = [MODULE, b"\0\x05\x01axyz"].concat();
        assert_eq!(read_outline(&whole), Ok(Kind::Module));
        for len in (1..whole.len()).filter(|len| *len != MODULE.len()) {
            let error = read_outline(&whole[..len]).unwrap_err();
            if len >= 4 {
                assert!(
                    matches!(error, FormatError::Truncated { .. }),
                    "{len}: {error}"
                );
            }
        }
    }

    #[test]
    fn a_section_of_a_wild_length_is_refused() {
        let huge = [MODULE, b"\x01\xff\xff\xff\xff\x0f"].concat();
        assert!(matches!(
            read_outline(&huge),
            Err(FormatError::Truncated { .. })
        ));
        let endless = [MODULE, b"\x01\xff\xff\xff\xff\xff\xff\xff"].concat();
        assert_eq!(
            read_outline(&endless),
            Err(FormatError::BadLength { offset: 8 })
        );
    }
}
