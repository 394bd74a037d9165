//! System V's objects: the imports whose names begin with `msg_`, `semset_` and `shmseg_`.

#![expect(
    unsafe_code,
    reason = "imports are foreign functions that read and write this module's memory"
)]

use std::time::Duration;

use super::memory::Segment;
use super::{WRITE, check, create_flags, nanoseconds};
use crate::Error;
use crate::options::{Create, Patience};
use crate::system_v::{
    Message, MessageQueueStatus, Operation, SegmentStatus, Selection, SemaphoreStatus,
};

mod imports {
    use super::{Entry, RawOperation, RawQueueStatus, RawSegmentStatus, Received};

    #[link(wasm_import_module = "wasmpod_ipc")]
    unsafe extern "C" {
        pub(super) fn msg_get(key: i32, flags: u32, out: *mut i32) -> i32;
        pub(super) fn msg_try_send(id: i32, message_type: i64, data: *const u8, len: usize) -> i32;
        pub(super) fn msg_send(
            id: i32,
            message_type: i64,
            data: *const u8,
            len: usize,
            timeout_ns: i64,
        ) -> i32;
        pub(super) fn msg_try_receive(
            id: i32,
            buf: *mut u8,
            len: usize,
            message_type: i64,
            flags: u32,
            out: *mut Received,
        ) -> i32;
        pub(super) fn msg_receive(
            id: i32,
            buf: *mut u8,
            len: usize,
            message_type: i64,
            flags: u32,
            out: *mut Received,
            timeout_ns: i64,
        ) -> i32;
        pub(super) fn msg_try_send_many(
            id: i32,
            entries: *const Entry,
            count: usize,
            out: *mut u32,
        ) -> i32;
        pub(super) fn msg_try_receive_many(
            id: i32,
            entries: *mut Entry,
            count: usize,
            message_type: i64,
            flags: u32,
            out: *mut u32,
        ) -> i32;
        pub(super) fn msg_stat(id: i32, out: *mut RawQueueStatus) -> i32;
        pub(super) safe fn msg_set(id: i32, max_bytes: i64) -> i32;
        pub(super) safe fn msg_remove(id: i32) -> i32;

        pub(super) fn semset_get(key: i32, count: u32, flags: u32, out: *mut i32) -> i32;
        pub(super) fn semset_try_operate(
            id: i32,
            operations: *const RawOperation,
            count: usize,
        ) -> i32;
        pub(super) fn semset_operate(
            id: i32,
            operations: *const RawOperation,
            count: usize,
            timeout_ns: i64,
        ) -> i32;
        pub(super) fn semset_get_value(id: i32, number: u32, out: *mut [u32; 4]) -> i32;
        pub(super) safe fn semset_set_value(id: i32, number: u32, value: u32) -> i32;
        pub(super) safe fn semset_remove(id: i32) -> i32;

        pub(super) fn shmseg_get(key: i32, size: i64, flags: u32, out: *mut i32) -> i32;
        pub(super) fn shmseg_attach(id: i32, flags: u32, out: *mut u32) -> i32;
        pub(super) fn shmseg_stat(id: i32, out: *mut RawSegmentStatus) -> i32;
        pub(super) safe fn shmseg_remove(id: i32) -> i32;
    }
}

/// One message of a batch, as the host reads and writes it.
#[repr(C)]
struct Entry {
    data: *mut u8,
    len: usize,
    message_type: i64,
}

#[derive(Default)]
#[repr(C)]
struct Received {
    len: u32,
    nothing: u32,
    message_type: i64,
}

#[derive(Default)]
#[repr(C)]
struct RawQueueStatus {
    key: i32,
    messages: u32,
    bytes: u64,
    max_bytes: u64,
    last_sender: u32,
    last_receiver: u32,
    times: [u64; 3],
}

#[derive(Default)]
#[repr(C)]
struct RawSegmentStatus {
    key: i32,
    attached: u32,
    size: u64,
    creator: u32,
    last_container: u32,
    times: [u64; 3],
    is_removed: u32,
    nothing: u32,
}

#[repr(C)]
struct RawOperation {
    number: u16,
    change: i16,
    flags: i16,
}

const MSG_NOERROR: u32 = 1;
const MSG_EXCEPT: u32 = 2;
const IPC_NOWAIT: i16 = 0x800;
const SEM_UNDO: i16 = 0x1000;

/// Operations of one call that need no allocation; as many as Linux takes at once without one.
const FEW: usize = 8;

pub(crate) fn message_queue(key: i32, create: Create) -> Result<i32, Error> {
    let mut id = 0;
    // SAFETY: the host writes one i32 to `id`.
    check(unsafe { imports::msg_get(key, create_flags(create), &raw mut id) })?;
    Ok(id)
}

pub(crate) fn send(
    id: i32,
    message_type: i64,
    data: &[u8],
    patience: Patience,
) -> Result<(), Error> {
    let (bytes, len) = (data.as_ptr(), data.len());
    // SAFETY: the data are readable for their length.
    match check(unsafe { imports::msg_try_send(id, message_type, bytes, len) }) {
        Err(Error::WouldBlock) if patience != Patience::None => {
            let limit = nanoseconds(patience.limit());
            // SAFETY: as before.
            check(unsafe { imports::msg_send(id, message_type, bytes, len, limit) })
        }
        answer => answer,
    }
}

fn flags(select: Selection) -> u32 {
    let truncate = if select.truncate { MSG_NOERROR } else { 0 };
    let except = if select.except { MSG_EXCEPT } else { 0 };
    truncate | except
}

pub(crate) fn receive(
    id: i32,
    select: Selection,
    max: usize,
    data: &mut Vec<u8>,
    patience: Patience,
) -> Result<i64, Error> {
    data.clear();
    data.reserve(max);
    let (buf, wanted, flags) = (data.as_mut_ptr(), select.message_type, flags(select));
    let mut out = Received::default();
    // SAFETY: the buffer has room for `max` bytes, and the host writes a message's length and type to `out`.
    match check(unsafe { imports::msg_try_receive(id, buf, max, wanted, flags, &raw mut out) }) {
        Err(Error::NoMessage) if patience != Patience::None => {
            let limit = nanoseconds(patience.limit());
            // SAFETY: as before.
            check(unsafe {
                imports::msg_receive(id, buf, max, wanted, flags, &raw mut out, limit)
            })?;
        }
        answer => answer?,
    }
    let len = usize::try_from(out.len).unwrap_or(0).min(max);
    // SAFETY: the host has written the message, `len` bytes that the buffer has room for.
    unsafe { data.set_len(len) };
    Ok(out.message_type)
}

/// What cannot be sent with others is sent alone, after waiting for space.
pub(crate) fn send_many(id: i32, messages: &[Message]) -> Result<usize, Error> {
    let entry = |message: &Message| Entry {
        data: message.data.as_ptr().cast_mut(),
        len: message.data.len(),
        message_type: message.message_type,
    };
    let entries: Vec<Entry> = messages.iter().map(entry).collect();
    let mut sent = 0;
    // SAFETY: each entry names bytes that are readable, and the host writes one u32 to `sent`.
    let answer = check(unsafe {
        imports::msg_try_send_many(id, entries.as_ptr(), entries.len(), &raw mut sent)
    });
    match (answer, messages.first()) {
        (Err(Error::WouldBlock), Some(Message { message_type, data })) => {
            send(id, *message_type, data, Patience::Endless).map(|()| 1)
        }
        (answer, _) => answer.and(usize::try_from(sent).map_err(|_| Error::Invalid)),
    }
}

/// When there is no message yet, the one that was waited for comes alone.
pub(crate) fn receive_many(
    id: i32,
    select: Selection,
    max: usize,
    messages: &mut [Message],
) -> Result<usize, Error> {
    let entry = |message: &mut Message| {
        message.data.clear();
        message.data.reserve(max);
        Entry {
            data: message.data.as_mut_ptr(),
            len: max,
            message_type: 0,
        }
    };
    let mut entries: Vec<Entry> = messages.iter_mut().map(entry).collect();
    let (start, count, wanted) = (entries.as_mut_ptr(), entries.len(), select.message_type);
    let mut received = 0;
    // SAFETY: each entry names a buffer that is writable, and the host writes one u32 to `received`.
    let answer = check(unsafe {
        imports::msg_try_receive_many(id, start, count, wanted, flags(select), &raw mut received)
    });
    if let (Err(Error::NoMessage), Some(first)) = (answer, messages.first_mut()) {
        first.message_type = receive(id, select, max, &mut first.data, Patience::Endless)?;
        return Ok(1);
    }
    answer?;
    let received = usize::try_from(received).map_err(|_| Error::Invalid)?;
    for (message, entry) in messages.iter_mut().zip(&entries).take(received) {
        // SAFETY: the host has written the message, `len` bytes that the buffer has room for.
        unsafe { message.data.set_len(entry.len.min(max)) };
        message.message_type = entry.message_type;
    }
    Ok(received)
}

pub(crate) fn message_queue_status(id: i32) -> Result<MessageQueueStatus, Error> {
    let mut out = RawQueueStatus::default();
    // SAFETY: the host writes a status to `out`.
    check(unsafe { imports::msg_stat(id, &raw mut out) })?;
    let RawQueueStatus {
        messages,
        max_bytes,
        last_sender,
        last_receiver,
        ..
    } = out;
    Ok(MessageQueueStatus {
        messages: messages.into(),
        max_bytes,
        last_sender,
        last_receiver,
    })
}

pub(crate) fn set_max_bytes(id: i32, max_bytes: u64) -> Result<(), Error> {
    check(imports::msg_set(
        id,
        i64::try_from(max_bytes).unwrap_or(i64::MAX),
    ))
}

pub(crate) fn remove_message_queue(id: i32) -> Result<(), Error> {
    check(imports::msg_remove(id))
}

pub(crate) fn semaphore_set(key: i32, count: u16, create: Create) -> Result<i32, Error> {
    let mut id = 0;
    // SAFETY: the host writes one i32 to `id`.
    check(unsafe { imports::semset_get(key, count.into(), create_flags(create), &raw mut id) })?;
    Ok(id)
}

pub(crate) fn operate(
    id: i32,
    operations: &[Operation],
    limit: Option<Duration>,
) -> Result<(), Error> {
    let raw = |operation: &Operation| RawOperation {
        number: operation.number,
        change: operation.change,
        flags: if operation.no_wait { IPC_NOWAIT } else { 0 }
            | if operation.undo { SEM_UNDO } else { 0 },
    };
    let mut few = [const {
        RawOperation {
            number: 0,
            change: 0,
            flags: 0,
        }
    }; FEW];
    let many: Vec<RawOperation>;
    let operations = match few.get_mut(..operations.len()) {
        Some(few) => {
            few.iter_mut()
                .zip(operations)
                .for_each(|(place, operation)| *place = raw(operation));
            &*few
        }
        None => {
            many = operations.iter().map(raw).collect();
            many.as_slice()
        }
    };
    let (start, count) = (operations.as_ptr(), operations.len());
    // SAFETY: the operations are readable.
    match check(unsafe { imports::semset_try_operate(id, start, count) }) {
        // SAFETY: as before.
        Err(Error::WouldBlock) => {
            check(unsafe { imports::semset_operate(id, start, count, nanoseconds(limit)) })
        }
        answer => answer,
    }
}

pub(crate) fn semaphore_status(id: i32, number: u16) -> Result<SemaphoreStatus, Error> {
    let mut out = [0; 4];
    // SAFETY: the host writes four u32 to `out`.
    check(unsafe { imports::semset_get_value(id, number.into(), &raw mut out) })?;
    let [value, last_container, waiting_for_more, waiting_for_zero] = out;
    Ok(SemaphoreStatus {
        value,
        last_container,
        waiting_for_more,
        waiting_for_zero,
    })
}

pub(crate) fn set_value(id: i32, number: u16, value: u16) -> Result<(), Error> {
    check(imports::semset_set_value(id, number.into(), value.into()))
}

pub(crate) fn remove_semaphore_set(id: i32) -> Result<(), Error> {
    check(imports::semset_remove(id))
}

pub(crate) fn segment(key: i32, size: u64, create: Create) -> Result<i32, Error> {
    let (size, mut id) = (i64::try_from(size).map_err(|_| Error::Invalid)?, 0);
    // SAFETY: the host writes one i32 to `id`.
    check(unsafe { imports::shmseg_get(key, size, create_flags(create), &raw mut id) })?;
    Ok(id)
}

pub(crate) fn attach(id: i32, read_only: bool) -> Result<Segment, Error> {
    let mut fd = 0;
    // SAFETY: the host writes one u32 to `fd`.
    check(unsafe { imports::shmseg_attach(id, if read_only { 0 } else { WRITE }, &raw mut fd) })?;
    Ok(Segment::of(fd))
}

pub(crate) fn segment_status(id: i32) -> Result<SegmentStatus, Error> {
    let mut out = RawSegmentStatus::default();
    // SAFETY: the host writes a status to `out`.
    check(unsafe { imports::shmseg_stat(id, &raw mut out) })?;
    let RawSegmentStatus { attached, size, .. } = out;
    Ok(SegmentStatus { size, attached })
}

pub(crate) fn remove_segment(id: i32) -> Result<(), Error> {
    check(imports::shmseg_remove(id))
}
