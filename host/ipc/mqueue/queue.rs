//! One queue: its messages and its waiters under one lock, and what has passed through it.
//!
//! Invariant (no wake is lost): readiness is looked at and a waker registered under the lock under
//! which messages come and go. Who adds a message takes all waiting receivers with it; who removes
//! one takes all waiting senders, or leaves a note that somebody owes them a wake (`owner`). Wakers
//! run after the lock is released.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::Errno;
use crate::lock::lock;

use super::Attributes;
use super::messages::Messages;
use super::owner::{Owner, WakePolicy};
use super::registry::Charge;
use super::waiters::{Taken, Waiters};

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
    /// Descriptors open on it, of all containers.
    pub open_handles: u32,
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
    message_bytes: usize,
    unlinked: AtomicBool,
    open_handles: AtomicU32,
    state: Mutex<State>,
    /// Gives the pod its bytes back at the end.
    _charge: Charge,
}

#[derive(Debug)]
struct State {
    messages: Messages,
    senders: Waiters,
    receivers: Waiters,
    /// Somebody has this queue on its list of late wakes.
    owed: bool,
    traffic: Traffic,
}

impl MessageQueue {
    pub(super) fn new(name: &str, attributes: Attributes, charge: Charge) -> Self {
        Self {
            name: name.into(),
            attributes,
            message_bytes: usize::try_from(attributes.message_bytes).unwrap_or(usize::MAX),
            unlinked: AtomicBool::new(false),
            open_handles: AtomicU32::new(0),
            state: Mutex::new(State {
                messages: Messages::new(attributes),
                senders: Waiters::default(),
                receivers: Waiters::default(),
                owed: false,
                traffic: Traffic::default(),
            }),
            _charge: charge,
        }
    }

    pub(super) const fn attributes(&self) -> Attributes {
        self.attributes
    }

    pub(super) const fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    pub(super) fn current_messages(&self) -> u32 {
        u32::try_from(lock(&self.state).messages.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn info(&self) -> QueueInfo {
        let (messages, traffic) = {
            let state = lock(&self.state);
            (state.messages.len(), state.traffic.clone())
        };
        QueueInfo {
            name: format!("/{}", self.name),
            unlinked: self.unlinked.load(Ordering::Relaxed),
            attributes: self.attributes,
            current_messages: u32::try_from(messages).unwrap_or(u32::MAX),
            open_handles: self.open_handles.load(Ordering::Relaxed),
            traffic,
        }
    }

    pub(super) fn unlink(&self) {
        self.unlinked.store(true, Ordering::Relaxed);
    }

    pub(super) fn opened(&self) {
        self.open_handles.fetch_add(1, Ordering::Relaxed);
    }

    /// A descriptor is gone; a task that gave up waiting with it is not to be kept in the lists.
    pub(super) fn closed(&self) {
        self.open_handles.fetch_sub(1, Ordering::Relaxed);
        self.wake_all();
    }

    /// Adds a message. The caller has checked rights, length and priority.
    pub(super) fn send(&self, owner: &Owner, data: &[u8], priority: u32) -> Result<(), Errno> {
        let receivers = {
            let mut state = lock(&self.state);
            state.messages.push(data, priority)?;
            let traffic = &mut state.traffic;
            traffic.sent_messages += 1;
            traffic.sent_bytes += byte_count(data);
            note(&mut traffic.last_sender, owner);
            state.receivers.take()
        };
        receivers.wake();
        Ok(())
    }

    /// Takes the first message and shows it to `f`, under the queue's lock.
    pub(super) fn receive<R>(
        self: &Arc<Self>,
        owner: &Owner,
        f: impl FnOnce(&[u8], u32) -> R,
    ) -> Result<R, Errno> {
        let mut put_off = false;
        let (result, senders) = {
            let mut state = lock(&self.state);
            let State {
                messages,
                senders,
                owed,
                traffic,
                ..
            } = &mut *state;
            let result = messages.pop(|data, priority| {
                traffic.received_messages += 1;
                traffic.received_bytes += byte_count(data);
                note(&mut traffic.last_receiver, owner);
                f(data, priority)
            })?;
            let mut woken = Taken::default();
            if !senders.is_empty() {
                if owner.policy() == WakePolicy::AtOnce || messages.is_half_empty() {
                    *owed = false;
                    woken = senders.take();
                } else if !*owed {
                    *owed = true;
                    put_off = true;
                }
            }
            (result, woken)
        };
        senders.wake();
        if put_off {
            owner.put_off(self);
        }
        Ok(result)
    }

    /// Keeps the promise of a receiver that put a wake off.
    pub(super) fn wake_owed_senders(&self) {
        let senders = {
            let mut state = lock(&self.state);
            state.owed = false;
            // Full again means: someone else has sent, and the next receiver wakes them.
            if state.messages.is_full() {
                Taken::default()
            } else {
                state.senders.take()
            }
        };
        senders.wake();
    }

    pub(super) fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let overflow = {
            let mut state = lock(&self.state);
            if !state.messages.is_full() {
                return Poll::Ready(());
            }
            state.senders.register(cx.waker())
        };
        overflow.wake();
        Poll::Pending
    }

    pub(super) fn poll_receive_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let overflow = {
            let mut state = lock(&self.state);
            if !state.messages.is_empty() {
                return Poll::Ready(());
            }
            state.receivers.register(cx.waker())
        };
        overflow.wake();
        Poll::Pending
    }

    /// Wakes everybody: a descriptor was closed, and whoever waits with it must see that.
    pub(super) fn wake_all(&self) {
        let (senders, receivers) = {
            let mut state = lock(&self.state);
            (state.senders.take(), state.receivers.take())
        };
        senders.wake();
        receivers.wake();
    }
}

fn byte_count(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Notes who it was; costs a comparison when it was the same as before.
fn note(last: &mut Option<Arc<str>>, owner: &Owner) {
    if !last
        .as_ref()
        .is_some_and(|last| Arc::ptr_eq(last, owner.name()))
    {
        *last = Some(Arc::clone(owner.name()));
    }
}
