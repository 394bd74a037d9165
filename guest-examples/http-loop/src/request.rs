//! Requests: the request line, and what the fields say of body and connection.

use crate::body::Framing;
use crate::decimal::parse_decimal;
use crate::head::{self, FieldError, FieldSpan, Fields};

/// One request's head.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The whole head as received, for who must read it again later.
    pub raw: &'a [u8],
    /// The request line as received, without its line end.
    pub line: &'a [u8],
    /// The method, in the case in which it was sent.
    pub method: &'a str,
    /// The target: path and query, or an absolute URI.
    pub target: &'a [u8],
    /// Whether the client speaks HTTP/1.1 rather than 1.0.
    pub is_http_11: bool,
    /// The fields.
    pub fields: Fields<'a>,
    /// The body that follows.
    pub framing: Framing,
    /// Whether the client lets the connection be kept.
    pub keep_alive: bool,
}

/// A request that cannot be answered as asked: the connection ends after the error's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// No request: 400.
    Malformed,
    /// A request line over the limit: 414.
    TargetTooLong,
    /// A field, or the head, over the limit: 400.
    HeadTooLarge,
    /// Another major version: 505.
    Version,
    /// A transfer coding other than chunked: 501.
    Coding,
    /// The client took too long: 408, or silence when it had sent nothing.
    TimedOut,
}

impl Rejection {
    /// The status to answer with.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::HeadTooLarge => 400,
            Self::TargetTooLong => 414,
            Self::Version => 505,
            Self::Coding => 501,
            Self::TimedOut => 408,
        }
    }

    /// The words for an error log.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Malformed => "client sent invalid request",
            Self::TargetTooLong => "client sent too long URI",
            Self::HeadTooLarge => "client sent too large request header",
            Self::Version => "client sent invalid version",
            Self::Coding => "client sent unknown \"Transfer-Encoding\"",
            Self::TimedOut => "client timed out",
        }
    }
}

/// What became of an attempt to read a head.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A request, and the offset behind its head.
    Request(Request<'a>, usize),
    /// More is needed.
    Incomplete,
    /// Nothing can follow on this connection.
    Rejected(Rejection),
}

/// Reads the request at the start of `buffer`; `searched` as in [`head::find_end`], `spans` is scratch space.
pub fn parse<'a>(
    buffer: &'a [u8],
    searched: &mut usize,
    spans: &'a mut Vec<FieldSpan>,
) -> Parsed<'a> {
    // An empty line before the request line is skipped, RFC 9112 section 2.2.
    let start = buffer
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .take(2)
        .count();
    let text = buffer.get(start..).unwrap_or_default();
    let end = match head::find_end(text, searched) {
        Some(end) if end <= head::MAX_HEAD_BYTES => end,
        Some(_) => return Parsed::Rejected(Rejection::HeadTooLarge),
        None => return judge_incomplete(text),
    };
    match parse_complete(text, end, spans) {
        Ok(request) => Parsed::Request(request, start + end),
        Err(rejection) => Parsed::Rejected(rejection),
    }
}

/// A head that cannot become a good one is refused before its end: someone may be typing.
fn judge_incomplete<'a>(text: &[u8]) -> Parsed<'a> {
    let judged = match head::line(text, 0) {
        Some((range, _)) => parse_line(text.get(range).unwrap_or_default()).err(),
        None if text.len() > head::MAX_LINE_BYTES => Some(Rejection::TargetTooLong),
        None => None,
    };
    match judged {
        Some(rejection) => Parsed::Rejected(rejection),
        None if text.len() > head::MAX_HEAD_BYTES => Parsed::Rejected(Rejection::HeadTooLarge),
        None => Parsed::Incomplete,
    }
}

fn parse_line(line: &[u8]) -> Result<(&str, &[u8], bool), Rejection> {
    if line.len() > head::MAX_LINE_BYTES {
        return Err(Rejection::TargetTooLong);
    }
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Rejection::Malformed);
    };
    let method = str::from_utf8(method).map_err(|_| Rejection::Malformed)?;
    if method.is_empty()
        || !method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte == b'-')
    {
        return Err(Rejection::Malformed);
    }
    if target.is_empty() || target.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
        return Err(Rejection::Malformed);
    }
    match version {
        b"HTTP/1.1" => Ok((method, target, true)),
        b"HTTP/1.0" => Ok((method, target, false)),
        // A later minor version is answered as 1.1, RFC 9110 section 2.5.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => {
            Ok((method, target, true))
        }
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Rejection::Version)
        }
        _ => Err(Rejection::Malformed),
    }
}

fn parse_complete<'a>(
    text: &'a [u8],
    end: usize,
    spans: &'a mut Vec<FieldSpan>,
) -> Result<Request<'a>, Rejection> {
    let (range, next) = head::line(text, 0).ok_or(Rejection::Malformed)?;
    let line = text.get(range).unwrap_or_default();
    let (method, target, is_http_11) = parse_line(line)?;
    head::parse_fields(text, next, end, spans).map_err(|error| match error {
        FieldError::Malformed => Rejection::Malformed,
        FieldError::TooLarge => Rejection::HeadTooLarge,
    })?;
    let fields = Fields::new(text, spans);
    let mut hosts = fields.all("host");
    let host = hosts.next();
    // RFC 9112 section 3.2: exactly one Host in HTTP/1.1.
    if hosts.next().is_some() || (is_http_11 && host.is_none()) {
        return Err(Rejection::Malformed);
    }
    let framing = framing(&fields, is_http_11)?;
    let keep_alive = if is_http_11 {
        !fields.lists("connection", "close")
    } else {
        fields.lists("connection", "keep-alive")
    };
    let raw = text.get(..end).unwrap_or_default();
    Ok(Request {
        raw,
        line,
        method,
        target,
        is_http_11,
        fields,
        framing,
        keep_alive,
    })
}

/// RFC 9112 section 6.3. Both length and coding, or two lengths, is how requests are smuggled: refused.
fn framing(fields: &Fields<'_>, is_http_11: bool) -> Result<Framing, Rejection> {
    let mut lengths = fields.all("content-length");
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(Rejection::Malformed);
    }
    let mut codings = fields.all("transfer-encoding");
    match (length, codings.next()) {
        (None, None) => Ok(Framing::None),
        (Some(length), None) => match parse_decimal(length).ok_or(Rejection::Malformed)? {
            0 => Ok(Framing::None),
            length => Ok(Framing::Length(length)),
        },
        (Some(_), Some(_)) => Err(Rejection::Malformed),
        (None, Some(_)) if !is_http_11 || codings.next().is_some() => Err(Rejection::Malformed),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (None, Some(_)) => Err(Rejection::Coding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Option<(String, String, Framing, bool)>, Rejection> {
        let mut spans = Vec::new();
        match parse(text, &mut 0, &mut spans) {
            Parsed::Request(request, _) => Ok(Some((
                request.method.to_owned(),
                String::from_utf8_lossy(request.target).into_owned(),
                request.framing,
                request.keep_alive,
            ))),
            Parsed::Incomplete => Ok(None),
            Parsed::Rejected(rejection) => Err(rejection),
        }
    }

    #[test]
    fn good_requests_say_target_body_and_connection() {
        let table: [(&str, &str, Framing, bool); 8] = [
            (
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "/",
                Framing::None,
                true,
            ),
            (
                "\r\nGET /x HTTP/1.1\nHost: a\n\n",
                "/x",
                Framing::None,
                true,
            ),
            ("GET / HTTP/1.0\r\n\r\n", "/", Framing::None, false),
            (
                "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
                "/",
                Framing::None,
                true,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                "/",
                Framing::None,
                false,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
                "/",
                Framing::Length(5),
                true,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
                "/",
                Framing::Chunked,
                true,
            ),
            (
                "GET http://a/b HTTP/1.9\r\nHost: a\r\n\r\n",
                "http://a/b",
                Framing::None,
                true,
            ),
        ];
        for (text, target, framing, keep_alive) in table {
            assert_eq!(
                read(text.as_bytes()),
                Ok(Some((
                    "GET".to_owned(),
                    target.to_owned(),
                    framing,
                    keep_alive
                ))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn bad_requests_are_refused_each_with_its_status() {
        let long_line = format!("GET /{} HTTP/1.1\r\n", "a".repeat(head::MAX_LINE_BYTES));
        let long_head = format!(
            "GET / HTTP/1.1\r\n{}",
            "a: b\r\n".repeat(head::MAX_HEAD_BYTES / 6)
        );
        let table: [(&str, u16); 20] = [
            ("GET\r\n", 400),
            ("GET /\r\n", 400),
            ("get / HTTP/1.1\r\n", 400),
            ("GET  / HTTP/1.1\r\n", 400),
            ("GET / HTTP/1.1 \r\n", 400),
            ("GET /\t HTTP/1.1\r\n", 400),
            ("GET / HTTX/1.1\r\n", 400),
            ("GET / HTTP/2.0\r\n", 505),
            ("\u{16}\u{3}\u{1}hello\n", 400),
            (&long_line, 414),
            (&long_head, 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                400,
            ),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
                501,
            ),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
        ];
        for (text, status) in table {
            assert_eq!(
                read(text.as_bytes()).map_err(Rejection::status),
                Err(status),
                "{text:.60?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
        }

        #[test]
        fn nearly_good_requests_do_not_make_it_panic_either(
            text in "(GET|POST|X) ?[/a-z%?. ]{0,8} ?HTTP/[0-2].[0-2]\r?\n((Host|Content-Length|A): ?[ -~]{0,6}\r?\n){0,4}\r?\n?"
        ) {
            let _ = read(text.as_bytes());
        }
    }
}
