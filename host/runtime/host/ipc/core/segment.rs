//! `shm_*`: shared memory by descriptor, of both kinds, and `shmseg_*`: System V's way to it.
//!
//! `shm_overview(7)`, `shmget(2)`, `shmop(2)`, `shmctl(2)`. What is mapped is in `mapping`.

use std::sync::Arc;

use wasmpod_ipc::sysv::shared_memory::Attachment;
use wasmpod_ipc::{AtomicOp, Errno, Object, OpenFlags, Segment, SharedMemory};
use wasmtime::{Linker, Result};

use super::MODULE;
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Guest, Out, Place, errno, memory, name};
use crate::host::ipc::{get_flags, open_or_wait};

/// The bit of `shmseg_attach` and `shm_map` that asks for writing too.
pub(super) const WRITE: i32 = 1 << 1;

/// An open segment.
#[derive(Clone, Debug)]
#[expect(unreachable_pub, reason = "the bindings of components export it")]
pub enum OpenSegment {
    /// By name: `shm_open(3)`.
    Posix(SharedMemory),
    /// By identifier: `shmat(2)`.
    SystemV(Arc<Attachment>),
}

impl OpenSegment {
    /// The bytes themselves.
    pub(in crate::host::ipc) fn segment(&self) -> std::result::Result<&Arc<Segment>, Errno> {
        match self {
            Self::Posix(open) => open.segment(),
            Self::SystemV(attachment) => Ok(attachment.segment()),
        }
    }

    /// `EACCES` unless it may be written.
    pub(in crate::host::ipc) fn check_writable(&self) -> std::result::Result<(), Errno> {
        let is_writable = match self {
            Self::Posix(open) => open.is_writable(),
            Self::SystemV(attachment) => !attachment.is_read_only(),
        };
        is_writable.then_some(()).ok_or(Errno::Access)
    }

    /// Sets the size, which a System V segment has for ever.
    pub(in crate::host::ipc) fn truncate(&self, size: u64) -> std::result::Result<(), Errno> {
        match self {
            Self::Posix(open) => open.truncate(size),
            Self::SystemV(_) => Err(Errno::Invalid),
        }
    }

    /// Copies bytes in, all of them or none: a segment does not grow by it.
    pub(in crate::host::ipc) fn write(
        &self,
        offset: u64,
        data: &[u8],
    ) -> std::result::Result<(), Errno> {
        self.check_writable()?;
        let segment = self.segment()?;
        let end = u64::try_from(data.len())
            .ok()
            .and_then(|bytes| offset.checked_add(bytes));
        if end.is_none_or(|end| end > segment.size()) {
            return Err(Errno::Invalid);
        }
        segment.write(offset, data).map(drop)
    }
}

async fn open(guest: &mut Guest<'_>, (pointer, bytes): (i32, i32), flags: i32, out: i32) -> Answer {
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let name = name(memory_now, pointer, bytes)?.to_owned();
    let flags = OpenFlags::from_bits(flags.cast_unsigned())? | OpenFlags::READ;
    let door = state.ipc.clone();
    let open = open_or_wait(
        &door,
        || Object::SharedMemory(name.clone()),
        |ipc| ipc.shm_open(&name, flags),
    )
    .await?;
    let (memory, state) = memory(guest)?;
    let fd = state.handles.segments.insert(OpenSegment::Posix(open))?;
    out.put(memory, &[&fd])
}

/// The open segment of a descriptor.
pub(super) fn segment(state: &CoreState, fd: i32) -> std::result::Result<&OpenSegment, Errno> {
    state.handles.segments.get(fd)
}

/// An offset, which is not negative.
pub(super) fn offset(offset: i64) -> std::result::Result<u64, Errno> {
    u64::try_from(offset).map_err(|_| Errno::Invalid)
}

fn truncate(guest: &Guest<'_>, fd: i32, size: i64) -> Answer {
    Ok(segment(guest.data(), fd)?.truncate(offset(size)?)?)
}

fn size(guest: &mut Guest<'_>, fd: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<8>::new(out, memory)?;
    let size = segment(state, fd)?.segment()?.size();
    out.put(memory, &[&size])
}

fn read(guest: &mut Guest<'_>, fd: i32, from: i64, (buf, len): (i32, i32), out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let buffer = Place::new(buf, len)?.write(memory)?;
    let read = segment(state, fd)?.segment()?.read(offset(from)?, buffer);
    let read = u32::try_from(read).map_err(|_| Errno::Invalid)?;
    out.put(memory, &[&read])
}

fn write(guest: &mut Guest<'_>, fd: i32, to: i64, (data, len): (i32, i32)) -> Answer {
    let (memory, state) = memory(guest)?;
    let data = Place::new(data, len)?.read(memory)?;
    Ok(segment(state, fd)?.write(offset(to)?, data)?)
}

/// The operation with this number, on numbers of either width.
macro_rules! operation {
    ($number:expr, $operand:expr, $expected:expr) => {
        match $number {
            0 => AtomicOp::Load,
            1 => AtomicOp::Exchange($operand),
            2 => AtomicOp::Add($operand),
            3 => AtomicOp::Add($operand.wrapping_neg()),
            4 => AtomicOp::And($operand),
            5 => AtomicOp::Or($operand),
            6 => AtomicOp::Xor($operand),
            7 => AtomicOp::CompareExchange {
                expected: $expected,
                new: $operand,
            },
            _ => return Err(Errno::Invalid.into()),
        }
    };
}

fn atomic32(
    guest: &mut Guest<'_>,
    (fd, at): (i32, i64),
    number: i32,
    (operand, expected): (u32, u32),
    out: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let open = segment(state, fd)?;
    let operation = operation!(number, operand, expected);
    if operation != AtomicOp::Load {
        open.check_writable()?;
    }
    let old = open.segment()?.update_u32(offset(at)?, operation)?;
    out.put(memory, &[&old])
}

fn atomic64(
    guest: &mut Guest<'_>,
    (fd, at): (i32, i64),
    number: i32,
    (operand, expected): (u64, u64),
    out: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<8>::new(out, memory)?;
    let open = segment(state, fd)?;
    let operation = operation!(number, operand, expected);
    if operation != AtomicOp::Load {
        open.check_writable()?;
    }
    let old = open.segment()?.update_u64(offset(at)?, operation)?;
    out.put(memory, &[&old])
}

async fn get(guest: &mut Guest<'_>, key: i32, size: i64, flags: i32, out: i32) -> Answer {
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let (size, flags) = (offset(size)?, get_flags(flags)?);
    let door = state.ipc.clone();
    let id = open_or_wait(
        &door,
        || Object::SystemVSegment(key),
        |ipc| ipc.shm_get(key, size, flags),
    )
    .await?;
    let (memory, _) = memory(guest)?;
    out.put(memory, &[&id])
}

fn attach(guest: &mut Guest<'_>, id: i32, flags: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    if flags & !WRITE != 0 {
        return Err(Errno::Invalid.into());
    }
    let attachment = state.ipc.shm_attach(id, flags & WRITE == 0)?;
    let open = OpenSegment::SystemV(Arc::new(attachment));
    let fd = state.handles.segments.insert(open)?;
    out.put(memory, &[&fd])
}

fn stat(guest: &mut Guest<'_>, id: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<56>::new(out, memory)?;
    let info = state.ipc.shm_stat(id)?;
    out.put(
        memory,
        &[
            &info.key,
            &info.attached,
            &info.bytes,
            &info.creator_pid,
            &info.last_pid,
            &info.attached_at,
            &info.detached_at,
            &info.changed_at,
            &u32::from(info.removed),
            &0_u32,
        ],
    )
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap_async(MODULE, "shm_open", |mut guest: Guest<'_>, (name, name_len, flags, out): (i32, i32, i32, i32)| {
        Box::new(async move { errno(open(&mut guest, (name, name_len), flags, out).await) })
    })?;
    linker.func_wrap(MODULE, "shm_close", |mut guest: Guest<'_>, fd: i32| {
        errno(guest.data_mut().handles.segments.remove(fd).map(drop).map_err(Into::into))
    })?;
    linker.func_wrap(MODULE, "shm_unlink", |mut guest: Guest<'_>, pointer: i32, len: i32| {
        errno(memory(&mut guest).and_then(|(memory, state)| Ok(state.ipc.shm_unlink(name(memory, pointer, len)?)?)))
    })?;
    linker.func_wrap(MODULE, "shm_truncate", |guest: Guest<'_>, fd: i32, size: i64| {
        errno(truncate(&guest, fd, size))
    })?;
    linker.func_wrap(MODULE, "shm_size", |mut guest: Guest<'_>, fd: i32, out: i32| {
        errno(size(&mut guest, fd, out))
    })?;
    linker.func_wrap(MODULE, "shm_read", |mut guest: Guest<'_>, fd: i32, offset: i64, buf: i32, len: i32, out: i32| {
        errno(read(&mut guest, fd, offset, (buf, len), out))
    })?;
    linker.func_wrap(MODULE, "shm_write", |mut guest: Guest<'_>, fd: i32, offset: i64, data: i32, len: i32| {
        errno(write(&mut guest, fd, offset, (data, len)))
    })?;
    linker.func_wrap(MODULE, "shm_atomic32", |mut guest: Guest<'_>, fd: i32, offset: i64, operation: i32, operand: i32, expected: i32, out: i32| {
        errno(atomic32(&mut guest, (fd, offset), operation, (operand.cast_unsigned(), expected.cast_unsigned()), out))
    })?;
    linker.func_wrap(MODULE, "shm_atomic64", |mut guest: Guest<'_>, fd: i32, offset: i64, operation: i32, operand: i64, expected: i64, out: i32| {
        errno(atomic64(&mut guest, (fd, offset), operation, (operand.cast_unsigned(), expected.cast_unsigned()), out))
    })?;
    linker.func_wrap_async(MODULE, "shmseg_get", |mut guest: Guest<'_>, (key, size, flags, out): (i32, i64, i32, i32)| {
        Box::new(async move { errno(get(&mut guest, key, size, flags, out).await) })
    })?;
    linker.func_wrap(MODULE, "shmseg_attach", |mut guest: Guest<'_>, id: i32, flags: i32, out: i32| {
        errno(attach(&mut guest, id, flags, out))
    })?;
    linker.func_wrap(MODULE, "shmseg_stat", |mut guest: Guest<'_>, id: i32, out: i32| {
        errno(stat(&mut guest, id, out))
    })?;
    linker.func_wrap(MODULE, "shmseg_remove", |guest: Guest<'_>, id: i32| {
        errno(guest.data().ipc.shm_remove(id).map_err(Into::into))
    })?;
    Ok(())
}
