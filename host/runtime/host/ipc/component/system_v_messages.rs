//! The interface `wasmpod:ipc/system-v-message-queue`.

use std::time::Duration;

use wasmpod_ipc::sysv::Select;
use wasmpod_ipc::sysv::message_queue::MessageQueue;
use wasmpod_ipc::{Errno, Object};
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::DynPollable;

use super::batch::{self, Messages};
use super::message_queue::until;
use super::wit::system_v_message_queue as wit;
use super::{
    ErrorCode, MANY_BYTES, MANY_MESSAGES, View, count, error_code, get_flags_of, limit,
    subscription,
};
use crate::host::ipc::core::set_max_bytes;
use crate::host::ipc::{open_or_wait, within};

/// What a call of a guest gives, inside of what stops the guest.
type Answer<T> = Result<Result<T, ErrorCode>>;

/// How messages are chosen and taken.
#[derive(Clone, Copy)]
struct How {
    select: Select,
    max_length: usize,
    no_error: bool,
    no_wait: bool,
}

impl How {
    fn new(kind: i64, max_length: u32, flags: wit::ReceiveFlags) -> Self {
        Self {
            select: Select::new(kind, flags.contains(wit::ReceiveFlags::EXCEPT)),
            max_length: count(max_length),
            no_error: flags.contains(wit::ReceiveFlags::TRUNCATE),
            no_wait: flags.contains(wit::ReceiveFlags::NO_WAIT),
        }
    }
}

/// Sends what `attempt` sends, which is of `bytes` bytes at first.
async fn send<T>(
    queue: &MessageQueue,
    bytes: usize,
    no_wait: bool,
    limit: Option<Duration>,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, ErrorCode> {
    let first = attempt();
    if no_wait || !matches!(first, Err(Errno::Again)) {
        return first.map_err(error_code);
    }
    let sent = within(limit, async {
        loop {
            queue.wait_send(bytes).await?;
            match attempt() {
                Err(Errno::Again) => {}
                other => return other,
            }
        }
    });
    sent.await.map_err(error_code)
}

/// Receives what `attempt` receives.
async fn receive<T>(
    queue: &MessageQueue,
    how: How,
    limit: Option<Duration>,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, ErrorCode> {
    let first = attempt();
    if how.no_wait || !matches!(first, Err(Errno::NoMessage)) {
        return first.map_err(error_code);
    }
    let received = within(limit, async {
        loop {
            queue.wait_receive(how.select).await?;
            match attempt() {
                Err(Errno::NoMessage) => {}
                other => return other,
            }
        }
    });
    received.await.map_err(error_code)
}

fn message(data: &[u8], kind: i64) -> wit::Message {
    wit::Message {
        message_type: kind,
        data: data.to_vec(),
    }
}

/// How many messages were sent, as the guest is told.
fn sent(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}

/// The queue with this identifier, or the answer that there is none.
macro_rules! queue {
    ($view:expr, $id:expr) => {
        match $view.ipc.msg_queue($id) {
            Ok(queue) => queue,
            Err(errno) => return Ok(Err(error_code(errno))),
        }
    };
}

impl wit::Host for View<'_> {
    async fn get(&mut self, key: i32, flags: wit::GetFlags) -> Answer<i32> {
        let create = flags.contains(wit::GetFlags::CREATE);
        let flags = match get_flags_of(create, flags.contains(wit::GetFlags::EXCLUSIVE)) {
            Ok(flags) => flags,
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        let id = open_or_wait(
            self.ipc,
            || Object::SystemVMessageQueue(key),
            |ipc| ipc.msg_get(key, flags),
        );
        Ok(id.await.map_err(error_code))
    }

    async fn send(
        &mut self,
        id: i32,
        message: wit::Message,
        no_wait: bool,
        timeout_ns: Option<u64>,
    ) -> Answer<()> {
        let queue = queue!(self, id);
        let wit::Message { message_type, data } = &message;
        let attempt = || queue.try_send(*message_type, data);
        Ok(send(&queue, data.len(), no_wait, limit(timeout_ns), attempt).await)
    }

    async fn receive(
        &mut self,
        id: i32,
        kind: i64,
        max_length: u32,
        flags: wit::ReceiveFlags,
        timeout_ns: Option<u64>,
    ) -> Answer<wit::Message> {
        let queue = queue!(self, id);
        let how = How::new(kind, max_length, flags);
        let attempt = || queue.try_receive(how.select, how.max_length, how.no_error, message);
        Ok(receive(&queue, how, limit(timeout_ns), attempt).await)
    }

    async fn send_many(&mut self, id: i32, messages: Vec<wit::Message>) -> Answer<u32> {
        let queue = queue!(self, id);
        let Some(first) = messages.first() else {
            return Ok(Ok(0));
        };
        let attempt = || {
            let all = messages.iter();
            queue.try_send_many(all.map(|message| (message.message_type, &*message.data)))
        };
        Ok(send(&queue, first.data.len(), false, None, attempt)
            .await
            .map(sent))
    }

    async fn receive_many(
        &mut self,
        id: i32,
        kind: i64,
        max_length: u32,
        flags: wit::ReceiveFlags,
        max: u32,
    ) -> Answer<Vec<wit::Message>> {
        let queue = queue!(self, id);
        let how = How::new(kind, max_length, flags);
        let max = count(max).min(MANY_MESSAGES);
        if max == 0 {
            return Ok(Ok(Vec::new()));
        }
        let attempt = || {
            let (mut messages, mut bytes) = (Vec::new(), 0_usize);
            queue.try_receive_many(
                how.select,
                how.max_length,
                how.no_error,
                max,
                |data, kind| {
                    bytes = bytes.saturating_add(data.len());
                    messages.push(message(data, kind));
                    until(bytes, MANY_BYTES)
                },
            )?;
            Ok(messages)
        };
        Ok(receive(&queue, how, None, attempt).await)
    }

    async fn send_batch(&mut self, id: i32, list: Vec<u8>) -> Answer<u32> {
        let queue = queue!(self, id);
        let first = Messages::<12>::new(&list)
            .ok()
            .and_then(|mut all| all.next());
        let bytes = first.map_or(0, |(_, data)| data.len());
        let attempt = || {
            let messages = Messages::<12>::new(&list)?;
            queue.try_send_many(
                messages.map(|([_, _, _, _, kind @ ..], data)| (i64::from_le_bytes(kind), data)),
            )
        };
        Ok(send(&queue, bytes, false, None, attempt).await.map(sent))
    }

    async fn receive_batch(
        &mut self,
        id: i32,
        kind: i64,
        max_length: u32,
        flags: wit::ReceiveFlags,
        max_messages: u32,
        max_bytes: u32,
    ) -> Answer<Vec<u8>> {
        let queue = queue!(self, id);
        let how = How::new(kind, max_length, flags);
        let max = count(max_messages).min(MANY_MESSAGES);
        if max == 0 {
            return Ok(Ok(Vec::new()));
        }
        let max_bytes = count(max_bytes).min(MANY_BYTES);
        let attempt = || {
            let mut list = Vec::new();
            queue.try_receive_many(
                how.select,
                how.max_length,
                how.no_error,
                max,
                |data, kind| {
                    let mut extra = [0; 12];
                    if let Some(place) = extra.last_chunk_mut() {
                        *place = kind.to_le_bytes();
                    }
                    batch::push(&mut list, extra, data);
                    until(list.len(), max_bytes)
                },
            )?;
            Ok(list)
        };
        Ok(receive(&queue, how, None, attempt).await)
    }

    fn stat(&mut self, id: i32) -> Answer<wit::Status> {
        let stat = self.ipc.msg_queue(id).and_then(|queue| queue.stat());
        Ok(stat.map_err(error_code).map(|info| wit::Status {
            key: info.key,
            messages: info.messages,
            bytes: info.bytes,
            max_bytes: info.max_bytes.into(),
            last_sender: info.last_sender_pid.cast_unsigned(),
            last_receiver: info.last_receiver_pid.cast_unsigned(),
            send_time: info.sent_at,
            receive_time: info.received_at,
            change_time: info.changed_at,
        }))
    }

    fn set_max_bytes(&mut self, id: i32, max_bytes: u64) -> Answer<()> {
        let queue = self.ipc.msg_queue(id);
        let set = queue.and_then(|queue| set_max_bytes(&queue, max_bytes));
        Ok(set.map_err(error_code))
    }

    fn remove(&mut self, id: i32) -> Answer<()> {
        let removed = self.ipc.msg_queue(id).and_then(|queue| queue.remove());
        Ok(removed.map_err(error_code))
    }

    fn subscribe_receive(
        &mut self,
        id: i32,
        kind: i64,
        flags: wit::ReceiveFlags,
    ) -> Answer<Resource<DynPollable>> {
        let queue = queue!(self, id);
        let select = Select::new(kind, flags.contains(wit::ReceiveFlags::EXCEPT));
        subscription::push(self.table, move || queue.wait_receive(select)).map(Ok)
    }
}
