//! A request that another server answers.
//!
//! ```text
//!   Start ──► Connecting ──► Head ──────────► Body ──► done: the client goes on, the connection may be kept
//!     ▲  failure  │ failure   │                 │
//!     └───────────┴───────────┘                 └────► broken: the client is closed, its answer incomplete
//! ```
//!
//! `Start` asks the service for a server: the first, or another after a failure. A kept connection that turns out
//! closed is replaced by a new one to the same server without counting as a failure. Back-pressure: nothing is read
//! from the server while the client has much unsent.

use std::net::SocketAddr;

use super::client::{Client, MAX_UNSENT_BYTES, Step, context};
use super::{IdleUpstream, Shared};
use crate::body::{Decoder, Framing, LAST_CHUNK, push_chunk};
use crate::clock::{Instant, SECOND};
use crate::decimal::push_decimal;
use crate::net::{Closed, Interest, Net, Stream};
use crate::response::{self, Parsed};
use crate::service::{Failure, Forward, Service, Transfer};

/// How much is read from a server at once, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// How long an idle connection to a server is kept (nginx's `keepalive_timeout` of `upstream`).
const IDLE: Instant = 60 * SECOND;

pub(super) struct Exchange<St, R> {
    forward: Forward<R>,
    /// The whole request.
    message: Vec<u8>,
    sent: usize,
    upstream: Option<St>,
    peer: Option<SocketAddr>,
    phase: Phase,
    /// The connection has served before.
    reused: bool,
    received: Vec<u8>,
    searched: usize,
    /// The server has closed.
    ended: bool,
    timed_out: bool,
    transfer: Transfer,
    body_bytes: u64,
}

enum Phase {
    Start(Option<Failure>),
    Connecting,
    Head,
    Body(Decoder, bool),
}

/// What one step came to.
enum Outcome {
    Again,
    Wait,
    /// All of the response is in the client's output; the connection may be kept or not.
    Done(bool),
    Failed(Failure),
    Broken,
}

impl<St: Stream, R> Exchange<St, R> {
    pub(super) fn new(forward: Forward<R>, body: Vec<u8>) -> Self {
        let mut message = forward.head.clone();
        if !body.is_empty() {
            message.extend_from_slice(b"Content-Length: ");
            push_decimal(&mut message, u64::try_from(body.len()).unwrap_or(u64::MAX));
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&body);
        Self {
            forward,
            message,
            sent: 0,
            upstream: None,
            peer: None,
            phase: Phase::Start(None),
            reused: false,
            received: Vec::new(),
            searched: 0,
            ended: false,
            timed_out: false,
            transfer: Transfer::None,
            body_bytes: 0,
        }
    }

    /// The client is gone.
    pub(super) fn abandon(self) -> (R, u64) {
        (self.forward.record, self.body_bytes)
    }

    pub(super) fn time_out(&mut self) {
        self.timed_out = true;
    }

    pub(super) fn deadline(&self, now: Instant) -> Instant {
        now.saturating_add(match self.phase {
            Phase::Start(_) | Phase::Connecting => self.forward.connect_timeout,
            Phase::Head if self.sent < self.message.len() => self.forward.send_timeout,
            Phase::Head | Phase::Body(..) => self.forward.read_timeout,
        })
    }

    /// What is waited for, given how much the client has not taken yet.
    pub(super) fn interests(&self, unsent: usize) -> [Option<Interest>; 2] {
        let write = match self.phase {
            Phase::Connecting => true,
            Phase::Head => self.sent < self.message.len(),
            _ => false,
        };
        let read = match self.phase {
            Phase::Head => true,
            Phase::Body(..) => unsent <= MAX_UNSENT_BYTES,
            _ => false,
        };
        [
            write.then_some(Interest::Write),
            read.then_some(Interest::Read),
        ]
    }

    pub(super) fn subscribe(&mut self) {
        for interest in self.interests(0).into_iter().flatten() {
            if let Some(upstream) = &mut self.upstream {
                upstream.subscribe(interest);
            }
        }
    }

    pub(super) fn pollable(&self, interest: Interest) -> Option<&St::Pollable> {
        self.upstream.as_ref()?.pollable(interest)
    }

    /// Takes what the server has sent.
    pub(super) fn read(&mut self) {
        if !matches!(self.phase, Phase::Head | Phase::Body(..)) || self.received.len() >= READ_BYTES
        {
            return;
        }
        match self
            .upstream
            .as_mut()
            .map(|upstream| upstream.read(READ_BYTES))
        {
            Some(Ok(bytes)) if self.received.is_empty() => self.received = bytes,
            Some(Ok(bytes)) => self.received.extend_from_slice(&bytes),
            Some(Err(Closed)) | None => self.ended = true,
        }
    }

    fn start<N, S>(&mut self, client: &Client<St, R>, shared: &mut Shared<N, S>) -> Outcome
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        let Phase::Start(failure) = self.phase else {
            return Outcome::Again;
        };
        self.upstream = None;
        self.timed_out = false;
        let context = context(
            &shared.clock,
            &client.connection,
            &shared.counters,
            client.started,
        );
        let Some(peer) = shared
            .service
            .next_peer(&context, &mut self.forward.record, failure)
        else {
            return Outcome::Failed(failure.unwrap_or(Failure::Closed));
        };
        self.peer = Some(peer);
        let kept = shared
            .idle
            .iter()
            .rposition(|idle| idle.peer == peer)
            .map(|at| shared.idle.swap_remove(at));
        match kept {
            Some(idle) if self.forward.keep_connections > 0 => {
                self.begin(idle.stream, true);
                self.phase = Phase::Head;
                Outcome::Again
            }
            _ => self.connect(peer, shared),
        }
    }

    fn begin(&mut self, stream: St, reused: bool) {
        self.upstream = Some(stream);
        self.reused = reused;
        self.sent = 0;
        self.received.clear();
        self.searched = 0;
        self.ended = false;
    }

    fn connect<N, S>(&mut self, peer: SocketAddr, shared: &mut Shared<N, S>) -> Outcome
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        match shared.net.connect(peer) {
            Ok(stream) => {
                self.begin(stream, false);
                self.phase = Phase::Connecting;
            }
            Err(error) => self.phase = Phase::Start(Some(Failure::Connect(error))),
        }
        Outcome::Again
    }

    fn finish_connect(&mut self) -> Outcome {
        if self.timed_out {
            self.phase = Phase::Start(Some(Failure::ConnectTimedOut));
            return Outcome::Again;
        }
        match self.upstream.as_mut().map(Stream::finish_connect) {
            Some(Ok(false)) => return Outcome::Wait,
            Some(Ok(true)) => self.phase = Phase::Head,
            Some(Err(error)) => self.phase = Phase::Start(Some(Failure::Connect(error))),
            None => self.phase = Phase::Start(Some(Failure::Closed)),
        }
        Outcome::Again
    }

    /// Sends what is left of the request; the server may answer before it has taken all.
    fn send(&mut self) {
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        while let Some(unsent) = self
            .message
            .get(self.sent..)
            .filter(|unsent| !unsent.is_empty())
        {
            let Ok(room) = upstream.writable() else {
                // Its answer, or its end, is still to be read.
                self.sent = self.message.len();
                return;
            };
            let piece = unsent.get(..room.min(unsent.len())).unwrap_or_default();
            if piece.is_empty() {
                return;
            }
            if upstream.write(piece).is_err() {
                self.sent = self.message.len();
                return;
            }
            self.sent += piece.len();
        }
    }

    fn head<N, S>(&mut self, client: &mut Client<St, R>, shared: &mut Shared<N, S>) -> Outcome
    where
        N: Net<Stream = St, Pollable = St::Pollable>,
        S: Service<Record = R>,
    {
        self.send();
        let Shared {
            service,
            clock,
            counters,
            spans,
            ..
        } = shared;
        let failure = match response::parse(
            &self.received,
            &mut self.searched,
            spans,
            self.forward.to_head,
        ) {
            Parsed::Response(response, used) if (100..200).contains(&response.status) => {
                self.received.drain(..used);
                self.searched = 0;
                return Outcome::Again;
            }
            Parsed::Response(response, used) => {
                self.transfer = match response.framing {
                    Framing::None => Transfer::None,
                    Framing::Length(length) => Transfer::Length(length),
                    Framing::Chunked | Framing::UntilClose if self.forward.client_is_http_11 => {
                        Transfer::Chunked
                    }
                    Framing::Chunked | Framing::UntilClose => Transfer::UntilClose,
                };
                let context = context(clock, &client.connection, counters, client.started);
                let record = &mut self.forward.record;
                service.forward_head(
                    &context,
                    record,
                    &response,
                    self.transfer,
                    &mut client.output,
                );
                self.phase = Phase::Body(Decoder::new(response.framing), response.keep_alive);
                self.received.drain(..used);
                if self.transfer == Transfer::UntilClose {
                    client.close_after_this();
                }
                return Outcome::Again;
            }
            Parsed::Malformed if !self.received.is_empty() => Failure::Malformed,
            Parsed::TooLarge => Failure::TooLarge,
            _ if self.ended => Failure::Closed,
            _ if self.timed_out && self.sent < self.message.len() => Failure::SendTimedOut,
            _ if self.timed_out => Failure::ReadTimedOut,
            _ => return Outcome::Wait,
        };
        if let (true, Failure::Closed, Some(peer)) =
            (self.reused && self.received.is_empty(), failure, self.peer)
        {
            return self.connect(peer, shared);
        }
        if !self.forward.is_idempotent {
            return Outcome::Failed(failure);
        }
        self.phase = Phase::Start(Some(failure));
        Outcome::Again
    }

    fn body(&mut self, out: &mut Vec<u8>) -> Outcome {
        let Phase::Body(decoder, keep) = &mut self.phase else {
            return Outcome::Again;
        };
        let (transfer, bytes) = (self.transfer, &mut self.body_bytes);
        let used = decoder.decode(&self.received, |part| {
            *bytes += u64::try_from(part.len()).unwrap_or(0);
            match transfer {
                Transfer::Chunked => push_chunk(out, part),
                _ => out.extend_from_slice(part),
            }
        });
        let Ok(used) = used else {
            return Outcome::Broken;
        };
        self.received.drain(..used);
        if decoder.is_done() || (self.ended && decoder.ends_with_connection()) {
            if transfer == Transfer::Chunked {
                out.extend_from_slice(LAST_CHUNK);
            }
            // A server that sent more than it announced cannot be trusted with another request.
            return Outcome::Done(
                *keep && !self.ended && self.received.is_empty() && self.sent == self.message.len(),
            );
        }
        if self.ended || self.timed_out {
            Outcome::Broken
        } else {
            Outcome::Wait
        }
    }
}

/// Lets the client's exchange go on as far as it can.
pub(super) fn step<N, S, St, R>(client: &mut Client<St, R>, shared: &mut Shared<N, S>) -> Step
where
    St: Stream,
    N: Net<Stream = St, Pollable = St::Pollable>,
    S: Service<Record = R>,
{
    let Some(mut exchange) = client.take_exchange() else {
        return Step::Wait;
    };
    let outcome = match exchange.phase {
        Phase::Start(_) => exchange.start(client, shared),
        Phase::Connecting => exchange.finish_connect(),
        Phase::Head => exchange.head(client, shared),
        Phase::Body(..) => exchange.body(&mut client.output),
    };
    let context = context(
        &shared.clock,
        &client.connection,
        &shared.counters,
        client.started,
    );
    match outcome {
        Outcome::Again => {
            client.put_exchange(exchange);
            Step::Again
        }
        Outcome::Wait => {
            client.put_exchange(exchange);
            Step::Wait
        }
        Outcome::Done(keep) => {
            let Exchange {
                upstream,
                peer,
                forward,
                body_bytes,
                ..
            } = *exchange;
            if let (true, Some(stream), Some(peer)) =
                (keep && forward.keep_connections > 0, upstream, peer)
            {
                if shared.idle.len() >= forward.keep_connections {
                    shared.idle.remove(0);
                }
                shared.idle.push(IdleUpstream {
                    peer,
                    stream,
                    until: shared.clock.now().saturating_add(IDLE),
                });
            }
            shared
                .service
                .finished(&context, forward.record, body_bytes, true);
            Step::Again
        }
        Outcome::Failed(failure) => {
            let answer = shared.service.forward_failed(
                &context,
                exchange.forward.record,
                failure,
                &mut client.output,
            );
            client.apply(answer, Decoder::new(Framing::None))
        }
        Outcome::Broken => {
            shared.service.finished(
                &context,
                exchange.forward.record,
                exchange.body_bytes,
                false,
            );
            client.close_after_this();
            Step::Again
        }
    }
}
