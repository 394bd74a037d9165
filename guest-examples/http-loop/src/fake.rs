//! A scripted network: tests hold the other end of every connection, and the clock stands still unless moved.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use crate::clock::{Instant, SECOND};
use crate::net::{Closed, ConnectError, Interest, Net, Stream};

/// The wall clock when the monotonic one shows zero: 2026-11-21 10:00:00.
pub const EPOCH: u64 = 1_795_255_200;

/// What can be waited for: a flag of one pipe.
#[derive(Debug)]
pub struct FakePollable {
    pipe: Rc<RefCell<Pipe>>,
    interest: Interest,
}

/// The two directions of one connection, seen from the test.
#[derive(Debug, Default)]
pub struct Pipe {
    /// What the loop can read.
    pub to_loop: VecDeque<u8>,
    /// The test's side has closed.
    pub ended: bool,
    /// What the loop has written.
    pub from_loop: Vec<u8>,
    /// How many bytes the loop may still write; `None` is without limit.
    pub room: Option<usize>,
    /// The loop has said that it writes no more.
    pub shut: bool,
    /// The loop has dropped its end.
    pub dropped: bool,
    /// The outcome of connecting, once there is one.
    pub connected: Option<Result<(), ConnectError>>,
}

/// One connection, the loop's end.
#[derive(Debug)]
pub struct FakeStream {
    pipe: Rc<RefCell<Pipe>>,
    read: Option<FakePollable>,
    write: Option<FakePollable>,
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        self.pipe.borrow_mut().dropped = true;
    }
}

/// The test's end of a connection.
#[derive(Debug, Clone)]
pub struct Peer(pub Rc<RefCell<Pipe>>);

impl Peer {
    /// Sends bytes to the loop.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.0.borrow_mut().to_loop.extend(bytes.as_ref());
    }

    /// Takes what the loop has written since the last time.
    #[must_use]
    pub fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.0.borrow_mut().from_loop)).into_owned()
    }

    /// Closes this end.
    pub fn close(&self) {
        self.0.borrow_mut().ended = true;
    }

    /// Whether the loop has closed, at least for writing.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let pipe = self.0.borrow();
        pipe.shut || pipe.dropped
    }
}

impl Stream for FakeStream {
    type Pollable = FakePollable;

    fn read(&mut self, max: usize) -> Result<Vec<u8>, Closed> {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.to_loop.is_empty() && pipe.ended {
            return Err(Closed);
        }
        let count = max.min(pipe.to_loop.len());
        Ok(pipe.to_loop.drain(..count).collect())
    }

    fn writable(&mut self) -> Result<usize, Closed> {
        let pipe = self.pipe.borrow();
        if pipe.shut {
            Err(Closed)
        } else {
            Ok(pipe.room.unwrap_or(usize::MAX))
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        let mut pipe = self.pipe.borrow_mut();
        assert!(
            bytes.len() <= pipe.room.unwrap_or(usize::MAX),
            "more was written than allowed"
        );
        pipe.room = pipe.room.map(|room| room - bytes.len());
        pipe.from_loop.extend_from_slice(bytes);
        Ok(())
    }

    fn shutdown_send(&mut self) {
        self.pipe.borrow_mut().shut = true;
    }

    fn finish_connect(&mut self) -> Result<bool, ConnectError> {
        match self.pipe.borrow().connected {
            None => Ok(false),
            Some(outcome) => outcome.map(|()| true),
        }
    }

    fn subscribe(&mut self, interest: Interest) {
        let pollable = || {
            Some(FakePollable {
                pipe: Rc::clone(&self.pipe),
                interest,
            })
        };
        match interest {
            Interest::Read => self.read = pollable(),
            Interest::Write => self.write = pollable(),
        }
    }

    fn pollable(&self, interest: Interest) -> Option<&FakePollable> {
        match interest {
            Interest::Read => self.read.as_ref(),
            Interest::Write => self.write.as_ref(),
        }
    }
}

/// The network.
#[derive(Debug, Default)]
pub struct FakeNet {
    arriving: VecDeque<FakeStream>,
    /// The loop listens no more.
    pub is_closed: bool,
    servers: HashMap<SocketAddr, Result<(), ConnectError>>,
    /// Connections that the loop has made, in their order.
    pub connections: Vec<(SocketAddr, Peer)>,
    /// The monotonic clock.
    pub now: Instant,
    /// Until when the loop meant to sleep when nothing was ready.
    pub slept_until: Option<Instant>,
    /// How many pollables the last wait had.
    pub waited_for: usize,
}

impl FakeNet {
    fn pipe(connected: Option<Result<(), ConnectError>>) -> (FakeStream, Peer) {
        let pipe = Rc::new(RefCell::new(Pipe {
            connected,
            ..Pipe::default()
        }));
        (
            FakeStream {
                pipe: Rc::clone(&pipe),
                read: None,
                write: None,
            },
            Peer(pipe),
        )
    }

    /// A client connects.
    pub fn client(&mut self) -> Peer {
        let (stream, peer) = Self::pipe(Some(Ok(())));
        self.arriving.push_back(stream);
        peer
    }

    /// From now on connecting to `address` has this outcome; to others it never has one.
    pub fn server(&mut self, address: SocketAddr, outcome: Result<(), ConnectError>) {
        self.servers.insert(address, outcome);
    }
}

impl Net for FakeNet {
    type Pollable = FakePollable;
    type Stream = FakeStream;

    fn accept(&mut self, listener: usize) -> Option<(FakeStream, SocketAddr)> {
        let peer = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 9), 40_000));
        if listener == 0 && !self.is_closed {
            self.arriving.pop_front().map(|stream| (stream, peer))
        } else {
            None
        }
    }

    fn connect(&mut self, to: SocketAddr) -> Result<FakeStream, ConnectError> {
        let (stream, peer) = Self::pipe(self.servers.get(&to).copied());
        self.connections.push((to, peer));
        Ok(stream)
    }

    fn close_listener(&mut self, _: usize) {
        self.is_closed = true;
    }

    fn wait<'a>(
        &'a mut self,
        set: Vec<&'a FakePollable>,
        listeners: &[usize],
        until: Option<Instant>,
    ) -> Vec<u32> {
        self.waited_for = set.len();
        let mut ready: Vec<u32> = Vec::new();
        for (index, pollable) in (0_u32..).zip(&set) {
            let pipe = pollable.pipe.borrow();
            let is_ready = match pollable.interest {
                Interest::Read => !pipe.to_loop.is_empty() || pipe.ended,
                Interest::Write => pipe.connected.is_some() && pipe.room != Some(0),
            };
            if is_ready {
                ready.push(index);
            }
        }
        if !listeners.is_empty() && !self.arriving.is_empty() {
            ready.push(u32::try_from(set.len()).unwrap_or(u32::MAX));
        }
        self.slept_until = if ready.is_empty() { until } else { None };
        ready
    }

    fn now(&mut self) -> Instant {
        self.now
    }

    fn wall_clock(&mut self) -> u128 {
        u128::from(EPOCH) * u128::from(SECOND) + u128::from(self.now)
    }
}
