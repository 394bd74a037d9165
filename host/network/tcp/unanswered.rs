//! A connect that nobody answers: it fails when its time is up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::Errno;
use crate::limits::UNANSWERED_CONNECT;
use crate::lock::lock;

/// The wait for an answer that does not come.
#[derive(Debug)]
pub(super) struct Unanswered {
    until: Instant,
    timer: Mutex<Pin<Box<Sleep>>>,
}

impl Unanswered {
    /// Nothing where there is no clock to wait by, which is outside of a tokio runtime.
    pub(super) fn new() -> Option<Self> {
        tokio::runtime::Handle::try_current().ok()?;
        let until = Instant::now() + UNANSWERED_CONNECT;
        Some(Self {
            until,
            timer: Mutex::new(Box::pin(sleep_until(until))),
        })
    }

    /// Ready when the time is up.
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let mut cx = Context::from_waker(cx.waker());
        lock(&self.timer).as_mut().poll(&mut cx)
    }

    /// `ETIMEDOUT` when the time is up, else `EAGAIN`.
    pub(super) fn outcome(&self) -> Errno {
        if Instant::now() >= self.until {
            Errno::TimedOut
        } else {
            Errno::Again
        }
    }
}
