//! Tasks of a scripted executor: each is polled when the test says so, and knows whether it was woken.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use wasmpod_ipc::{Errno, Wait};

/// Counts how often it is woken.
#[derive(Default)]
pub(super) struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A wait that somebody awaits.
pub(super) struct Waiting {
    wait: Pin<Box<Wait>>,
    counter: Arc<Counter>,
    seen: usize,
}

impl Waiting {
    /// Begins to wait.
    pub(super) fn begin(wait: Wait) -> Result<Self, Result<(), Errno>> {
        let mut waiting = Self {
            wait: Box::pin(wait),
            counter: Arc::default(),
            seen: 0,
        };
        match waiting.poll() {
            Poll::Pending => Ok(waiting),
            Poll::Ready(result) => Err(result),
        }
    }

    /// Begins to wait where it cannot be over at once.
    pub(super) fn new(wait: Wait) -> Self {
        let waiting = Self::begin(wait);
        waiting.unwrap_or_else(|result| panic!("the wait is over at once: {result:?}"))
    }

    pub(super) fn poll(&mut self) -> Poll<Result<(), Errno>> {
        self.seen = self.wakes();
        let waker = Waker::from(Arc::clone(&self.counter));
        self.wait.as_mut().poll(&mut Context::from_waker(&waker))
    }

    pub(super) fn wakes(&self) -> usize {
        self.counter.0.load(Ordering::SeqCst)
    }

    /// Whether it was woken since it looked last.
    pub(super) fn is_woken(&self) -> bool {
        self.wakes() > self.seen
    }

    /// Looks, as an executor does after a wake; the wait must be over.
    pub(super) fn end(mut self) -> Result<(), Errno> {
        assert!(self.is_woken(), "nobody has woken it");
        match self.poll() {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("it was woken for nothing"),
        }
    }
}
