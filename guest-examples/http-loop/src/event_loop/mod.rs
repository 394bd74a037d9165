//! The loop: waits for everything at once, then lets each connection that is ready go on.
//!
//! One turn: gather what every connection waits for, `wait`, read the clock, handle what is ready, sweep the
//! deadlines if one has come, write the logs. Nothing else blocks. A connection's states are drawn in `client`.

mod client;
mod exchange;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::clock::{Clock, Instant, MILLISECOND};
use crate::head::FieldSpan;
use crate::net::{Interest, Net, Stream};
use crate::service::{Connection, Counters, Service};
use client::{Client, Fate};

/// How many connections of one listener are accepted in one turn, so that clients already there get theirs.
const ACCEPTS_PER_TURN: usize = 64;
/// How late a time-out may be found: deadlines nearer together than this are one wake-up.
const DEADLINE_SLACK: Instant = 50 * MILLISECOND;

/// What connections share.
struct Shared<N: Net, S: Service> {
    net: N,
    service: S,
    clock: Clock,
    counters: Counters,
    /// The fields of the head that is being parsed.
    spans: Vec<FieldSpan>,
    /// An output buffer for whoever is being handled: connections at rest have none.
    scratch: Vec<u8>,
    /// Idle connections to other servers, the oldest first.
    idle: Vec<IdleUpstream<N::Stream>>,
}

/// A connection to another server that may be used again.
struct IdleUpstream<St> {
    peer: SocketAddr,
    stream: St,
    until: Instant,
}

/// Who waits for a pollable.
#[derive(Debug, Clone, Copy)]
enum Waiter {
    Listener(usize),
    Client(usize),
    Upstream(usize),
    Idle,
}

/// A server on a set of listeners.
pub struct EventLoop<N: Net, S: Service> {
    shared: Shared<N, S>,
    /// The numbers of those that are open.
    listeners: Vec<usize>,
    clients: Vec<Option<Client<N::Stream, S::Record>>>,
    free: Vec<usize>,
    /// The next sweep over the deadlines.
    sweep_at: Option<Instant>,
}

impl<N: Net, S: Service> std::fmt::Debug for EventLoop<N, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLoop")
            .field("counters", &self.shared.counters)
            .finish_non_exhaustive()
    }
}

impl<N: Net, S: Service> EventLoop<N, S> {
    /// A loop over the first `listeners` listeners of `net`.
    #[must_use]
    pub fn new(mut net: N, listeners: usize, service: S) -> Self {
        let mut clock = Clock::default();
        let now = net.now();
        clock.advance(now, || net.wall_clock());
        let shared = Shared {
            net,
            service,
            clock,
            counters: Counters::default(),
            spans: Vec::new(),
            scratch: Vec::new(),
            idle: Vec::new(),
        };
        Self {
            shared,
            listeners: (0..listeners).collect(),
            clients: Vec::new(),
            free: Vec::new(),
            sweep_at: None,
        }
    }

    /// Serves for ever.
    pub fn run(mut self) -> ! {
        loop {
            self.turn();
        }
    }

    /// Serves until `control`, which is asked before each wait, gives something.
    pub fn run_until<T>(mut self, mut control: impl FnMut(&mut Self) -> Option<T>) -> T {
        loop {
            if let Some(end) = control(&mut self) {
                self.shared.service.end_turn(&self.shared.clock);
                return end;
            }
            self.turn();
        }
    }

    /// Listens on these from now on; others of them that were open are closed, after whoever waits there was accepted.
    pub fn set_listeners(&mut self, listeners: Vec<usize>) {
        for old in std::mem::replace(&mut self.listeners, listeners) {
            if !self.listeners.contains(&old) {
                self.accept(old);
                self.shared.net.close_listener(old);
            }
        }
    }

    /// Lets the clients go that are there: one that has asked for something gets its answer and is closed then, the
    /// others are closed at once.
    pub fn close_clients(&mut self) {
        for key in 0..self.clients.len() {
            self.handle(key, |client, shared| client.dismiss(shared));
        }
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> u64 {
        self.shared.counters.active
    }

    /// How many clients there were ever.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.counters.accepted
    }

    /// The service, and the time of this turn.
    pub fn service_and_clock(&mut self) -> (&mut S, &Clock) {
        (&mut self.shared.service, &self.shared.clock)
    }

    /// The service.
    pub fn service(&mut self) -> &mut S {
        &mut self.shared.service
    }

    /// The network.
    pub fn net(&mut self) -> &mut N {
        &mut self.shared.net
    }

    /// Waits once and handles what is ready.
    pub fn turn(&mut self) {
        self.shared.service.end_turn(&self.shared.clock);
        let ready = self.wait();
        let now = self.shared.net.now();
        let net = &mut self.shared.net;
        self.shared.clock.advance(now, || net.wall_clock());
        let mut idle_spoke = false;
        for waiter in ready {
            match waiter {
                Waiter::Listener(listener) => self.accept(listener),
                Waiter::Client(key) => self.handle(key, |client, shared| client.on_ready(shared)),
                Waiter::Upstream(key) => {
                    self.handle(key, |client, shared| client.on_upstream_ready(shared))
                }
                Waiter::Idle => idle_spoke = true,
            }
        }
        if idle_spoke
            || self
                .shared
                .idle
                .first()
                .is_some_and(|idle| idle.until <= now)
        {
            self.shared.drop_idle();
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
    }

    fn wait(&mut self) -> Vec<Waiter> {
        let mut until = self.sweep_at;
        for idle in &mut self.shared.idle {
            idle.stream.subscribe(Interest::Read);
            until = Some(until.map_or(idle.until, |until| until.min(idle.until)));
        }
        let mut set =
            Vec::with_capacity(self.clients.len() + self.listeners.len() + self.shared.idle.len());
        let mut waiters = Vec::with_capacity(set.capacity());
        // The idle streams are polled so that their end wakes the loop, which then drops them.
        let Shared {
            net, idle, service, ..
        } = &mut self.shared;
        for client in self.clients.iter_mut().flatten() {
            client.subscribe();
        }
        let full = self.clients.len() - self.free.len() >= service.max_connections();
        let listeners = if full { &[] } else { self.listeners.as_slice() };
        for (key, client) in self.clients.iter().enumerate() {
            if let Some(client) = client {
                client.gather(key, &mut set, &mut waiters);
            }
        }
        for idle in idle.iter() {
            if let Some(pollable) = idle.stream.pollable(Interest::Read) {
                set.push(pollable);
                waiters.push(Waiter::Idle);
            }
        }
        waiters.extend(listeners.iter().copied().map(Waiter::Listener));
        net.wait(set, listeners, until)
            .into_iter()
            .filter_map(|index| waiters.get(usize::try_from(index).ok()?).copied())
            .collect()
    }

    fn accept(&mut self, listener: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            if self.clients.len() - self.free.len() >= self.shared.service.max_connections() {
                return;
            }
            let Some((stream, peer)) = self.shared.net.accept(listener) else {
                return;
            };
            let counters = &mut self.shared.counters;
            counters.accepted += 1;
            counters.active += 1;
            counters.waiting += 1;
            let connection = Connection {
                peer,
                listener,
                serial: counters.accepted,
                requests: 0,
            };
            let timeouts = self.shared.service.timeouts(listener);
            let client = Client::new(stream, connection, timeouts, self.shared.clock.now());
            let deadline = client.deadline();
            match self.free.pop().and_then(|key| self.clients.get_mut(key)) {
                Some(slot) => *slot = Some(client),
                None => self.clients.push(Some(client)),
            }
            self.expect_deadline(deadline);
        }
    }

    fn handle(
        &mut self,
        key: usize,
        event: impl FnOnce(&mut Client<N::Stream, S::Record>, &mut Shared<N, S>) -> Fate,
    ) {
        let Some(slot) = self.clients.get_mut(key) else {
            return;
        };
        let Some(client) = slot else { return };
        match event(client, &mut self.shared) {
            Fate::Kept => {
                let deadline = client.deadline();
                self.expect_deadline(deadline);
            }
            Fate::Gone => {
                if client.is_waiting() {
                    self.shared.counters.waiting -= 1;
                }
                self.shared.counters.active -= 1;
                *slot = None;
                self.free.push(key);
            }
        }
    }

    fn expect_deadline(&mut self, deadline: Instant) {
        let at = deadline.saturating_add(DEADLINE_SLACK);
        if self.sweep_at.is_none_or(|sweep| at < sweep) {
            self.sweep_at = Some(at);
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.sweep_at = None;
        for key in 0..self.clients.len() {
            let deadline = self
                .clients
                .get(key)
                .and_then(Option::as_ref)
                .map(Client::deadline);
            match deadline {
                Some(deadline) if deadline <= now => {
                    self.handle(key, |client, shared| client.on_deadline(shared));
                }
                Some(deadline) => self.expect_deadline(deadline),
                None => {}
            }
        }
    }
}

impl<N: Net, S: Service> Shared<N, S> {
    /// Drops idle connections that have ended, spoke unasked, or waited too long.
    fn drop_idle(&mut self) {
        let now = self.clock.now();
        self.idle
            .retain_mut(|idle| now < idle.until && idle.stream.read(1) == Ok(Vec::new()));
    }
}
