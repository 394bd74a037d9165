//! `msg_*`: System V message queues, `msgget(2)`, `msgop(2)`, `msgctl(2)`.

use std::ops::ControlFlow;

use wasmpod_ipc::sysv::Select;
use wasmpod_ipc::sysv::message_queue::{MessageQueue, MessageQueueSettings};
use wasmpod_ipc::{Errno, Object};
use wasmtime::{Linker, Result};

use super::MODULE;
use super::batch::Slots;
use super::message_queue::done;
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Failure, Guest, Out, Place, errno, memory};
use crate::host::ipc::{get_flags, limit, open_or_wait, within};

/// MSG_NOERROR: a message that is longer than the buffer is cut.
const NO_ERROR: i32 = 1;
/// MSG_EXCEPT: a message of any other type.
const EXCEPT: i32 = 2;

/// Sets how many bytes a queue may hold, and leaves the rest as it is. More than can be told is more than is allowed.
pub(in crate::host::ipc) fn set_max_bytes(
    queue: &MessageQueue,
    max_bytes: u64,
) -> std::result::Result<(), Errno> {
    queue.set(MessageQueueSettings {
        max_bytes: u32::try_from(max_bytes).unwrap_or(u32::MAX),
        mode: queue.stat()?.mode,
    })
}

async fn get(guest: &mut Guest<'_>, key: i32, flags: i32, out: i32) -> Answer {
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let flags = get_flags(flags)?;
    let door = state.ipc.clone();
    let id = open_or_wait(
        &door,
        || Object::SystemVMessageQueue(key),
        |ipc| ipc.msg_get(key, flags),
    )
    .await?;
    let (memory, _) = memory(guest)?;
    out.put(memory, &[&id])
}

/// The queue with this identifier.
fn queue(state: &mut CoreState, id: i32) -> std::result::Result<&MessageQueue, Errno> {
    let ipc = &state.ipc;
    state.handles.message_queues.get(id, || ipc.msg_queue(id))
}

fn try_send(guest: &mut Guest<'_>, id: i32, kind: i64, (data, len): (i32, i32)) -> Answer {
    let (memory, state) = memory(guest)?;
    let data = Place::new(data, len)?.read(memory)?;
    Ok(queue(state, id)?.try_send(kind, data)?)
}

async fn send(
    guest: &mut Guest<'_>,
    id: i32,
    kind: i64,
    message: (i32, i32),
    timeout_ns: i64,
) -> Answer {
    let again = Failure::from(Errno::Again);
    let first = try_send(guest, id, kind, message);
    if first != Err(again) {
        return first;
    }
    let queue = queue(guest.data_mut(), id)?.clone();
    let bytes = Place::new(message.0, message.1)?.bytes();
    let sent = async {
        loop {
            queue.wait_send(bytes).await?;
            match try_send(guest, id, kind, message) {
                Err(failure) if failure == again => {}
                other => return Ok(other),
            }
        }
    };
    within(limit(timeout_ns), sent).await?
}

/// How a message is chosen.
#[derive(Clone, Copy, Debug)]
struct How {
    select: Select,
    no_error: bool,
}

impl How {
    fn new(kind: i64, flags: i32) -> std::result::Result<Self, Errno> {
        if flags & !(NO_ERROR | EXCEPT) != 0 {
            return Err(Errno::Invalid);
        }
        Ok(Self {
            select: Select::new(kind, flags & EXCEPT != 0),
            no_error: flags & NO_ERROR != 0,
        })
    }
}

fn try_receive(
    guest: &mut Guest<'_>,
    id: i32,
    (buf, len): (i32, i32),
    how: How,
    out: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<16>::new(out, memory)?;
    let buffer = Place::new(buf, len)?.write(memory)?;
    let received =
        queue(state, id)?.try_receive(how.select, buffer.len(), how.no_error, |data, kind| {
            let place = buffer.get_mut(..data.len())?;
            place.copy_from_slice(data);
            Some((u32::try_from(data.len()).ok()?, kind))
        })?;
    let (length, kind) = received.ok_or(Errno::TooBig)?;
    out.put(memory, &[&length, &0_u32, &kind])
}

async fn receive(
    guest: &mut Guest<'_>,
    id: i32,
    buffer: (i32, i32),
    how: How,
    out: i32,
    timeout_ns: i64,
) -> Answer {
    let none = Failure::from(Errno::NoMessage);
    let first = try_receive(guest, id, buffer, how, out);
    if first != Err(none) {
        return first;
    }
    let queue = queue(guest.data_mut(), id)?.clone();
    let received = async {
        loop {
            queue.wait_receive(how.select).await?;
            match try_receive(guest, id, buffer, how, out) {
                Err(failure) if failure == none => {}
                other => return Ok(other),
            }
        }
    };
    within(limit(timeout_ns), received).await?
}

/// Bytes of an entry of a batch: data, length, type.
const ENTRY: usize = 16;

fn try_send_many(guest: &mut Guest<'_>, id: i32, (entries, count): (i32, i32), out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let slots = Slots::<ENTRY>::new(entries, count, memory)?;
    let queue = queue(state, id)?;
    let mut fault = None;
    let sent = queue.try_send_many(slots.iter(memory).map_while(|slot| {
        let data = slot.place().and_then(|place| place.read(memory));
        let message = data.map(|data| (slot.long(), data));
        message.map_err(|failure| fault = Some(failure)).ok()
    }));
    done(sent, fault, out, memory)
}

fn try_receive_many(
    guest: &mut Guest<'_>,
    id: i32,
    (entries, count): (i32, i32),
    how: How,
    out: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let slots = Slots::<ENTRY>::new(entries, count, memory)?;
    let mut shortest = usize::MAX;
    for slot in slots.iter(memory) {
        shortest = shortest.min(slot.place()?.check(memory)?.bytes());
    }
    let queue = queue(state, id)?;
    let mut index = 0;
    let most = slots.count();
    let received =
        queue.try_receive_many(how.select, shortest, how.no_error, most, |data, kind| {
            // As for POSIX queues: entries that overwrite each other lose messages.
            let _lost = slots.fill(memory, index, data, &kind.to_le_bytes());
            index += 1;
            ControlFlow::Continue(())
        });
    done(received, None, out, memory)
}

fn stat(guest: &mut Guest<'_>, id: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<56>::new(out, memory)?;
    let info = queue(state, id)?.stat()?;
    out.put(
        memory,
        &[
            &info.key,
            &info.messages,
            &info.bytes,
            &u64::from(info.max_bytes),
            &info.last_sender_pid,
            &info.last_receiver_pid,
            &info.sent_at,
            &info.received_at,
            &info.changed_at,
        ],
    )
}

fn set(guest: &mut Guest<'_>, id: i32, max_bytes: i64) -> Answer {
    let max_bytes = u64::try_from(max_bytes).map_err(|_| Errno::Invalid)?;
    Ok(set_max_bytes(queue(guest.data_mut(), id)?, max_bytes)?)
}

fn remove(guest: &mut Guest<'_>, id: i32) -> Answer {
    let state = guest.data_mut();
    queue(state, id)?.remove()?;
    state.handles.message_queues.forget(id);
    Ok(())
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap_async(MODULE, "msg_get", |mut guest: Guest<'_>, (key, flags, out): (i32, i32, i32)| {
        Box::new(async move { errno(get(&mut guest, key, flags, out).await) })
    })?;
    linker.func_wrap(MODULE, "msg_try_send", |mut guest: Guest<'_>, id: i32, kind: i64, data: i32, len: i32| {
        errno(try_send(&mut guest, id, kind, (data, len)))
    })?;
    linker.func_wrap_async(MODULE, "msg_send", |mut guest: Guest<'_>, (id, kind, data, len, timeout_ns): (i32, i64, i32, i32, i64)| {
        Box::new(async move { errno(send(&mut guest, id, kind, (data, len), timeout_ns).await) })
    })?;
    linker.func_wrap(MODULE, "msg_try_receive", |mut guest: Guest<'_>, id: i32, buf: i32, len: i32, kind: i64, flags: i32, out: i32| {
        errno(How::new(kind, flags).map_err(Into::into).and_then(|how| try_receive(&mut guest, id, (buf, len), how, out)))
    })?;
    linker.func_wrap_async(MODULE, "msg_receive", |mut guest: Guest<'_>, (id, buf, len, kind, flags, out, timeout_ns): (i32, i32, i32, i64, i32, i32, i64)| {
        Box::new(async move {
            errno(match How::new(kind, flags) {
                Ok(how) => receive(&mut guest, id, (buf, len), how, out, timeout_ns).await,
                Err(error) => Err(error.into()),
            })
        })
    })?;
    linker.func_wrap(MODULE, "msg_try_send_many", |mut guest: Guest<'_>, id: i32, entries: i32, count: i32, out: i32| {
        errno(try_send_many(&mut guest, id, (entries, count), out))
    })?;
    linker.func_wrap(MODULE, "msg_try_receive_many", |mut guest: Guest<'_>, id: i32, entries: i32, count: i32, kind: i64, flags: i32, out: i32| {
        errno(How::new(kind, flags).map_err(Into::into).and_then(|how| try_receive_many(&mut guest, id, (entries, count), how, out)))
    })?;
    linker.func_wrap(MODULE, "msg_stat", |mut guest: Guest<'_>, id: i32, out: i32| {
        errno(stat(&mut guest, id, out))
    })?;
    linker.func_wrap(MODULE, "msg_set", |mut guest: Guest<'_>, id: i32, max_bytes: i64| {
        errno(set(&mut guest, id, max_bytes))
    })?;
    linker.func_wrap(MODULE, "msg_remove", |mut guest: Guest<'_>, id: i32| {
        errno(remove(&mut guest, id))
    })?;
    Ok(())
}
