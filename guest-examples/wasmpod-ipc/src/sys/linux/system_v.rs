//! System V's objects: `sysvipc(7)`.

#![expect(unsafe_code, reason = "calls of the C library")]

use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use super::memory::Segment;
use super::{check, last_error, number, timespec};
use crate::Error;
use crate::options::{Create, Patience};
use crate::system_v::{
    Message, MessageQueueStatus, Operation, SegmentStatus, Selection, SemaphoreStatus,
};

fn flags(create: Create) -> libc::c_int {
    0o600
        | match create {
            Create::Never => 0,
            Create::IfMissing => libc::IPC_CREAT,
            Create::New => libc::IPC_CREAT | libc::IPC_EXCL,
        }
}

/// An identifier, or below zero an error.
fn identifier(answer: libc::c_int) -> Result<i32, Error> {
    check(answer)?;
    Ok(answer)
}

pub(crate) fn message_queue(key: i32, create: Create) -> Result<i32, Error> {
    // SAFETY: no memory is involved.
    identifier(unsafe { libc::msgget(key, flags(create)) })
}

/// A message in memory: its type, then its bytes. The kernel wants them together.
fn with_type(message_type: i64, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(size_of::<i64>() + data.len());
    message.extend_from_slice(&message_type.to_ne_bytes());
    message.extend_from_slice(data);
    message
}

/// Between two tries of a call that the kernel has without a time.
const PAUSE: Duration = Duration::from_millis(1);

/// Tries until it works, fails otherwise, or the time is over.
fn until<T>(
    limit: Duration,
    not_yet: Error,
    mut attempt: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if error == not_yet && start.elapsed() < limit => thread::sleep(PAUSE),
            Err(error) if error == not_yet => return Err(Error::TimedOut),
            answer => return answer,
        }
    }
}

pub(crate) fn send(
    id: i32,
    message_type: i64,
    data: &[u8],
    patience: Patience,
) -> Result<(), Error> {
    let flags = match patience {
        Patience::Endless => 0,
        Patience::None => libc::IPC_NOWAIT,
        Patience::Until(limit) => {
            return until(limit, Error::WouldBlock, || {
                send(id, message_type, data, Patience::None)
            });
        }
    };
    let message = with_type(message_type, data);
    // SAFETY: the message is a type and as many bytes as is said.
    check(unsafe { libc::msgsnd(id, message.as_ptr().cast(), data.len(), flags) })
}

/// The kernel has no such call: one after the other, until one would wait.
pub(crate) fn send_many(id: i32, messages: &[Message]) -> Result<usize, Error> {
    let mut patience = Patience::Endless;
    for (sent, Message { message_type, data }) in messages.iter().enumerate() {
        match send(id, *message_type, data, patience) {
            Err(error) if sent == 0 => return Err(error),
            Err(_) => return Ok(sent),
            Ok(()) => patience = Patience::None,
        }
    }
    Ok(messages.len())
}

/// The same.
pub(crate) fn receive_many(
    id: i32,
    select: Selection,
    max: usize,
    messages: &mut [Message],
) -> Result<usize, Error> {
    let mut patience = Patience::Endless;
    let most = messages.len();
    for (received, message) in messages.iter_mut().enumerate() {
        match receive(id, select, max, &mut message.data, patience) {
            Err(error) if received == 0 => return Err(error),
            Err(_) => return Ok(received),
            Ok(message_type) => message.message_type = message_type,
        }
        patience = Patience::None;
    }
    Ok(most)
}

pub(crate) fn receive(
    id: i32,
    select: Selection,
    max: usize,
    data: &mut Vec<u8>,
    patience: Patience,
) -> Result<i64, Error> {
    if let Patience::Until(limit) = patience {
        return until(limit, Error::NoMessage, || {
            receive(id, select, max, data, Patience::None)
        });
    }
    let set = [
        (patience == Patience::None, libc::IPC_NOWAIT),
        (select.truncate, libc::MSG_NOERROR),
        (select.except, libc::MSG_EXCEPT),
    ];
    let set = set.iter().filter(|(is_set, _)| *is_set);
    let flags = set.fold(0, |flags, (_, flag)| flags | flag);
    // The type is received into the buffer too, and taken out of it.
    data.clear();
    data.reserve(size_of::<i64>() + max);
    // SAFETY: the buffer has room for a type and `max` bytes.
    let len = unsafe {
        libc::msgrcv(
            id,
            data.as_mut_ptr().cast(),
            max,
            select.message_type,
            flags,
        )
    };
    let len: usize = number(len)?;
    // SAFETY: the kernel has written a type and `len` bytes.
    unsafe { data.set_len(size_of::<i64>() + len) };
    let message_type = data
        .first_chunk()
        .map_or(0, |bytes| i64::from_ne_bytes(*bytes));
    data.drain(..size_of::<i64>());
    Ok(message_type)
}

fn queue_status(id: i32) -> Result<libc::msqid_ds, Error> {
    // SAFETY: the structure is numbers only, for which zero is a value.
    let mut status: libc::msqid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a status to `status`.
    check(unsafe { libc::msgctl(id, libc::IPC_STAT, &raw mut status) })?;
    Ok(status)
}

pub(crate) fn message_queue_status(id: i32) -> Result<MessageQueueStatus, Error> {
    let status = queue_status(id)?;
    Ok(MessageQueueStatus {
        messages: status.msg_qnum,
        max_bytes: status.msg_qbytes,
        last_sender: u32::try_from(status.msg_lspid).unwrap_or(0),
        last_receiver: u32::try_from(status.msg_lrpid).unwrap_or(0),
    })
}

pub(crate) fn set_max_bytes(id: i32, max_bytes: u64) -> Result<(), Error> {
    let mut status = queue_status(id)?;
    status.msg_qbytes = max_bytes;
    // SAFETY: the kernel reads a status from `status`.
    check(unsafe { libc::msgctl(id, libc::IPC_SET, &raw mut status) })
}

pub(crate) fn remove_message_queue(id: i32) -> Result<(), Error> {
    // SAFETY: this command needs no status.
    check(unsafe { libc::msgctl(id, libc::IPC_RMID, ptr::null_mut()) })
}

pub(crate) fn semaphore_set(key: i32, count: u16, create: Create) -> Result<i32, Error> {
    // SAFETY: no memory is involved.
    identifier(unsafe { libc::semget(key, count.into(), flags(create)) })
}

pub(crate) fn operate(
    id: i32,
    operations: &[Operation],
    limit: Option<Duration>,
) -> Result<(), Error> {
    let operation = |operation: &Operation| libc::sembuf {
        sem_num: operation.number,
        sem_op: operation.change,
        sem_flg: if operation.no_wait { NO_WAIT } else { 0 }
            | if operation.undo { UNDO } else { 0 },
    };
    let limit = limit.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let one = operations.first().map(operation);
    let many: Vec<_>;
    let operations = match (operations, &one) {
        ([_], Some(one)) => std::slice::from_ref(one),
        _ => {
            many = operations.iter().map(operation).collect();
            many.as_slice()
        }
    };
    let (start, count) = (operations.as_ptr(), operations.len());
    // SAFETY: as many operations as is said, which the kernel reads, and `limit` is null or points to a time.
    number::<_, u32>(unsafe { libc::syscall(libc::SYS_semtimedop, id, start, count, limit) })
        .map(drop)
}

const NO_WAIT: i16 = 0o4000;
const UNDO: i16 = 0x1000;

pub(crate) fn semaphore_status(id: i32, number_in_set: u16) -> Result<SemaphoreStatus, Error> {
    let get = |command| {
        // SAFETY: these commands have no argument.
        number::<_, u32>(unsafe { libc::semctl(id, number_in_set.into(), command) })
    };
    Ok(SemaphoreStatus {
        value: get(libc::GETVAL)?,
        last_container: get(libc::GETPID)?,
        waiting_for_more: get(libc::GETNCNT)?,
        waiting_for_zero: get(libc::GETZCNT)?,
    })
}

pub(crate) fn set_value(id: i32, number_in_set: u16, value: u16) -> Result<(), Error> {
    // SAFETY: the argument is a number.
    check(unsafe {
        libc::semctl(
            id,
            number_in_set.into(),
            libc::SETVAL,
            libc::c_int::from(value),
        )
    })
}

pub(crate) fn remove_semaphore_set(id: i32) -> Result<(), Error> {
    // SAFETY: this command has no argument.
    check(unsafe { libc::semctl(id, 0, libc::IPC_RMID) })
}

pub(crate) fn segment(key: i32, size: u64, create: Create) -> Result<i32, Error> {
    let size = usize::try_from(size).map_err(|_| Error::Invalid)?;
    // SAFETY: no memory is involved.
    identifier(unsafe { libc::shmget(key, size, flags(create)) })
}

fn status(id: i32) -> Result<libc::shmid_ds, Error> {
    // SAFETY: the structure is numbers only, for which zero is a value.
    let mut status: libc::shmid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a status to `status`.
    check(unsafe { libc::shmctl(id, libc::IPC_STAT, &raw mut status) })?;
    Ok(status)
}

pub(crate) fn attach(id: i32, read_only: bool) -> Result<Segment, Error> {
    let len = status(id)?.shm_segsz;
    let flags = if read_only { libc::SHM_RDONLY } else { 0 };
    // SAFETY: wherever the kernel has room for it.
    let address = unsafe { libc::shmat(id, ptr::null(), flags) };
    if address.addr() == usize::MAX {
        return Err(last_error());
    }
    Ok(Segment::attached(address.cast(), len, !read_only))
}

pub(crate) fn segment_status(id: i32) -> Result<SegmentStatus, Error> {
    let status = status(id)?;
    Ok(SegmentStatus {
        size: status.shm_segsz.try_into().unwrap_or(u64::MAX),
        attached: u32::try_from(status.shm_nattch).unwrap_or(u32::MAX),
    })
}

pub(crate) fn remove_segment(id: i32) -> Result<(), Error> {
    // SAFETY: this command needs no status.
    check(unsafe { libc::shmctl(id, libc::IPC_RMID, ptr::null_mut()) })
}
