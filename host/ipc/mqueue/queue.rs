//! One queue: its messages and its waiters under one lock, and what has passed through it.
//!
//! Invariant (no wake is lost): whenever the queue holds more messages than receivers whose turn it
//! is, the next receiver in the line gets its turn; the same for places and senders. It is
//! established after everything that adds or takes a message, and whenever a turn comes back unused.
//! Wakers run after the lock is released.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::Errno;
use crate::account::Charge;
use crate::lock::lock;
use crate::messages::{Bounds, Messages};
use crate::names::Named;
use crate::owner::Owner;
use crate::wait::{Look, Ticket, WaitList, Wakes, What};

use super::Attributes;
use super::notify::Signal;

/// What a queue is and what has passed through it, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueInfo {
    /// The name with its slash.
    pub name: String,
    /// Whether the name is gone and the queue lives only for those who have it open.
    pub unlinked: bool,
    /// Its size.
    pub attributes: Attributes,
    /// Messages in it now.
    pub current_messages: u32,
    /// Bytes in them.
    pub current_bytes: u64,
    /// Descriptors open on it, of all containers.
    pub open_handles: u32,
    /// Receivers that wait for a message.
    pub waiting_receivers: u32,
    /// Senders that wait for a place.
    pub waiting_senders: u32,
    /// The container that is to be notified of a message.
    pub notifies: Option<Arc<str>>,
    /// What has passed.
    pub traffic: Traffic,
}

/// What has passed through a queue since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages sent.
    pub sent_messages: u64,
    /// Bytes in them.
    pub sent_bytes: u64,
    /// Messages received.
    pub received_messages: u64,
    /// Bytes in them.
    pub received_bytes: u64,
    /// The container that sent last.
    pub last_sender: Option<Arc<str>>,
    /// The container that received last.
    pub last_receiver: Option<Arc<str>>,
}

/// A queue, named or not any more; it lives while it has a name or a descriptor.
#[derive(Debug)]
pub(crate) struct MessageQueue {
    name: Box<str>,
    attributes: Attributes,
    capacity: usize,
    message_bytes: usize,
    unlinked: AtomicBool,
    open_handles: AtomicU32,
    state: Mutex<State>,
    /// Give the pod its count and its bytes back at the end.
    _charges: [Charge; 2],
}

#[derive(Debug)]
struct State {
    messages: Messages<false>,
    senders: WaitList<()>,
    receivers: WaitList<()>,
    notify: Option<Arc<Signal>>,
    traffic: Traffic,
}

impl State {
    /// Establishes the invariant for receivers.
    fn give_receivers_turns(&mut self, wakes: &mut Wakes) {
        if self.receivers.is_empty() {
            return;
        }
        while self.messages.len() > self.receivers.woken() {
            if !self.receivers.wake_first(wakes, |()| true) {
                break;
            }
        }
        if !self.messages.is_empty() {
            self.receivers.wake_lookers(wakes);
        }
    }

    /// Establishes the invariant for senders.
    fn give_senders_turns(&mut self, capacity: usize, wakes: &mut Wakes) {
        if self.senders.is_empty() {
            return;
        }
        let places = capacity.saturating_sub(self.messages.len());
        while places > self.senders.woken() {
            if !self.senders.wake_first(wakes, |()| true) {
                break;
            }
        }
        if places > 0 {
            self.senders.wake_lookers(wakes);
        }
    }
}

impl MessageQueue {
    pub(super) fn new(name: &str, attributes: Attributes, charges: [Charge; 2]) -> Self {
        // A 16-bit host has no such queues; there the size of its addresses is the limit.
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        // Charged in advance for all its messages at their longest, so nothing has to be given back.
        let bounds = Bounds {
            message_bytes: size(attributes.message_bytes),
            idle_bytes: usize::MAX,
        };
        Self {
            name: name.into(),
            attributes,
            capacity: size(attributes.max_messages),
            message_bytes: size(attributes.message_bytes),
            unlinked: AtomicBool::new(false),
            open_handles: AtomicU32::new(0),
            state: Mutex::new(State {
                messages: Messages::new(bounds, None),
                senders: WaitList::default(),
                receivers: WaitList::default(),
                notify: None,
                traffic: Traffic::default(),
            }),
            _charges: charges,
        }
    }

    pub(super) const fn attributes(&self) -> Attributes {
        self.attributes
    }

    pub(super) const fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    pub(super) fn current_messages(&self) -> u32 {
        count(lock(&self.state).messages.len())
    }

    pub(super) fn info(&self) -> QueueInfo {
        let state = lock(&self.state);
        QueueInfo {
            name: format!("/{}", self.name),
            unlinked: self.unlinked.load(Ordering::Relaxed),
            attributes: self.attributes,
            current_messages: count(state.messages.len()),
            current_bytes: byte_count(state.messages.bytes()),
            open_handles: self.open_handles.load(Ordering::Relaxed),
            waiting_receivers: count(state.receivers.len()),
            waiting_senders: count(state.senders.len()),
            notifies: state.notify.as_ref().map(|signal| signal.owner()),
            traffic: state.traffic.clone(),
        }
    }

    pub(super) fn opened(&self) {
        self.open_handles.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open_handles.fetch_sub(1, Ordering::Relaxed);
    }

    /// Adds a message. The caller has checked rights, length and priority.
    pub(super) fn send(&self, owner: &Owner, data: &[u8], priority: u32) -> Result<(), Errno> {
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&self.state);
            let state = &mut *state;
            if state.messages.len() >= self.capacity {
                return Err(Errno::Again);
            }
            state.messages.push(data, i64::from(priority))?;
            let traffic = &mut state.traffic;
            traffic.sent_messages += 1;
            traffic.sent_bytes += byte_count(data.len());
            owner.note(&mut traffic.last_sender);
            // mq_notify(3): only for a message into an empty queue that no receiver waits for.
            if state.notify.is_some()
                && state.messages.len() == 1
                && state.receivers.len() == 0
                && let Some(signal) = state.notify.take()
            {
                wakes.add(signal.fire());
            }
            state.give_receivers_turns(&mut wakes);
            // A sender that had its turn has used it: there may be places for more.
            state.give_senders_turns(self.capacity, &mut wakes);
        }
        wakes.wake();
        Ok(())
    }

    /// Takes the first message and shows it to `f`, under the queue's lock.
    pub(super) fn receive<R>(
        &self,
        owner: &Owner,
        f: impl FnOnce(&[u8], u32) -> R,
    ) -> Result<R, Errno> {
        let mut wakes = Wakes::default();
        let result = {
            let mut state = lock(&self.state);
            let State {
                messages, traffic, ..
            } = &mut *state;
            let first = messages.find_highest().ok_or(Errno::Again)?;
            traffic.received_messages += 1;
            traffic.received_bytes += byte_count(first.bytes);
            owner.note(&mut traffic.last_receiver);
            let result = messages
                .take(first, |data, key| {
                    f(data, u32::try_from(key).unwrap_or_default())
                })
                .ok_or(Errno::Again)?;
            state.give_senders_turns(self.capacity, &mut wakes);
            state.give_receivers_turns(&mut wakes);
            result
        };
        wakes.wake();
        Ok(result)
    }

    /// Adds messages as long as `next` has one and there are places, under one lock. Whether `next` has an error counts
    /// only before the first message.
    pub(super) fn send_many<'a>(
        &self,
        owner: &Owner,
        mut next: impl FnMut() -> Option<Result<(&'a [u8], u32), Errno>>,
    ) -> Result<usize, Errno> {
        let mut wakes = Wakes::default();
        let mut sent = 0;
        let ended = {
            let mut state = lock(&self.state);
            let state = &mut *state;
            let no_receiver = state.receivers.len() == 0;
            let was_empty = state.messages.is_empty();
            let mut sent_bytes = 0;
            let ended = loop {
                let (data, priority) = match next() {
                    Some(Ok(message)) => message,
                    Some(Err(errno)) => break Err(errno),
                    None => break Ok(()),
                };
                if state.messages.len() >= self.capacity {
                    break Err(Errno::Again);
                }
                if let Err(errno) = state.messages.push(data, i64::from(priority)) {
                    break Err(errno);
                }
                sent += 1;
                sent_bytes += byte_count(data.len());
            };
            if sent > 0 {
                let traffic = &mut state.traffic;
                traffic.sent_messages += byte_count(sent);
                traffic.sent_bytes += sent_bytes;
                owner.note(&mut traffic.last_sender);
                // As for one message: the first of these came into an empty queue.
                if state.notify.is_some()
                    && was_empty
                    && no_receiver
                    && let Some(signal) = state.notify.take()
                {
                    wakes.add(signal.fire());
                }
                state.give_receivers_turns(&mut wakes);
                state.give_senders_turns(self.capacity, &mut wakes);
            }
            ended
        };
        wakes.wake();
        match ended {
            Err(errno) if sent == 0 => Err(errno),
            _ => Ok(sent),
        }
    }

    /// Takes the first messages, at most `most`, as long as `f` says so, under one lock.
    pub(super) fn receive_many(
        &self,
        owner: &Owner,
        most: usize,
        mut f: impl FnMut(&[u8], u32) -> ControlFlow<()>,
    ) -> Result<usize, Errno> {
        let mut wakes = Wakes::default();
        let mut received = 0;
        {
            let mut state = lock(&self.state);
            let State {
                messages, traffic, ..
            } = &mut *state;
            while received < most
                && let Some(first) = messages.find_highest()
            {
                traffic.received_bytes += byte_count(first.bytes);
                let taken = messages.take(first, |data, key| {
                    f(data, u32::try_from(key).unwrap_or_default())
                });
                received += 1;
                if taken.is_none_or(|go_on| go_on.is_break()) {
                    break;
                }
            }
            if received == 0 {
                return Err(Errno::Again);
            }
            traffic.received_messages += byte_count(received);
            owner.note(&mut traffic.last_receiver);
            state.give_senders_turns(self.capacity, &mut wakes);
            state.give_receivers_turns(&mut wakes);
        }
        wakes.wake();
        Ok(received)
    }

    pub(super) fn poll_wait(
        &self,
        owner: &Owner,
        what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let mut wakes = Wakes::default();
        let poll = {
            let mut state = lock(&self.state);
            let state = &mut *state;
            let had_seat = seat.is_some();
            let to_send = matches!(what, What::Send | What::Writable);
            let (line, available) = if to_send {
                let places = self.capacity.saturating_sub(state.messages.len());
                (&mut state.senders, places)
            } else {
                (&mut state.receivers, state.messages.len())
            };
            let poll = if owner.has_ended() {
                if let Some(ticket) = seat.take() {
                    line.leave(ticket);
                }
                Poll::Ready(Err(Errno::BadDescriptor))
            } else {
                let look = Look {
                    is_there: available > 0,
                    is_spare: available > line.woken(),
                    only_looks: matches!(what, What::Readable | What::Writable),
                };
                line.poll(seat, (), look, cx)
            };
            // A turn may have come back unused.
            if had_seat && !matches!(poll, Poll::Ready(Ok(()))) {
                state.give_senders_turns(self.capacity, &mut wakes);
                state.give_receivers_turns(&mut wakes);
            }
            poll
        };
        wakes.wake();
        poll
    }

    pub(super) fn leave(&self, what: What, ticket: Ticket) {
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&self.state);
            match what {
                What::Send | What::Writable => state.senders.leave(ticket),
                _ => state.receivers.leave(ticket),
            };
            state.give_senders_turns(self.capacity, &mut wakes);
            state.give_receivers_turns(&mut wakes);
        }
        wakes.wake();
    }

    /// Registers who is to be notified; `EBUSY` when somebody is already.
    pub(super) fn register(&self, signal: &Arc<Signal>) -> Result<(), Errno> {
        let mut state = lock(&self.state);
        if state.notify.is_some() {
            return Err(Errno::Busy);
        }
        state.notify = Some(Arc::clone(signal));
        Ok(())
    }

    /// Nobody is to be notified any more, if it was this one.
    pub(super) fn unregister(&self, signal: &Arc<Signal>) {
        let mut state = lock(&self.state);
        if state
            .notify
            .as_ref()
            .is_some_and(|registered| Arc::ptr_eq(registered, signal))
        {
            state.notify = None;
        }
    }

    /// Lets everybody look: an instance has ended, and whoever of it waits must see that.
    pub(crate) fn wake_all(&self) {
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&self.state);
            state.senders.wake_all(&mut wakes);
            state.receivers.wake_all(&mut wakes);
            if let Some(signal) = &state.notify {
                wakes.add(signal.waker());
            }
        }
        wakes.wake();
    }
}

impl Named for MessageQueue {
    fn unlinked(&self) {
        self.unlinked.store(true, Ordering::Relaxed);
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn byte_count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqueue::descriptor::Description;
    use crate::wait::Wait;

    /// Issue of scale: a thousand queues with one reader each. Counted are the queue, an open
    /// descriptor, the reader's wait and its place in the line, a name of 32 bytes twice (in the
    /// queue and in the registry), and what the allocator adds to each of six blocks.
    #[test]
    fn a_queue_with_a_waiting_reader_takes_less_than_a_kibibyte() {
        let counts = 2 * size_of::<usize>();
        let mut line = WaitList::<()>::default();
        line.enter((), false, &Context::from_waker(std::task::Waker::noop()))
            .unwrap();
        let bytes = size_of::<MessageQueue>()
            + counts
            + size_of::<Description>()
            + counts
            + size_of::<Wait>()
            + line.memory_bytes()
            + 2 * 32
            + size_of::<(Box<str>, Arc<MessageQueue>, std::sync::Weak<MessageQueue>)>()
            + 6 * 16;
        assert!(bytes <= 1024, "{bytes}");
    }
}
