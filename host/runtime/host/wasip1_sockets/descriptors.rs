//! The calls of WASI 0.1 that a socket has in common with files, and those that only sockets have.
//!
//! Each looks whose the number is: ours are sockets, all others are the engine's (`files`).

use wasmpod_network::Shutdown;
use wasmtime::{Linker, Result};

use super::errno::{EINVAL, ENOTSOCK};
use super::transfer::{self, ReceiveFlags};
use super::{MODULE, files};
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Failure, Guest, Out, errno, memory};

/// `filetype::socket_dgram`, `filetype::socket_stream`
const SOCKET_DGRAM: u8 = 5;
const SOCKET_STREAM: u8 = 6;

/// `fdflags::nonblock`
const NONBLOCK: i32 = 1 << 2;

/// `rights` of a socket. C libraries tell by the first two whether a descriptor can be read and written.
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;
const SET_FLAGS: u64 = 1 << 3;
const FILESTAT_GET: u64 = 1 << 21;
const POLL: u64 = 1 << 27;
const SHUTDOWN: u64 = 1 << 28;
const ACCEPT: u64 = 1 << 29;
const CONNECTION_RIGHTS: u64 = READ | WRITE | SET_FLAGS | FILESTAT_GET | POLL | SHUTDOWN;
const LISTENER_RIGHTS: u64 = SET_FLAGS | FILESTAT_GET | POLL | ACCEPT;

/// `preopentype` of a preopened listener: not 0, which is a directory. WASI 0.1 has no other. C and Go programs pass over
/// a type that they do not know, and stop looking for their directories at an errno.
const NO_DIRECTORY: u8 = 1;

/// `roflags::recv_data_truncated`
pub(super) const TRUNCATED: u16 = 1;

async fn read(guest: &mut Guest<'_>, fd: i32, buffers: (i32, i32), out: i32) -> Answer {
    let (memory_now, _) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let receipt = transfer::receive(guest, fd, buffers, ReceiveFlags::default()).await?;
    out.put(memory(guest)?.0, &[&receipt.bytes])
}

async fn write(guest: &mut Guest<'_>, fd: i32, buffers: (i32, i32), out: i32) -> Answer {
    let (memory_now, _) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let sent = transfer::send(guest, fd, buffers, None).await?;
    out.put(memory(guest)?.0, &[&sent])
}

async fn receive(
    guest: &mut Guest<'_>,
    fd: i32,
    buffers: (i32, i32),
    flags: i32,
    (out, out_flags): (i32, i32),
) -> Answer {
    let (memory_now, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let out = Out::<4>::new(out, memory_now)?;
    let out_flags = Out::<2>::new(out_flags, memory_now)?;
    let receipt = transfer::receive(guest, fd, buffers, ReceiveFlags::of(flags)).await?;
    let (memory, _) = memory(guest)?;
    out.put(memory, &[&receipt.bytes])?;
    let flags = if receipt.truncated { TRUNCATED } else { 0 };
    out_flags.put(memory, &[&flags])
}

async fn send(guest: &mut Guest<'_>, fd: i32, buffers: (i32, i32), out: i32) -> Answer {
    guest.data().sockets.is_socket(fd)?;
    write(guest, fd, buffers, out).await
}

/// accept(2); `flags` are those of the new descriptor.
pub(super) async fn accept(guest: &mut Guest<'_>, fd: i32, flags: i32, out: i32) -> Answer {
    let (memory_now, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let out = Out::<4>::new(out, memory_now)?;
    if flags & !NONBLOCK != 0 {
        return Err(EINVAL);
    }
    let accepted = transfer::accept(guest, fd, flags & NONBLOCK != 0).await?;
    out.put(memory(guest)?.0, &[&accepted])
}

fn shutdown(guest: &mut Guest<'_>, fd: i32, how: i32) -> Answer {
    let sockets = &mut guest.data_mut().sockets;
    sockets.is_socket(fd)?;
    let how = match how {
        1 => Shutdown::Receive,
        2 => Shutdown::Send,
        3 => Shutdown::Both,
        _ => return Err(EINVAL),
    };
    sockets.get_mut(fd)?.shutdown(how)
}

fn close(guest: &mut Guest<'_>, fd: i32) -> Answer {
    guest.data_mut().sockets.remove(fd)?.close();
    Ok(())
}

fn renumber(guest: &mut Guest<'_>, from: i32, to: i32) -> Answer {
    if let Some(replaced) = guest.data_mut().sockets.renumber(from, to)? {
        replaced.close();
    }
    Ok(())
}

fn fdstat(guest: &mut Guest<'_>, fd: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let socket = state.sockets.get(fd)?;
    let out = Out::<24>::new(out, memory)?;
    let flags = if socket.nonblocking { NONBLOCK } else { 0 };
    let flags = u16::try_from(flags).unwrap_or_default();
    let (rights, inheriting) = if socket.is_listening() {
        (LISTENER_RIGHTS, CONNECTION_RIGHTS)
    } else {
        (CONNECTION_RIGHTS, CONNECTION_RIGHTS)
    };
    let filetype = filetype(socket.is_datagram());
    let (padding, more_padding) = (0_u8, 0_u32);
    out.put(
        memory,
        &[
            &filetype,
            &padding,
            &flags,
            &more_padding,
            &rights,
            &inheriting,
        ],
    )
}

const fn filetype(is_datagram: bool) -> u8 {
    if is_datagram {
        SOCKET_DGRAM
    } else {
        SOCKET_STREAM
    }
}

fn set_flags(guest: &mut Guest<'_>, fd: i32, flags: i32) -> Answer {
    let socket = guest.data_mut().sockets.get_mut(fd)?;
    if flags & !NONBLOCK != 0 {
        return Err(EINVAL);
    }
    socket.nonblocking = flags & NONBLOCK != 0;
    Ok(())
}

/// A file type and otherwise zeros: a socket has no inode, no size and no times.
fn filestat(guest: &mut Guest<'_>, fd: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let filetype = filetype(state.sockets.get(fd)?.is_datagram());
    let zero = 0_u64;
    let filetype = u64::from(filetype);
    Out::<64>::new(out, memory)?.put(
        memory,
        &[&zero, &zero, &filetype, &zero, &zero, &zero, &zero, &zero],
    )
}

fn prestat(guest: &mut Guest<'_>, fd: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    state.sockets.get(fd)?;
    if !state.sockets.is_preopened(fd) {
        return Err(super::errno::EBADF);
    }
    let length = 0_u32;
    Out::<8>::new(out, memory)?.put(memory, &[&u32::from(NO_DIRECTORY), &length])
}

impl super::table::Sockets {
    /// `ENOTSOCK` for the number of a file, if there is one or not; `EBADF` for a socket that is not open.
    pub(super) fn is_socket(&self, fd: i32) -> std::result::Result<(), Failure> {
        if self.owns(fd) {
            self.get(fd).map(drop)
        } else {
            Err(ENOTSOCK)
        }
    }
}

/// Whether the number is one of sockets.
fn is_ours(guest: &Guest<'_>, fd: i32) -> bool {
    guest.data().sockets.owns(fd)
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap_async(MODULE, "fd_read", |mut guest: Guest<'_>, (fd, iovs, len, out): (i32, i32, i32, i32)| {
        Box::new(async move {
            if !is_ours(&guest, fd) {
                return files::read(&mut guest, fd, (iovs, len), out).await;
            }
            Ok(errno(read(&mut guest, fd, (iovs, len), out).await))
        })
    })?;
    linker.func_wrap_async(MODULE, "fd_write", |mut guest: Guest<'_>, (fd, iovs, len, out): (i32, i32, i32, i32)| {
        Box::new(async move {
            if !is_ours(&guest, fd) {
                return files::write(&mut guest, fd, (iovs, len), out).await;
            }
            Ok(errno(write(&mut guest, fd, (iovs, len), out).await))
        })
    })?;
    linker.func_wrap_async(MODULE, "fd_close", |mut guest: Guest<'_>, (fd,): (i32,)| {
        Box::new(async move {
            if is_ours(&guest, fd) { Ok(errno(close(&mut guest, fd))) } else { files::close(&mut guest, fd).await }
        })
    })?;
    linker.func_wrap_async(MODULE, "fd_renumber", |mut guest: Guest<'_>, (from, to): (i32, i32)| {
        Box::new(async move {
            if is_ours(&guest, from) && is_ours(&guest, to) {
                return Ok(errno(renumber(&mut guest, from, to)));
            }
            files::renumber(&mut guest, from, to).await
        })
    })?;
    linker.func_wrap_async(MODULE, "fd_fdstat_get", |mut guest: Guest<'_>, (fd, out): (i32, i32)| {
        Box::new(async move {
            if is_ours(&guest, fd) { Ok(errno(fdstat(&mut guest, fd, out))) } else { files::fdstat(&mut guest, fd, out).await }
        })
    })?;
    linker.func_wrap(MODULE, "fd_fdstat_set_flags", |mut guest: Guest<'_>, fd: i32, flags: i32| -> Result<i32> {
        if is_ours(&guest, fd) { Ok(errno(set_flags(&mut guest, fd, flags))) } else { files::set_flags(&mut guest, fd, flags) }
    })?;
    linker.func_wrap_async(MODULE, "fd_filestat_get", |mut guest: Guest<'_>, (fd, out): (i32, i32)| {
        Box::new(async move {
            if is_ours(&guest, fd) { Ok(errno(filestat(&mut guest, fd, out))) } else { files::filestat(&mut guest, fd, out).await }
        })
    })?;
    linker.func_wrap(MODULE, "fd_prestat_get", |mut guest: Guest<'_>, fd: i32, out: i32| -> Result<i32> {
        if is_ours(&guest, fd) { Ok(errno(prestat(&mut guest, fd, out))) } else { files::prestat(&mut guest, fd, out) }
    })?;
    linker.func_wrap_async(MODULE, "sock_accept", |mut guest: Guest<'_>, (fd, flags, out): (i32, i32, i32)| {
        Box::new(async move { errno(accept(&mut guest, fd, flags, out).await) })
    })?;
    linker.func_wrap_async(MODULE, "sock_recv", |mut guest: Guest<'_>, (fd, iovs, len, flags, out, out_flags): (i32, i32, i32, i32, i32, i32)| {
        Box::new(async move { errno(receive(&mut guest, fd, (iovs, len), flags, (out, out_flags)).await) })
    })?;
    // WASI 0.1 has no flags for sending.
    linker.func_wrap_async(MODULE, "sock_send", |mut guest: Guest<'_>, (fd, iovs, len, _flags, out): (i32, i32, i32, i32, i32)| {
        Box::new(async move { errno(send(&mut guest, fd, (iovs, len), out).await) })
    })?;
    linker.func_wrap(MODULE, "sock_shutdown", |mut guest: Guest<'_>, fd: i32, how: i32| {
        errno(shutdown(&mut guest, fd, how))
    })?;
    Ok(())
}
