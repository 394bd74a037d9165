//! System V's objects: the interfaces whose names begin with `system-v`.

use super::bindings::wasmpod::ipc::{
    system_v_message_queue as queue, system_v_semaphore as set, system_v_shared_memory as segment,
};
use super::memory::Segment;
use crate::Error;
use crate::options::Create;
use crate::system_v::{MessageQueueStatus, Operation, SegmentStatus, Selection, SemaphoreStatus};

pub(crate) fn message_queue(key: i32, create: Create) -> Result<i32, Error> {
    let flags = match create {
        Create::Never => queue::GetFlags::empty(),
        Create::IfMissing => queue::GetFlags::CREATE,
        Create::New => queue::GetFlags::CREATE | queue::GetFlags::EXCLUSIVE,
    };
    Ok(queue::get(key, flags)?)
}

pub(crate) fn send(id: i32, message_type: i64, data: &[u8], wait: bool) -> Result<(), Error> {
    let message = queue::Message {
        message_type,
        data: data.to_vec(),
    };
    Ok(queue::send(id, &message, !wait, None)?)
}

pub(crate) fn receive(
    id: i32,
    select: Selection,
    max: usize,
    data: &mut Vec<u8>,
    wait: bool,
) -> Result<i64, Error> {
    data.clear();
    let set = [
        (!wait, queue::ReceiveFlags::NO_WAIT),
        (select.truncate, queue::ReceiveFlags::TRUNCATE),
        (select.except, queue::ReceiveFlags::EXCEPT),
    ];
    let set = set.iter().filter(|(is_set, _)| *is_set);
    let flags = set.fold(queue::ReceiveFlags::empty(), |flags, (_, flag)| {
        flags | *flag
    });
    let max = u32::try_from(max).unwrap_or(u32::MAX);
    let message = queue::receive(id, select.message_type, max, flags, None)?;
    *data = message.data;
    Ok(message.message_type)
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

pub(crate) fn operate(id: i32, operations: &[Operation]) -> Result<(), Error> {
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
    Ok(set::operate(id, &operations, None)?)
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
