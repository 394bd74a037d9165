//! `semset_*`: System V semaphore sets, `semget(2)`, `semop(2)`, `semctl(2)`.

use wasmpod_ipc::sysv::semaphore_set::{SemOp, SemaphoreSet};
use wasmpod_ipc::{Errno, Object};
use wasmtime::{Linker, Result};

use super::MODULE;
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Failure, Guest, Out, Place, errno, memory};
use crate::host::ipc::{get_flags, limit, open_or_wait, within};

/// IPC_NOWAIT in an operation's flags, as Linux has it.
const IPC_NOWAIT: u16 = 0o4000;
/// SEM_UNDO in an operation's flags, as Linux has it.
const SEM_UNDO: u16 = 0x1000;

/// Bytes of `struct sembuf`: three numbers of 16 bits.
const SEMBUF: usize = 6;

/// Operations that are read from the guest's memory at most; the ipc crate says `E2BIG` to fewer. It bounds what a call
/// may make the host copy.
const MAX_OPERATIONS: usize = 2048;

/// Operations that take no memory of the heap: programs use one or two.
const FEW: usize = 8;

async fn get(guest: &mut Guest<'_>, key: i32, count: i32, flags: i32, out: i32) -> Answer {
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let flags = get_flags(flags)?;
    let door = state.ipc.clone();
    let id = open_or_wait(
        &door,
        || Object::SystemVSemaphoreSet(key),
        |ipc| ipc.sem_get(key, count, flags),
    )
    .await?;
    let (memory, _) = memory(guest)?;
    out.put(memory, &[&id])
}

/// The set with this identifier.
fn set(state: &mut CoreState, id: i32) -> std::result::Result<&SemaphoreSet, Errno> {
    let ipc = &state.ipc;
    state
        .handles
        .semaphore_sets
        .get(id, || ipc.semaphore_set(id))
}

/// The operation in an element of an array of `struct sembuf`.
fn operation(bytes: [u8; SEMBUF]) -> SemOp {
    let [n0, n1, c0, c1, f0, f1] = bytes;
    let flags = u16::from_le_bytes([f0, f1]);
    SemOp {
        number: u16::from_le_bytes([n0, n1]),
        change: i16::from_le_bytes([c0, c1]),
        no_wait: flags & IPC_NOWAIT != 0,
        undo: flags & SEM_UNDO != 0,
    }
}

/// The operations that the guest gave.
fn with_operations<T>(
    memory: &[u8],
    (pointer, count): (i32, i32),
    f: impl FnOnce(&[SemOp]) -> std::result::Result<T, Errno>,
) -> std::result::Result<T, Failure> {
    let all = Place::elements(pointer, count, SEMBUF)?;
    let count = all.bytes() / SEMBUF;
    if count > MAX_OPERATIONS {
        return Err(Errno::TooBig.into());
    }
    all.check(memory)?;
    let read = |index| {
        let place = all.element(index, SEMBUF)?;
        place.read_array(memory).map(operation)
    };
    if count <= FEW {
        let mut few = [operation([0; SEMBUF]); FEW];
        for (index, place) in few.iter_mut().enumerate().take(count) {
            *place = read(index)?;
        }
        Ok(f(few.get(..count).unwrap_or_default())?)
    } else {
        let many: std::result::Result<Vec<_>, Failure> = (0..count).map(read).collect();
        Ok(f(&many?)?)
    }
}

fn try_operate(guest: &mut Guest<'_>, id: i32, operations: (i32, i32)) -> Answer {
    let (memory, state) = memory(guest)?;
    let set = set(state, id)?;
    with_operations(memory, operations, |operations| set.try_operate(operations))
}

async fn operate(
    guest: &mut Guest<'_>,
    id: i32,
    operations: (i32, i32),
    timeout_ns: i64,
) -> Answer {
    let (memory, state) = memory(guest)?;
    let set = set(state, id)?;
    let done = with_operations(memory, operations, |operations| Ok(set.operate(operations)))?;
    Ok(within(limit(timeout_ns), done).await?)
}

fn get_value(guest: &mut Guest<'_>, id: i32, number: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<16>::new(out, memory)?;
    let number = self::number(number)?;
    let set = set(state, id)?;
    let value = set.value(number)?;
    let last = set.last_pid(number)?;
    let (more, zero) = (
        set.waiting_for_increase(number)?,
        set.waiting_for_zero(number)?,
    );
    out.put(memory, &[&u32::from(value), &last, &more, &zero])
}

/// The number of a semaphore in its set.
fn number(number: i32) -> std::result::Result<u32, Errno> {
    u32::try_from(number).map_err(|_| Errno::Invalid)
}

fn set_value(guest: &mut Guest<'_>, id: i32, number: i32, value: i32) -> Answer {
    Ok(set(guest.data_mut(), id)?.set_value(self::number(number)?, value)?)
}

fn get_all(guest: &mut Guest<'_>, id: i32, out: i32, count: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let place = Place::elements(out, count, size_of::<u16>())?.write(memory)?;
    let values = set(state, id)?.values()?;
    let place = place
        .get_mut(..values.len() * size_of::<u16>())
        .ok_or(Errno::Invalid)?;
    for (place, value) in place.chunks_exact_mut(size_of::<u16>()).zip(values) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    Ok(())
}

fn set_all(guest: &mut Guest<'_>, id: i32, values: i32, count: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let bytes = Place::elements(values, count, size_of::<u16>())?.read(memory)?;
    let set = set(state, id)?;
    // Before anything is copied: the guest says how many there are, the set how many there may be.
    if u64::try_from(bytes.len() / size_of::<u16>()).ok() != Some(set.stat()?.count.into()) {
        return Err(Errno::Invalid.into());
    }
    let values: Vec<u16> = bytes
        .chunks_exact(size_of::<u16>())
        .filter_map(|bytes| bytes.try_into().ok().map(u16::from_le_bytes))
        .collect();
    Ok(set.set_values(&values)?)
}

fn stat(guest: &mut Guest<'_>, id: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<24>::new(out, memory)?;
    let info = set(state, id)?.stat()?;
    out.put(
        memory,
        &[&info.key, &info.count, &info.operated_at, &info.changed_at],
    )
}

fn remove(guest: &mut Guest<'_>, id: i32) -> Answer {
    let state = guest.data_mut();
    set(state, id)?.remove()?;
    state.handles.semaphore_sets.forget(id);
    Ok(())
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap_async(MODULE, "semset_get", |mut guest: Guest<'_>, (key, count, flags, out): (i32, i32, i32, i32)| {
        Box::new(async move { errno(get(&mut guest, key, count, flags, out).await) })
    })?;
    linker.func_wrap(MODULE, "semset_try_operate", |mut guest: Guest<'_>, id: i32, operations: i32, count: i32| {
        errno(try_operate(&mut guest, id, (operations, count)))
    })?;
    linker.func_wrap_async(MODULE, "semset_operate", |mut guest: Guest<'_>, (id, operations, count, timeout_ns): (i32, i32, i32, i64)| {
        Box::new(async move { errno(operate(&mut guest, id, (operations, count), timeout_ns).await) })
    })?;
    linker.func_wrap(MODULE, "semset_get_value", |mut guest: Guest<'_>, id: i32, number: i32, out: i32| {
        errno(get_value(&mut guest, id, number, out))
    })?;
    linker.func_wrap(MODULE, "semset_set_value", |mut guest: Guest<'_>, id: i32, number: i32, value: i32| {
        errno(set_value(&mut guest, id, number, value))
    })?;
    linker.func_wrap(MODULE, "semset_get_all", |mut guest: Guest<'_>, id: i32, out: i32, count: i32| {
        errno(get_all(&mut guest, id, out, count))
    })?;
    linker.func_wrap(MODULE, "semset_set_all", |mut guest: Guest<'_>, id: i32, values: i32, count: i32| {
        errno(set_all(&mut guest, id, values, count))
    })?;
    linker.func_wrap(MODULE, "semset_stat", |mut guest: Guest<'_>, id: i32, out: i32| {
        errno(stat(&mut guest, id, out))
    })?;
    linker.func_wrap(MODULE, "semset_remove", |mut guest: Guest<'_>, id: i32| {
        errno(remove(&mut guest, id))
    })?;
    Ok(())
}
