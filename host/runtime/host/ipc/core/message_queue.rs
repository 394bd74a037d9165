//! `mq_*`: POSIX message queues, as `mq_overview(7)` has them in C.
//!
//! Messages are copied once, between the guest's memory and the queue, without any allocation here.

use std::ops::ControlFlow;

use wasmpod_ipc::{Attributes, Errno, Object, OpenFlags, Queue};
use wasmtime::{Linker, Result};

use super::MODULE;
use super::batch::Slots;
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Failure, Guest, Out, Place, errno, memory, name};
use crate::host::ipc::{limit, open_or_wait, within};

async fn open(
    guest: &mut Guest<'_>,
    (pointer, bytes): (i32, i32),
    flags: i32,
    (max_messages, message_bytes): (i32, i32),
    out: i32,
) -> Answer {
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let name = name(memory_now, pointer, bytes)?.to_owned();
    let flags = OpenFlags::from_bits(flags.cast_unsigned())?;
    let attributes = (max_messages != 0 || message_bytes != 0).then(|| Attributes {
        max_messages: max_messages.cast_unsigned(),
        message_bytes: message_bytes.cast_unsigned(),
    });
    let door = state.ipc.clone();
    let queue = open_or_wait(
        &door,
        || Object::MessageQueue(name.clone()),
        |ipc| ipc.mq_open(&name, flags, attributes),
    )
    .await?;
    let (memory, state) = memory(guest)?;
    let mqd = state.handles.queues.insert(queue)?;
    out.put(memory, &[&mqd])
}

fn close(guest: &mut Guest<'_>, mqd: i32) -> Answer {
    let handles = &mut guest.data_mut().handles;
    handles.queues.remove(mqd)?;
    handles.notifications.remove(&mqd);
    Ok(())
}

fn getattr(guest: &mut Guest<'_>, mqd: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let queue = state.handles.queues.get(mqd)?;
    let out = Out::<16>::new(out, memory)?;
    let Attributes {
        max_messages,
        message_bytes,
    } = queue.attributes();
    let flags = if queue.is_nonblocking() {
        OpenFlags::NONBLOCKING.bits()
    } else {
        0
    };
    let current = queue.current_messages();
    out.put(memory, &[&flags, &max_messages, &message_bytes, &current])
}

fn setattr(guest: &mut Guest<'_>, mqd: i32, flags: i32) -> Answer {
    let queue = guest.data().handles.queues.get(mqd)?;
    let nonblocking = OpenFlags::NONBLOCKING;
    let flags = OpenFlags::from_bits(flags.cast_unsigned())?;
    if flags.bits() & !nonblocking.bits() != 0 {
        return Err(Errno::Invalid.into());
    }
    queue.set_nonblocking(flags.contains(nonblocking));
    Ok(())
}

fn try_send(guest: &mut Guest<'_>, mqd: i32, (data, len): (i32, i32), priority: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let data = Place::new(data, len)?.read(memory)?;
    let queue = state.handles.queues.get(mqd)?;
    Ok(queue.try_send(data, priority.cast_unsigned())?)
}

fn try_receive(guest: &mut Guest<'_>, mqd: i32, (buf, len): (i32, i32), out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<8>::new(out, memory)?;
    let buffer = Place::new(buf, len)?.write(memory)?;
    let (received, priority) = state.handles.queues.get(mqd)?.try_receive(buffer)?;
    let received = u32::try_from(received).map_err(|_| Errno::MessageTooLong)?;
    out.put(memory, &[&received, &priority])
}

/// Bytes of an entry of a batch: data, length, priority.
const ENTRY: usize = 12;

fn try_send_many(
    guest: &mut Guest<'_>,
    mqd: i32,
    (entries, count): (i32, i32),
    out: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let slots = Slots::<ENTRY>::new(entries, count, memory)?;
    let queue = state.handles.queues.get(mqd)?;
    let mut fault = None;
    let sent = queue.try_send_many(slots.iter(memory).map_while(|slot| {
        let data = slot.place().and_then(|place| place.read(memory));
        let message = data.map(|data| (data, slot.word(2)));
        message.map_err(|failure| fault = Some(failure)).ok()
    }));
    done(sent, fault, out, memory)
}

/// What a batch returns: how many were done, or why the first was not.
pub(super) fn done(
    done: std::result::Result<usize, Errno>,
    fault: Option<Failure>,
    out: Out<4>,
    memory: &mut [u8],
) -> Answer {
    let done = match (done, fault) {
        (Ok(done), _) => done,
        // Nothing was done because the first entry was wild.
        (Err(_), Some(fault)) => return Err(fault),
        (Err(errno), None) => return Err(errno.into()),
    };
    let done = u32::try_from(done).unwrap_or(u32::MAX);
    out.put(memory, &[&done])
}

fn try_receive_many(
    guest: &mut Guest<'_>,
    mqd: i32,
    (entries, count): (i32, i32),
    out: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let slots = Slots::<ENTRY>::new(entries, count, memory)?;
    let queue = state.handles.queues.get(mqd)?;
    let least = usize::try_from(queue.attributes().message_bytes).unwrap_or(usize::MAX);
    for slot in slots.iter(memory) {
        if slot.place()?.check(memory)?.bytes() < least {
            return Err(Errno::MessageTooLong.into());
        }
    }
    let mut index = 0;
    let received = queue.try_receive_many(slots.count(), |data, priority| {
        // A message whose entry was overwritten by the one before it is lost, as one whose buffer is: the guest said so.
        let _lost = slots.fill(memory, index, data, &priority.to_le_bytes());
        index += 1;
        ControlFlow::Continue(())
    });
    done(received, None, out, memory)
}

/// Waits for `what` (0: a message, 1: space).
async fn wait(guest: &mut Guest<'_>, mqd: i32, what: i32, timeout_ns: i64) -> Answer {
    let queue: &Queue = guest.data().handles.queues.get(mqd)?;
    let ready = match what {
        0 => queue.wait_receive(),
        1 => queue.wait_send(),
        _ => return Err(Errno::Invalid.into()),
    };
    Ok(within(limit(timeout_ns), ready).await?)
}

fn notify(guest: &mut Guest<'_>, mqd: i32, on: i32) -> Answer {
    let handles = &mut guest.data_mut().handles;
    let queue = handles.queues.get(mqd)?;
    match on {
        0 => {
            handles.notifications.remove(&mqd);
            Ok(())
        }
        1 => {
            let notification = queue.notify()?;
            handles.notifications.insert(mqd, notification);
            Ok(())
        }
        _ => Err(Errno::Invalid.into()),
    }
}

async fn notify_wait(guest: &mut Guest<'_>, mqd: i32, timeout_ns: i64) -> Answer {
    let handles = &mut guest.data_mut().handles;
    handles.queues.get(mqd)?;
    let notification = handles.notifications.get_mut(&mqd).ok_or(Errno::Invalid)?;
    within(limit(timeout_ns), notification).await?;
    guest.data_mut().handles.notifications.remove(&mqd);
    Ok(())
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap_async(MODULE, "mq_open", |mut guest: Guest<'_>, (name, name_len, flags, max_messages, message_size, out): (i32, i32, i32, i32, i32, i32)| {
        Box::new(async move { errno(open(&mut guest, (name, name_len), flags, (max_messages, message_size), out).await) })
    })?;
    linker.func_wrap(MODULE, "mq_close", |mut guest: Guest<'_>, mqd: i32| {
        errno(close(&mut guest, mqd))
    })?;
    linker.func_wrap(MODULE, "mq_unlink", |mut guest: Guest<'_>, pointer: i32, len: i32| {
        errno(memory(&mut guest).and_then(|(memory, state)| Ok(state.ipc.mq_unlink(name(memory, pointer, len)?)?)))
    })?;
    linker.func_wrap(MODULE, "mq_getattr", |mut guest: Guest<'_>, mqd: i32, out: i32| {
        errno(getattr(&mut guest, mqd, out))
    })?;
    linker.func_wrap(MODULE, "mq_setattr", |mut guest: Guest<'_>, mqd: i32, flags: i32| {
        errno(setattr(&mut guest, mqd, flags))
    })?;
    linker.func_wrap(MODULE, "mq_try_send", |mut guest: Guest<'_>, mqd: i32, data: i32, len: i32, priority: i32| {
        errno(try_send(&mut guest, mqd, (data, len), priority))
    })?;
    linker.func_wrap(MODULE, "mq_try_receive", |mut guest: Guest<'_>, mqd: i32, buf: i32, buf_len: i32, out: i32| {
        errno(try_receive(&mut guest, mqd, (buf, buf_len), out))
    })?;
    linker.func_wrap(MODULE, "mq_try_send_many", |mut guest: Guest<'_>, mqd: i32, entries: i32, count: i32, out: i32| {
        errno(try_send_many(&mut guest, mqd, (entries, count), out))
    })?;
    linker.func_wrap(MODULE, "mq_try_receive_many", |mut guest: Guest<'_>, mqd: i32, entries: i32, count: i32, out: i32| {
        errno(try_receive_many(&mut guest, mqd, (entries, count), out))
    })?;
    linker.func_wrap_async(MODULE, "mq_wait", |mut guest: Guest<'_>, (mqd, what, timeout_ns): (i32, i32, i64)| {
        Box::new(async move { errno(wait(&mut guest, mqd, what, timeout_ns).await) })
    })?;
    linker.func_wrap(MODULE, "mq_notify", |mut guest: Guest<'_>, mqd: i32, on: i32| {
        errno(notify(&mut guest, mqd, on))
    })?;
    linker.func_wrap_async(MODULE, "mq_notify_wait", |mut guest: Guest<'_>, (mqd, timeout_ns): (i32, i64)| {
        Box::new(async move { errno(notify_wait(&mut guest, mqd, timeout_ns).await) })
    })?;
    Ok(())
}
