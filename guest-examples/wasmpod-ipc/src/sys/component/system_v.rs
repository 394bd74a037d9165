//! System V's objects: the interfaces whose names begin with `system-v`.

use std::time::Duration;

use super::bindings::wasmpod::ipc::{
    system_v_message_queue as queue, system_v_semaphore as set, system_v_shared_memory as segment,
};
use super::memory::Segment;
use super::nanoseconds;
use super::queue::MAX_BATCH_BYTES;
use crate::Error;
use crate::options::{Create, Patience};
use crate::system_v::{
    Message, MessageQueueStatus, Operation, SegmentStatus, Selection, SemaphoreStatus,
};

pub(crate) fn message_queue(key: i32, create: Create) -> Result<i32, Error> {
    let flags = match create {
        Create::Never => queue::GetFlags::empty(),
        Create::IfMissing => queue::GetFlags::CREATE,
        Create::New => queue::GetFlags::CREATE | queue::GetFlags::EXCLUSIVE,
    };
    Ok(queue::get(key, flags)?)
}

/// Whether a call does not wait, and how long at most if it does.
fn waiting(patience: Patience) -> (bool, Option<u64>) {
    match patience {
        Patience::None => (true, None),
        waits => (false, waits.limit().map(nanoseconds)),
    }
}

pub(crate) fn send(
    id: i32,
    message_type: i64,
    data: &[u8],
    patience: Patience,
) -> Result<(), Error> {
    let message = queue::Message {
        message_type,
        data: data.to_vec(),
    };
    let (no_wait, limit) = waiting(patience);
    Ok(queue::send(id, &message, no_wait, limit)?)
}

fn flags(select: Selection, no_wait: bool) -> queue::ReceiveFlags {
    let set = [
        (no_wait, queue::ReceiveFlags::NO_WAIT),
        (select.truncate, queue::ReceiveFlags::TRUNCATE),
        (select.except, queue::ReceiveFlags::EXCEPT),
    ];
    let set = set.iter().filter(|(is_set, _)| *is_set);
    set.fold(queue::ReceiveFlags::empty(), |flags, (_, flag)| {
        flags | *flag
    })
}

pub(crate) fn receive(
    id: i32,
    select: Selection,
    max: usize,
    data: &mut Vec<u8>,
    patience: Patience,
) -> Result<i64, Error> {
    data.clear();
    let (no_wait, limit) = waiting(patience);
    let max = u32::try_from(max).unwrap_or(u32::MAX);
    let flags = flags(select, no_wait);
    let message = queue::receive(id, select.message_type, max, flags, limit)?;
    *data = message.data;
    Ok(message.message_type)
}

/// In one list of bytes: lists of lists cost the host an allocation each.
pub(crate) fn send_many(id: i32, messages: &[Message]) -> Result<usize, Error> {
    let mut batch = Vec::new();
    for Message { message_type, data } in messages {
        let len = u32::try_from(data.len()).map_err(|_| Error::Invalid)?;
        batch.extend_from_slice(&u64::from(len).to_le_bytes());
        batch.extend_from_slice(&message_type.to_le_bytes());
        batch.extend_from_slice(data);
    }
    let sent = queue::send_batch(id, &batch)?;
    usize::try_from(sent).map_err(|_| Error::Invalid)
}

/// The first message of a batch, its type, and the messages after it.
fn split_message(batch: &[u8]) -> Option<(&[u8], i64, &[u8])> {
    let (len, rest) = batch.split_first_chunk()?;
    let (message_type, rest) = rest.split_first_chunk()?;
    // The length is 32 bits, and 32 bits of 0 follow.
    let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
    let (data, rest) = rest.split_at_checked(len)?;
    Some((data, i64::from_le_bytes(*message_type), rest))
}

pub(crate) fn receive_many(
    id: i32,
    select: Selection,
    max: usize,
    messages: &mut [Message],
) -> Result<usize, Error> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (max, most, flags) = (number(max), number(messages.len()), flags(select, false));
    let wanted = select.message_type;
    let batch = queue::receive_batch(id, wanted, max, flags, most, MAX_BATCH_BYTES)?;
    let (mut rest, mut count) = (batch.as_slice(), 0);
    for message in messages {
        let Some((data, message_type, after)) = split_message(rest) else {
            break;
        };
        message.data.clear();
        message.data.extend_from_slice(data);
        message.message_type = message_type;
        (rest, count) = (after, count + 1);
    }
    Ok(count)
}

pub(crate) fn message_queue_status(id: i32) -> Result<MessageQueueStatus, Error> {
    let status = queue::stat(id)?;
    Ok(MessageQueueStatus {
        messages: status.messages.into(),
        max_bytes: status.max_bytes,
        last_sender: status.last_sender,
        last_receiver: status.last_receiver,
    })
}

pub(crate) fn set_max_bytes(id: i32, max_bytes: u64) -> Result<(), Error> {
    Ok(queue::set_max_bytes(id, max_bytes)?)
}

pub(crate) fn remove_message_queue(id: i32) -> Result<(), Error> {
    Ok(queue::remove(id)?)
}

pub(crate) fn semaphore_set(key: i32, count: u16, create: Create) -> Result<i32, Error> {
    let flags = match create {
        Create::Never => set::GetFlags::empty(),
        Create::IfMissing => set::GetFlags::CREATE,
        Create::New => set::GetFlags::CREATE | set::GetFlags::EXCLUSIVE,
    };
    Ok(set::get(key, count.into(), flags)?)
}

pub(crate) fn operate(
    id: i32,
    operations: &[Operation],
    limit: Option<Duration>,
) -> Result<(), Error> {
    let operation = |operation: &Operation| {
        let none = set::OperationFlags::empty();
        let no_wait = set::OperationFlags::NO_WAIT;
        let undo = set::OperationFlags::UNDO;
        let flags = if operation.no_wait { no_wait } else { none }
            | if operation.undo { undo } else { none };
        set::Operation {
            number: operation.number,
            change: operation.change,
            flags,
        }
    };
    let operations: Vec<_> = operations.iter().map(operation).collect();
    Ok(set::operate(id, &operations, limit.map(nanoseconds))?)
}

pub(crate) fn semaphore_status(id: i32, number: u16) -> Result<SemaphoreStatus, Error> {
    let set::Value {
        value,
        last_container,
        waiting_for_more,
        waiting_for_zero,
    } = set::get_value(id, number.into())?;
    Ok(SemaphoreStatus {
        value,
        last_container,
        waiting_for_more,
        waiting_for_zero,
    })
}

pub(crate) fn set_value(id: i32, number: u16, value: u16) -> Result<(), Error> {
    Ok(set::set_value(id, number.into(), value.into())?)
}

pub(crate) fn remove_semaphore_set(id: i32) -> Result<(), Error> {
    Ok(set::remove(id)?)
}

pub(crate) fn segment(key: i32, size: u64, create: Create) -> Result<i32, Error> {
    let flags = match create {
        Create::Never => segment::GetFlags::empty(),
        Create::IfMissing => segment::GetFlags::CREATE,
        Create::New => segment::GetFlags::CREATE | segment::GetFlags::EXCLUSIVE,
    };
    Ok(segment::get(key, size, flags)?)
}

pub(crate) fn attach(id: i32, read_only: bool) -> Result<Segment, Error> {
    Ok(Segment(segment::attach(id, read_only)?))
}

pub(crate) fn segment_status(id: i32) -> Result<SegmentStatus, Error> {
    let segment::Status { size, attached, .. } = segment::stat(id)?;
    Ok(SegmentStatus { size, attached })
}

pub(crate) fn remove_segment(id: i32) -> Result<(), Error> {
    Ok(segment::remove(id)?)
}
