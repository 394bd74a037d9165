//! `sem_*`: POSIX named semaphores, `sem_overview(7)`.

use wasmpod_ipc::{Object, OpenFlags};
use wasmtime::{Linker, Result};

use super::MODULE;
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Guest, Out, errno, memory, name};
use crate::host::ipc::{limit, open_or_wait, within};

async fn open(
    guest: &mut Guest<'_>,
    (pointer, bytes): (i32, i32),
    flags: i32,
    value: i32,
    out: i32,
) -> Answer {
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let name = name(memory_now, pointer, bytes)?.to_owned();
    let flags = OpenFlags::from_bits(flags.cast_unsigned())?;
    let value = value.cast_unsigned();
    let door = state.ipc.clone();
    let semaphore = open_or_wait(
        &door,
        || Object::Semaphore(name.clone()),
        |ipc| ipc.sem_open(&name, flags, value),
    )
    .await?;
    let (memory, state) = memory(guest)?;
    let number = state.handles.semaphores.insert(semaphore)?;
    out.put(memory, &[&number])
}

fn post(guest: &Guest<'_>, sem: i32) -> Answer {
    Ok(guest.data().handles.semaphores.get(sem)?.post()?)
}

fn try_wait(guest: &Guest<'_>, sem: i32) -> Answer {
    Ok(guest.data().handles.semaphores.get(sem)?.try_wait()?)
}

async fn wait(guest: &mut Guest<'_>, sem: i32, timeout_ns: i64) -> Answer {
    let taken = guest.data().handles.semaphores.get(sem)?.wait();
    Ok(within(limit(timeout_ns), taken).await?)
}

fn get_value(guest: &mut Guest<'_>, sem: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let value = state.handles.semaphores.get(sem)?.value();
    out.put(memory, &[&value])
}

fn is_same(guest: &mut Guest<'_>, sem: i32, other: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let semaphores = &state.handles.semaphores;
    let is_same = semaphores.get(sem)?.is_same(semaphores.get(other)?);
    out.put(memory, &[&u32::from(is_same)])
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap_async(MODULE, "sem_open", |mut guest: Guest<'_>, (name, name_len, flags, value, out): (i32, i32, i32, i32, i32)| {
        Box::new(async move { errno(open(&mut guest, (name, name_len), flags, value, out).await) })
    })?;
    linker.func_wrap(MODULE, "sem_close", |mut guest: Guest<'_>, sem: i32| {
        errno(guest.data_mut().handles.semaphores.remove(sem).map(drop).map_err(Into::into))
    })?;
    linker.func_wrap(MODULE, "sem_unlink", |mut guest: Guest<'_>, pointer: i32, len: i32| {
        errno(memory(&mut guest).and_then(|(memory, state)| Ok(state.ipc.sem_unlink(name(memory, pointer, len)?)?)))
    })?;
    linker.func_wrap(MODULE, "sem_post", |guest: Guest<'_>, sem: i32| {
        errno(post(&guest, sem))
    })?;
    linker.func_wrap(MODULE, "sem_try_wait", |guest: Guest<'_>, sem: i32| {
        errno(try_wait(&guest, sem))
    })?;
    linker.func_wrap_async(MODULE, "sem_wait", |mut guest: Guest<'_>, (sem, timeout_ns): (i32, i64)| {
        Box::new(async move { errno(wait(&mut guest, sem, timeout_ns).await) })
    })?;
    linker.func_wrap(MODULE, "sem_get_value", |mut guest: Guest<'_>, sem: i32, out: i32| {
        errno(get_value(&mut guest, sem, out))
    })?;
    linker.func_wrap(MODULE, "sem_is_same", |mut guest: Guest<'_>, sem: i32, other: i32, out: i32| {
        errno(is_same(&mut guest, sem, other, out))
    })?;
    Ok(())
}
