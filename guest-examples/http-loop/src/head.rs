//! The head of a message: a start line and header fields, RFC 9112 sections 2 to 5.
//!
//! A head is parsed where it was received: fields are positions in the buffer, and their list is reused from
//! message to message. Lines may end in a bare LF, as nginx allows; folded lines (obs-fold) are refused.

use std::ops::Range;

/// The longest head in bytes: four buffers of 8 KiB, nginx's default of `large_client_header_buffers`.
/// A longer one is answered with 400.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The longest single line in bytes, one of these buffers: a longer request line is answered with 414, a longer
/// field with 400.
pub const MAX_LINE_BYTES: usize = 8 * 1024;
/// The most fields of one head; more are answered with 400. Browsers send about twenty.
pub const MAX_FIELDS: usize = 256;

/// Where one field's name and value are in the buffer.
#[derive(Debug, Clone, Default)]
pub struct FieldSpan {
    name: Range<usize>,
    value: Range<usize>,
}

/// The fields of one head.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    buffer: &'a [u8],
    spans: &'a [FieldSpan],
}

impl<'a> Fields<'a> {
    /// The fields that `spans` mark in `buffer`.
    #[must_use]
    pub fn new(buffer: &'a [u8], spans: &'a [FieldSpan]) -> Self {
        Self { buffer, spans }
    }

    /// No fields, for a request whose head could not be read.
    #[must_use]
    pub fn none() -> Self {
        Self {
            buffer: &[],
            spans: &[],
        }
    }

    /// All fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let buffer = self.buffer;
        self.spans.iter().map(move |span| {
            let part = |range: &Range<usize>| buffer.get(range.clone()).unwrap_or_default();
            (part(&span.name), part(&span.value))
        })
    }

    /// The value of the first field of this name, which is compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all fields of this name.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Whether a comma-separated field lists `token`.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name).any(|value| {
            value
                .split(|byte| *byte == b',')
                .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        })
    }
}

/// Finds the end of the head at the start of `buffer`: the offset behind its empty line.
///
/// `searched` is how much was searched in vain before; it is moved on, so that a client that sends byte by byte
/// costs no more than one that sends all at once.
#[must_use]
pub fn find_end(buffer: &[u8], searched: &mut usize) -> Option<usize> {
    let start = searched.saturating_sub(3);
    let mut at = start;
    while let Some(feed) = buffer
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
    {
        let line_end = at + feed + 1;
        match buffer.get(line_end..) {
            Some([b'\n', ..]) => return Some(line_end + 1),
            Some([b'\r', b'\n', ..]) => return Some(line_end + 2),
            _ => at = line_end,
        }
    }
    *searched = buffer.len();
    None
}

/// The line that begins at `at`: its content without the line end, and where the next one begins.
#[must_use]
pub fn line(buffer: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let rest = buffer.get(at..)?;
    let feed = rest.iter().position(|byte| *byte == b'\n')?;
    let end = match rest.get(..feed) {
        Some([.., b'\r']) => feed - 1,
        _ => feed,
    };
    Some((at..at + end, at + feed + 1))
}

/// Why fields cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldError {
    /// A line without a name, with a bad character, or folded.
    Malformed,
    /// A line longer than [`MAX_LINE_BYTES`], or more fields than [`MAX_FIELDS`].
    TooLarge,
}

/// Parses the fields in `buffer[at..end]`, `end` being behind the empty line.
///
/// # Errors
/// When a line is no field or a limit is exceeded.
pub fn parse_fields(
    buffer: &[u8],
    at: usize,
    end: usize,
    spans: &mut Vec<FieldSpan>,
) -> Result<(), FieldError> {
    spans.clear();
    let head = buffer.get(..end).unwrap_or(buffer);
    let mut at = at;
    while let Some((range, next)) = line(head, at) {
        if range.is_empty() {
            return Ok(());
        }
        if range.len() > MAX_LINE_BYTES || spans.len() == MAX_FIELDS {
            return Err(FieldError::TooLarge);
        }
        let text = head.get(range.clone()).unwrap_or_default();
        let colon = text
            .iter()
            .position(|byte| *byte == b':')
            .ok_or(FieldError::Malformed)?;
        let (name, value) = text.split_at(colon);
        if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) {
            return Err(FieldError::Malformed);
        }
        let value = value.get(1..).unwrap_or_default();
        if value.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            return Err(FieldError::Malformed);
        }
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let lead = value.iter().take_while(|byte| blank(byte)).count();
        let trail = value
            .iter()
            .skip(lead)
            .rev()
            .take_while(|byte| blank(byte))
            .count();
        let name_end = range.start + colon;
        spans.push(FieldSpan {
            name: range.start..name_end,
            value: name_end + 1 + lead..range.end - trail,
        });
        at = next;
    }
    Err(FieldError::Malformed)
}

/// Whether a byte may stand in a token, RFC 9110 section 5.6.2.
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<Vec<(String, String)>, FieldError> {
        let mut spans = Vec::new();
        parse_fields(text.as_bytes(), 0, text.len(), &mut spans)?;
        let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(Fields::new(text.as_bytes(), &spans)
            .iter()
            .map(|(n, v)| (text_of(n), text_of(v)))
            .collect())
    }

    #[test]
    fn values_lose_the_blanks_around_them_and_nothing_else() {
        let read = fields("Host: a b \r\nX:\t\r\nY:1\n\r\n").unwrap();
        assert_eq!(
            read,
            [
                ("Host".into(), "a b".into()),
                ("X".into(), String::new()),
                ("Y".into(), "1".into())
            ]
        );
    }

    #[test]
    fn lines_that_are_no_field_are_refused() {
        for bad in [
            "no colon\r\n\r\n",
            ": v\r\n\r\n",
            "a b: v\r\n\r\n",
            "a: v\r\n folded\r\n\r\n",
            "a: \0\r\n\r\n",
        ] {
            assert_eq!(fields(bad), Err(FieldError::Malformed), "{bad:?}");
        }
        let many = "a: b\r\n".repeat(MAX_FIELDS + 1) + "\r\n";
        assert_eq!(fields(&many), Err(FieldError::TooLarge));
        let long = format!("a: {}\r\n\r\n", "b".repeat(MAX_LINE_BYTES));
        assert_eq!(fields(&long), Err(FieldError::TooLarge));
    }

    #[test]
    fn the_end_is_found_however_the_head_is_cut() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest",
            "GET / HTTP/1.1\nHost: a\n\nrest",
        ] {
            let end = text.len() - 4;
            for cut in 0..text.len() {
                let mut searched = 0;
                let early = find_end(&text.as_bytes()[..cut], &mut searched);
                assert_eq!(early, (cut >= end).then_some(end), "{text:?} cut at {cut}");
                if early.is_none() {
                    assert_eq!(
                        find_end(text.as_bytes(), &mut searched),
                        Some(end),
                        "{text:?} cut at {cut}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_list_is_searched_in_all_fields_of_its_name() {
        let text = "Connection: a, Keep-Alive\r\nconnection: Close\r\n\r\n";
        let mut spans = Vec::new();
        parse_fields(text.as_bytes(), 0, text.len(), &mut spans).unwrap();
        let fields = Fields::new(text.as_bytes(), &spans);
        assert!(fields.lists("connection", "keep-alive"));
        assert!(fields.lists("Connection", "close"));
        assert!(!fields.lists("Connection", "keep"));
    }
}
