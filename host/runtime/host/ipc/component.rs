//! The interface `wasmpod:ipc/message-queue` for components, as wit/wasmpod-ipc describes it.

use std::sync::Arc;
use std::time::Duration;

use wasmpod_ipc::{Attributes, ContainerIpc, Errno, OpenFlags, Queue};
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::{Readiness, wait};
use crate::host::ComponentState;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/wasmpod-ipc",
        world: "message-queues",
        imports: {
            "wasmpod:ipc/message-queue.[method]queue.send": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.timed-send": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.receive": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.timed-receive": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.send-many": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.receive-many": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:io/poll": wasmtime_wasi_io::bindings::wasi::io::poll,
            "wasmpod:ipc/message-queue.queue": wasmpod_ipc::Queue,
        },
        require_store_data_send: true,
    });
}

use bindings::wasmpod::ipc::message_queue::{self as wit, ErrorCode, Message};

/// Bytes of messages after which `receive-many` returns what it has: it bounds what one call makes the host copy.
const RECEIVE_MANY_BYTES: usize = 1 << 20;

/// Messages after which `receive-many` returns, for the same reason.
const RECEIVE_MANY_MESSAGES: usize = 4096;

struct HasIpc;

impl HasData for HasIpc {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    table: &'a mut ResourceTable,
    ipc: &'a Arc<ContainerIpc>,
}

/// Defines the interface.
///
/// # Errors
/// A bug of this host: it is defined twice.
pub(in crate::host) fn link(linker: &mut Linker<ComponentState>) -> Result<()> {
    wit::add_to_linker::<_, HasIpc>(linker, |state| {
        let (table, ipc) = state.table_and_ipc();
        View { table, ipc }
    })
}

impl View<'_> {
    /// The queue of a handle. A clone is the same open queue, and may be waited for while the table is in use.
    fn queue(&self, queue: &Resource<Queue>) -> Result<Queue> {
        Ok(self.table.get(queue)?.clone())
    }

    fn subscribe(
        &mut self,
        queue: &Resource<Queue>,
        what: Readiness,
    ) -> Result<Resource<DynPollable>> {
        let subscription = Subscription(self.queue(queue)?, what);
        let subscription = self.table.push(subscription)?;
        subscribe(self.table, subscription)
    }
}

/// Sends as soon as there is space.
async fn send(
    queue: Queue,
    data: Vec<u8>,
    priority: u32,
    limit: Option<Duration>,
) -> Result<(), ErrorCode> {
    retry(&queue, Readiness::Send, limit, || {
        queue.try_send(&data, priority)
    })
    .await
}

/// Receives as soon as there is a message.
async fn receive(queue: Queue, limit: Option<Duration>) -> Result<Message, ErrorCode> {
    retry(&queue, Readiness::Receive, limit, || take(&queue)).await
}

fn take(queue: &Queue) -> Result<Message, Errno> {
    queue.try_receive_into(|data, priority| Message {
        data: data.to_vec(),
        priority,
    })
}

async fn retry<T>(
    queue: &Queue,
    what: Readiness,
    limit: Option<Duration>,
    attempt: impl Fn() -> Result<T, Errno>,
) -> Result<T, ErrorCode> {
    // The limit is on the whole call, however often another is faster.
    let until = limit.map(|limit| (tokio::time::Instant::now(), limit));
    loop {
        match attempt() {
            Err(Errno::Again) if !queue.is_nonblocking() => {}
            other => return other.map_err(error_code),
        }
        let left = until.map(|(start, limit)| limit.saturating_sub(start.elapsed()));
        if !wait(queue, what, left).await {
            return Err(ErrorCode::TimedOut);
        }
    }
}

/// What `subscribe-receive` and `subscribe-send` hand out.
struct Subscription(Queue, Readiness);

#[async_trait]
impl Pollable for Subscription {
    async fn ready(&mut self) {
        wait(&self.0, self.1, None).await;
    }
}

impl wit::HostNotification for View<'_> {
    fn arrived(&mut self, _: Resource<wit::Notification>) -> Result<bool> {
        Ok(false)
    }

    fn subscribe(&mut self, _: Resource<wit::Notification>) -> Result<Resource<DynPollable>> {
        Err(wasmtime::Error::msg("no such notification"))
    }

    fn drop(&mut self, _: Resource<wit::Notification>) -> Result<()> {
        Ok(())
    }
}

impl wit::Host for View<'_> {
    fn unlink(&mut self, name: String) -> Result<Result<(), ErrorCode>> {
        Ok(self.ipc.mq_unlink(&name).map_err(error_code))
    }
}

impl wit::HostQueue for View<'_> {
    fn open(
        &mut self,
        name: String,
        flags: wit::OpenFlags,
        attributes: Option<wit::Attributes>,
    ) -> Result<Result<Resource<Queue>, ErrorCode>> {
        let attributes = attributes.map(
            |wit::Attributes {
                 max_messages,
                 message_size,
             }| {
                Attributes {
                    max_messages,
                    message_bytes: message_size,
                }
            },
        );
        match open_flags(flags).and_then(|flags| self.ipc.mq_open(&name, flags, attributes)) {
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
        Ok(send(self.queue(&queue)?, data, priority, None).await)
    }

    async fn timed_send(
        &mut self,
        queue: Resource<Queue>,
        data: Vec<u8>,
        priority: u32,
        timeout_ns: u64,
    ) -> Result<Result<(), ErrorCode>> {
        let limit = Some(Duration::from_nanos(timeout_ns));
        Ok(send(self.queue(&queue)?, data, priority, limit).await)
    }

    async fn receive(&mut self, queue: Resource<Queue>) -> Result<Result<Message, ErrorCode>> {
        Ok(receive(self.queue(&queue)?, None).await)
    }

    async fn timed_receive(
        &mut self,
        queue: Resource<Queue>,
        timeout_ns: u64,
    ) -> Result<Result<Message, ErrorCode>> {
        let limit = Some(Duration::from_nanos(timeout_ns));
        Ok(receive(self.queue(&queue)?, limit).await)
    }

    async fn send_many(
        &mut self,
        queue: Resource<Queue>,
        messages: Vec<Message>,
    ) -> Result<Result<u32, ErrorCode>> {
        let queue = self.queue(&queue)?;
        let mut sent = 0;
        for Message { data, priority } in &messages {
            let attempt = || queue.try_send(data, *priority);
            let result = if sent == 0 {
                retry(&queue, Readiness::Send, None, attempt).await
            } else {
                attempt().map_err(error_code)
            };
            match result {
                Ok(()) => sent += 1,
                Err(error) if sent == 0 => return Ok(Err(error)),
                Err(_) => break,
            }
        }
        Ok(Ok(sent))
    }

    async fn receive_many(
        &mut self,
        queue: Resource<Queue>,
        max: u32,
    ) -> Result<Result<Vec<Message>, ErrorCode>> {
        if max == 0 {
            return Ok(Ok(Vec::new()));
        }
        let queue = self.queue(&queue)?;
        let first = match retry(&queue, Readiness::Receive, None, || take(&queue)).await {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        let max = usize::try_from(max)
            .unwrap_or(usize::MAX)
            .min(RECEIVE_MANY_MESSAGES);
        let mut bytes = first.data.len();
        let mut messages = vec![first];
        while messages.len() < max && bytes < RECEIVE_MANY_BYTES {
            let Ok(message) = take(&queue) else { break };
            bytes = bytes.saturating_add(message.data.len());
            messages.push(message);
        }
        Ok(Ok(messages))
    }

    fn status(&mut self, queue: Resource<Queue>) -> Result<wit::Status> {
        let queue = self.queue(&queue)?;
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
        self.queue(&queue)?.set_nonblocking(nonblocking);
        Ok(())
    }

    fn subscribe_receive(&mut self, queue: Resource<Queue>) -> Result<Resource<DynPollable>> {
        self.subscribe(&queue, Readiness::Receive)
    }

    fn subscribe_send(&mut self, queue: Resource<Queue>) -> Result<Resource<DynPollable>> {
        self.subscribe(&queue, Readiness::Send)
    }

    fn notify(&mut self, _queue: Resource<Queue>) -> Result<Option<Resource<wit::Notification>>> {
        Ok(None)
    }

    fn drop(&mut self, queue: Resource<Queue>) -> Result<()> {
        self.table.delete(queue)?;
        Ok(())
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
