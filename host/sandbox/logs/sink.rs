//! Where a guest's standard output and error go.
//!
//! A write is synchronous and goes all the way to the operating system before it returns: nothing of ours is lost
//! when the guest is killed in the next instruction, and nothing needs flushing. It costs one `write(2)` into the
//! page cache for as many lines as the guest wrote at once. There is no back-pressure to wait for (readers read the
//! file, see [`super::follow`]), so there is no readiness to poll either: a sink is always ready.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::file::LogFile;

/// Which of its two outputs a guest wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The stream's name in the CRI's log format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One output of one container instance; cheap to clone.
#[derive(Clone)]
pub struct LogSink {
    target: Target,
}

#[derive(Clone)]
enum Target {
    File(Arc<LogFile>, Stream),
    Capture(Capture),
    Discard,
}

impl LogSink {
    /// The most that one [`try_write`](Self::try_write) takes, in bytes: it bounds for how long a guest's single host
    /// call can hold the worker. It is four of the CRI's partial lines; the rest is for the guest's next call.
    pub const MAX_WRITE_BYTES: usize = 64 * 1024;

    /// A sink that writes into a container's log file.
    #[must_use]
    pub fn to_file(file: Arc<LogFile>, stream: Stream) -> Self {
        Self {
            target: Target::File(file, stream),
        }
    }

    /// A sink that drops everything.
    #[must_use]
    pub fn discard() -> Self {
        Self {
            target: Target::Discard,
        }
    }

    /// A sink that keeps the first `limit_bytes` bytes in memory and drops the rest, for tests and for callers that
    /// want a container's whole output as a value.
    #[must_use]
    pub fn capture(limit_bytes: usize) -> (Self, Capture) {
        let capture = Capture {
            limit_bytes,
            bytes: Arc::default(),
        };
        (
            Self {
                target: Target::Capture(capture.clone()),
            },
            capture,
        )
    }

    /// Takes bytes, as many as [`MAX_WRITE_BYTES`](Self::MAX_WRITE_BYTES), and says how many. Never waits for a
    /// reader and never fails: what cannot be stored (a full disk) is dropped and counted, because a guest must not
    /// stop for the sake of its log.
    #[must_use = "the rest must be written again"]
    pub fn try_write(&self, bytes: &[u8]) -> usize {
        let taken = bytes.get(..Self::MAX_WRITE_BYTES).unwrap_or(bytes);
        match &self.target {
            Target::File(file, stream) => file.write(*stream, taken),
            Target::Capture(capture) => capture.write(taken),
            Target::Discard => {}
        }
        taken.len()
    }

    /// Takes all of `bytes`, in pieces.
    pub fn write_all(&self, bytes: &[u8]) {
        for piece in bytes.chunks(Self::MAX_WRITE_BYTES) {
            let _: usize = self.try_write(piece);
        }
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.target {
            Target::File(_, Stream::Stdout) => "LogSink(file, stdout)",
            Target::File(_, Stream::Stderr) => "LogSink(file, stderr)",
            Target::Capture(_) => "LogSink(capture)",
            Target::Discard => "LogSink(discard)",
        })
    }
}

/// What a [capturing](LogSink::capture) sink has taken.
#[derive(Clone, Debug)]
pub struct Capture {
    limit_bytes: usize,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Capture {
    /// A copy of what was written so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What was written so far, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn write(&self, bytes: &[u8]) {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.limit_bytes.saturating_sub(kept.len());
        kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}
