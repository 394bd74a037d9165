//! Standard output in whole lines: each write ends with one, so that what others write into the same pipe (our own states
//! on standard error, in `2>&1`) comes between lines and never within one.
//!
//! A pipe takes up to 4096 bytes at once (`PIPE_BUF`, pipe(7)), so no write is longer. What it does not keep whole is a line
//! beyond that, and one whose end is not there yet.

use std::io::{self, Write};

use anstream::adapter::StripBytes;
use anstream::{AutoStream, ColorChoice};

/// The most bytes that a pipe takes at once.
const PIPE_BUF: usize = 4096;

/// Bytes that are kept before they are written without being asked for.
const KEPT: usize = 8 << 10;

/// Standard output, kept until it is flushed.
pub(crate) struct WholeLines {
    /// Takes out colours, where they are not wanted.
    plain: Option<StripBytes>,
    kept: Vec<u8>,
}

impl WholeLines {
    /// Of this process.
    pub(crate) fn stdout() -> Self {
        let is_plain = matches!(AutoStream::choice(&io::stdout()), ColorChoice::Never);
        Self {
            plain: is_plain.then(StripBytes::new),
            kept: Vec::with_capacity(KEPT),
        }
    }

    fn write_kept(&mut self) -> io::Result<()> {
        if self.plain.is_some() {
            write_pieces(io::stdout().lock(), &self.kept)?;
        } else {
            write_pieces(anstream::stdout().lock(), &self.kept)?;
        }
        self.kept.clear();
        Ok(())
    }
}

impl Write for WholeLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.plain {
            Some(plain) => plain
                .strip_next(bytes)
                .for_each(|piece| self.kept.extend_from_slice(piece)),
            None => self.kept.extend_from_slice(bytes),
        }
        // Not within a line, unless it is a very long one.
        if self.kept.len() >= KEPT && (self.kept.ends_with(b"\n") || self.kept.len() >= 2 * KEPT) {
            self.write_kept()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_kept()
    }
}

/// Writes each piece by itself. It goes through as it is: the buffer of standard output keeps only what has no end.
fn write_pieces(mut out: impl Write, bytes: &[u8]) -> io::Result<()> {
    pieces(bytes).try_for_each(|piece| out.write_all(piece))?;
    out.flush()
}

/// Cuts at ends of lines, into as few pieces as are written at once.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let most = bytes.get(..PIPE_BUF).unwrap_or(bytes);
        let whole = most.iter().rposition(|byte| *byte == b'\n');
        let (piece, rest) = bytes.split_at(whole.map_or(most.len(), |last| last + 1));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(bytes: &[u8]) -> Vec<usize> {
        pieces(bytes).map(<[u8]>::len).collect()
    }

    #[test]
    fn pieces_end_with_lines_and_fit_into_a_pipe_at_once() {
        let short = b"said\n".repeat(10);
        let longer = [&b"x".repeat(4000)[..], b"\n", &b"y".repeat(200), b"\n"].concat();
        let too_long = [&b"x".repeat(5000)[..], b"\n"].concat();
        for (bytes, expected) in [
            (&b""[..], &[][..]),
            (&short, &[50]),
            (&longer, &[4001, 201]),
            (&too_long, &[4096, 905]),
            (b"one\ntwo", &[4, 3]),
        ] {
            assert_eq!(lengths(bytes), expected);
        }
    }

    #[test]
    fn what_is_plain_has_no_colours_wherever_they_are_cut() {
        let mut lines = WholeLines {
            plain: Some(StripBytes::new()),
            kept: Vec::new(),
        };
        for part in [&b"\x1b[3"[..], b"1mred\x1b", b"[0m\n"] {
            lines.write_all(part).unwrap();
        }
        assert_eq!(lines.kept, b"red\n");
    }
}
