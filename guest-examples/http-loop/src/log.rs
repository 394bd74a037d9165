//! Log lines, gathered during a turn of the loop and written in one piece at its end.

use std::io::{self, Write};

/// The most bytes that are held back while the reader of a log is slow; then the loop waits for it, as a process
/// does that writes to a full pipe.
pub const MAX_HELD_BYTES: usize = 64 * 1024;

/// A log that writes when it is told to, so that a line costs no host call.
#[derive(Debug)]
pub struct LineLog<W> {
    writer: W,
    held: Vec<u8>,
}

impl<W: Write> LineLog<W> {
    /// A log on `writer`.
    #[must_use]
    pub fn new(writer: W) -> Self {
        Self {
            writer,
            held: Vec::new(),
        }
    }

    /// Where a line is appended, its line feed included.
    pub fn line(&mut self) -> &mut Vec<u8> {
        if self.held.len() > MAX_HELD_BYTES {
            self.flush();
        }
        &mut self.held
    }

    /// Writes what is held. Nobody can be told that a log cannot be written: its lines are dropped then.
    pub fn flush(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let written: io::Result<()> = self
            .writer
            .write_all(&self.held)
            .and_then(|()| self.writer.flush());
        self.held.clear();
        drop(written);
    }

    /// The writer.
    #[must_use]
    pub fn writer(&self) -> &W {
        &self.writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_for_the_flush_but_not_beyond_the_limit() {
        let mut log = LineLog::new(Vec::new());
        log.line().extend_from_slice(b"one\n");
        assert!(log.writer().is_empty());
        log.flush();
        assert_eq!(log.writer(), b"one\n");
        for _ in 0..MAX_HELD_BYTES {
            log.line().extend_from_slice(b"a\n");
        }
        assert!(log.writer().len() > MAX_HELD_BYTES);
        log.flush();
        assert_eq!(log.writer().len(), 4 + 2 * MAX_HELD_BYTES);
    }
}
