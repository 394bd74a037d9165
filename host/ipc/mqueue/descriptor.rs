//! An open message queue: POSIX's open message queue description, with its rights and `O_NONBLOCK`.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::account::Account;
use crate::limits::MQ_PRIO_MAX;
use crate::names::{Names, parse_queue_name};
use crate::owner::Owner;
use crate::wait::{Ticket, Wait, Waitable, What};
use crate::{Errno, IpcLimits, OpenFlags};

use super::notify::Registration;
use super::queue::MessageQueue;
use super::{Attributes, QueueInfo};

/// An open message queue. Clones share rights and `O_NONBLOCK`; dropping the last is `mq_close(3)`.
///
/// The `try` operations never wait. Who has to wait awaits [`Self::wait_receive`] or
/// [`Self::wait_send`], and tries again.
#[derive(Clone)]
pub struct Queue {
    description: Arc<Description>,
}

pub(super) struct Description {
    queue: Arc<MessageQueue>,
    owner: Arc<Owner>,
    flags: OpenFlags,
    nonblocking: AtomicBool,
}

/// Opens a queue, or makes it.
pub(crate) fn open(
    names: &Names<MessageQueue>,
    bytes: &Arc<Account>,
    owner: &Arc<Owner>,
    name: &str,
    flags: OpenFlags,
    attributes: Option<Attributes>,
    limits: &IpcLimits,
) -> Result<Queue, Errno> {
    let name = parse_queue_name(name)?;
    let has_direction = flags.contains(OpenFlags::READ) || flags.contains(OpenFlags::WRITE);
    if !has_direction || flags.contains(OpenFlags::TRUNCATE) {
        return Err(Errno::Invalid);
    }
    owner.acquire_handle(limits.max_open_handles)?;
    let queue = names.open(name, flags, |count| {
        let attributes = attributes.unwrap_or_else(|| Attributes::of(limits));
        attributes.check(limits)?;
        let bytes = bytes
            .charge(attributes.charge_bytes())
            .ok_or(Errno::TooManyOpen)?;
        Ok(MessageQueue::new(name, attributes, [count, bytes]))
    });
    match queue {
        Ok(queue) => Ok(Queue::new(queue, Arc::clone(owner), flags)),
        Err(errno) => {
            owner.release_handle();
            Err(errno)
        }
    }
}

/// Every queue there is, by name; those unlinked but still open come last.
pub(crate) fn list(names: &Names<MessageQueue>) -> Vec<QueueInfo> {
    let mut list: Vec<_> = names.all().iter().map(|queue| queue.info()).collect();
    list.sort_by(|a, b| (a.unlinked, &a.name).cmp(&(b.unlinked, &b.name)));
    list
}

impl Queue {
    /// Takes over a handle that the owner has counted.
    fn new(queue: Arc<MessageQueue>, owner: Arc<Owner>, flags: OpenFlags) -> Self {
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

    /// Waits for a turn to receive. Each message gives one waiter its turn, first come first.
    ///
    /// Then receiving is worth a try: somebody who did not wait may have been faster, and after
    /// `EAGAIN` one waits again. `EBADF` when not open for receiving.
    pub fn wait_receive(&self) -> Wait {
        self.wait(What::Receive)
    }

    /// Waits for a turn to send. Each place gives one waiter its turn, first come first.
    ///
    /// `EBADF` when not open for sending; else as [`Self::wait_receive`].
    pub fn wait_send(&self) -> Wait {
        self.wait(What::Send)
    }

    /// Waits until the queue holds a message, without a claim to it: what `poll(2)` does with
    /// `POLLIN`. Everybody who waits so is woken. `EBADF` when not open for receiving.
    pub fn readable(&self) -> Wait {
        self.wait(What::Readable)
    }

    /// Waits until the queue has a place, without a claim to it: what `poll(2)` does with `POLLOUT`.
    /// Everybody who waits so is woken. `EBADF` when not open for sending.
    pub fn writable(&self) -> Wait {
        self.wait(What::Writable)
    }

    fn wait(&self, what: What) -> Wait {
        Wait::new(Arc::clone(&self.description) as Arc<dyn Waitable>, what)
    }

    /// Asks to be told when a message arrives at the empty queue and no receiver waits for it;
    /// `mq_notify(3)`.
    ///
    /// The registration begins at once and ends when it has told, or is dropped.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody is registered already, `EBADF` when the container has ended.
    pub fn notify(&self) -> Result<Wait, Errno> {
        if self.description.owner.has_ended() {
            return Err(Errno::BadDescriptor);
        }
        let registration = Registration::new(Arc::clone(&self.description))?;
        Ok(Wait::new(Arc::new(registration), What::Notification))
    }

    /// Sends messages in order as long as they fit, under one lock; returns how many, at least one.
    ///
    /// # Errors
    ///
    /// Those of [`Self::try_send`] when the first message meets them; one that a later message meets
    /// ends the call. `EINVAL` when there is no message.
    pub fn try_send_many<'a>(
        &self,
        messages: impl IntoIterator<Item = (&'a [u8], u32)>,
    ) -> Result<usize, Errno> {
        let Description { queue, owner, .. } = &*self.description;
        self.description.check(OpenFlags::WRITE)?;
        let mut messages = messages.into_iter();
        let sent = queue.send_many(owner, || {
            let (data, priority) = messages.next()?;
            Some(if priority >= MQ_PRIO_MAX {
                Err(Errno::Invalid)
            } else if data.len() > queue.message_bytes() {
                Err(Errno::MessageTooLong)
            } else {
                Ok((data, priority))
            })
        })?;
        if sent == 0 {
            return Err(Errno::Invalid);
        }
        Ok(sent)
    }

    /// Takes the first messages, at most `most`, under one lock, and shows data and priority of each to
    /// `f`, which says whether to go on; returns how many, at least one.
    ///
    /// # Errors
    ///
    /// Those of [`Self::try_receive_into`]; `f` is under the same rules. `EINVAL` when `most` is 0.
    pub fn try_receive_many(
        &self,
        most: usize,
        f: impl FnMut(&[u8], u32) -> ControlFlow<()>,
    ) -> Result<usize, Errno> {
        let Description { queue, owner, .. } = &*self.description;
        self.description.check(OpenFlags::READ)?;
        if most == 0 {
            return Err(Errno::Invalid);
        }
        queue.receive_many(owner, most, f)
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
    pub(super) fn queue(&self) -> &MessageQueue {
        &self.queue
    }

    pub(super) const fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    fn check(&self, right: OpenFlags) -> Result<(), Errno> {
        if self.flags.contains(right) && !self.owner.has_ended() {
            Ok(())
        } else {
            Err(Errno::BadDescriptor)
        }
    }
}

impl Waitable for Description {
    fn poll_wait(
        &self,
        what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let right = match what {
            What::Send | What::Writable => OpenFlags::WRITE,
            _ => OpenFlags::READ,
        };
        if !self.flags.contains(right) {
            return Poll::Ready(Err(Errno::BadDescriptor));
        }
        self.queue.poll_wait(&self.owner, what, seat, cx)
    }

    fn leave(&self, what: What, ticket: Ticket) {
        self.queue.leave(what, ticket);
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
