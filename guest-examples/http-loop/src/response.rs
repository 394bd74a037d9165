//! Responses of another server, as a reverse proxy reads them.

use crate::body::Framing;
use crate::decimal::parse_decimal;
use crate::head::{self, FieldSpan, Fields};
use crate::status;

/// The head of one response.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase, perhaps empty.
    pub reason: &'a [u8],
    /// The fields.
    pub fields: Fields<'a>,
    /// The body that follows.
    pub framing: Framing,
    /// Whether the server keeps the connection.
    pub keep_alive: bool,
}

/// What became of an attempt to read a head.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A response, and the offset behind its head.
    Response(Response<'a>, usize),
    /// More is needed.
    Incomplete,
    /// No HTTP response.
    Malformed,
    /// A head over the limits of [`head`].
    TooLarge,
}

/// Reads the response at the start of `buffer`, the answer to a HEAD request if `to_head`.
pub fn parse<'a>(
    buffer: &'a [u8],
    searched: &mut usize,
    spans: &'a mut Vec<FieldSpan>,
    to_head: bool,
) -> Parsed<'a> {
    let end = match head::find_end(buffer, searched) {
        Some(end) if end <= head::MAX_HEAD_BYTES => end,
        None if buffer.len() <= head::MAX_HEAD_BYTES => {
            let prefix = b"HTTP/1.";
            let seen = buffer.len().min(prefix.len());
            return if buffer.get(..seen) == prefix.get(..seen) {
                Parsed::Incomplete
            } else {
                Parsed::Malformed
            };
        }
        _ => return Parsed::TooLarge,
    };
    match parse_complete(buffer, end, spans, to_head) {
        Some(response) => Parsed::Response(response, end),
        None => Parsed::Malformed,
    }
}

fn parse_complete<'a>(
    buffer: &'a [u8],
    end: usize,
    spans: &'a mut Vec<FieldSpan>,
    to_head: bool,
) -> Option<Response<'a>> {
    let (range, next) = head::line(buffer, 0)?;
    let line = buffer.get(range)?;
    let (version, rest) = line.split_at_checked(8)?;
    let is_http_11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return None,
    };
    let (code, reason) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
    let reason = match reason {
        [] => reason,
        [b' ', reason @ ..] => reason,
        _ => return None,
    };
    let status = u16::try_from(parse_decimal(code)?)
        .ok()
        .filter(|status| *status >= 100)?;
    head::parse_fields(buffer, next, end, spans).ok()?;
    let fields = Fields::new(buffer, spans);
    let framing = framing(&fields, status, to_head)?;
    let keep_alive = framing != Framing::UntilClose
        && if is_http_11 {
            !fields.lists("connection", "close")
        } else {
            fields.lists("connection", "keep-alive")
        };
    Some(Response {
        status,
        reason,
        fields,
        framing,
        keep_alive,
    })
}

fn framing(fields: &Fields<'_>, status: u16, to_head: bool) -> Option<Framing> {
    if to_head || status::has_no_body(status) {
        return Some(Framing::None);
    }
    if fields.lists("transfer-encoding", "chunked") {
        return Some(Framing::Chunked);
    }
    match fields.get("content-length") {
        None => Some(Framing::UntilClose),
        Some(length) => match parse_decimal(length)? {
            0 => Some(Framing::None),
            length => Some(Framing::Length(length)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], to_head: bool) -> Option<Read> {
        let mut spans = Vec::new();
        match parse(text, &mut 0, &mut spans, to_head) {
            Parsed::Response(response, _) => {
                Some((response.status, response.framing, response.keep_alive))
            }
            _ => None,
        }
    }

    /// Status, framing, keep-alive.
    type Read = (u16, Framing, bool);

    #[test]
    fn framing_follows_rfc_9112() {
        let table: [(&str, bool, Option<Read>); 9] = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
                false,
                Some((200, Framing::Length(3), true)),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
                true,
                Some((200, Framing::None, true)),
            ),
            (
                "HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n",
                false,
                Some((304, Framing::None, true)),
            ),
            (
                "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
                Some((200, Framing::Chunked, true)),
            ),
            (
                "HTTP/1.0 200 OK\r\n\r\n",
                false,
                Some((200, Framing::UntilClose, false)),
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\n\n",
                false,
                Some((200, Framing::Length(1), true)),
            ),
            ("HTTP/1.1 20 OK\r\n\r\n", false, None),
            ("HTTP/2 200 OK\r\n\r\n", false, None),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, None),
        ];
        for (text, to_head, expected) in table {
            assert_eq!(read(text.as_bytes(), to_head), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_http_is_known_at_its_first_bytes() {
        let mut spans = Vec::new();
        assert!(matches!(
            parse(b"SSH-2.0", &mut 0, &mut spans, false),
            Parsed::Malformed
        ));
        assert!(matches!(
            parse(b"HTT", &mut 0, &mut spans, false),
            Parsed::Incomplete
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), to_head: bool) {
            let _ = read(&[b"HTTP/1.1 ".as_slice(), &bytes].concat(), to_head);
            let _ = read(&bytes, to_head);
        }
    }
}
