//! What the loop needs of the outside world: non-blocking byte streams, listeners, and one wait for all of them.
//!
//! The real one is `wasi`; tests have a scripted one (`fake`).

use std::net::SocketAddr;

use crate::clock::Instant;

/// The other side is gone: nothing can be read or written any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// Why no connection came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectError {
    /// ECONNREFUSED.
    Refused,
    /// ENETUNREACH or EHOSTUNREACH.
    Unreachable,
    /// ETIMEDOUT.
    TimedOut,
    /// Anything else.
    Failed,
}

impl ConnectError {
    /// The error as nginx's log has it: number and words of errno.
    #[must_use]
    pub fn errno_text(self) -> &'static str {
        match self {
            Self::Refused => "111: Connection refused",
            Self::Unreachable => "113: Host is unreachable",
            Self::TimedOut => "110: Operation timed out",
            Self::Failed => "5: Input/output error",
        }
    }
}

/// What is waited for on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, or the end.
    Read,
    /// Room to write; on a stream that is still connecting: the outcome of that.
    Write,
}

/// One connection. No call blocks.
pub trait Stream {
    /// What can be waited for.
    type Pollable;

    /// Takes what has arrived, at most `max` bytes; nothing when there is nothing yet.
    ///
    /// # Errors
    /// At the end of the stream or after a reset.
    fn read(&mut self, max: usize) -> Result<Vec<u8>, Closed>;

    /// How many bytes the next [`Stream::write`] may have.
    ///
    /// # Errors
    /// When the connection is gone.
    fn writable(&mut self) -> Result<usize, Closed>;

    /// Writes all of `bytes`, which must not be more than was just allowed.
    ///
    /// # Errors
    /// When the connection is gone.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Closed>;

    /// Says that nothing more will be written.
    fn shutdown_send(&mut self);

    /// Whether a stream from [`Net::connect`] is connected by now.
    ///
    /// # Errors
    /// When it never will be.
    fn finish_connect(&mut self) -> Result<bool, ConnectError>;

    /// Prepares [`Stream::pollable`] for this interest.
    fn subscribe(&mut self, interest: Interest);

    /// What to wait for; `None` unless subscribed.
    fn pollable(&self, interest: Interest) -> Option<&Self::Pollable>;
}

/// The network, and the clocks.
pub trait Net {
    /// What can be waited for.
    type Pollable;
    /// One connection.
    type Stream: Stream<Pollable = Self::Pollable>;

    /// Takes one waiting connection of a listener: its stream and its peer.
    fn accept(&mut self, listener: usize) -> Option<(Self::Stream, SocketAddr)>;

    /// Begins to connect.
    ///
    /// # Errors
    /// When it fails at once.
    fn connect(&mut self, to: SocketAddr) -> Result<Self::Stream, ConnectError>;

    /// Listens no more: whoever connects from now on is refused.
    fn close_listener(&mut self, listener: usize);

    /// Waits for any of `set`, for a connection on one of these listeners, or for the moment `until`.
    /// Gives the indexes of what is ready, the listeners counting on behind `set`; higher indexes mean nothing.
    fn wait<'a>(
        &'a mut self,
        set: Vec<&'a Self::Pollable>,
        listeners: &[usize],
        until: Option<Instant>,
    ) -> Vec<u32>;

    /// The monotonic clock.
    fn now(&mut self) -> Instant;

    /// Nanoseconds since the Unix epoch.
    fn wall_clock(&mut self) -> u128;
}
