//! An open message queue: POSIX's open message queue description, with its rights and `O_NONBLOCK`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::Errno;
use crate::limits::MQ_PRIO_MAX;

use super::owner::Owner;
use super::queue::MessageQueue;
use super::{Attributes, OpenFlags};

/// An open message queue. Clones share rights and `O_NONBLOCK`; dropping the last is `mq_close(3)`.
#[derive(Clone)]
pub struct Queue {
    description: Arc<Description>,
}

struct Description {
    queue: Arc<MessageQueue>,
    owner: Arc<Owner>,
    flags: OpenFlags,
    nonblocking: AtomicBool,
}

impl Queue {
    /// Takes over a handle that the owner has counted.
    pub(super) fn new(queue: Arc<MessageQueue>, owner: Arc<Owner>, flags: OpenFlags) -> Self {
        queue.opened();
        let nonblocking = AtomicBool::new(flags.contains(OpenFlags::NONBLOCKING));
        Self {
            description: Arc::new(Description {
                queue,
                owner,
                flags,
                nonblocking,
            }),
        }
    }

    /// Sends a message, or says at once why not; `mq_send(3)`.
    ///
    /// The data are copied; `priority` is 0 to 32,767, a higher one is received earlier.
    ///
    /// # Errors
    ///
    /// `EINVAL` for the priority, `EBADF` when not open for sending, `EMSGSIZE` when longer than
    /// the queue's message size, `EAGAIN` when the queue is full, `ENOMEM` when the host is.
    pub fn try_send(&self, data: &[u8], priority: u32) -> Result<(), Errno> {
        let Description { queue, owner, .. } = &*self.description;
        if priority >= MQ_PRIO_MAX {
            return Err(Errno::Invalid);
        }
        self.description.check(OpenFlags::WRITE)?;
        if data.len() > queue.message_bytes() {
            return Err(Errno::MessageTooLong);
        }
        queue.send(owner, data, priority)
    }

    /// Takes the oldest message of the highest priority and shows data and priority to `f`, or says
    /// at once why not; `mq_receive(3)` without its buffer.
    ///
    /// The message is gone whatever `f` does with it. `f` runs under the queue's lock: it must be
    /// short (a copy) and must not use this namespace.
    ///
    /// # Errors
    ///
    /// `EBADF` when not open for receiving, `EAGAIN` when the queue is empty.
    pub fn try_receive_into<R>(&self, f: impl FnOnce(&[u8], u32) -> R) -> Result<R, Errno> {
        let Description { queue, owner, .. } = &*self.description;
        self.description.check(OpenFlags::READ)?;
        queue.receive(owner, f)
    }

    /// Receives into a buffer; returns the message's length in bytes and its priority.
    ///
    /// # Errors
    ///
    /// Those of [`Self::try_receive_into`], and `EMSGSIZE` when the buffer is shorter than the
    /// queue's message size, however short the message: `mq_receive(3)` wants it so.
    pub fn try_receive(&self, buffer: &mut [u8]) -> Result<(usize, u32), Errno> {
        self.description.check(OpenFlags::READ)?;
        if buffer.len() < self.description.queue.message_bytes() {
            return Err(Errno::MessageTooLong);
        }
        self.try_receive_into(|data, priority| {
            if let Some(place) = buffer.get_mut(..data.len()) {
                place.copy_from_slice(data);
            }
            (data.len(), priority)
        })
    }

    /// Ready when sending is worth a try: there is space, or it would fail.
    ///
    /// Another sender may be faster, so after `EAGAIN` poll again. Wakes may come for nothing, but
    /// none is lost.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let poll = match self.description.check(OpenFlags::WRITE) {
            Ok(()) => self.description.queue.poll_send_ready(cx),
            Err(_) => Poll::Ready(()),
        };
        self.description.unless_ended(poll)
    }

    /// Ready when receiving is worth a try: there is a message, or it would fail.
    ///
    /// Another receiver may be faster, so after `EAGAIN` poll again. Wakes may come for nothing, but
    /// none is lost.
    pub fn poll_receive_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let poll = match self.description.check(OpenFlags::READ) {
            Ok(()) => self.description.queue.poll_receive_ready(cx),
            Err(_) => Poll::Ready(()),
        };
        self.description.unless_ended(poll)
    }

    /// The queue's size, as it was made.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.description.queue.attributes()
    }

    /// Messages in the queue now: `mq_curmsgs` of `mq_getattr(3)`.
    #[must_use]
    pub fn current_messages(&self) -> u32 {
        self.description.queue.current_messages()
    }

    /// Whether the guest asked never to wait: `O_NONBLOCK`. This crate never waits; callers look.
    #[must_use]
    pub fn is_nonblocking(&self) -> bool {
        self.description.nonblocking.load(Ordering::Relaxed)
    }

    /// Sets `O_NONBLOCK` for all clones: `mq_setattr(3)`.
    pub fn set_nonblocking(&self, nonblocking: bool) {
        self.description
            .nonblocking
            .store(nonblocking, Ordering::Relaxed);
    }
}

impl Description {
    fn check(&self, right: OpenFlags) -> Result<(), Errno> {
        if self.flags.contains(right) && !self.owner.has_ended() {
            Ok(())
        } else {
            Err(Errno::BadDescriptor)
        }
    }

    /// An instance that ended while its task registered may have missed the wake of that end.
    fn unless_ended(&self, poll: Poll<()>) -> Poll<()> {
        if self.owner.has_ended() {
            Poll::Ready(())
        } else {
            poll
        }
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        self.queue.closed();
        self.owner.release_handle();
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("queue", &self.description.queue.info())
            .finish_non_exhaustive()
    }
}
