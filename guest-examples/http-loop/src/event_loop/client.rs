//! One client's connection.
//!
//! ```text
//!            request                       end of the answer, keep-alive
//!   Head ──────────────► Answering ──────────────────────────────────────► Head
//!    │                  (Discard | File | Collect | Exchange)
//!    │ bad request, time-out           │ close
//!    ▼                                 ▼
//!   Linger ◄───────────────────────────┘   sends nothing more, drops what comes, ends with the peer or in time
//! ```
//!
//! * `Head`: waits for a request (`step_head`); pipelined requests are answered one after the other.
//! * `Discard`: the answer is written, the request's body still comes and is dropped.
//! * `File`: the answer's body is read from a file as fast as the client takes it.
//! * `Collect`: the body for another server is gathered first, as nginx does: so a failed server can be followed by
//!   the next one, and its length is known.
//! * `Exchange`: another server answers (`exchange`).

use std::io::{Read, Seek, SeekFrom};

use super::Waiter;
use super::exchange::{self, Exchange};
use crate::body::{Decoder, Framing};
use crate::clock::{Instant, SECOND};
use crate::event_loop::Shared;
use crate::net::{Closed, Interest, Net, Stream};
use crate::request::{self, Parsed, Rejection};
use crate::service::{
    Answer, Connection, Content, Context, Failure, FileBody, Forward, Service, Timeouts,
};

/// How much is read from a client at once, in bytes: the size of one of nginx's large header buffers. A list of
/// this size is passed into the guest's memory for each read.
const READ_BYTES: usize = 8 * 1024;
/// Answers to pipelined requests are held back beyond this many unsent bytes until the client takes some.
pub(super) const MAX_UNSENT_BYTES: usize = 64 * 1024;
/// How much of a file is read at once.
const FILE_PIECE_BYTES: u64 = 64 * 1024;
/// How often one event may fill and empty the output: one client that takes all at once must not keep the others
/// waiting. A file goes on with the next turn.
const MAX_PASSES: usize = 16;
/// How long a connection that was closed on this side waits for the client to do so (nginx's `lingering_timeout`):
/// closing earlier could reset the connection and take the answer away from the client.
const LINGER: Instant = 5 * SECOND;

/// Whether a client is still there after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Gone,
}

pub(super) struct Client<St, R> {
    pub(super) stream: St,
    pub(super) connection: Connection,
    /// Received and not yet understood; bounded by the parser's limits and by reading only when something is wanted.
    pub(super) input: Vec<u8>,
    /// How much of `input` was searched for the end of a head.
    searched: usize,
    /// To be sent, from `sent` on.
    pub(super) output: Vec<u8>,
    sent: usize,
    state: State<St, R>,
    /// For how long the next request is waited for; `None` after the last answer.
    keep_alive: Option<Instant>,
    timeouts: Timeouts,
    deadline: Instant,
    /// When the first byte of a request came.
    head_since: Option<Instant>,
    /// Counted among those that wait for a request.
    waiting: bool,
    /// When the head of the present request was complete.
    pub(super) started: Instant,
}

pub(super) enum State<St, R> {
    Head,
    Discard(Decoder),
    File(FileBody, Option<R>, u64, Decoder),
    Collect(Box<Forward<R>>, Decoder, Vec<u8>),
    Exchange(Box<Exchange<St, R>>),
    Linger,
}

/// Whether a step did something, so that another may follow at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Again,
    Wait,
    Gone,
}

impl<St: Stream, R> Client<St, R> {
    pub(super) fn new(
        stream: St,
        connection: Connection,
        timeouts: Timeouts,
        now: Instant,
    ) -> Self {
        let mut stream = stream;
        stream.subscribe(Interest::Read);
        Self {
            stream,
            connection,
            input: Vec::new(),
            searched: 0,
            output: Vec::new(),
            sent: 0,
            state: State::Head,
            keep_alive: Some(timeouts.head),
            timeouts,
            deadline: now.saturating_add(timeouts.head),
            head_since: None,
            waiting: true,
            started: now,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting
    }

    pub(super) fn unsent(&self) -> usize {
        self.output.len().saturating_sub(self.sent)
    }

    fn wants_input(&self) -> bool {
        match &self.state {
            State::Head => self.unsent() == 0,
            State::Linger | State::Discard(_) | State::Collect(..) => true,
            State::File(..) | State::Exchange(_) => false,
        }
    }

    fn wants_room(&self) -> bool {
        self.unsent() > 0 || matches!(self.state, State::File(..))
    }

    /// Makes the subscriptions for [`Client::gather`], where they do not stand yet.
    pub(super) fn subscribe(&mut self) {
        if self.wants_room() {
            self.stream.subscribe(Interest::Write);
        }
        if let State::Exchange(exchange) = &mut self.state {
            exchange.subscribe();
        }
    }

    /// Adds what this connection waits for.
    pub(super) fn gather<'a>(
        &'a self,
        key: usize,
        set: &mut Vec<&'a St::Pollable>,
        waiters: &mut Vec<Waiter>,
    ) {
        let mut add = |pollable: Option<&'a St::Pollable>, waiter| {
            if let Some(pollable) = pollable {
                set.push(pollable);
                waiters.push(waiter);
            }
        };
        if self.wants_room() {
            add(self.stream.pollable(Interest::Write), Waiter::Client(key));
        }
        if self.wants_input() {
            add(self.stream.pollable(Interest::Read), Waiter::Client(key));
        }
        if let State::Exchange(exchange) = &self.state {
            for interest in exchange.interests(self.unsent()).into_iter().flatten() {
                add(exchange.pollable(interest), Waiter::Upstream(key));
            }
        }
    }

    /// The client sent something, or takes something.
    pub(super) fn on_ready<N, S>(&mut self, shared: &mut Shared<N, S>) -> Fate
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        if self.unsent() > 0 && self.send(shared.clock.now()).is_err() {
            return self.lose(shared);
        }
        if self.wants_input() {
            match self.stream.read(READ_BYTES) {
                Ok(bytes) if self.input.is_empty() => self.input = bytes,
                Ok(bytes) => self.input.extend_from_slice(&bytes),
                Err(Closed) => return self.lose(shared),
            }
        }
        self.advance(shared)
    }

    /// The other server sent something, takes something, or is connected.
    pub(super) fn on_upstream_ready<N, S>(&mut self, shared: &mut Shared<N, S>) -> Fate
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        if let State::Exchange(exchange) = &mut self.state {
            exchange.read();
        }
        self.advance(shared)
    }

    /// The connection ended under us: what was going on is told to the service.
    fn lose<N, S>(&mut self, shared: &mut Shared<N, S>) -> Fate
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        let context = context(
            &shared.clock,
            &self.connection,
            &shared.counters,
            self.started,
        );
        match std::mem::replace(&mut self.state, State::Linger) {
            State::File(_, Some(record), sent, _) => {
                shared.service.finished(&context, record, sent, false)
            }
            State::Collect(forward, ..) => {
                shared.service.finished(&context, forward.record, 0, false)
            }
            State::Exchange(exchange) => {
                let (record, sent) = exchange.abandon();
                shared.service.finished(&context, record, sent, false);
            }
            _ => {}
        }
        Fate::Gone
    }

    /// Goes on as far as possible without waiting.
    fn advance<N, S>(&mut self, shared: &mut Shared<N, S>) -> Fate
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        if self.output.is_empty() {
            std::mem::swap(&mut self.output, &mut shared.scratch);
        }
        for _ in 0..MAX_PASSES {
            let mut step = Step::Again;
            while step == Step::Again && self.unsent() <= MAX_UNSENT_BYTES {
                step = self.step(shared);
            }
            if step == Step::Gone {
                return self.lose(shared);
            }
            let unsent = self.unsent();
            if self.send(shared.clock.now()).is_err() {
                return self.lose(shared);
            }
            // With all written there may be room for more, or it is time to close.
            if self.unsent() > 0 || (unsent == 0 && step == Step::Wait) {
                break;
            }
        }
        if self.unsent() == 0 && self.output.capacity() > 0 {
            self.output.clear();
            self.sent = 0;
            if shared.scratch.capacity() == 0 {
                std::mem::swap(&mut self.output, &mut shared.scratch);
            } else {
                self.output = Vec::new();
            }
        }
        self.rest(shared);
        Fate::Kept
    }

    fn step<N, S>(&mut self, shared: &mut Shared<N, S>) -> Step
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        match &self.state {
            State::Head => self.step_head(shared),
            State::Discard(_) => self.step_discard(),
            State::File(..) => self.step_file(shared),
            State::Collect(..) => self.step_collect(shared),
            State::Exchange(_) => exchange::step(self, shared),
            State::Linger => {
                self.input.clear();
                Step::Wait
            }
        }
    }

    fn step_head<N, S>(&mut self, shared: &mut Shared<N, S>) -> Step
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        if self.keep_alive.is_none() {
            return if self.unsent() > 0 {
                Step::Wait
            } else {
                self.linger()
            };
        }
        if self.input.is_empty() {
            return Step::Wait;
        }
        let input = std::mem::take(&mut self.input);
        let Shared {
            service,
            clock,
            counters,
            spans,
            ..
        } = shared;
        let (answer, framing, used) = match request::parse(&input, &mut self.searched, spans) {
            Parsed::Incomplete => {
                self.input = input;
                self.head_since.get_or_insert(clock.now());
                return Step::Wait;
            }
            Parsed::Rejected(rejection) => {
                self.begin_request(counters, clock.now());
                let context = context(clock, &self.connection, counters, self.started);
                let line = request_line(&input);
                service.reject(&context, rejection, line, &mut self.output);
                self.keep_alive = None;
                return Step::Again;
            }
            Parsed::Request(request, used) => {
                self.begin_request(counters, clock.now());
                let context = context(clock, &self.connection, counters, self.started);
                (
                    service.respond(&context, &request, &mut self.output),
                    request.framing,
                    used,
                )
            }
        };
        self.searched = 0;
        self.head_since = None;
        if used < input.len() {
            self.input = input;
            self.input.drain(..used);
        }
        self.apply(answer, Decoder::new(framing))
    }

    fn begin_request(&mut self, counters: &mut crate::service::Counters, now: Instant) {
        self.connection.requests += 1;
        counters.requests += 1;
        self.started = now;
        if self.waiting {
            self.waiting = false;
            counters.waiting -= 1;
        }
    }

    /// Takes on an answer; `body` is what is still to come of the request's.
    pub(super) fn apply(&mut self, answer: Answer<R>, body: Decoder) -> Step {
        self.keep_alive = answer.keep_alive;
        self.state = match answer.content {
            Content::Nothing => return Step::Gone,
            // Who is not kept need not be listened to either: lingering drops the body.
            Content::Complete if body.is_done() || self.keep_alive.is_none() => State::Head,
            Content::Complete => State::Discard(body),
            Content::File(file, record) => State::File(file, Some(record), 0, body),
            Content::Forward(forward) => {
                if body.is_done() {
                    State::Exchange(Box::new(Exchange::new(*forward, Vec::new())))
                } else {
                    State::Collect(forward, body, Vec::new())
                }
            }
        };
        Step::Again
    }

    fn step_discard(&mut self) -> Step {
        let State::Discard(decoder) = &mut self.state else {
            return Step::Wait;
        };
        let used = decoder.decode(&self.input, |_| {});
        let done = decoder.is_done();
        match used {
            Ok(used) => {
                self.input.drain(..used);
                if done {
                    self.state = State::Head;
                    return Step::Again;
                }
                Step::Wait
            }
            Err(_) => {
                self.keep_alive = None;
                self.state = State::Head;
                Step::Again
            }
        }
    }

    fn step_file<N, S>(&mut self, shared: &mut Shared<N, S>) -> Step
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        let State::File(body, record, sent, rest) = &mut self.state else {
            return Step::Wait;
        };
        if body.left > 0 {
            let before = self.output.len();
            match append_from_file(body, &mut self.output) {
                // A file that became shorter breaks the promised length: only closing tells the client.
                Ok(0) | Err(_) => return Step::Gone,
                Ok(_) => {
                    *sent += u64::try_from(self.output.len() - before).unwrap_or(0);
                    return Step::Again;
                }
            }
        }
        let (record, sent) = (record.take(), *sent);
        let rest = std::mem::replace(rest, Decoder::new(Framing::None));
        self.state = if rest.is_done() || self.keep_alive.is_none() {
            State::Head
        } else {
            State::Discard(rest)
        };
        if let Some(record) = record {
            let context = context(
                &shared.clock,
                &self.connection,
                &shared.counters,
                self.started,
            );
            shared.service.finished(&context, record, sent, true);
        }
        Step::Again
    }

    fn step_collect<N, S>(&mut self, shared: &mut Shared<N, S>) -> Step
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        let State::Collect(forward, decoder, body) = &mut self.state else {
            return Step::Wait;
        };
        let result = decoder.decode(&self.input, |part| body.extend_from_slice(part));
        let too_large = u64::try_from(body.len()).unwrap_or(u64::MAX) > forward.max_body;
        let status = match result {
            Ok(used) if !too_large => {
                self.input.drain(..used);
                if !decoder.is_done() {
                    return Step::Wait;
                }
                None
            }
            Ok(_) => Some(413),
            Err(_) => Some(400),
        };
        let State::Collect(forward, _, body) = std::mem::replace(&mut self.state, State::Head)
        else {
            return Step::Wait;
        };
        let Some(status) = status else {
            self.state = State::Exchange(Box::new(Exchange::new(*forward, body)));
            return Step::Again;
        };
        let context = context(
            &shared.clock,
            &self.connection,
            &shared.counters,
            self.started,
        );
        let failure = Failure::ClientBody { status };
        let mut answer =
            shared
                .service
                .forward_failed(&context, forward.record, failure, &mut self.output);
        answer.keep_alive = None;
        self.apply(answer, Decoder::new(Framing::None))
    }

    fn linger(&mut self) -> Step {
        self.stream.shutdown_send();
        self.input = Vec::new();
        self.state = State::Linger;
        Step::Wait
    }

    /// Writes as much as the client takes.
    fn send(&mut self, now: Instant) -> Result<(), Closed> {
        while let Some(unsent) = self
            .output
            .get(self.sent..)
            .filter(|unsent| !unsent.is_empty())
        {
            let room = self.stream.writable()?;
            if room == 0 {
                break;
            }
            let piece = unsent.get(..room.min(unsent.len())).unwrap_or_default();
            self.stream.write(piece)?;
            self.sent += piece.len();
            self.deadline = now.saturating_add(self.timeouts.send);
        }
        if self.unsent() == 0 {
            self.output.clear();
            self.sent = 0;
        }
        Ok(())
    }

    /// Sets the deadline for what is waited for now.
    fn rest<N, S>(&mut self, shared: &mut Shared<N, S>)
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        let now = shared.clock.now();
        if self.unsent() > 0 {
            // `send` has set it at its last success; a client that takes nothing runs into it.
            self.deadline = self.deadline.min(now.saturating_add(self.timeouts.send));
            return;
        }
        self.deadline = match &self.state {
            State::Head => match self.head_since {
                Some(since) => since.saturating_add(self.timeouts.head),
                None => {
                    if !self.waiting {
                        self.waiting = true;
                        shared.counters.waiting += 1;
                    }
                    now.saturating_add(self.keep_alive.unwrap_or(0))
                }
            },
            State::Discard(_) | State::Collect(..) => now.saturating_add(self.timeouts.body),
            State::File(..) => now.saturating_add(self.timeouts.send),
            State::Exchange(exchange) => exchange.deadline(now),
            State::Linger => now.saturating_add(LINGER),
        };
    }

    /// Time is up.
    pub(super) fn on_deadline<N, S>(&mut self, shared: &mut Shared<N, S>) -> Fate
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        if self.unsent() > 0 {
            return self.lose(shared);
        }
        match &mut self.state {
            State::Exchange(exchange) => {
                exchange.time_out();
                self.advance(shared)
            }
            State::Head if self.head_since.is_some() => {
                let Shared {
                    service,
                    clock,
                    counters,
                    ..
                } = &mut *shared;
                self.begin_request(counters, clock.now());
                let context = context(clock, &self.connection, counters, self.started);
                service.reject(
                    &context,
                    Rejection::TimedOut,
                    request_line(&self.input),
                    &mut self.output,
                );
                self.head_since = None;
                self.keep_alive = None;
                self.input.clear();
                self.advance(shared)
            }
            _ => self.lose(shared),
        }
    }

    /// Takes what has come, and serves no further request: see [`EventLoop::close_clients`](super::EventLoop).
    pub(super) fn dismiss<N, S>(&mut self, shared: &mut Shared<N, S>) -> Fate
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        let fate = self.on_ready(shared);
        if fate == Fate::Gone {
            return fate;
        }
        let is_idle =
            matches!(self.state, State::Head) && self.input.is_empty() && self.unsent() == 0;
        if is_idle {
            return Fate::Gone;
        }
        if !matches!(self.state, State::Head) || self.unsent() > 0 {
            self.keep_alive = None;
        }
        fate
    }

    pub(super) fn take_exchange(&mut self) -> Option<Box<Exchange<St, R>>> {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Exchange(exchange) => Some(exchange),
            other => {
                self.state = other;
                None
            }
        }
    }

    pub(super) fn put_exchange(&mut self, exchange: Box<Exchange<St, R>>) {
        self.state = State::Exchange(exchange);
    }

    /// No further request is read on this connection.
    pub(super) fn close_after_this(&mut self) {
        self.keep_alive = None;
    }
}

/// The first line of what was received, cut to a length that a log can bear.
fn request_line(input: &[u8]) -> &[u8] {
    const SHOWN_BYTES: usize = 1024;
    let line = input
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    line.get(..SHOWN_BYTES).unwrap_or(line)
}

fn append_from_file(body: &mut FileBody, out: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut file: &std::fs::File = &body.file;
    file.seek(SeekFrom::Start(body.offset))?;
    let read = file
        .take(body.left.min(FILE_PIECE_BYTES))
        .read_to_end(out)?;
    let read_u64 = u64::try_from(read).unwrap_or(0);
    body.offset += read_u64;
    body.left = body.left.saturating_sub(read_u64);
    Ok(read)
}

pub(super) fn context<'a>(
    clock: &'a crate::clock::Clock,
    connection: &'a Connection,
    counters: &'a crate::service::Counters,
    started: Instant,
) -> Context<'a> {
    Context {
        clock,
        connection,
        counters,
        started,
    }
}
