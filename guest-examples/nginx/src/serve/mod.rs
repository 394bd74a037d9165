//! Answers requests as a configuration says.
//!
//! The way of a request, as in nginx: server by address and host (`route`) → the server's rewriting → location →
//! its rewriting → access → try_files → content: another server (`proxy`), the counters, or files (`content`).
//! An error goes through `error_page` once. Redirections inside end after [`MAX_REDIRECTS`] with 500.

mod answer;
pub mod balance;
mod content;
mod deliver;
pub mod files;
mod generation;
pub mod logs;
mod proxy;
mod rewrite;
pub mod route;
mod state;
#[cfg(test)]
mod tests;
pub mod uri;

use std::net::SocketAddr;
use std::rc::Rc;

use http_loop::body::Framing;
use http_loop::clock::{Clock, Instant};
use http_loop::head::Fields;
use http_loop::request::{self, Parsed, Rejection, Request};
use http_loop::response::Response;
use http_loop::service::{Answer, Content as Sent, Context, Failure, Service, Timeouts, Transfer};

use self::answer::Head;
use self::files::FileCache;
use self::generation::Generation;
use self::logs::Logs;
use self::rewrite::Rewritten;
pub use self::state::Record;
use self::state::{Asked, ForLog, State, View};
use crate::config::model::{Config, Content, Level, ProxyPass};
use crate::config::value;

/// The version of nginx whose behaviour this is.
pub const BEHAVES_AS: &str = "1.27";
/// nginx's limit of internal redirections.
const MAX_REDIRECTS: u8 = 10;
/// What is to be answered.
enum Verdict {
    /// An error, or a status without content.
    Status(u16),
    /// A redirection to a URL or path.
    Redirect(u16, Vec<u8>),
    /// This text.
    Text(u16, Option<Vec<u8>>, Vec<u8>),
    /// This file.
    File(Rc<files::OpenFile>),
    /// What another server says.
    Proxy(Rc<ProxyPass>),
    /// 444: nothing.
    Hangup,
}

/// A server, as the loop sees it.
#[derive(Debug)]
pub struct Server {
    current: Rc<Generation>,
    files: FileCache,
    logs: Logs,
    hostname: String,
    /// Connections up to this number are not kept after an answer.
    closing_up_to: u64,
}

impl Server {
    /// A server for a configuration.
    #[must_use]
    pub fn new(config: Rc<Config>, logs: Logs, hostname: String) -> Self {
        Self {
            current: Rc::new(Generation::first(config)),
            files: FileCache::default(),
            logs,
            hostname,
            closing_up_to: 0,
        }
    }

    /// The configuration that is served.
    #[must_use]
    pub fn config(&self) -> &Rc<Config> {
        &self.current.config
    }

    /// Serves another configuration from now on; `slots` are its addresses by the numbers of the loop's listeners.
    /// Requests that are under way end as they began.
    pub fn reload(&mut self, config: Rc<Config>, slots: Vec<Option<usize>>) {
        self.current = Rc::new(Generation::new(config, slots));
        self.files = FileCache::default();
    }

    /// Does not keep connections up to this number after an answer.
    pub fn close_up_to(&mut self, serial: u64) {
        self.closing_up_to = serial;
    }

    /// The logs.
    pub fn logs(&mut self) -> &mut Logs {
        &mut self.logs
    }

    fn new_state(&self, server: usize, path: Vec<u8>, args: Vec<u8>) -> Option<State> {
        let generation = Rc::clone(&self.current);
        let location = Rc::clone(&generation.config.servers.get(server)?.base);
        let set = vec![Vec::new(); generation.config.set_variables];
        Some(State {
            generation,
            server,
            location,
            uri: path,
            args,
            captures: Vec::new(),
            set,
            rewritten: false,
            internal: false,
            redirects: 0,
            status: 0,
            error_status: None,
            head_bytes: 0,
            asked: Asked::default(),
        })
    }

    fn error(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &State,
        level: Level,
        message: &str,
    ) {
        let log = state.location.settings.error_log.clone();
        if level > log.level {
            return;
        }
        let config = &state.generation.config;
        let server = config.servers.get(state.server);
        let server = server.map_or("", |server| server.name.as_str());
        let mut full = format!(
            "{message}, client: {}, server: {server}, request: \"{}\"",
            context.connection.peer.ip().to_canonical(),
            printable(request.line),
        );
        if !state.asked.address.is_empty() {
            full.push_str(&format!(", upstream: \"http://{}\"", state.asked.address));
        }
        if let Some(host) = request.fields.get("host") {
            full.push_str(&format!(", host: \"{}\"", printable(host)));
        }
        self.logs.error(
            context.clock,
            &log,
            level,
            Some(context.connection.serial),
            &full,
        );
    }

    /// Finds the content for the path in `state`, through rewriting and locations.
    fn find(&mut self, context: &Context<'_>, request: &Request<'_>, state: &mut State) -> Verdict {
        loop {
            if state.redirects > MAX_REDIRECTS {
                self.error(
                    context,
                    request,
                    state,
                    Level::Error,
                    "rewrite or internal redirection cycle",
                );
                return Verdict::Status(500);
            }
            let Some(base) = state
                .generation
                .config
                .servers
                .get(state.server)
                .map(|server| Rc::clone(&server.base))
            else {
                return Verdict::Status(500);
            };
            let (location, captures) = route::location(&base, &state.uri);
            state.location = location;
            if !captures.is_empty() {
                state.captures = captures;
            }
            if state.location.internal && !state.internal {
                return Verdict::Status(404);
            }
            match self.visit(context, request, state) {
                Rewritten::Verdict(verdict) => return verdict,
                Rewritten::Again => {
                    state.redirects += 1;
                    state.internal = true;
                }
                Rewritten::On => return Verdict::Status(500),
            }
        }
    }

    /// Everything that happens in the location of `state`.
    fn visit(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &mut State,
    ) -> Rewritten {
        let location = Rc::clone(&state.location);
        match self.rewrite(context, request, state, &location.rules) {
            Rewritten::On => {}
            other => return other,
        }
        let settings = &location.settings;
        let peer = context.connection.peer.ip();
        let rule = settings.access.iter().find(|rule| {
            rule.network
                .is_none_or(|network| value::contains(network, peer))
        });
        if rule.is_some_and(|rule| !rule.allow) && state.error_status.is_none() {
            self.error(
                context,
                request,
                state,
                Level::Error,
                "access forbidden by rule",
            );
            return Rewritten::Verdict(Verdict::Status(403));
        }
        if let Framing::Length(length) = request.framing
            && settings.client_max_body_size > 0
            && length > settings.client_max_body_size
            && state.error_status.is_none()
        {
            let message = format!("client intended to send too large body: {length} bytes");
            self.error(context, request, state, Level::Error, &message);
            return Rewritten::Verdict(Verdict::Status(413));
        }
        if let Some(try_files) = &location.try_files {
            match self.try_files(context, request, state, try_files) {
                Rewritten::On => {}
                other => return other,
            }
        }
        match &state.location.content {
            Content::Proxy(pass) => Rewritten::Verdict(Verdict::Proxy(Rc::clone(pass))),
            Content::StubStatus => Rewritten::Verdict(stub_status(context)),
            Content::Static => self.content(context, request, state),
        }
    }

    fn view<'a>(
        &'a self,
        context: &'a Context<'a>,
        request: Option<&'a Request<'a>>,
        line: &'a [u8],
        state: &'a State,
    ) -> View<'a> {
        View {
            config: &state.generation.config,
            hostname: &self.hostname,
            context,
            request,
            line,
            state,
            body_bytes: 0,
            whole: true,
        }
    }

    fn log_access(
        &mut self,
        context: &Context<'_>,
        request: Option<&Request<'_>>,
        line: &[u8],
        state: &State,
        body_bytes: u64,
        whole: bool,
    ) {
        let view = View {
            config: &state.generation.config,
            hostname: &self.hostname,
            context,
            request,
            line,
            state,
            body_bytes,
            whole,
        };
        for log in state.location.settings.access_logs.iter() {
            if let Some(out) = self.logs.line(&log.target) {
                log.format.push(&ForLog(&view), out);
                out.push(b'\n');
            }
        }
    }

    fn end_asking(state: &mut State, failed: bool, now: Instant) {
        let mut balancers = state.generation.balancers.borrow_mut();
        if let (Some(upstream), Some(peer)) = (state.asked.upstream, state.asked.current.take())
            && let Some(balancer) = balancers.get_mut(upstream)
        {
            balancer.end(peer, failed, now);
        }
    }
}

fn stub_status(context: &Context<'_>) -> Verdict {
    let counters = context.counters;
    let text = format!(
        "Active connections: {} \nserver accepts handled requests\n {} {} {} \nReading: 0 Writing: {} Waiting: {} \n",
        counters.active,
        counters.accepted,
        counters.accepted,
        counters.requests,
        counters.active.saturating_sub(counters.waiting),
        counters.waiting,
    );
    Verdict::Text(200, Some(b"text/plain".to_vec()), text.into_bytes())
}

/// Runs `work` on the request whose head this is.
fn reread<T>(head: &[u8], work: impl FnOnce(&Request<'_>) -> T) -> Option<T> {
    let mut spans = Vec::new();
    match request::parse(head, &mut 0, &mut spans) {
        Parsed::Request(request, _) => Some(work(&request)),
        Parsed::Incomplete | Parsed::Rejected(_) => None,
    }
}

impl Service for Server {
    type Record = Record;

    fn respond(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Answer<Record> {
        let current = Rc::clone(&self.current);
        let listener = context.connection.listener;
        let is_only = current
            .listen(listener)
            .is_some_and(|listen| listen.servers.len() == 1);
        let host = if is_only {
            Vec::new()
        } else {
            state::host(request)
        };
        let listen = current.listen_index(listener).unwrap_or(usize::MAX);
        let server = route::server(&current.config, listen, &host);
        let (path, args) = match uri::split(request.target) {
            Some(split) => split,
            None => {
                let Some(state) = self.new_state(server, b"/".to_vec(), Vec::new()) else {
                    return Answer {
                        content: Sent::Nothing,
                        keep_alive: None,
                    };
                };
                self.error(
                    context,
                    request,
                    &state,
                    Level::Info,
                    "client sent invalid request",
                );
                return self.fail(context, request, state, 400, out);
            }
        };
        let Some(mut state) = self.new_state(server, path, args) else {
            return Answer {
                content: Sent::Nothing,
                keep_alive: None,
            };
        };
        if matches!(request.method, "TRACE" | "CONNECT") {
            return self.fail(context, request, state, 405, out);
        }
        let base = Rc::clone(&state.location);
        let verdict = match self.rewrite(context, request, &mut state, &base.rules) {
            Rewritten::Verdict(verdict) => verdict,
            Rewritten::On | Rewritten::Again => self.find(context, request, &mut state),
        };
        self.deliver(context, request, state, verdict, out)
    }

    fn reject(
        &mut self,
        context: &Context<'_>,
        rejection: Rejection,
        line: &[u8],
        out: &mut Vec<u8>,
    ) {
        let server = self
            .current
            .listen(context.connection.listener)
            .and_then(|listen| listen.servers.first());
        let Some(mut state) =
            self.new_state(server.copied().unwrap_or(0), b"/".to_vec(), Vec::new())
        else {
            return;
        };
        state.status = rejection.status();
        let request = Request {
            raw: b"",
            line,
            method: "",
            target: b"",
            is_http_11: false,
            fields: Fields::none(),
            framing: Framing::None,
            keep_alive: false,
        };
        self.error(context, &request, &state, Level::Info, rejection.message());
        let mut body_bytes = 0;
        // Who was too slow to ask gets no answer, as from nginx.
        if rejection != Rejection::TimedOut {
            let body = answer::error_page(state.status);
            body_bytes = u64::try_from(body.len()).unwrap_or(0);
            let view = self.view(context, None, line, &state);
            answer::push_head(
                out,
                &view,
                &Head {
                    status: state.status,
                    content_type: Some(b"text/html"),
                    length: Some(body_bytes),
                    ..Head::default()
                },
            );
            out.extend_from_slice(&body);
        }
        self.log_access(context, None, line, &state, body_bytes, true);
    }

    fn next_peer(
        &mut self,
        context: &Context<'_>,
        record: &mut Record,
        failure: Option<Failure>,
    ) -> Option<SocketAddr> {
        let now = context.clock.now();
        let state = &mut record.state;
        if let Some(failure) = failure {
            let message = proxy::failure_text(failure);
            reread(&record.head, |request| {
                self.error(context, request, state, Level::Error, &message)
            });
            Self::end_asking(state, true, now);
        }
        let generation = Rc::clone(&state.generation);
        let mut balancers = generation.balancers.borrow_mut();
        let balancer = balancers.get_mut(state.asked.upstream?)?;
        let peer = balancer.choose(&state.asked.tried, now)?;
        let address = balancer.address(peer)?;
        state.asked.tried.push(peer);
        state.asked.current = Some(peer);
        if !state.asked.address.is_empty() {
            state.asked.address.push_str(", ");
        }
        state.asked.address.push_str(&address.to_string());
        Some(address)
    }

    fn forward_head(
        &mut self,
        context: &Context<'_>,
        record: &mut Record,
        response: &Response<'_>,
        transfer: Transfer,
        out: &mut Vec<u8>,
    ) {
        Self::end_asking(&mut record.state, false, context.clock.now());
        record.state.status = response.status;
        record.state.asked.status = response.status;
        let start = out.len();
        reread(&record.head, |request| {
            let keep = self
                .keep_alive(context, request, &record.state, 200)
                .is_some()
                && transfer != Transfer::UntilClose;
            let view = self.view(context, Some(request), request.line, &record.state);
            if let Content::Proxy(pass) = &record.state.location.content {
                proxy::push_response_head(out, &view, pass, response, transfer, keep);
            }
        });
        record.state.head_bytes = u64::try_from(out.len() - start).unwrap_or(0);
    }

    fn forward_failed(
        &mut self,
        context: &Context<'_>,
        record: Record,
        failure: Failure,
        out: &mut Vec<u8>,
    ) -> Answer<Record> {
        let Record { head, mut state } = record;
        let status = match failure {
            Failure::ConnectTimedOut | Failure::SendTimedOut | Failure::ReadTimedOut => 504,
            Failure::ClientBody { status } => status,
            Failure::Connect(_) | Failure::Closed | Failure::Malformed | Failure::TooLarge => 502,
        };
        state.asked.status = status;
        reread(&head, |request| {
            // What was logged in `next_peer` already are the failures before the last one was given up.
            if state.asked.current.is_some() {
                self.error(
                    context,
                    request,
                    &state,
                    Level::Error,
                    &proxy::failure_text(failure),
                );
                Self::end_asking(&mut state, true, context.clock.now());
            } else if state.asked.tried.is_empty() {
                self.error(
                    context,
                    request,
                    &state,
                    Level::Error,
                    "no live upstreams while connecting to upstream",
                );
            }
            self.fail(context, request, state, status, out)
        })
        .unwrap_or(Answer {
            content: Sent::Nothing,
            keep_alive: None,
        })
    }

    fn finished(&mut self, context: &Context<'_>, record: Record, body_bytes: u64, whole: bool) {
        let Record { head, mut state } = record;
        Self::end_asking(&mut state, false, context.clock.now());
        if !whole && state.status == 0 {
            // The client went away before there was an answer.
            state.status = 499;
        }
        reread(&head, |request| {
            self.log_access(
                context,
                Some(request),
                request.line,
                &state,
                body_bytes,
                whole,
            )
        });
    }

    fn timeouts(&self, listener: usize) -> Timeouts {
        let config = &self.current.config;
        let listen = self.current.listen(listener);
        let server = listen.and_then(|listen| listen.servers.first());
        let Some(server) = server.and_then(|server| config.servers.get(*server)) else {
            return Timeouts::default();
        };
        let settings = &server.base.settings;
        Timeouts {
            head: settings.client_header_timeout,
            body: settings.client_body_timeout,
            send: settings.send_timeout,
        }
    }

    fn max_connections(&self) -> usize {
        self.current.config.worker_connections
    }

    fn end_turn(&mut self, _clock: &Clock) {
        self.logs.flush();
    }
}

/// What a client sent, for an error log: nothing in it can begin a line of its own.
fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| {
            if matches!(byte, b' '..=b'~') {
                char::from(*byte)
            } else {
                '?'
            }
        })
        .collect()
}
