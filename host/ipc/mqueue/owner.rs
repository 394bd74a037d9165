//! One container instance as the holder of descriptors.
//!
//! It counts them, says whether the instance has ended, and keeps the wakes that it put off.
//!
//! *Late wakes.* A receiver on another thread that wakes a sender for each place it frees plays
//! ping-pong with it: one system call and one context switch for each message. Waking at half empty
//! makes that one for half a queue of messages. But a receiver that stops before half empty, because
//! it now waits for something else, would leave the sender asleep beside a free place, which POSIX
//! forbids. So putting off is allowed only to an instance that promises to call [`Owner::settle`]
//! whenever it gives up its thread; the queue notes that a wake is owed, and the instance which
//! queue. Where all instances of a pod share a thread, the sender cannot run before the receiver
//! gives up anyway, and waking at once costs one entry in the run queue for a full queue of messages:
//! then there is nothing to gain, and that is the default.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::Errno;
use crate::lock::lock;

use super::queue::MessageQueue;

/// When a receiver wakes the senders that a full queue made wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakePolicy {
    /// With the first place that is free.
    AtOnce,
    /// When the queue is half empty, or the receiver settles.
    Late,
}

/// A container instance, shared by its door and its descriptors.
#[derive(Debug)]
pub(crate) struct Owner {
    name: Arc<str>,
    policy: WakePolicy,
    open: AtomicU32,
    ended: AtomicBool,
    has_late: AtomicBool,
    late: Mutex<Vec<Arc<MessageQueue>>>,
}

impl Owner {
    pub(crate) fn new(name: &str, policy: WakePolicy) -> Self {
        Self {
            name: name.into(),
            policy,
            open: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            has_late: AtomicBool::new(false),
            late: Mutex::default(),
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) const fn policy(&self) -> WakePolicy {
        self.policy
    }

    /// Whether the instance is gone, and with it all it had open.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Counts one descriptor more, if there may be one.
    pub(super) fn acquire_handle(&self, most: u32) -> Result<(), Errno> {
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < most).then_some(open + 1)
            })
            .map(|_| ())
            .map_err(|_| Errno::TooManyOpen)
    }

    /// Counts one descriptor less.
    pub(super) fn release_handle(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Remembers that senders of this queue are owed a wake. Not to be called under a queue's lock.
    pub(super) fn put_off(&self, queue: &Arc<MessageQueue>) {
        let mut late = lock(&self.late);
        if !late.iter().any(|other| Arc::ptr_eq(other, queue)) {
            late.push(Arc::clone(queue));
        }
        self.has_late.store(true, Ordering::Release);
    }

    /// Wakes whom the instance owes a wake.
    pub(crate) fn settle(&self) {
        if !self.has_late.load(Ordering::Acquire) {
            return;
        }
        loop {
            let queue = {
                let mut late = lock(&self.late);
                let queue = late.pop();
                self.has_late.store(!late.is_empty(), Ordering::Release);
                queue
            };
            match queue {
                Some(queue) => queue.wake_owed_senders(),
                None => return,
            }
        }
    }

    /// The instance is gone: its descriptors are closed from now on.
    pub(crate) fn close(&self) {
        self.ended.store(true, Ordering::Release);
        self.settle();
    }
}
