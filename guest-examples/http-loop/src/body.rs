//! Message bodies: where one ends, and the chunked coding, RFC 9112 sections 6 and 7.

use crate::decimal::{parse_hex, push_hex};

/// The longest line of a chunked body in bytes, chunk extensions included; a longer one is an error.
pub const MAX_CHUNK_LINE_BYTES: usize = 1024;
/// The most bytes of trailer fields, which are dropped; more is an error.
pub const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks, the last one of size 0.
    Chunked,
    /// All until the connection ends; only in responses.
    UntilClose,
}

/// A chunked body that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadChunk;

/// Takes a body out of a stream of bytes.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The part of a line that has arrived; bounded by the limits above.
    line: Vec<u8>,
    trailer_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Data { left: u64, chunked: bool },
    UntilClose,
    ChunkSize,
    ChunkEnd,
    Trailer,
    Done,
}

impl Decoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None => State::Done,
            Framing::Length(left) => State::Data {
                left,
                chunked: false,
            },
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Self {
            state,
            line: Vec::new(),
            trailer_bytes: 0,
        }
    }

    /// Whether the body's end was seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the end of the connection is the end of the body.
    #[must_use]
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Reads `input`, hands the content to `content` piece by piece, and says how many bytes were the body's: fewer
    /// than all only when the body is done.
    ///
    /// # Errors
    /// When the chunked coding is violated; nothing on the connection can be trusted from here on.
    pub fn decode(
        &mut self,
        input: &[u8],
        mut content: impl FnMut(&[u8]),
    ) -> Result<usize, BadChunk> {
        let mut rest = input;
        while !rest.is_empty() {
            match self.state {
                State::Done => break,
                State::UntilClose => {
                    content(rest);
                    rest = &[];
                }
                State::Data { left, chunked } => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let (data, behind) = rest.split_at(take);
                    content(data);
                    rest = behind;
                    let left = left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                    self.state = match (left, chunked) {
                        (0, true) => State::ChunkEnd,
                        (0, false) => State::Done,
                        (left, chunked) => State::Data { left, chunked },
                    };
                }
                State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    rest = self.take_line(rest)?
                }
            }
        }
        Ok(input.len() - rest.len())
    }

    fn take_line<'a>(&mut self, rest: &'a [u8]) -> Result<&'a [u8], BadChunk> {
        let feed = rest.iter().position(|byte| *byte == b'\n');
        let (part, behind) = rest.split_at(feed.map_or(rest.len(), |feed| feed + 1));
        if self.line.len() + part.len() > MAX_CHUNK_LINE_BYTES {
            return Err(BadChunk);
        }
        self.line.extend_from_slice(part);
        if feed.is_none() {
            return Ok(behind);
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.state = match self.state {
            State::ChunkSize => {
                let size = line
                    .split(|byte| *byte == b';')
                    .next()
                    .unwrap_or_default()
                    .trim_ascii_end();
                match parse_hex(size).ok_or(BadChunk)? {
                    0 => State::Trailer,
                    left => State::Data {
                        left,
                        chunked: true,
                    },
                }
            }
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::Trailer if line.is_empty() => State::Done,
            State::Trailer => {
                self.trailer_bytes += line.len();
                if self.trailer_bytes > MAX_TRAILER_BYTES {
                    return Err(BadChunk);
                }
                State::Trailer
            }
            _ => return Err(BadChunk),
        };
        Ok(behind)
    }
}

/// Appends one chunk; nothing for an empty one, which would end the body.
pub fn push_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    push_hex(out, u64::try_from(data.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The end of a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(
        framing: Framing,
        input: &[u8],
        cut: usize,
    ) -> Result<(Vec<u8>, usize, bool), BadChunk> {
        let mut decoder = Decoder::new(framing);
        let mut content = Vec::new();
        let (first, second) = input.split_at(cut.min(input.len()));
        let mut used = decoder.decode(first, |part| content.extend_from_slice(part))?;
        if used == first.len() {
            used += decoder.decode(second, |part| content.extend_from_slice(part))?;
        }
        Ok((content, used, decoder.is_done()))
    }

    #[test]
    fn a_chunked_body_ends_where_it_says_however_it_is_cut() {
        let input = b"3;ext=1\r\nabc\r\nA\n0123456789\n0\r\nTrailer: x\r\n\r\nNEXT";
        for cut in 0..input.len() {
            let (content, used, done) = decode(Framing::Chunked, input, cut).unwrap();
            assert_eq!(
                (content.as_slice(), used, done),
                (&b"abc0123456789"[..], input.len() - 4, true),
                "{cut}"
            );
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        let long = [b"1;".as_slice(), &[b'a'; MAX_CHUNK_LINE_BYTES]].concat();
        for bad in [
            &b"x\r\n"[..],
            b"\r\n",
            b"3\r\nabcd\r\n",
            b"-1\r\n",
            b"10000000000000000\r\n",
            &long,
        ] {
            assert_eq!(decode(Framing::Chunked, bad, 0), Err(BadChunk), "{bad:?}");
        }
        let trailers = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(MAX_TRAILER_BYTES)].concat();
        assert_eq!(decode(Framing::Chunked, &trailers, 0), Err(BadChunk));
    }

    #[test]
    fn a_length_leaves_what_follows() {
        assert_eq!(
            decode(Framing::Length(3), b"abcdef", 1),
            Ok((b"abc".to_vec(), 3, true))
        );
        assert_eq!(
            decode(Framing::Length(9), b"abcdef", 1),
            Ok((b"abcdef".to_vec(), 6, false))
        );
        assert_eq!(
            decode(Framing::None, b"abcdef", 0),
            Ok((Vec::new(), 0, true))
        );
    }

    proptest! {
        #[test]
        fn what_is_chunked_decodes_to_itself(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in 0_usize..200,
        ) {
            let mut coded = Vec::new();
            for piece in &pieces {
                push_chunk(&mut coded, piece);
            }
            coded.extend_from_slice(LAST_CHUNK);
            prop_assert_eq!(decode(Framing::Chunked, &coded, cut), Ok((pieces.concat(), coded.len(), true)));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
            let _ = decode(Framing::Chunked, &bytes, cut);
        }
    }
}
