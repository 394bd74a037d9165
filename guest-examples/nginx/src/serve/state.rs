//! What is known of one request while it is answered, and the values of variables that follow from it.

use std::rc::Rc;

use http_loop::clock::MILLISECOND;
use http_loop::date;
use http_loop::decimal::{push_decimal, push_two_digits};
use http_loop::request::Request;
use http_loop::service::Context;

use super::generation::Generation;
use super::uri;
use crate::config::model::{Config, Content, Location};
use crate::config::template::{Values, Variable};

/// One request's way through the configuration.
#[derive(Debug)]
pub(super) struct State {
    /// The configuration under which it began.
    pub(super) generation: Rc<Generation>,
    pub(super) server: usize,
    pub(super) location: Rc<Location>,
    /// The path, decoded.
    pub(super) uri: Vec<u8>,
    pub(super) args: Vec<u8>,
    pub(super) captures: Vec<Vec<u8>>,
    pub(super) set: Vec<Vec<u8>>,
    /// The path is not what the client asked for any more.
    pub(super) rewritten: bool,
    /// Came to its location from inside.
    pub(super) internal: bool,
    pub(super) redirects: u8,
    pub(super) status: u16,
    /// The status that an error's page is sent with.
    pub(super) error_status: Option<u16>,
    pub(super) head_bytes: u64,
    pub(super) asked: Asked,
}

/// Which servers of an upstream were asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) upstream: Option<usize>,
    pub(super) current: Option<usize>,
    pub(super) tried: Vec<usize>,
    pub(super) address: String,
    pub(super) status: u16,
    pub(super) began: u64,
}

/// A request that is being answered over more than one turn: its head is read again for the log.
#[derive(Debug)]
pub struct Record {
    pub(super) head: Vec<u8>,
    pub(super) state: State,
}

/// Everything that a variable may speak of.
pub(super) struct View<'a> {
    pub(super) config: &'a Config,
    pub(super) hostname: &'a str,
    pub(super) context: &'a Context<'a>,
    pub(super) request: Option<&'a Request<'a>>,
    /// What was sent as a request line, even if it was none.
    pub(super) line: &'a [u8],
    pub(super) state: &'a State,
    pub(super) body_bytes: u64,
    pub(super) whole: bool,
}

/// The host of a request: of the absolute target, else of `Host`, else the server's name; lower case, without port.
pub(super) fn host(request: &Request<'_>) -> Vec<u8> {
    let target = request
        .target
        .strip_prefix(b"http://")
        .or_else(|| request.target.strip_prefix(b"https://"));
    let host = match target {
        Some(rest) => rest
            .split(|byte| matches!(byte, b'/' | b'?'))
            .next()
            .unwrap_or_default(),
        None => request.fields.get("host").unwrap_or_default(),
    };
    let name = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !host.ends_with(b"]") => host.get(..colon).unwrap_or_default(),
        _ => host,
    };
    name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase()
}

impl View<'_> {
    fn field(&self, name: &str) -> &[u8] {
        self.request
            .and_then(|request| request.fields.get(name))
            .unwrap_or_default()
    }

    fn server_name(&self) -> &[u8] {
        self.config
            .servers
            .get(self.state.server)
            .map_or(b"", |server| server.name.as_bytes())
    }

    fn listen(&self) -> Option<std::net::SocketAddr> {
        self.state
            .generation
            .listen(self.context.connection.listener)
            .map(|listen| listen.address)
    }

    /// The file of the present location for the present path.
    pub(super) fn filename(&self, out: &mut Vec<u8>) {
        let settings = &self.state.location.settings;
        match (&settings.alias, &self.state.location.matcher) {
            (Some(alias), matcher) => {
                alias.push(self, out);
                let prefix = match matcher {
                    crate::config::model::Matcher::Prefix(prefix, _) => prefix.len(),
                    // A pattern's alias is the whole path, an exact location's likewise.
                    _ => self.state.uri.len(),
                };
                out.extend_from_slice(self.state.uri.get(prefix..).unwrap_or_default());
            }
            (None, _) => {
                settings.root.push(self, out);
                out.extend_from_slice(&self.state.uri);
            }
        }
    }

    fn argument(&self, name: &str) -> &[u8] {
        let args = self.state.args.split(|byte| *byte == b'&');
        let pair = |arg: &'_ [u8]| arg.iter().position(|byte| *byte == b'=');
        for arg in args {
            if let Some(at) = pair(arg)
                && arg
                    .get(..at)
                    .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            {
                return arg.get(at + 1..).unwrap_or_default();
            }
        }
        b""
    }

    fn cookie(&self, name: &str) -> &[u8] {
        for cookie in self.field("cookie").split(|byte| *byte == b';') {
            let cookie = cookie.trim_ascii();
            if let Some(value) = cookie
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
            {
                return value;
            }
        }
        b""
    }
}

fn push_text(out: &mut Vec<u8>, text: &impl std::fmt::Display) {
    use std::io::Write;
    // Writing to memory does not fail.
    let _ = write!(out, "{text}");
}

/// Seconds with three digits behind the point.
fn push_seconds(out: &mut Vec<u8>, millis: u64) {
    push_decimal(out, millis / 1000);
    out.push(b'.');
    push_decimal(out, millis / 100 % 10);
    push_two_digits(out, millis % 100);
}

impl Values for View<'_> {
    fn push(&self, variable: &Variable, out: &mut Vec<u8>) {
        use Variable as V;
        let connection = self.context.connection;
        let clock = self.context.clock;
        match variable {
            V::Args => out.extend_from_slice(&self.state.args),
            V::BodyBytesSent => push_decimal(out, self.body_bytes),
            V::BytesSent => push_decimal(out, self.state.head_bytes + self.body_bytes),
            V::Connection => push_decimal(out, connection.serial),
            V::ConnectionRequests => push_decimal(out, connection.requests),
            V::ContentLength => out.extend_from_slice(self.field("content-length")),
            V::ContentType => out.extend_from_slice(self.field("content-type")),
            V::DocumentRoot => self.state.location.settings.root.push(self, out),
            V::Host => {
                let host = self.request.map(host).unwrap_or_default();
                out.extend_from_slice(if host.is_empty() {
                    self.server_name()
                } else {
                    &host
                });
            }
            V::Hostname => out.extend_from_slice(self.hostname.as_bytes()),
            V::HttpHost => out.extend_from_slice(self.field("host")),
            V::IsArgs => out.extend_from_slice(if self.state.args.is_empty() {
                b""
            } else {
                b"?"
            }),
            V::Msec => push_seconds(out, clock.unix_millis()),
            V::NginxVersion => out.extend_from_slice(super::BEHAVES_AS.as_bytes()),
            V::Pid => out.push(b'1'),
            V::ProxyAddXForwardedFor => {
                let before = self.field("x-forwarded-for");
                if !before.is_empty() {
                    out.extend_from_slice(before);
                    out.extend_from_slice(b", ");
                }
                push_text(out, &connection.peer.ip().to_canonical());
            }
            V::ProxyHost | V::ProxyPort => {
                if let Content::Proxy(pass) = &self.state.location.content {
                    if *variable == V::ProxyHost {
                        out.extend_from_slice(pass.host.as_bytes());
                    } else {
                        push_decimal(out, u64::from(pass.port));
                    }
                }
            }
            V::RemoteAddr => push_text(out, &connection.peer.ip().to_canonical()),
            V::RemotePort => push_decimal(out, u64::from(connection.peer.port())),
            V::Request => out.extend_from_slice(self.line),
            V::RequestCompletion => out.extend_from_slice(if self.whole { b"OK" } else { b"" }),
            V::RequestFilename => self.filename(out),
            V::RequestLength => {
                let head = self
                    .request
                    .map_or(self.line.len(), |request| request.raw.len());
                push_decimal(out, u64::try_from(head).unwrap_or(u64::MAX));
            }
            V::RequestMethod => {
                out.extend_from_slice(self.request.map_or("", |request| request.method).as_bytes())
            }
            V::RequestTime => push_seconds(
                out,
                clock.now().saturating_sub(self.context.started) / MILLISECOND,
            ),
            V::RequestUri => {
                out.extend_from_slice(self.request.map_or(b"", |request| request.target))
            }
            V::Scheme => out.extend_from_slice(b"http"),
            V::ServerAddr => {
                if let Some(address) = self.listen() {
                    push_text(out, &address.ip());
                }
            }
            V::ServerName => out.extend_from_slice(self.server_name()),
            V::ServerPort => push_decimal(
                out,
                self.listen().map_or(0, |address| u64::from(address.port())),
            ),
            V::ServerProtocol => {
                let is_http_11 = self.request.is_some_and(|request| request.is_http_11);
                out.extend_from_slice(if is_http_11 { b"HTTP/1.1" } else { b"HTTP/1.0" });
            }
            V::Status => push_decimal(out, u64::from(self.state.status)),
            V::TimeIso8601 => date::push_iso8601(out, &date::Parts::of(clock.unix())),
            V::TimeLocal => out.extend_from_slice(clock.access_log_time()),
            V::UpstreamAddr => out.extend_from_slice(self.state.asked.address.as_bytes()),
            V::UpstreamResponseTime if self.state.asked.began > 0 => {
                push_seconds(
                    out,
                    clock.now().saturating_sub(self.state.asked.began) / MILLISECOND,
                );
            }
            V::UpstreamStatus if self.state.asked.status > 0 => {
                push_decimal(out, u64::from(self.state.asked.status))
            }
            V::Uri => out.extend_from_slice(&self.state.uri),
            V::ConnectionsActive => push_decimal(out, self.context.counters.active),
            V::ConnectionsWaiting => push_decimal(out, self.context.counters.waiting),
            V::Field(name) => out.extend_from_slice(self.field(name)),
            V::Argument(name) => out.extend_from_slice(self.argument(name)),
            V::Cookie(name) => out.extend_from_slice(self.cookie(name)),
            V::Capture(number) => {
                out.extend_from_slice(
                    self.state
                        .captures
                        .get(*number)
                        .map_or(&[][..], Vec::as_slice),
                );
            }
            V::Set(number) => {
                out.extend_from_slice(self.state.set.get(*number).map_or(&[][..], Vec::as_slice))
            }
            V::RemoteUser | V::Empty | V::UpstreamResponseTime | V::UpstreamStatus => {}
        }
    }
}

/// Values as a log line has them: a hyphen for nothing, and no byte that could forge a line.
pub(super) struct ForLog<'a>(pub(super) &'a View<'a>);

impl Values for ForLog<'_> {
    fn push(&self, variable: &Variable, out: &mut Vec<u8>) {
        let start = out.len();
        self.0.push(variable, out);
        let value = out.get(start..).unwrap_or_default();
        if value.is_empty() {
            out.push(b'-');
        } else if value
            .iter()
            .any(|byte| matches!(byte, 0..=0x1f | 0x7f.. | b'"' | b'\\'))
        {
            let value = out.split_off(start);
            for byte in value {
                match byte {
                    0..=0x1f | 0x7f.. | b'"' | b'\\' => {
                        out.extend_from_slice(b"\\x");
                        for digit in [byte >> 4, byte & 15] {
                            out.push(if digit < 10 {
                                b'0' + digit
                            } else {
                                b'A' + digit - 10
                            });
                        }
                    }
                    byte => out.push(byte),
                }
            }
        }
    }
}

/// Sets path and query from a rewritten URI, whose path is text and not escaped.
pub(super) fn go_to(state: &mut State, target: &[u8], keep_args: bool) {
    let (path, args) = match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (target.get(..at).unwrap_or_default(), target.get(at + 1..)),
        None => (target, None),
    };
    state.uri = uri::normalize(path).unwrap_or_else(|| path.to_vec());
    match args {
        Some([]) => state.args.clear(),
        Some(args) => {
            let old = std::mem::replace(&mut state.args, args.to_vec());
            if keep_args && !old.is_empty() {
                state.args.push(b'&');
                state.args.extend_from_slice(&old);
            }
        }
        None if !keep_args => state.args.clear(),
        None => {}
    }
    state.rewritten = true;
}
