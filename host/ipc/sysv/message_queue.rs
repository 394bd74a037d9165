//! System V message queues: `msgget(2)`, `msgop(2)`, `msgctl(2)`.
//!
//! Invariants (no wake is lost): a message that arrives gives the first receiver in the line that
//! takes its type a turn; and whenever one is taken, or a turn comes back unused, and there are more
//! messages than turns under way, the first receiver for whom there is a message gets a turn. A
//! sender gets its turn when its message fits beside those of the senders whose turn it is.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::Errno;
use crate::limits::QUEUE_OVERHEAD_BYTES;
use crate::lock::lock;
use crate::messages::{Bounds, Found, Messages};
use crate::namespace::Namespace;
use crate::owner::Owner;
use crate::wait::{Look, Ticket, Wait, WaitList, Waitable, Wakes, What};

use super::flags::MODE;
use super::{GetFlags, Identity, Select};

/// What a queue is at one moment: `IPC_STAT`, and what `ipcs(1)` shows. Times are seconds since 1970,
/// 0 for never.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageQueueInfo {
    /// Its id.
    pub id: i32,
    /// Its key, 0 for none.
    pub key: i32,
    /// Its permission bits.
    pub mode: u32,
    /// The container that made it.
    pub creator: Arc<str>,
    /// Messages in it: `msg_qnum`.
    pub messages: u32,
    /// Bytes in them: `msg_cbytes`.
    pub bytes: u64,
    /// Bytes, and messages, that it holds: `msg_qbytes`.
    pub max_bytes: u32,
    /// Receivers that wait.
    pub waiting_receivers: u32,
    /// Senders that wait.
    pub waiting_senders: u32,
    /// The container that sent last.
    pub last_sender: Option<Arc<str>>,
    /// The container that received last.
    pub last_receiver: Option<Arc<str>>,
    /// The number of the instance that sent last: `msg_lspid`.
    pub last_sender_pid: i32,
    /// The number of the instance that received last: `msg_lrpid`.
    pub last_receiver_pid: i32,
    /// When the last message was sent: `msg_stime`.
    pub sent_at: u64,
    /// When the last message was received: `msg_rtime`.
    pub received_at: u64,
    /// When it was made, or changed by [`MessageQueue::set`]: `msg_ctime`.
    pub changed_at: u64,
}

/// What `IPC_SET` changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageQueueSettings {
    /// Bytes, and messages, that it holds: `msg_qbytes`.
    pub max_bytes: u32,
    /// The permission bits.
    pub mode: u32,
}

/// The use of a message queue by one container instance.
#[derive(Clone)]
pub struct MessageQueue {
    handle: Arc<Handle>,
}

struct Handle {
    queue: Arc<Shared>,
    owner: Arc<Owner>,
    namespace: Arc<Namespace>,
}

/// The queue itself.
#[derive(Debug)]
pub(crate) struct Shared {
    identity: Identity,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    messages: Messages<true>,
    receivers: WaitList<Select>,
    senders: WaitList<usize>,
    removed: bool,
    max_bytes: u32,
    mode: u32,
    last_sender: Option<Arc<str>>,
    last_receiver: Option<Arc<str>>,
    last_sender_pid: i32,
    last_receiver_pid: i32,
    sent_at: u64,
    received_at: u64,
    changed_at: u64,
}

/// The id of the queue of a key, made if it is missing and the flags say so.
pub(crate) fn get(
    namespace: &Namespace,
    owner: &Owner,
    key: i32,
    flags: GetFlags,
) -> Result<i32, Errno> {
    let limits = &namespace.limits.system_v;
    namespace.message_queues_v.get(
        key,
        flags,
        owner,
        |_| Ok(()),
        |identity| {
            let charge = namespace
                .system_v_bytes
                .charge(QUEUE_OVERHEAD_BYTES)
                .ok_or(Errno::NoMemory)?;
            Ok(Shared {
                identity,
                state: Mutex::new(State {
                    messages: Messages::new(bounds(limits.msgmax, limits.msgmnb), Some(charge)),
                    receivers: WaitList::default(),
                    senders: WaitList::default(),
                    removed: false,
                    max_bytes: limits.msgmnb,
                    mode: flags.mode(),
                    last_sender: None,
                    last_receiver: None,
                    last_sender_pid: 0,
                    last_receiver_pid: 0,
                    sent_at: 0,
                    received_at: 0,
                    changed_at: namespace.host.clock.unix_seconds(),
                }),
            })
        },
    )
}

/// A handle of the queue of an id.
pub(crate) fn open(
    namespace: &Arc<Namespace>,
    owner: &Arc<Owner>,
    id: i32,
) -> Result<MessageQueue, Errno> {
    Ok(MessageQueue {
        handle: Arc::new(Handle {
            queue: namespace.message_queues_v.find(id)?,
            owner: Arc::clone(owner),
            namespace: Arc::clone(namespace),
        }),
    })
}

fn bounds(msgmax: u32, max_bytes: u32) -> Bounds {
    Bounds {
        message_bytes: size(msgmax),
        idle_bytes: size(max_bytes).saturating_mul(2),
    }
}

impl State {
    fn fits(&self, bytes: usize, messages: usize) -> bool {
        let most = size(self.max_bytes);
        self.messages.bytes().saturating_add(bytes) <= most
            && self.messages.len().saturating_add(messages) <= most
    }

    /// Whether a message of this length fits beside those of senders whose turn it is.
    fn is_spare(&self, bytes: usize) -> bool {
        let promised: usize = self.senders.woken_wants().sum();
        self.fits(bytes.saturating_add(promised), self.senders.woken() + 1)
    }

    /// Gives receivers turns after anything but the arrival of a message.
    fn give_receivers_turns(&mut self, wakes: &mut Wakes) {
        while self.messages.len() > self.receivers.woken() {
            let messages = &self.messages;
            let is_there = |select: &mut Select| select.find(messages).is_some();
            if !self.receivers.wake_first(wakes, is_there) {
                break;
            }
        }
    }

    fn give_senders_turns(&mut self, wakes: &mut Wakes) {
        while !self.senders.is_empty() {
            let promised: usize = self.senders.woken_wants().sum();
            let (turns, most) = (self.senders.woken() + 1, size(self.max_bytes));
            let (bytes, count) = (self.messages.bytes(), self.messages.len());
            let fits = |wanted: &mut usize| {
                bytes.saturating_add(promised).saturating_add(*wanted) <= most
                    && count.saturating_add(turns) <= most
            };
            if !self.senders.wake_first(wakes, fits) {
                break;
            }
        }
    }

    fn give_turns(&mut self, wakes: &mut Wakes) {
        self.give_senders_turns(wakes);
        if !self.receivers.is_empty() {
            self.give_receivers_turns(wakes);
        }
    }

    fn check(&self) -> Result<(), Errno> {
        if self.removed {
            Err(Errno::Invalid)
        } else {
            Ok(())
        }
    }

    fn send(
        &mut self,
        owner: &Owner,
        now: u64,
        message_type: i64,
        data: &[u8],
        wakes: &mut Wakes,
    ) -> Result<(), Errno> {
        self.check()?;
        let result = if self.fits(data.len(), 1) {
            self.messages.push(data, message_type)
        } else {
            Err(Errno::Again)
        };
        if result.is_ok() {
            owner.note(&mut self.last_sender);
            self.last_sender_pid = owner.pid();
            self.sent_at = now;
            if !self.receivers.is_empty() {
                self.receivers
                    .wake_first(wakes, |select| select.takes(message_type));
            }
        }
        // A sender's turn is used, or came to nothing: another may fit.
        self.give_senders_turns(wakes);
        result
    }

    fn receive<R>(
        &mut self,
        owner: &Owner,
        now: u64,
        select: Select,
        (max, no_error): (usize, bool),
        f: impl FnOnce(&[u8], i64) -> R,
    ) -> Result<R, Errno> {
        self.check()?;
        let found = select.find(&self.messages);
        let (found, shown) = Self::fitting(found, max, no_error)?;
        owner.note(&mut self.last_receiver);
        self.last_receiver_pid = owner.pid();
        self.received_at = now;
        let show = |data: &[u8], message_type| f(data.get(..shown).unwrap_or(data), message_type);
        self.messages.take(found, show).ok_or(Errno::NoMessage)
    }

    /// The message, if it fits into the receiver's buffer, and how much of it to show.
    fn fitting(found: Option<Found>, max: usize, no_error: bool) -> Result<(Found, usize), Errno> {
        let found = found.ok_or(Errno::NoMessage)?;
        if found.bytes > max && !no_error {
            return Err(Errno::TooBig);
        }
        Ok((found, found.bytes.min(max)))
    }
}

impl Shared {
    pub(crate) fn info(&self) -> MessageQueueInfo {
        let state = lock(&self.state);
        MessageQueueInfo {
            id: self.identity.id,
            key: self.identity.key,
            mode: state.mode,
            creator: Arc::clone(&self.identity.creator),
            messages: count(state.messages.len()),
            bytes: u64::try_from(state.messages.bytes()).unwrap_or(u64::MAX),
            max_bytes: state.max_bytes,
            waiting_receivers: count(state.receivers.len()),
            waiting_senders: count(state.senders.len()),
            last_sender: state.last_sender.clone(),
            last_receiver: state.last_receiver.clone(),
            last_sender_pid: state.last_sender_pid,
            last_receiver_pid: state.last_receiver_pid,
            sent_at: state.sent_at,
            received_at: state.received_at,
            changed_at: state.changed_at,
        }
    }

    /// Lets everybody look: an instance has ended, and whoever of it waits must see that.
    pub(crate) fn wake_all(&self) {
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&self.state);
            state.senders.wake_all(&mut wakes);
            state.receivers.wake_all(&mut wakes);
        }
        wakes.wake();
    }
}

impl MessageQueue {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.handle.queue.identity.id
    }

    /// Sends a message, or says at once why not; `msgsnd` with `IPC_NOWAIT`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the type is less than 1, the message longer than the pod allows, or the queue
    /// removed; `EAGAIN` when it does not fit in now; `ENOMEM` when the pod's queues take too much.
    pub fn try_send(&self, message_type: i64, data: &[u8]) -> Result<(), Errno> {
        let Handle {
            queue,
            owner,
            namespace,
        } = &*self.handle;
        if message_type < 1 || data.len() > size(namespace.limits.system_v.msgmax) {
            return Err(Errno::Invalid);
        }
        let now = namespace.host.clock.unix_seconds();
        let mut wakes = Wakes::default();
        let result = lock(&queue.state).send(owner, now, message_type, data, &mut wakes);
        wakes.wake();
        result
    }

    /// Takes the message that is wanted and shows data and type to `f`, or says at once why not;
    /// `msgrcv` with `IPC_NOWAIT`.
    ///
    /// A message longer than `max` is cut off with `no_error` (`MSG_NOERROR`), and stays without.
    /// `f` runs under the queue's lock: it must be short (a copy) and must not use this namespace.
    ///
    /// # Errors
    ///
    /// `ENOMSG` when there is none, `E2BIG` when it is longer than `max`, `EINVAL` when the queue is
    /// removed.
    pub fn try_receive<R>(
        &self,
        select: Select,
        max: usize,
        no_error: bool,
        f: impl FnOnce(&[u8], i64) -> R,
    ) -> Result<R, Errno> {
        let Handle {
            queue,
            owner,
            namespace,
        } = &*self.handle;
        let now = namespace.host.clock.unix_seconds();
        let mut wakes = Wakes::default();
        let result = {
            let mut state = lock(&queue.state);
            let result = state.receive(owner, now, select, (max, no_error), f);
            state.give_turns(&mut wakes);
            result
        };
        wakes.wake();
        result
    }

    /// Sends messages in order as long as they fit, under one lock; returns how many, at least one.
    ///
    /// # Errors
    ///
    /// Those of [`Self::try_send`] when the first message meets them; one that a later message meets
    /// ends the call. `EINVAL` when there is no message.
    pub fn try_send_many<'a>(
        &self,
        messages: impl IntoIterator<Item = (i64, &'a [u8])>,
    ) -> Result<usize, Errno> {
        let Handle {
            queue,
            owner,
            namespace,
        } = &*self.handle;
        let longest = size(namespace.limits.system_v.msgmax);
        let now = namespace.host.clock.unix_seconds();
        let mut wakes = Wakes::default();
        let mut sent = 0;
        let mut ended = Errno::Invalid;
        {
            let mut state = lock(&queue.state);
            for (message_type, data) in messages {
                if message_type < 1 || data.len() > longest {
                    ended = Errno::Invalid;
                    break;
                }
                if let Err(errno) = state.send(owner, now, message_type, data, &mut wakes) {
                    ended = errno;
                    break;
                }
                sent += 1;
            }
        }
        wakes.wake();
        if sent == 0 {
            return Err(ended);
        }
        Ok(sent)
    }

    /// Takes messages as [`Self::try_receive`] does, at most `most`, under one lock, as long as `f` says
    /// to go on; returns how many, at least one.
    ///
    /// # Errors
    ///
    /// Those of [`Self::try_receive`] when the first message meets them. `EINVAL` when `most` is 0.
    pub fn try_receive_many(
        &self,
        select: Select,
        max: usize,
        no_error: bool,
        most: usize,
        mut f: impl FnMut(&[u8], i64) -> ControlFlow<()>,
    ) -> Result<usize, Errno> {
        let Handle {
            queue,
            owner,
            namespace,
        } = &*self.handle;
        let now = namespace.host.clock.unix_seconds();
        let mut wakes = Wakes::default();
        let mut received = 0;
        let mut ended = Errno::Invalid;
        {
            let mut state = lock(&queue.state);
            while received < most {
                match state.receive(owner, now, select, (max, no_error), &mut f) {
                    Ok(go_on) => {
                        received += 1;
                        if go_on.is_break() {
                            break;
                        }
                    }
                    Err(errno) => {
                        ended = errno;
                        break;
                    }
                }
            }
            state.give_turns(&mut wakes);
        }
        wakes.wake();
        if received == 0 {
            return Err(ended);
        }
        Ok(received)
    }

    /// Shows the message before which `number` others came, and leaves it in the queue; `msgrcv` with
    /// `MSG_COPY` and `IPC_NOWAIT`.
    ///
    /// # Errors
    ///
    /// As [`Self::try_receive`].
    pub fn copy<R>(
        &self,
        number: usize,
        max: usize,
        no_error: bool,
        f: impl FnOnce(&[u8], i64) -> R,
    ) -> Result<R, Errno> {
        let state = lock(&self.handle.queue.state);
        state.check()?;
        let found = state.messages.find_nth(number);
        let (found, shown) = State::fitting(found, max, no_error)?;
        state
            .messages
            .show(found, |data, message_type| {
                f(data.get(..shown).unwrap_or(data), message_type)
            })
            .ok_or(Errno::NoMessage)
    }

    /// Waits for a turn to send a message of this length, first come first among those that fit.
    ///
    /// Then sending is worth a try: somebody who did not wait may have been faster, and after `EAGAIN`
    /// one waits again. `EIDRM` when the queue is removed.
    pub fn wait_send(&self, bytes: usize) -> Wait {
        self.wait(What::Space(bytes))
    }

    /// Waits for a turn to receive such a message, first come first.
    ///
    /// Then receiving is worth a try, and after `ENOMSG` one waits again. `EIDRM` when the queue is
    /// removed.
    pub fn wait_receive(&self, select: Select) -> Wait {
        self.wait(What::Message(select))
    }

    fn wait(&self, what: What) -> Wait {
        Wait::new(Arc::clone(&self.handle) as Arc<dyn Waitable>, what)
    }

    /// What it is now; `IPC_STAT` of `msgctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is removed.
    pub fn stat(&self) -> Result<MessageQueueInfo, Errno> {
        lock(&self.handle.queue.state).check()?;
        Ok(self.handle.queue.info())
    }

    /// Changes how much it holds, and its mode; `IPC_SET` of `msgctl(2)`. What it holds already stays.
    ///
    /// # Errors
    ///
    /// `EPERM` when it is to hold more than the pod's `msgmnb`, `EINVAL` when it is removed.
    pub fn set(&self, settings: MessageQueueSettings) -> Result<(), Errno> {
        let Handle {
            queue, namespace, ..
        } = &*self.handle;
        let limits = &namespace.limits.system_v;
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&queue.state);
            state.check()?;
            if settings.max_bytes > limits.msgmnb {
                return Err(Errno::NotPermitted);
            }
            state.max_bytes = settings.max_bytes;
            state.mode = settings.mode & MODE;
            state.changed_at = namespace.host.clock.unix_seconds();
            let bounds = bounds(limits.msgmax, settings.max_bytes);
            state.messages.set_bounds(bounds);
            state.give_turns(&mut wakes);
        }
        wakes.wake();
        Ok(())
    }

    /// Removes it at once, with its messages; who waits gets `EIDRM`. `IPC_RMID` of `msgctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is removed already.
    pub fn remove(&self) -> Result<(), Errno> {
        let Handle {
            queue, namespace, ..
        } = &*self.handle;
        namespace.message_queues_v.remove(queue.identity.id)?;
        // The messages go now, and their charge, whoever has a handle still.
        let messages = {
            let mut state = lock(&queue.state);
            state.removed = true;
            std::mem::replace(&mut state.messages, Messages::new(bounds(0, 0), None))
        };
        drop(messages);
        queue.wake_all();
        Ok(())
    }
}

impl Waitable for Handle {
    fn poll_wait(
        &self,
        what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let mut wakes = Wakes::default();
        let poll = {
            let mut state = lock(&self.queue.state);
            let state = &mut *state;
            let ended = match (state.removed, self.owner.has_ended()) {
                (true, _) => Some(Errno::Removed),
                (false, true) => Some(Errno::BadDescriptor),
                (false, false) => None,
            };
            let poll = match (ended, what) {
                (Some(errno), _) => {
                    if let Some(ticket) = seat.take() {
                        leave(state, what, ticket);
                    }
                    Poll::Ready(Err(errno))
                }
                (None, What::Space(bytes)) => {
                    let look = Look {
                        is_there: state.fits(bytes, 1),
                        is_spare: state.is_spare(bytes),
                        only_looks: false,
                    };
                    state.senders.poll(seat, bytes, look, cx)
                }
                (None, What::Message(select)) => {
                    let look = Look {
                        is_there: select.find(&state.messages).is_some(),
                        is_spare: state.messages.len() > state.receivers.woken(),
                        only_looks: false,
                    };
                    state.receivers.poll(seat, select, look, cx)
                }
                (None, _) => Poll::Ready(Err(Errno::Invalid)),
            };
            // A turn may have come back unused.
            if !matches!(poll, Poll::Ready(Ok(()))) {
                state.give_turns(&mut wakes);
            }
            poll
        };
        wakes.wake();
        poll
    }

    fn leave(&self, what: What, ticket: Ticket) {
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&self.queue.state);
            leave(&mut state, what, ticket);
            state.give_turns(&mut wakes);
        }
        wakes.wake();
    }
}

fn leave(state: &mut State, what: What, ticket: Ticket) {
    match what {
        What::Space(_) => {
            state.senders.leave(ticket);
        }
        _ => {
            state.receivers.leave(ticket);
        }
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl fmt::Debug for MessageQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageQueue")
            .field("queue", &self.handle.queue.info())
            .finish_non_exhaustive()
    }
}
