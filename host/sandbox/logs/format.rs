//! One entry of the CRI's log format: `TIME STREAM TAG TEXT\n`.
//!
//! `TIME` is RFC 3339 in UTC with nine digits after the point, so that entries sort as text; `TAG` is `F` for the end
//! of a line and `P` for a part of one. (`k8s.io/cri-client/pkg/logs`.)

use std::time::Duration;

use wasmpod_lifecycle::time::Timestamp;

use super::sink::Stream;

/// The longest text of one entry, in bytes; containerd's and CRI-O's default. A longer line becomes several entries
/// with tag `P`.
pub const MAX_ENTRY_TEXT_BYTES: usize = 16 * 1024;

/// The longest entry with its header and newline, in bytes.
pub(super) const MAX_ENTRY_BYTES: usize = MAX_ENTRY_TEXT_BYTES + 64;

/// The length of a timestamp: `2026-11-21T10:00:00.000000000Z`.
const STAMP_BYTES: usize = 30;

/// Writes timestamps; remembers the part that changes once a second.
#[derive(Debug, Default)]
pub(super) struct Stamper {
    second: Option<u64>,
    text: String,
}

impl Stamper {
    /// The text of a wall time (since 1970).
    pub(super) fn stamp(&mut self, since_1970: Duration) -> &str {
        let second = since_1970.as_secs();
        if self.second != Some(second) {
            let time = i64::try_from(second)
                .ok()
                .and_then(|s| Timestamp::from_second(s).ok());
            // `2026-11-21T10:00:00Z`, for every year up to 9999.
            self.text = time.unwrap_or(Timestamp::UNIX_EPOCH).to_string();
            self.text.truncate(STAMP_BYTES - 11);
            self.text.push('.');
            self.second = Some(second);
        }
        self.text.truncate(STAMP_BYTES - 10);
        let mut digits = [b'0'; 9];
        let mut rest = since_1970.subsec_nanos();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        self.text.extend(digits.iter().map(|d| char::from(*d)));
        self.text.push('Z');
        &self.text
    }

    /// The last timestamp again.
    pub(super) fn last(&self) -> &str {
        &self.text
    }
}

/// The text of a timestamp, for comparing with entries.
#[must_use]
pub(super) fn stamp_of(time: Timestamp) -> String {
    let since = Duration::try_from(time.duration_since(Timestamp::UNIX_EPOCH));
    Stamper::default()
        .stamp(since.unwrap_or_default())
        .to_owned()
}

/// A parsed entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) time: &'a str,
    pub(super) stream: Stream,
    pub(super) is_partial: bool,
    pub(super) text: &'a [u8],
}

/// Reads one entry, without its newline; `None` when it is none (e.g. cut off by a full disk).
pub(super) fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let mut parts = line.splitn(4, |b| *b == b' ');
    let time = std::str::from_utf8(parts.next()?)
        .ok()
        .filter(|t| t.len() == STAMP_BYTES)?;
    let stream = match parts.next()? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let is_partial = match parts.next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    Some(Entry {
        time,
        stream,
        is_partial,
        text: parts.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_nine_digits_and_follow_the_clock() {
        let mut stamper = Stamper::default();
        for (since, text) in [
            (
                Duration::new(1_795_255_200, 0),
                "2026-11-21T10:00:00.000000000Z",
            ),
            (
                Duration::new(1_795_255_200, 7),
                "2026-11-21T10:00:00.000000007Z",
            ),
            (
                Duration::new(1_795_255_201, 123_456_789),
                "2026-11-21T10:00:01.123456789Z",
            ),
            (Duration::ZERO, "1970-01-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(stamper.stamp(since), text);
            assert_eq!(text.len(), STAMP_BYTES);
        }
    }

    #[test]
    fn an_entry_is_read_back_and_garbage_is_not() {
        let entry = parse(b"2026-11-21T10:00:00.000000000Z stderr P a b").unwrap();
        assert_eq!(
            (entry.stream, entry.is_partial, entry.text),
            (Stream::Stderr, true, &b"a b"[..])
        );
        assert_eq!(
            parse(b"2026-11-21T10:00:00.000000000Z stdout F ")
                .unwrap()
                .text,
            b""
        );
        for garbage in [
            "",
            "x",
            "2026-11-21T10:00:00.000000000Z stdin F x",
            "2026 stdout F x",
        ] {
            assert_eq!(parse(garbage.as_bytes()), None, "{garbage:?}");
        }
    }
}
