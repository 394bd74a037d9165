//! The imports of module `wasmpod_ipc` for core modules: message queues by descriptor numbers and pointers into the
//! guest's memory, as `mq_overview(7)` has them in C.
//!
//! Every function returns a WASI 0.1 errno (0 is success). A pointer outside of the guest's memory is `EFAULT`, and
//! then nothing has happened: the places for results are checked before a message is taken. Messages are copied once,
//! between the guest's memory and the queue, without any allocation here. The functions that try return at once and
//! are cheap (some 10 ns); only `mq_wait` can wait, so a guest's library loops: try, wait, try again.

use std::time::Duration;

use wasmpod_ipc::{Attributes, Errno, OpenFlags, Queue};
use wasmtime::{Caller, Extern, Linker, Memory, Result};

use super::{Readiness, wait};
use crate::host::CoreState;

/// The name of the import module.
const MODULE: &str = "wasmpod_ipc";

/// WASI 0.1's errno for success.
const SUCCESS: i32 = 0;
/// WASI 0.1's errno for a pointer outside of the memory.
const FAULT: i32 = 21;

/// Longest queue name that is looked at, in bytes: more than POSIX allows, so that the ipc crate says `ENAMETOOLONG`.
const MAX_NAME_BYTES: usize = 4096;

/// The queues that a guest has open, by descriptor. As with files the lowest free number is given; how many there can
/// be is bounded by the ipc crate's limits.
#[derive(Debug, Default)]
pub(in crate::host) struct Descriptors {
    open: Vec<Option<Queue>>,
    memory: Option<Memory>,
}

impl Descriptors {
    fn insert(&mut self, queue: Queue) -> Option<u32> {
        let index = match self.open.iter().position(Option::is_none) {
            Some(index) => index,
            None => {
                self.open.push(None);
                self.open.len().checked_sub(1)?
            }
        };
        *self.open.get_mut(index)? = Some(queue);
        u32::try_from(index).ok()
    }

    fn get(&self, mqd: i32) -> Result<&Queue, Failure> {
        let index = usize::try_from(mqd).map_err(|_| Errno::BadDescriptor)?;
        Ok(self
            .open
            .get(index)
            .and_then(Option::as_ref)
            .ok_or(Errno::BadDescriptor)?)
    }

    fn remove(&mut self, mqd: i32) -> Result<(), Failure> {
        let index = usize::try_from(mqd).map_err(|_| Errno::BadDescriptor)?;
        let queue = self.open.get_mut(index).and_then(Option::take);
        queue.map(drop).ok_or_else(|| Errno::BadDescriptor.into())
    }
}

/// Why a call did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure(i32);

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self(i32::from(errno.wasi()))
    }
}

const EFAULT: Failure = Failure(FAULT);

/// The errno that a call returns.
fn errno(result: Result<(), Failure>) -> i32 {
    result.map_or_else(|Failure(errno)| errno, |()| SUCCESS)
}

/// A place in the guest's memory.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    bytes: usize,
}

impl Place {
    /// WebAssembly's addresses and lengths are unsigned, whatever the type of the import says.
    fn new(pointer: i32, bytes: i32) -> Result<Self, Failure> {
        let number = |value: i32| usize::try_from(value.cast_unsigned()).map_err(|_| EFAULT);
        Ok(Self {
            start: number(pointer)?,
            bytes: number(bytes)?,
        })
    }

    fn array<const N: usize>(pointer: i32) -> Result<Self, Failure> {
        Ok(Self {
            bytes: N * size_of::<u32>(),
            ..Self::new(pointer, 0)?
        })
    }

    fn read(self, memory: &[u8]) -> Result<&[u8], Failure> {
        let end = self.start.checked_add(self.bytes).ok_or(EFAULT)?;
        memory.get(self.start..end).ok_or(EFAULT)
    }

    fn write(self, memory: &mut [u8]) -> Result<&mut [u8], Failure> {
        let end = self.start.checked_add(self.bytes).ok_or(EFAULT)?;
        memory.get_mut(self.start..end).ok_or(EFAULT)
    }

    /// Writes little-endian words, as WebAssembly stores them.
    fn write_words(self, memory: &mut [u8], words: &[u32]) -> Result<(), Failure> {
        let place = self.write(memory)?;
        for (place, word) in place.chunks_exact_mut(size_of::<u32>()).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }
}

/// The guest's memory and its state. A guest without a memory of the usual name has no place for anything.
fn memory<'a>(
    caller: &'a mut Caller<'_, CoreState>,
) -> Result<(&'a mut [u8], &'a mut CoreState), Failure> {
    let memory = match caller.data().queues.memory {
        Some(memory) => memory,
        None => {
            let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                return Err(EFAULT);
            };
            caller.data_mut().queues.memory = Some(memory);
            memory
        }
    };
    Ok(memory.data_and_store_mut(caller))
}

fn name(memory: &[u8], pointer: i32, bytes: i32) -> Result<&str, Failure> {
    let mut place = Place::new(pointer, bytes)?;
    place.read(memory)?;
    place.bytes = place.bytes.min(MAX_NAME_BYTES);
    Ok(std::str::from_utf8(place.read(memory)?).map_err(|_| Errno::Invalid)?)
}

fn open(
    caller: &mut Caller<'_, CoreState>,
    (pointer, bytes): (i32, i32),
    flags: i32,
    (max_messages, message_bytes): (i32, i32),
    out: i32,
) -> Result<(), Failure> {
    let (memory, state) = memory(caller)?;
    let out = Place::array::<1>(out)?;
    out.read(memory)?;
    let flags = OpenFlags::from_bits(flags.cast_unsigned())?;
    let attributes = (max_messages != 0 || message_bytes != 0).then(|| Attributes {
        max_messages: max_messages.cast_unsigned(),
        message_bytes: message_bytes.cast_unsigned(),
    });
    let queue = state
        .ipc
        .mq_open(name(memory, pointer, bytes)?, flags, attributes)?;
    let mqd = state.queues.insert(queue).ok_or(Errno::TooManyOpen)?;
    out.write_words(memory, &[mqd])
}

fn getattr(caller: &mut Caller<'_, CoreState>, mqd: i32, out: i32) -> Result<(), Failure> {
    let (memory, state) = memory(caller)?;
    let queue = state.queues.get(mqd)?;
    let Attributes {
        max_messages,
        message_bytes,
    } = queue.attributes();
    let flags = if queue.is_nonblocking() {
        OpenFlags::NONBLOCKING.bits()
    } else {
        0
    };
    let words = [flags, max_messages, message_bytes, queue.current_messages()];
    Place::array::<4>(out)?.write_words(memory, &words)
}

fn setattr(caller: &mut Caller<'_, CoreState>, mqd: i32, flags: i32) -> Result<(), Failure> {
    let queue = caller.data().queues.get(mqd)?;
    let nonblocking = OpenFlags::NONBLOCKING;
    let flags = OpenFlags::from_bits(flags.cast_unsigned())?;
    if flags.bits() & !nonblocking.bits() != 0 {
        return Err(Errno::Invalid.into());
    }
    queue.set_nonblocking(flags.contains(nonblocking));
    Ok(())
}

fn try_send(
    caller: &mut Caller<'_, CoreState>,
    mqd: i32,
    (pointer, bytes): (i32, i32),
    priority: i32,
) -> Result<(), Failure> {
    let (memory, state) = memory(caller)?;
    let data = Place::new(pointer, bytes)?.read(memory)?;
    Ok(state
        .queues
        .get(mqd)?
        .try_send(data, priority.cast_unsigned())?)
}

fn try_receive(
    caller: &mut Caller<'_, CoreState>,
    mqd: i32,
    (pointer, bytes): (i32, i32),
    out: i32,
) -> Result<(), Failure> {
    let (memory, state) = memory(caller)?;
    let out = Place::array::<2>(out)?;
    out.read(memory)?;
    let buffer = Place::new(pointer, bytes)?.write(memory)?;
    let (received, priority) = state.queues.get(mqd)?.try_receive(buffer)?;
    let received = u32::try_from(received).map_err(|_| Errno::MessageTooLong)?;
    out.write_words(memory, &[received, priority])
}

/// Waits for `what` (0: a message, 1: space); at most `timeout_ns` nanoseconds, without limit if that is negative.
async fn wait_for(caller: Caller<'_, CoreState>, mqd: i32, what: i32, timeout_ns: i64) -> i32 {
    let queue = match caller.data().queues.get(mqd) {
        Ok(queue) => queue.clone(),
        Err(Failure(errno)) => return errno,
    };
    let what = match what {
        0 => Readiness::Receive,
        1 => Readiness::Send,
        _ => return errno(Err(Errno::Invalid.into())),
    };
    let limit = u64::try_from(timeout_ns).ok().map(Duration::from_nanos);
    if wait(&queue, what, limit).await {
        SUCCESS
    } else {
        errno(Err(Errno::TimedOut.into()))
    }
}

/// Defines the module.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(in crate::host) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    type Guest<'a> = Caller<'a, CoreState>;

    linker.func_wrap(MODULE, "mq_open", |mut guest: Guest<'_>, name: i32, name_len: i32, flags: i32, max_messages: i32, message_size: i32, out_mqd: i32| {
        errno(open(&mut guest, (name, name_len), flags, (max_messages, message_size), out_mqd))
    })?;
    linker.func_wrap(MODULE, "mq_close", |mut guest: Guest<'_>, mqd: i32| {
        errno(guest.data_mut().queues.remove(mqd))
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
    linker.func_wrap_async(MODULE, "mq_wait", |guest: Guest<'_>, (mqd, what, timeout_ns): (i32, i32, i64)| {
        Box::new(wait_for(guest, mqd, what, timeout_ns))
    })?;
    Ok(())
}
