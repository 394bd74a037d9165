//! The web application of the `training/webapp` image: it says hello.
//!
//! The original is a Flask program with the one route `/`; this one answers as its development server does, but
//! keeps connections, and logs in the same form. It is our program, not that image.

use std::io::Write;
use std::net::SocketAddr;

use http_loop::clock::{Clock, Instant, SECOND};
use http_loop::decimal::push_decimal;
use http_loop::log::LineLog;
use http_loop::request::{Rejection, Request};
use http_loop::response::Response;
use http_loop::service::{Answer, Content, Context, Failure, Service, Timeouts, Transfer};
use http_loop::status::reason;

/// The port where `PORT` names none.
pub const PORT: u16 = 5000;
/// How long a connection waits for another request.
const KEEP_ALIVE: Instant = 75 * SECOND;
/// The most clients at a time.
const MAX_CONNECTIONS: usize = 1024;

/// The application.
pub struct Hello {
    greeting: String,
    log: LineLog<Box<dyn Write>>,
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello")
            .field("greeting", &self.greeting)
            .finish_non_exhaustive()
    }
}

/// The port that `PORT` names.
///
/// # Errors
/// When it is no port.
pub fn port(variable: Option<&str>) -> Result<u16, String> {
    match variable {
        None | Some("") => Ok(PORT),
        Some(text) => text
            .parse()
            .map_err(|_| format!("PORT is \"{text}\": must be between 0 and 65535")),
    }
}

impl Hello {
    /// The application; `provider` is who is greeted instead of the world.
    #[must_use]
    pub fn new(provider: Option<&str>, log: Box<dyn Write>) -> Self {
        let greeting = format!(
            "Hello {}!",
            provider.filter(|name| !name.is_empty()).unwrap_or("world")
        );
        Self {
            greeting,
            log: LineLog::new(log),
        }
    }

    /// Says where it listens, as the original does when it starts.
    pub fn say_start(&mut self, address: SocketAddr) {
        let line = self.log.line();
        line.extend_from_slice(format!(" * Running on http://{address}/\n").as_bytes());
        self.log.flush();
    }

    fn send(&mut self, context: &Context<'_>, sent: &Sent<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_decimal(out, u64::from(sent.status));
        out.push(b' ');
        out.extend_from_slice(reason(sent.status).as_bytes());
        out.extend_from_slice(b"\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ");
        push_decimal(out, u64::try_from(sent.body.len()).unwrap_or(0));
        if sent.status == 405 {
            out.extend_from_slice(b"\r\nAllow: GET, HEAD, OPTIONS");
        }
        out.extend_from_slice(b"\r\nServer: wasmpod-webapp\r\nDate: ");
        out.extend_from_slice(context.clock.http_date());
        out.extend_from_slice(if sent.keep_alive {
            b"\r\nConnection: keep-alive\r\n\r\n".as_slice()
        } else {
            b"\r\nConnection: close\r\n\r\n"
        });
        if !sent.is_head {
            out.extend_from_slice(sent.body);
        }
        let line = self.log.line();
        // Writing to memory does not fail.
        let _ = write!(
            line,
            "{} - - [",
            context.connection.peer.ip().to_canonical()
        );
        // The original's day and time have a blank between them, and no zone.
        let time = context.clock.access_log_time();
        let (day, rest) = time.split_at_checked(11).unwrap_or((time, b""));
        line.extend_from_slice(day);
        line.push(b' ');
        line.extend_from_slice(rest.get(1..9).unwrap_or_default());
        line.extend_from_slice(b"] \"");
        line.extend(sent.line.iter().map(|byte| {
            if byte.is_ascii_graphic() || *byte == b' ' {
                *byte
            } else {
                b'?'
            }
        }));
        let _ = writeln!(line, "\" {} -", sent.status);
    }
}

/// What is sent.
struct Sent<'a> {
    status: u16,
    body: &'a [u8],
    line: &'a [u8],
    keep_alive: bool,
    is_head: bool,
}

const NOT_FOUND: &[u8] = b"<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n\
    <p>There is nothing at this address; this application has the page / only.</p>\n";
const NOT_ALLOWED: &[u8] =
    b"<!doctype html>\n<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>\n\
    <p>This page can be read only.</p>\n";
const BAD_REQUEST: &[u8] = b"<!doctype html>\n<title>Bad Request</title>\n<h1>Bad Request</h1>\n";

impl Service for Hello {
    /// Everything is answered at once.
    type Record = std::convert::Infallible;

    fn respond(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Answer<Self::Record> {
        let path = request
            .target
            .split(|byte| *byte == b'?')
            .next()
            .unwrap_or_default();
        let greeting = std::mem::take(&mut self.greeting);
        let (status, body) = match (path, request.method) {
            (b"/", "GET" | "HEAD") => (200, greeting.as_bytes()),
            (b"/", "OPTIONS") => (200, &b""[..]),
            (b"/", _) => (405, NOT_ALLOWED),
            _ => (404, NOT_FOUND),
        };
        let (line, keep_alive, is_head) =
            (request.line, request.keep_alive, request.method == "HEAD");
        self.send(
            context,
            &Sent {
                status,
                body,
                line,
                keep_alive,
                is_head,
            },
            out,
        );
        self.greeting = greeting;
        Answer {
            content: Content::Complete,
            keep_alive: keep_alive.then_some(KEEP_ALIVE),
        }
    }

    fn reject(
        &mut self,
        context: &Context<'_>,
        rejection: Rejection,
        line: &[u8],
        out: &mut Vec<u8>,
    ) {
        if rejection != Rejection::TimedOut {
            let status = rejection.status();
            self.send(
                context,
                &Sent {
                    status,
                    body: BAD_REQUEST,
                    line,
                    keep_alive: false,
                    is_head: false,
                },
                out,
            );
        }
    }

    fn next_peer(
        &mut self,
        _: &Context<'_>,
        record: &mut Self::Record,
        _: Option<Failure>,
    ) -> Option<SocketAddr> {
        match *record {}
    }

    fn forward_head(
        &mut self,
        _: &Context<'_>,
        record: &mut Self::Record,
        _: &Response<'_>,
        _: Transfer,
        _: &mut Vec<u8>,
    ) {
        match *record {}
    }

    fn forward_failed(
        &mut self,
        _: &Context<'_>,
        record: Self::Record,
        _: Failure,
        _: &mut Vec<u8>,
    ) -> Answer<Self::Record> {
        match record {}
    }

    fn finished(&mut self, _: &Context<'_>, record: Self::Record, _: u64, _: bool) {
        match record {}
    }

    fn timeouts(&self, _: usize) -> Timeouts {
        Timeouts::default()
    }

    fn max_connections(&self) -> usize {
        MAX_CONNECTIONS
    }

    fn end_turn(&mut self, _: &Clock) {
        self.log.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_loop::event_loop::EventLoop;
    use http_loop::fake::FakeNet;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn answers(provider: Option<&str>, requests: &str) -> (String, String) {
        let log = Shared::default();
        let mut event_loop = EventLoop::new(
            FakeNet::default(),
            1,
            Hello::new(provider, Box::new(log.clone())),
        );
        let client = event_loop.net().client();
        client.send(requests);
        for _ in 0..4 {
            event_loop.turn();
        }
        let log = String::from_utf8(log.0.borrow().clone()).unwrap();
        (client.take(), log)
    }

    #[test]
    fn it_greets_the_world_or_its_provider() {
        let (answer, log) = answers(None, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\nHello world!"), "{answer}");
        assert_eq!(
            log,
            "10.0.0.9 - - [21/Nov/2026 10:00:00] \"GET / HTTP/1.1\" 200 -\n"
        );
        let (answer, _) = answers(Some("pod"), "GET /?x HTTP/1.0\r\n\r\n");
        assert!(
            answer.ends_with("Connection: close\r\n\r\nHello pod!"),
            "{answer}"
        );
    }

    #[test]
    fn other_pages_and_methods_are_refused_on_a_kept_connection() {
        let (answer, _) = answers(
            None,
            "GET /x HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
             HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        let statuses: Vec<&str> = answer
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|part| &part[..3])
            .collect();
        assert_eq!(statuses, ["404", "405", "200"]);
        assert!(answer.ends_with("\r\n\r\n"), "HEAD has no body: {answer}");
    }

    #[test]
    fn the_port_is_5000_unless_the_environment_says_otherwise() {
        assert_eq!(port(None), Ok(5000));
        assert_eq!(port(Some("8080")), Ok(8080));
        assert!(port(Some("web")).is_err());
    }
}
