//! A listening port: connections that wait for `accept`, and attempts that wait for room among them.
//!
//! A connect is established as soon as the listen queue has room, before anybody accepts it, and the client may write at
//! once. When the queue is full, attempts wait in the order in which they came, as SYNs that are sent again would; they are
//! bounded by the sockets that their containers may have. When the listener closes, attempts are refused and connections
//! that nobody accepted are reset (Linux `inet_csk_listen_stop`).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Context, Poll};

use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use super::budget::BufferBudget;
use super::connection::{Connection, End, EndInfo};
use super::options::TcpOptions;
use super::unanswered::Unanswered;
use crate::capture::{Place, Segment, Tap, TcpEnd, show_tcp};
use crate::counters::Listening;
use crate::event_loops::{self, EventLoops};
use crate::lock::lock;
use crate::wakers::Wakers;
use crate::{Errno, HOST};

#[derive(Debug)]
pub(crate) struct Listener {
    container: Arc<str>,
    options: Arc<Mutex<TcpOptions>>,
    tap: Arc<Tap>,
    /// Where connections may be carried that come by published ports; without any, with the pod.
    event_loops: OnceLock<EventLoops>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    established: VecDeque<End>,
    waiting: VecDeque<Arc<Attempt>>,
    acceptors: Wakers,
    accepted: u64,
    overflowed: u64,
}

/// Who wants a connection.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The client's container, as the server is to see it.
    pub(crate) container: Arc<str>,
    /// The client's address, as the server sees it.
    pub(crate) address: SocketAddr,
    /// The address that the client has named, which it goes on to see as its peer.
    pub(crate) dialed: SocketAddr,
    /// The client's socket options.
    pub(crate) options: TcpOptions,
    /// Who promises the buffers: the client's pod.
    pub(crate) budget: Arc<BufferBudget>,
    /// Where the client's pod is captured.
    pub(crate) tap: Arc<Tap>,
}

impl Origin {
    /// Shows in captures that nobody took the connection, at `to` in the pod of `tap`.
    pub(crate) fn show_refusal(&self, to: SocketAddr, tap: &Arc<Tap>) {
        self.show(&Segment::Refused, to, tap);
    }

    /// Shows in captures that nobody answers.
    pub(crate) fn show_unanswered(&self) {
        self.show(&Segment::Unanswered, self.dialed, &self.tap);
    }

    fn show(&self, segment: &Segment, to: SocketAddr, tap: &Arc<Tap>) {
        if !self.tap.switch().is_on() {
            return;
        }
        let client = TcpEnd {
            tap: &self.tap,
            address: self.address,
            container: &self.container,
        };
        let server = TcpEnd {
            tap,
            address: to,
            container: &Arc::from(HOST),
        };
        let place = Place {
            opened_at: Instant::now(),
            sent: 0,
            received: 0,
        };
        show_tcp(client, server, self.dialed, true, segment, place);
    }
}

/// One client's wish for a connection.
#[derive(Debug)]
struct Attempt {
    from: Origin,
    /// Where it ends up; a service's address is not that of the socket.
    to: SocketAddr,
    /// The listening container, as the client is to see it.
    server: Arc<str>,
    /// Where the listener's pod is captured.
    tap: Arc<Tap>,
    /// The client's event loop.
    opened_on: Option<Id>,
    outcome: Mutex<(Outcome, Wakers)>,
}

#[derive(Debug)]
enum Outcome {
    Waiting,
    Done(Result<End, Errno>),
    /// Taken by the client, or given up by it.
    Gone,
}

impl Listener {
    /// `options` are the listening socket's own, shared, so that its backlog can be changed while it listens.
    pub(crate) fn new(
        container: Arc<str>,
        options: Arc<Mutex<TcpOptions>>,
        tap: &Arc<Tap>,
    ) -> Self {
        Self {
            container,
            options,
            tap: Arc::clone(tap),
            event_loops: OnceLock::new(),
            state: Mutex::default(),
        }
    }

    /// Lets connections be carried on these event loops. The first word counts.
    pub(super) fn carry_on(&self, event_loops: EventLoops) {
        drop(self.event_loops.set(event_loops));
    }

    /// Where the next connection is to be carried, if not with the pod.
    pub(crate) fn event_loop(&self) -> Option<Handle> {
        let event_loop = self.event_loops.get()?.next()?;
        Some(event_loop.handle().clone())
    }

    /// Starts a connection to this listener. `pod` is the listener's, where the client is of another one.
    pub(crate) fn connect(
        self: &Arc<Self>,
        from: Origin,
        to: SocketAddr,
        pod: Option<&str>,
    ) -> Connecting {
        let attempt = Arc::new(Attempt {
            from,
            to,
            server: match pod {
                Some(pod) => Arc::from(format!("{pod}/{}", self.container)),
                None => Arc::clone(&self.container),
            },
            tap: Arc::clone(&self.tap),
            opened_on: event_loops::here(),
            outcome: Mutex::new((Outcome::Waiting, Wakers::default())),
        });
        let mut state = lock(&self.state);
        if state.closed {
            attempt.from.show_refusal(attempt.to, &attempt.tap);
            return Connecting::failed(Errno::ConnRefused);
        }
        state.waiting.push_back(Arc::clone(&attempt));
        self.admit(state, true);
        Connecting(Inner::Attempt {
            attempt,
            listener: Arc::downgrade(self),
        })
    }

    /// The first connection that waits.
    pub(crate) fn accept(&self) -> Result<End, Errno> {
        let mut state = lock(&self.state);
        match state.established.pop_front() {
            Some(end) => {
                state.accepted = state.accepted.saturating_add(1);
                self.admit(state, false);
                Ok(end)
            }
            None if state.closed => Err(Errno::Inval),
            None => Err(Errno::Again),
        }
    }

    pub(crate) fn poll_acceptable(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.closed || !state.established.is_empty() {
            return Poll::Ready(());
        }
        state.acceptors.register(cx.waker());
        Poll::Pending
    }

    /// Looks again whether attempts can be established, after the backlog has grown.
    pub(super) fn backlog_changed(&self) {
        self.admit(lock(&self.state), false);
    }

    pub(super) fn figures(&self) -> Listening {
        let state = lock(&self.state);
        Listening {
            queued: state.established.len(),
            backlog: lock(&self.options).backlog(),
            waiting: state.waiting.len(),
            accepted: state.accepted,
            overflowed: state.overflowed,
        }
    }

    pub(super) fn queued(&self) -> usize {
        lock(&self.state).established.len()
    }

    pub(crate) fn close(&self) {
        let (established, waiting, acceptors) = {
            let mut state = lock(&self.state);
            state.closed = true;
            (
                std::mem::take(&mut state.established),
                std::mem::take(&mut state.waiting),
                state.acceptors.take(),
            )
        };
        established.iter().for_each(|end| end.close(true));
        for attempt in waiting {
            attempt.from.show_refusal(attempt.to, &self.tap);
            attempt.finish(|| Err(Errno::ConnRefused)).wake();
        }
        acceptors.wake();
    }

    /// Establishes attempts while there is room, then lets go of the lock and wakes who waited. The last of them `is_new`,
    /// or all have waited.
    fn admit(&self, mut state: std::sync::MutexGuard<'_, State>, is_new: bool) {
        let options = lock(&self.options).clone();
        let mut wakers = Vec::new();
        // As on Linux one more than the backlog (`sk_acceptq_is_full`), so that a backlog of 0 is of use too.
        while state.established.len() <= options.backlog() {
            let Some(attempt) = state.waiting.pop_front() else {
                break;
            };
            wakers.push(attempt.finish(|| {
                let (client, server) = attempt.establish(&options);
                state.established.push_back(server);
                Ok(client)
            }));
        }
        if is_new && !state.waiting.is_empty() {
            state.overflowed = state.overflowed.saturating_add(1);
        }
        if !state.established.is_empty() {
            wakers.push(state.acceptors.take());
        }
        drop(state);
        wakers.into_iter().for_each(Wakers::wake);
    }
}

impl Attempt {
    /// The two ends of the connection that was wished for; `options` are the server's.
    fn establish(&self, options: &TcpOptions) -> (End, End) {
        let from = &self.from;
        let server = EndInfo {
            address: self.to,
            container: Arc::clone(&self.server),
            tap: Arc::clone(&self.tap),
            event_loop: None,
        };
        let client = EndInfo {
            address: from.address,
            container: Arc::clone(&from.container),
            tap: Arc::clone(&from.tap),
            event_loop: self.opened_on,
        };
        Connection::establish(
            (client, &from.options),
            (server, options),
            from.dialed,
            &from.budget,
        )
    }

    /// Ends the wait, unless the client has given up.
    fn finish(&self, outcome: impl FnOnce() -> Result<End, Errno>) -> Wakers {
        let (current, wakers) = &mut *lock(&self.outcome);
        if matches!(current, Outcome::Waiting) {
            *current = Outcome::Done(outcome());
        }
        wakers.take()
    }
}

/// The client's side of an attempt; dropping it gives the attempt up.
#[derive(Debug)]
pub(crate) struct Connecting(Inner);

#[derive(Debug)]
enum Inner {
    Failed(Errno),
    /// Nobody answers.
    Unanswered(Unanswered),
    Attempt {
        attempt: Arc<Attempt>,
        listener: Weak<Listener>,
    },
}

impl Connecting {
    /// An attempt that has failed already.
    pub(crate) const fn failed(errno: Errno) -> Self {
        Self(Inner::Failed(errno))
    }

    /// An attempt that somebody else decides upon, who is called `server` and has the address `to`.
    pub(crate) fn elsewhere(from: Origin, to: SocketAddr, server: &str) -> (Self, Attempted) {
        let tap = Arc::clone(&from.tap);
        let attempt = Arc::new(Attempt {
            from,
            to,
            server: Arc::from(server),
            tap,
            opened_on: None,
            outcome: Mutex::new((Outcome::Waiting, Wakers::default())),
        });
        let attempted = Attempted(Arc::clone(&attempt));
        let listener = Weak::new();
        (Self(Inner::Attempt { attempt, listener }), attempted)
    }

    /// An attempt that has come to something at once: the socket that makes it is bound to where it goes.
    pub(super) fn to_itself(from: Origin) -> Self {
        let own = EndInfo {
            address: from.address,
            container: Arc::clone(&from.container),
            tap: Arc::clone(&from.tap),
            event_loop: event_loops::here(),
        };
        let end = Connection::with_itself((own, &from.options), &from.budget);
        let (to, server, tap) = (
            from.address,
            Arc::clone(&from.container),
            Arc::clone(&from.tap),
        );
        let outcome = Mutex::new((Outcome::Done(Ok(end)), Wakers::default()));
        let attempt = Arc::new(Attempt {
            from,
            to,
            server,
            tap,
            opened_on: None,
            outcome,
        });
        let listener = Weak::new();
        Self(Inner::Attempt { attempt, listener })
    }

    /// An attempt that nobody answers.
    pub(crate) fn unanswered() -> Self {
        match Unanswered::new() {
            Some(unanswered) => Self(Inner::Unanswered(unanswered)),
            None => Self::failed(Errno::TimedOut),
        }
    }

    /// Where the attempt goes, if it goes anywhere.
    pub(super) fn server(&self) -> Option<SocketAddr> {
        match &self.0 {
            Inner::Failed(_) | Inner::Unanswered(_) => None,
            Inner::Attempt { attempt, .. } => Some(attempt.to),
        }
    }

    /// Makes the attempt fail with a reset, whether it has come to something or not.
    pub(super) fn reset(&self) {
        let Inner::Attempt { attempt, .. } = &self.0 else {
            return;
        };
        let (before, wakers) = {
            let (outcome, wakers) = &mut *lock(&attempt.outcome);
            if matches!(outcome, Outcome::Gone) {
                return;
            }
            let failed = Outcome::Done(Err(Errno::ConnReset));
            (std::mem::replace(outcome, failed), wakers.take())
        };
        if let Outcome::Done(Ok(end)) = &before {
            end.sever();
        }
        drop(before);
        wakers.wake();
    }

    /// Ready when [`Connecting::take`] has an outcome to give.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        match &self.0 {
            Inner::Failed(_) => Poll::Ready(()),
            Inner::Unanswered(unanswered) => unanswered.poll_over(cx),
            Inner::Attempt { attempt, .. } => {
                let (outcome, wakers) = &mut *lock(&attempt.outcome);
                if !matches!(outcome, Outcome::Waiting) {
                    return Poll::Ready(());
                }
                wakers.register(cx.waker());
                Poll::Pending
            }
        }
    }

    /// The outcome, once: `EAGAIN` while the attempt waits.
    pub(crate) fn take(&self) -> Result<End, Errno> {
        match &self.0 {
            Inner::Failed(errno) => Err(*errno),
            Inner::Unanswered(unanswered) => Err(unanswered.outcome()),
            Inner::Attempt { attempt, .. } => {
                let (outcome, _) = &mut *lock(&attempt.outcome);
                match std::mem::replace(outcome, Outcome::Gone) {
                    Outcome::Waiting => {
                        *outcome = Outcome::Waiting;
                        Err(Errno::Again)
                    }
                    Outcome::Done(result) => result,
                    Outcome::Gone => Err(Errno::Inval),
                }
            }
        }
    }

    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Result<End, Errno>> {
        self.poll_ready(cx).map(|()| self.take())
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let Inner::Attempt { attempt, listener } = &self.0 else {
            return;
        };
        let (outcome, wakers) = {
            let (outcome, wakers) = &mut *lock(&attempt.outcome);
            (std::mem::replace(outcome, Outcome::Gone), wakers.take())
        };
        wakers.wake();
        if matches!(outcome, Outcome::Waiting)
            && let Some(listener) = listener.upgrade()
        {
            lock(&listener.state)
                .waiting
                .retain(|other| !Arc::ptr_eq(other, attempt));
        }
        // An established connection that nobody took is closed here.
        drop(outcome);
    }
}

/// An attempt for who decides upon it; without a decision it fails with `ENETDOWN`.
#[derive(Debug)]
pub(crate) struct Attempted(Arc<Attempt>);

impl Attempted {
    /// Lets the attempt succeed: the server's end of the connection, unless the client has given up.
    pub(crate) fn establish(&self, options: &TcpOptions) -> Option<End> {
        let mut server_end = None;
        let wakers = self.0.finish(|| {
            let (client, server) = self.0.establish(options);
            server_end = Some(server);
            Ok(client)
        });
        wakers.wake();
        server_end
    }

    /// Lets the attempt fail.
    pub(crate) fn fail(&self, errno: Errno) {
        if errno == Errno::ConnRefused {
            self.0.from.show_refusal(self.0.to, &self.0.tap);
        }
        self.0.finish(|| Err(errno)).wake();
    }

    /// Waits until the client does not want it any more.
    pub(crate) async fn given_up(&self) {
        poll_fn(|cx| {
            let (outcome, wakers) = &mut *lock(&self.0.outcome);
            if !matches!(outcome, Outcome::Waiting) {
                return Poll::Ready(());
            }
            wakers.register(cx.waker());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Attempted {
    fn drop(&mut self) {
        self.fail(Errno::NetDown);
    }
}
