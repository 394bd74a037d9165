//! The interface `wasmpod:ipc/message-queue`: POSIX message queues.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use wasmpod_ipc::{Attributes, Errno, Object, OpenFlags, Queue, Wait};
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::batch::{self, Messages};
use super::wit::message_queue::{self as wit, ErrorCode, Message};
use super::{MANY_BYTES, MANY_MESSAGES, View, count, limit, subscription};
use crate::host::ipc::{open_or_wait, within};

/// Sends as soon as there is space.
async fn send(
    queue: Queue,
    data: Vec<u8>,
    priority: u32,
    limit: Option<Duration>,
) -> Result<(), ErrorCode> {
    retry(&queue, Queue::wait_send, limit, || {
        queue.try_send(&data, priority)
    })
    .await
}

/// Receives as soon as there is a message.
async fn receive(queue: Queue, limit: Option<Duration>) -> Result<Message, ErrorCode> {
    retry(&queue, Queue::wait_receive, limit, || take(&queue)).await
}

fn take(queue: &Queue) -> Result<Message, Errno> {
    queue.try_receive_into(|data, priority| Message {
        data: data.to_vec(),
        priority,
    })
}

/// Tries, and waits and tries again unless the queue is never to be waited for.
async fn retry<T>(
    queue: &Queue,
    ready: fn(&Queue) -> Wait,
    limit: Option<Duration>,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, ErrorCode> {
    let first = attempt();
    if queue.is_nonblocking() || !matches!(first, Err(Errno::Again)) {
        return first.map_err(error_code);
    }
    // The limit is on the whole call, however often another is faster.
    let tried = within(limit, async {
        loop {
            ready(queue).await?;
            match attempt() {
                Err(Errno::Again) => {}
                other => return other,
            }
        }
    });
    tried.await.map_err(error_code)
}

/// A notification that was asked for, and whether it has come.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the bindings export it")]
pub struct Requested {
    state: Arc<Mutex<Request>>,
}

enum Request {
    /// It may come.
    Open(Wait),
    Over,
}

impl Requested {
    fn new(notification: Wait) -> Self {
        let state = Arc::new(Mutex::new(Request::Open(notification)));
        Self { state }
    }

    /// Ready when it has come.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Request::Open(notification) = &mut *state {
            ready!(pin!(notification).poll(cx)).ok();
            *state = Request::Over;
        }
        Poll::Ready(())
    }
}

#[async_trait]
impl Pollable for Requested {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

impl wit::HostNotification for View<'_> {
    fn arrived(&mut self, notification: Resource<Requested>) -> Result<bool> {
        let requested = self.get(&notification)?;
        let mut cx = Context::from_waker(Waker::noop());
        Ok(requested.poll(&mut cx).is_ready())
    }

    async fn wait(
        &mut self,
        notification: Resource<Requested>,
        timeout_ns: Option<u64>,
    ) -> Result<Result<(), ErrorCode>> {
        let requested = self.get(&notification)?;
        let come = async {
            poll_fn(|cx| requested.poll(cx)).await;
            Ok(())
        };
        let come = within(limit(timeout_ns), come).await;
        Ok(come.map_err(error_code))
    }

    fn subscribe(&mut self, notification: Resource<Requested>) -> Result<Resource<DynPollable>> {
        // Another handle of the same request: the guest may drop either first.
        let requested = self.get(&notification)?;
        let requested = self.table.push(requested)?;
        subscribe(self.table, requested)
    }

    fn drop(&mut self, notification: Resource<Requested>) -> Result<()> {
        let requested = self.table.delete(notification)?;
        let mut state = requested
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *state = Request::Over;
        Ok(())
    }
}

impl wit::Host for View<'_> {
    fn unlink(&mut self, name: String) -> Result<Result<(), ErrorCode>> {
        Ok(self.ipc.mq_unlink(&name).map_err(error_code))
    }
}

impl wit::HostQueue for View<'_> {
    async fn open(
        &mut self,
        name: String,
        flags: wit::OpenFlags,
        attributes: Option<wit::Attributes>,
    ) -> Result<Result<Resource<Queue>, ErrorCode>> {
        let attributes = attributes.map(|attributes| Attributes {
            max_messages: attributes.max_messages,
            message_bytes: attributes.message_size,
        });
        let flags = match open_flags(flags) {
            Ok(flags) => flags,
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        let opened = open_or_wait(
            self.ipc,
            || Object::MessageQueue(name.clone()),
            |ipc| ipc.mq_open(&name, flags, attributes),
        );
        match opened.await {
            Ok(queue) => Ok(Ok(self.table.push(queue)?)),
            Err(errno) => Ok(Err(error_code(errno))),
        }
    }

    async fn send(
        &mut self,
        queue: Resource<Queue>,
        data: Vec<u8>,
        priority: u32,
    ) -> Result<Result<(), ErrorCode>> {
        Ok(send(self.get(&queue)?, data, priority, None).await)
    }

    async fn timed_send(
        &mut self,
        queue: Resource<Queue>,
        data: Vec<u8>,
        priority: u32,
        timeout_ns: u64,
    ) -> Result<Result<(), ErrorCode>> {
        let limit = Some(Duration::from_nanos(timeout_ns));
        Ok(send(self.get(&queue)?, data, priority, limit).await)
    }

    async fn receive(&mut self, queue: Resource<Queue>) -> Result<Result<Message, ErrorCode>> {
        Ok(receive(self.get(&queue)?, None).await)
    }

    async fn timed_receive(
        &mut self,
        queue: Resource<Queue>,
        timeout_ns: u64,
    ) -> Result<Result<Message, ErrorCode>> {
        let limit = Some(Duration::from_nanos(timeout_ns));
        Ok(receive(self.get(&queue)?, limit).await)
    }

    async fn send_many(
        &mut self,
        queue: Resource<Queue>,
        messages: Vec<Message>,
    ) -> Result<Result<u32, ErrorCode>> {
        let queue = self.get(&queue)?;
        if messages.is_empty() {
            return Ok(Ok(0));
        }
        let send = || {
            let messages = messages
                .iter()
                .map(|message| (&*message.data, message.priority));
            queue.try_send_many(messages)
        };
        Ok(retry(&queue, Queue::wait_send, None, send).await.map(sent))
    }

    async fn send_batch(
        &mut self,
        queue: Resource<Queue>,
        list: Vec<u8>,
    ) -> Result<Result<u32, ErrorCode>> {
        let queue = self.get(&queue)?;
        let send = || {
            let messages = Messages::<4>::new(&list)?;
            queue.try_send_many(
                messages.map(|(priority, data)| (data, u32::from_le_bytes(priority))),
            )
        };
        Ok(retry(&queue, Queue::wait_send, None, send).await.map(sent))
    }

    async fn receive_many(
        &mut self,
        queue: Resource<Queue>,
        max: u32,
    ) -> Result<Result<Vec<Message>, ErrorCode>> {
        let queue = self.get(&queue)?;
        let max = count(max).min(MANY_MESSAGES);
        if max == 0 {
            return Ok(Ok(Vec::new()));
        }
        let receive = || {
            let (mut messages, mut bytes) = (Vec::new(), 0_usize);
            queue.try_receive_many(max, |data, priority| {
                bytes = bytes.saturating_add(data.len());
                messages.push(Message {
                    data: data.to_vec(),
                    priority,
                });
                until(bytes, MANY_BYTES)
            })?;
            Ok(messages)
        };
        Ok(retry(&queue, Queue::wait_receive, None, receive).await)
    }

    async fn receive_batch(
        &mut self,
        queue: Resource<Queue>,
        max_messages: u32,
        max_bytes: u32,
    ) -> Result<Result<Vec<u8>, ErrorCode>> {
        let queue = self.get(&queue)?;
        let max = count(max_messages).min(MANY_MESSAGES);
        if max == 0 {
            return Ok(Ok(Vec::new()));
        }
        let max_bytes = count(max_bytes).min(MANY_BYTES);
        let receive = || {
            let mut list = Vec::new();
            queue.try_receive_many(max, |data, priority| {
                batch::push(&mut list, priority.to_le_bytes(), data);
                until(list.len(), max_bytes)
            })?;
            Ok(list)
        };
        Ok(retry(&queue, Queue::wait_receive, None, receive).await)
    }

    fn status(&mut self, queue: Resource<Queue>) -> Result<wit::Status> {
        let queue = self.get(&queue)?;
        let Attributes {
            max_messages,
            message_bytes,
        } = queue.attributes();
        Ok(wit::Status {
            max_messages,
            message_size: message_bytes,
            current_messages: queue.current_messages(),
            nonblocking: queue.is_nonblocking(),
        })
    }

    fn set_nonblocking(&mut self, queue: Resource<Queue>, nonblocking: bool) -> Result<()> {
        self.get(&queue)?.set_nonblocking(nonblocking);
        Ok(())
    }

    fn subscribe_receive(&mut self, queue: Resource<Queue>) -> Result<Resource<DynPollable>> {
        let queue = self.get(&queue)?;
        subscription::push(self.table, move || queue.readable())
    }

    fn subscribe_send(&mut self, queue: Resource<Queue>) -> Result<Resource<DynPollable>> {
        let queue = self.get(&queue)?;
        subscription::push(self.table, move || queue.writable())
    }

    fn notify(&mut self, queue: Resource<Queue>) -> Result<Option<Resource<Requested>>> {
        match self.get(&queue)?.notify() {
            Ok(notification) => Ok(Some(self.table.push(Requested::new(notification))?)),
            Err(_) => Ok(None),
        }
    }

    fn drop(&mut self, queue: Resource<Queue>) -> Result<()> {
        self.table.delete(queue)?;
        Ok(())
    }
}

/// How many messages were sent, as the guest is told.
fn sent(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}

/// Whether a call that has `bytes` bytes takes one message more.
pub(super) const fn until(bytes: usize, max: usize) -> ControlFlow<()> {
    if bytes < max {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

fn open_flags(flags: wit::OpenFlags) -> Result<OpenFlags, Errno> {
    let pairs = [
        (wit::OpenFlags::READ, OpenFlags::READ),
        (wit::OpenFlags::WRITE, OpenFlags::WRITE),
        (wit::OpenFlags::CREATE, OpenFlags::CREATE),
        (wit::OpenFlags::EXCLUSIVE, OpenFlags::EXCLUSIVE),
        (wit::OpenFlags::NONBLOCKING, OpenFlags::NONBLOCKING),
    ];
    let set = pairs
        .into_iter()
        .filter(|(theirs, _)| flags.contains(*theirs));
    OpenFlags::from_bits(set.fold(0, |bits, (_, ours)| bits | ours.bits()))
}

const fn error_code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::Access => ErrorCode::Access,
        Errno::Again => ErrorCode::WouldBlock,
        Errno::BadDescriptor => ErrorCode::BadDescriptor,
        Errno::Exist => ErrorCode::AlreadyExists,
        Errno::TooManyOpen => ErrorCode::TooManyOpen,
        Errno::MessageTooLong => ErrorCode::MessageTooLong,
        Errno::NameTooLong => ErrorCode::NameTooLong,
        Errno::NoEntry => ErrorCode::NoEntry,
        Errno::NoMemory => ErrorCode::NoMemory,
        Errno::NoSpace => ErrorCode::NoSpace,
        Errno::TimedOut => ErrorCode::TimedOut,
        // EINVAL, and what later versions of POSIX queues may add.
        _ => ErrorCode::Invalid,
    }
}
