//! How a queue or a segment is opened, in the manner of `std::fs::OpenOptions`; and how long calls wait.

use std::time::Duration;

/// The size of a new queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Messages that it holds before it is full: `mq_maxmsg`, from 1.
    pub max_messages: u32,
    /// The longest message, in bytes: `mq_msgsize`, from 1.
    pub message_size: u32,
}

/// How to open a queue or a segment. Of a queue at least `read` or `write` must be set; a segment can always be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct OpenOptions {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) nonblocking: bool,
    pub(crate) truncate: bool,
    pub(crate) attributes: Option<Attributes>,
}

impl OpenOptions {
    /// Nothing set.
    pub const fn new() -> Self {
        Self {
            read: false,
            write: false,
            create: false,
            exclusive: false,
            nonblocking: false,
            truncate: false,
            attributes: None,
        }
    }

    /// To receive, or to read.
    pub const fn read(mut self, read: bool) -> Self {
        self.read = read;
        self
    }

    /// To send, or to write.
    pub const fn write(mut self, write: bool) -> Self {
        self.write = write;
        self
    }

    /// To make the object where it is missing: `O_CREAT`.
    pub const fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// With `create`, to fail where it exists: `O_EXCL`.
    pub const fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Of a queue, never to wait: `O_NONBLOCK`.
    pub const fn nonblocking(mut self, nonblocking: bool) -> Self {
        self.nonblocking = nonblocking;
        self
    }

    /// Of a segment, with `write`, to make it empty: `O_TRUNC`.
    pub const fn truncate(mut self, truncate: bool) -> Self {
        self.truncate = truncate;
        self
    }

    /// The size, if this call makes the queue. Without it: 10 messages of 8192 bytes.
    pub const fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = Some(attributes);
        self
    }
}

/// Whether to make an object that is opened or got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    /// It must be there.
    Never,
    /// Where it is missing.
    IfMissing,
    /// It must be missing.
    New,
}

/// How long a call waits that would have to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all: `IPC_NOWAIT`.
    None,
    /// As long as it takes.
    Endless,
    /// At most this long.
    Until(Duration),
}

impl Patience {
    /// The limit, of a call that waits.
    #[cfg_attr(
        target_os = "linux",
        expect(dead_code, reason = "the kernel's calls have none")
    )]
    pub(crate) fn limit(self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::Endless => None,
            Self::Until(limit) => Some(limit),
        }
    }
}
