//! Being told of a message: `mq_notify(3)`, with a wait in the place of a signal.
//!
//! One at most is registered at a queue. It is told when a message arrives at the empty queue and no
//! receiver waits for it, once; then the place is free again. Giving up the wait frees it as well.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::Errno;
use crate::lock::lock;
use crate::owner::Owner;
use crate::wait::{Ticket, Waitable, What};

use super::descriptor::Description;

/// What the queue knows of who is to be told.
#[derive(Debug)]
pub(super) struct Signal {
    owner: Arc<Owner>,
    fired: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// A registration; dropping it takes it back.
pub(super) struct Registration {
    signal: Arc<Signal>,
    description: Arc<Description>,
}

impl Signal {
    pub(super) fn owner(&self) -> Arc<str> {
        Arc::clone(self.owner.name())
    }

    /// Tells; the waker is to be woken without a lock.
    pub(super) fn fire(&self) -> Option<Waker> {
        self.fired.store(true, Ordering::Release);
        self.waker()
    }

    pub(super) fn waker(&self) -> Option<Waker> {
        lock(&self.waker).take()
    }
}

impl Registration {
    pub(super) fn new(description: Arc<Description>) -> Result<Self, Errno> {
        let signal = Arc::new(Signal {
            owner: Arc::clone(description.owner()),
            fired: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        description.queue().register(&signal)?;
        Ok(Self {
            signal,
            description,
        })
    }
}

impl Waitable for Registration {
    fn poll_wait(
        &self,
        _what: What,
        _seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        // The waker first: who fires after the look finds it.
        *lock(&self.signal.waker) = Some(cx.waker().clone());
        if self.signal.fired.load(Ordering::Acquire) {
            Poll::Ready(Ok(()))
        } else if self.signal.owner.has_ended() {
            Poll::Ready(Err(Errno::BadDescriptor))
        } else {
            Poll::Pending
        }
    }

    fn leave(&self, _what: What, _ticket: Ticket) {}
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.description.queue().unregister(&self.signal);
    }
}
