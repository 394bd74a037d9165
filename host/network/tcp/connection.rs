//! An established connection: two pipes and the rules of closing them.
//!
//! Followed: RFC 9293 3.6 (half-close) and 3.10.4 (close), RFC 1122 4.2.2.13 and RFC 2525 2.17 (a close with unread data
//! sends a reset), and Linux where these leave a choice:
//! * a reset throws away what the receiver of the reset has sent and nobody read; what it has received stays readable;
//! * then the reset is reported once, as `ECONNRESET` to the first read or write, afterwards read gives EOF, write `EPIPE`;
//! * a side that had received EOF before the reset gets no `ECONNRESET`, only `EPIPE` from its writes;
//! * the first write to a peer that has closed is taken, since only the peer's answer to it, a reset, can tell that nobody
//!   is there (RFC 9293 3.10.7.1); the next gives `EPIPE`.
//!
//! A socket may be connected to itself (RFC 9293 3.5, simultaneous open): then there is one end and one pipe, and by the rules
//! above the end is its own peer.
//!
//! One lock holds both directions, since closing concerns both; the two ends of a connection usually live on one thread.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::runtime::Id;
use tokio::time::Instant;

use super::budget::{BufferBudget, Reservation};
use super::options::TcpOptions;
use super::pipe::Pipe;
use crate::capture::{Place, Segment, Switch, Tap, TcpEnd, show_tcp};
use crate::counters::{SocketState, Traffic};
use crate::lock::lock;
use crate::wakers::Wakers;
use crate::{Errno, limits};

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
    /// The only one of a connection with itself; it has the client's place.
    Itself,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
            Self::Itself => Self::Itself,
        }
    }
}

/// Something of each side.
#[derive(Debug)]
struct Pair<T> {
    client: T,
    server: T,
}

impl<T> Pair<T> {
    const fn of(&self, side: Side) -> &T {
        match side {
            Side::Client | Side::Itself => &self.client,
            Side::Server => &self.server,
        }
    }

    const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Client | Side::Itself => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

/// One side, for as long as the connection lives.
#[derive(Clone, Debug)]
pub(super) struct EndInfo {
    pub(super) address: SocketAddr,
    pub(super) container: Arc<str>,
    /// Where its pod is captured.
    pub(super) tap: Arc<Tap>,
    /// The event loop on which it was opened, of a client.
    pub(super) event_loop: Option<Id>,
}

/// What a side has done or suffered.
#[derive(Debug, Default)]
struct SideState {
    /// It has closed: nobody holds a handle any more.
    closed: bool,
    /// It will send nothing more (FIN).
    finished: bool,
    /// It will receive nothing more, by its own wish.
    deaf: bool,
    /// It was reset by the other side.
    reset: bool,
    /// The error that it has not been told yet.
    error: Option<Errno>,
    /// Sizes of its buffers.
    send_bytes: usize,
    receive_bytes: usize,
    /// Tasks that wait for its write direction to end.
    on_write_end: Wakers,
}

#[derive(Debug)]
struct State {
    /// `pipes.of(side)` carries what `side` sends.
    pipes: Pair<Pipe>,
    sides: Pair<SideState>,
    is_with_itself: bool,
    reservation: Option<Reservation>,
}

#[derive(Debug)]
pub(super) struct Connection {
    ends: Pair<EndInfo>,
    /// What the client has named: the server's address, or that of a service in front of it.
    dialed: SocketAddr,
    budget: Arc<BufferBudget>,
    /// Whether anybody captures on the host.
    capturing: Arc<Switch>,
    pub(super) opened_at: Instant,
    state: Mutex<State>,
}

/// One end, owned: dropping it closes that side.
#[derive(Debug)]
pub(crate) struct End {
    connection: Arc<Connection>,
    side: Side,
}

impl Connection {
    /// An established connection; its ends are client and server.
    pub(super) fn establish(
        client: (EndInfo, &TcpOptions),
        server: (EndInfo, &TcpOptions),
        dialed: SocketAddr,
        budget: &Arc<BufferBudget>,
    ) -> (End, End) {
        let (ends, sides) = (
            Pair {
                client: client.0,
                server: server.0,
            },
            Pair {
                client: SideState::new(client.1),
                server: SideState::new(server.1),
            },
        );
        let connection = Self::new(ends, sides, dialed, budget, Side::Client);
        let server = End {
            connection: Arc::clone(&connection),
            side: Side::Server,
        };
        (
            End {
                connection,
                side: Side::Client,
            },
            server,
        )
    }

    /// The only end of a connection of a socket with itself.
    pub(super) fn with_itself(own: (EndInfo, &TcpOptions), budget: &Arc<BufferBudget>) -> End {
        let dialed = own.0.address;
        let (ends, sides) = (
            Pair {
                client: own.0.clone(),
                server: own.0,
            },
            Pair {
                client: SideState::new(own.1),
                server: SideState::default(),
            },
        );
        let side = Side::Itself;
        let connection = Self::new(ends, sides, dialed, budget, side);
        End { connection, side }
    }

    fn new(
        ends: Pair<EndInfo>,
        sides: Pair<SideState>,
        dialed: SocketAddr,
        budget: &Arc<BufferBudget>,
        opener: Side,
    ) -> Arc<Self> {
        let mut state = State {
            pipes: Pair {
                client: Pipe::new(0),
                server: Pipe::new(0),
            },
            sides,
            is_with_itself: opener == Side::Itself,
            reservation: None,
        };
        state.resize(budget);
        let connection = Arc::new(Self {
            capturing: Arc::clone(ends.client.tap.switch()),
            ends,
            dialed,
            budget: Arc::clone(budget),
            opened_at: Instant::now(),
            state: Mutex::new(state),
        });
        if connection.capturing.is_on() {
            connection.show(&lock(&connection.state), opener, &Segment::Open);
        }
        connection
    }
}

impl SideState {
    fn new(options: &TcpOptions) -> Self {
        Self {
            send_bytes: options.send_buffer_bytes(),
            receive_bytes: options.receive_buffer_bytes(),
            ..Self::default()
        }
    }
}

impl State {
    /// Gives both pipes the capacity that the buffers of their ends ask for, or the least where the pod has no more to
    /// promise.
    fn resize(&mut self, budget: &Arc<BufferBudget>) {
        self.reservation = None;
        let (client, server) = (&self.sides.client, &self.sides.server);
        let up = client.send_bytes.saturating_add(server.receive_bytes);
        let down = server.send_bytes.saturating_add(client.receive_bytes);
        let (up, down) = if self.is_with_itself {
            (up.saturating_add(down), 0)
        } else {
            (up, down)
        };
        let wanted = u64::try_from(up.saturating_add(down)).unwrap_or(u64::MAX);
        self.reservation = budget.reserve(wanted);
        let least = 2 * limits::MIN_BUFFER_BYTES;
        let (up, down) = if self.reservation.is_some() {
            (up, down)
        } else {
            (least, least)
        };
        self.pipes.client.set_capacity(up);
        self.pipes.server.set_capacity(down);
    }

    /// Makes the pipe of `side`, which is full, larger if the other end cannot read from it before it has written, into a pipe
    /// that is full as well: whether it did. So a client may send more than a direction holds, before it reads what a
    /// server answers meanwhile; Linux grows its buffers for other reasons, too. Those that a program has set stay.
    fn grow(&mut self, side: Side) -> bool {
        let (own, peer) = (self.sides.of(side), self.sides.of(side.other()));
        let are_set = own.send_bytes != limits::DEFAULT_SEND_BUFFER_BYTES
            || peer.receive_bytes != limits::DEFAULT_RECEIVE_BUFFER_BYTES;
        let incoming = self.pipes.of(side.other());
        let both_wait = incoming.room() == 0 && !incoming.writers.is_empty();
        if self.is_with_itself || are_set || !both_wait {
            return false;
        }
        let outgoing = self.pipes.of_mut(side);
        let capacity = outgoing.capacity();
        let more = limits::MAX_GROWN_BYTES
            .saturating_sub(capacity)
            .min(capacity);
        let promised = self
            .reservation
            .as_mut()
            .zip(u64::try_from(more).ok())
            .is_some_and(|(reservation, more)| more > 0 && reservation.extend(more));
        if promised {
            outgoing.set_capacity(capacity.saturating_add(more));
        }
        promised
    }

    /// Whether a write of `side` would fail, not for want of room.
    const fn write_fails(&self, side: Side) -> bool {
        let own = self.sides.of(side);
        own.closed || own.finished || own.reset
    }

    /// Whether nothing that `side` writes is read any more.
    const fn write_ended(&self, side: Side) -> bool {
        self.write_fails(side) || self.sides.of(side.other()).closed
    }

    /// The error that a write of `side` gives, if any; a pending one is told once.
    fn write_error(&mut self, side: Side) -> Option<Errno> {
        if self.sides.of(side).closed {
            return Some(Errno::BadF);
        }
        let pending = self.sides.of_mut(side).error.take();
        pending.or_else(|| self.write_fails(side).then_some(Errno::Pipe))
    }

    /// Whether `side` breaks the connection off if it closes now.
    fn would_reset(&self, side: Side, reset: bool) -> bool {
        let left_unread = !self.pipes.of(side.other()).is_empty();
        (reset || left_unread) && !self.sides.of(side.other()).closed
    }

    /// What the other side gets when `side` closes now.
    fn last_segment(&self, side: Side, reset: bool) -> Option<Segment> {
        let own = self.sides.of(side);
        if own.closed || own.reset {
            None
        } else if self.would_reset(side, reset) {
            Some(Segment::Reset)
        } else {
            (!own.finished).then_some(Segment::Finish)
        }
    }

    /// What a read of `side` gives when no bytes wait: end, error or nothing yet.
    fn nothing_to_read(&mut self, side: Side) -> Result<Bytes, Errno> {
        let peer_finished = self.sides.of(side.other()).finished;
        let own = self.sides.of_mut(side);
        if own
            .error
            .take_if(|error| *error == Errno::ConnReset)
            .is_some()
        {
            return Err(Errno::ConnReset);
        }
        if own.reset || own.deaf || peer_finished {
            Ok(Bytes::new())
        } else {
            Err(Errno::Again)
        }
    }

    /// `side` closes, with a reset if it must or is told to.
    fn close(&mut self, side: Side, reset: bool) {
        if self.sides.of(side).closed {
            return;
        }
        let resets = self.would_reset(side, reset);
        self.pipes.of_mut(side.other()).discard();
        let had_finished = self.sides.of(side).finished;
        let own = self.sides.of_mut(side);
        own.closed = true;
        own.finished = true;
        let peer = self.sides.of_mut(side.other());
        if resets {
            peer.reset = true;
            peer.error = Some(if had_finished {
                Errno::Pipe
            } else {
                Errno::ConnReset
            });
        }
        if self.sides.of(side.other()).closed {
            // Nobody can read any more.
            self.pipes.of_mut(side).discard();
            self.reservation = None;
        }
    }

    /// Every task that waits for anything here: closing is rare and concerns them all.
    fn take_all_wakers(&mut self) -> [Wakers; 6] {
        let Self {
            pipes: Pair { client, server },
            sides,
            ..
        } = self;
        [
            client.readers.take(),
            client.writers.take(),
            server.readers.take(),
            server.writers.take(),
            sides.client.on_write_end.take(),
            sides.server.on_write_end.take(),
        ]
    }
}

impl Connection {
    /// Shows captures what `side` does: a write after it, anything else before it.
    fn show(&self, state: &State, side: Side, segment: &Segment) {
        if !self.capturing.is_on() {
            return;
        }
        let passed = |side| {
            let bytes = state.pipes.of(side).total_bytes;
            bytes.saturating_add(u64::from(state.sides.of(side).finished))
        };
        let written = match segment {
            Segment::Data(data) => u64::try_from(data.len()).unwrap_or(u64::MAX),
            Segment::Open
            | Segment::Refused
            | Segment::Unanswered
            | Segment::Finish
            | Segment::Reset => 0,
        };
        let sent = passed(side).saturating_sub(written);
        let received = if side == Side::Itself {
            // What it sends now has not come yet.
            sent
        } else {
            passed(side.other())
        };
        let place = Place {
            opened_at: self.opened_at,
            sent,
            received,
        };
        let (client, server) = (self.ends.client.shown(), self.ends.server.shown());
        let is_from_client = side != Side::Server;
        show_tcp(client, server, self.dialed, is_from_client, segment, place);
    }
}

impl EndInfo {
    const fn shown(&self) -> TcpEnd<'_> {
        TcpEnd {
            tap: &self.tap,
            address: self.address,
            container: &self.container,
        }
    }
}

impl End {
    pub(super) fn local(&self) -> &EndInfo {
        self.connection.ends.of(self.side)
    }

    /// The other end's container.
    pub(super) fn peer_container(&self) -> &Arc<str> {
        &self.connection.ends.of(self.side.other()).container
    }

    /// The other end's address as this one sees it.
    pub(super) fn peer_address(&self) -> SocketAddr {
        match self.side {
            Side::Client | Side::Itself => self.connection.dialed,
            Side::Server => self.connection.ends.client.address,
        }
    }

    /// The addresses of client and server, if this is the client's end. One with itself concerns nobody else.
    pub(super) fn opened(&self) -> Option<(SocketAddr, SocketAddr)> {
        let ends = &self.connection.ends;
        (self.side == Side::Client).then_some((ends.client.address, ends.server.address))
    }

    /// Resets both ends, as if each had got the reset of the other: nothing more goes over the connection.
    pub(super) fn sever(&self) {
        let mut state = lock(&self.connection.state);
        if let Some(last) = state.last_segment(self.side, true) {
            self.connection.show(&state, self.side, &last);
        }
        for side in [Side::Client, Side::Server] {
            state.pipes.of_mut(side).discard();
            let own = state.sides.of_mut(side);
            if !own.closed && !own.reset {
                own.reset = true;
                own.error = Some(Errno::ConnReset);
            }
        }
        let wakers = state.take_all_wakers();
        drop(state);
        wakers.into_iter().for_each(Wakers::wake);
    }

    pub(super) fn opened_at(&self) -> Instant {
        self.connection.opened_at
    }

    /// The event loop on which the other end was opened.
    pub(super) fn peer_event_loop(&self) -> Option<Id> {
        self.connection.ends.of(self.side.other()).event_loop
    }

    pub(super) fn read(&self, max: usize) -> Result<Bytes, Errno> {
        let mut state = lock(&self.connection.state);
        if state.sides.of(self.side).closed {
            return Err(Errno::BadF);
        }
        if max == 0 {
            return Ok(Bytes::new());
        }
        let waits_to_write = !state.pipes.of(self.side).writers.is_empty();
        let incoming = state.pipes.of_mut(self.side.other());
        if let Some(data) = incoming.pull(max) {
            if incoming.should_wake_writers(waits_to_write) {
                let writers = incoming.writers.take();
                drop(state);
                writers.wake();
            }
            return Ok(data);
        }
        state.nothing_to_read(self.side)
    }

    /// As [`End::read`], but the bytes stay.
    pub(super) fn peek(&self, max: usize) -> Result<Bytes, Errno> {
        let mut state = lock(&self.connection.state);
        if state.sides.of(self.side).closed {
            return Err(Errno::BadF);
        }
        let incoming = state.pipes.of(self.side.other());
        if max == 0 || !incoming.is_empty() {
            return Ok(incoming.peek(max));
        }
        state.nothing_to_read(self.side)
    }

    /// Bytes that wait to be read.
    pub(super) fn unread(&self) -> usize {
        let state = lock(&self.connection.state);
        state.pipes.of(self.side.other()).unread()
    }

    pub(super) fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.connection.state);
        let own = state.sides.of(self.side);
        let ended =
            own.closed || own.reset || own.deaf || state.sides.of(self.side.other()).finished;
        let incoming = state.pipes.of_mut(self.side.other());
        if ended || !incoming.is_empty() {
            return Poll::Ready(());
        }
        incoming.readers.register(cx.waker());
        Poll::Pending
    }

    pub(super) fn write(&self, data: &mut Bytes) -> Result<usize, Errno> {
        let mut state = lock(&self.connection.state);
        if let Some(error) = state.write_error(self.side) {
            return Err(error);
        }
        if data.is_empty() {
            return Ok(0);
        }
        let peer_is_gone = state.sides.of(self.side.other()).closed;
        if peer_is_gone {
            // What is written is thrown away, and answered by a reset. Of that no reader hears: EOF was before it.
            let own = state.sides.of_mut(self.side);
            own.reset = true;
            own.error = Some(Errno::Pipe);
        }
        if self.connection.capturing.is_on() {
            return self.write_shown(state, data, peer_is_gone);
        }
        let outgoing = state.pipes.of_mut(self.side);
        match outgoing.push(data) {
            0 => Err(Errno::Again),
            accepted => {
                if !outgoing.readers.is_empty() {
                    let readers = outgoing.readers.take();
                    drop(state);
                    readers.wake();
                }
                Ok(accepted)
            }
        }
    }

    /// The same where captures see it; apart, so that others do not pay for it.
    #[cold]
    fn write_shown(
        &self,
        mut state: MutexGuard<'_, State>,
        data: &mut Bytes,
        peer_is_gone: bool,
    ) -> Result<usize, Errno> {
        let mut shown = data.clone();
        let accepted = state.pipes.of_mut(self.side).push(data);
        if accepted == 0 {
            return Err(Errno::Again);
        }
        shown.truncate(accepted);
        let connection = &self.connection;
        connection.show(&state, self.side, &Segment::Data(shown));
        if peer_is_gone {
            connection.show(&state, self.side.other(), &Segment::Reset);
        }
        let readers = state.pipes.of_mut(self.side).readers.take();
        drop(state);
        readers.wake();
        Ok(accepted)
    }

    /// Bytes that a write would take now.
    pub(super) fn room(&self) -> Result<usize, Errno> {
        let mut state = lock(&self.connection.state);
        match state.write_error(self.side) {
            Some(error) => Err(error),
            None => Ok(state.pipes.of(self.side).room()),
        }
    }

    pub(super) fn poll_writable(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.connection.state);
        let is_ready = state.write_fails(self.side) || state.pipes.of(self.side).room() > 0;
        if is_ready || state.grow(self.side) {
            return Poll::Ready(());
        }
        state.pipes.of_mut(self.side).writers.register(cx.waker());
        // This end may read no further until it has written.
        let incoming = state.pipes.of_mut(self.side.other());
        if incoming.should_wake_writers(true) {
            let writers = incoming.writers.take();
            drop(state);
            writers.wake();
        }
        Poll::Pending
    }

    /// Ready when nothing that is written will be read any more.
    pub(super) fn poll_write_end(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.connection.state);
        if state.write_ended(self.side) {
            return Poll::Ready(());
        }
        state
            .sides
            .of_mut(self.side)
            .on_write_end
            .register(cx.waker());
        Poll::Pending
    }

    /// Ends one or both directions.
    pub(super) fn shutdown(&self, receive: bool, send: bool) -> Result<(), Errno> {
        let mut state = lock(&self.connection.state);
        let own = state.sides.of_mut(self.side);
        if own.closed || own.reset {
            return Err(Errno::NotConn);
        }
        let finishes = send && !own.finished;
        own.deaf |= receive;
        if receive {
            state.pipes.of_mut(self.side.other()).discard();
        }
        if finishes {
            self.connection.show(&state, self.side, &Segment::Finish);
            state.sides.of_mut(self.side).finished = true;
        }
        let wakers = state.take_all_wakers();
        drop(state);
        wakers.into_iter().for_each(Wakers::wake);
        Ok(())
    }

    pub(super) fn close(&self, reset: bool) {
        let mut state = lock(&self.connection.state);
        if state.sides.of(self.side).closed {
            return;
        }
        if let Some(last) = state.last_segment(self.side, reset) {
            self.connection.show(&state, self.side, &last);
        }
        state.close(self.side, reset);
        let wakers = state.take_all_wakers();
        drop(state);
        wakers.into_iter().for_each(Wakers::wake);
    }

    /// Takes over changed buffer sizes.
    pub(super) fn resize(&self, options: &TcpOptions) {
        let mut state = lock(&self.connection.state);
        let own = state.sides.of_mut(self.side);
        if own.closed {
            return;
        }
        own.send_bytes = options.send_buffer_bytes();
        own.receive_bytes = options.receive_buffer_bytes();
        state.resize(&self.connection.budget);
        // A larger pipe may have room for a waiting writer.
        let wakers = [
            state.pipes.client.writers.take(),
            state.pipes.server.writers.take(),
        ];
        drop(state);
        wakers.into_iter().for_each(Wakers::wake);
    }

    /// What it is doing, and the bytes that wait in its receive and send buffers.
    pub(super) fn condition(&self) -> (SocketState, usize, usize) {
        let state = lock(&self.connection.state);
        let (own, peer) = (state.sides.of(self.side), state.sides.of(self.side.other()));
        let name = match (own.finished, peer.finished) {
            _ if own.closed || own.reset => SocketState::Closed,
            (false, false) => SocketState::Connected,
            (true, false) => SocketState::Finished,
            (false, true) => SocketState::PeerFinished,
            (true, true) => SocketState::Closed,
        };
        let incoming = state.pipes.of(self.side.other()).unread();
        let outgoing = state.pipes.of(self.side).unread();
        (
            name,
            incoming.min(own.receive_bytes),
            outgoing.saturating_sub(peer.receive_bytes),
        )
    }

    pub(super) fn traffic(&self) -> Traffic {
        let state = lock(&self.connection.state);
        let (tx, rx) = (state.pipes.of(self.side), state.pipes.of(self.side.other()));
        Traffic {
            rx_bytes: rx.total_bytes,
            tx_bytes: tx.total_bytes,
            rx_messages: rx.total_writes,
            tx_messages: tx.total_writes,
            rx_dropped: 0,
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close(false);
    }
}
