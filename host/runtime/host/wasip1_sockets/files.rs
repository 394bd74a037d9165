//! What the engine does with descriptors that are no sockets, and what becomes of these calls for those that are.
//!
//! The engine has no way to add a descriptor to its own, so its functions are called by ours. They are generated, and
//! "not for external use": the version of wasmtime-wasi is pinned, and the tests run through them.

use wasmtime::{Extern, Linker, Result, bail};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as engine, WasiSnapshotPreview1 as _};
use wiggle::GuestMemory;

use super::MODULE;
use super::errno::{EBADF, EINVAL, EMFILE, ENOTDIR, ENOTSUP, ESPIPE};
use super::table::FIRST_OPENED;
use crate::host::CoreState;
use crate::host::guest_memory::{Failure, Guest, Out, Place, memory};

/// WASI 0.1's errno for success.
const SUCCESS: i32 = 0;

/// The guest's memory and the engine's state, ready for one call.
pub(super) fn engine_view<'a>(
    guest: &'a mut Guest<'_>,
) -> Result<(GuestMemory<'a>, &'a mut WasiP1Ctx)> {
    // Bounds what the call may copy; without it there is nothing that it may.
    let fuel = wasmtime::AsContextMut::as_context_mut(guest).hostcall_fuel();
    let Some(Extern::Memory(memory)) = guest.get_export("memory") else {
        bail!("missing required memory export");
    };
    let (memory, state) = memory.data_and_store_mut(guest);
    state.wasi.set_hostcall_fuel(fuel);
    Ok((GuestMemory::Unshared(memory), &mut state.wasi))
}

/// The errno of a call on a socket that cannot do this; `None` if the descriptor is the engine's.
fn refused(guest: &Guest<'_>, fd: i32, failure: Failure) -> Option<i32> {
    let sockets = &guest.data().sockets;
    sockets.owns(fd).then(|| match sockets.get(fd) {
        Ok(_) => failure.errno(),
        Err(closed) => closed.errno(),
    })
}

/// Defines functions that are the engine's, except that a socket gives an errno: `[descriptor => errno]`.
macro_rules! engine_but_for_sockets {
    ($linker:ident: $($(@$is_sync:ident)? $name:ident($($arg:ident: $type:ty),*) $([$fd:ident => $failure:expr])+;)*) => { $(
        engine_but_for_sockets!(@define $($is_sync)? $linker $name ($($arg: $type),*) ($(($fd, $failure))+));
    )* };
    (@define $linker:ident $name:ident ($($arg:ident: $type:ty),*) ($(($fd:ident, $failure:expr))+)) => {
        $linker.func_wrap_async(MODULE, stringify!($name), |mut guest: Guest<'_>, ($($arg,)*): ($($type,)*)| {
            Box::new(async move {
                $(if let Some(errno) = refused(&guest, $fd, $failure) {
                    return Ok(errno);
                })+
                let (mut memory, wasi) = engine_view(&mut guest)?;
                engine::$name(wasi, &mut memory, $($arg),*).await
            })
        })?;
    };
    (@define sync $linker:ident $name:ident ($($arg:ident: $type:ty),*) ($(($fd:ident, $failure:expr))+)) => {
        $linker.func_wrap(MODULE, stringify!($name), |mut guest: Guest<'_>, $($arg: $type),*| -> Result<i32> {
            $(if let Some(errno) = refused(&guest, $fd, $failure) {
                return Ok(errno);
            })+
            let (mut memory, wasi) = engine_view(&mut guest)?;
            engine::$name(wasi, &mut memory, $($arg),*)
        })?;
    };
}

/// Defines the calls that mean nothing to a socket.
///
/// # Errors
/// A bug of this host: one is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    engine_but_for_sockets! { linker:
        fd_advise(fd: i32, offset: i64, len: i64, advice: i32) [fd => ESPIPE];
        @sync fd_allocate(fd: i32, offset: i64, len: i64) [fd => ESPIPE];
        fd_datasync(fd: i32) [fd => EINVAL];
        @sync fd_fdstat_set_rights(fd: i32, base: i64, inheriting: i64) [fd => ENOTSUP];
        fd_filestat_set_size(fd: i32, size: i64) [fd => EINVAL];
        fd_filestat_set_times(fd: i32, atim: i64, mtim: i64, flags: i32) [fd => EINVAL];
        fd_pread(fd: i32, iovs: i32, len: i32, offset: i64, out: i32) [fd => ESPIPE];
        @sync fd_prestat_dir_name(fd: i32, path: i32, len: i32) [fd => ENOTDIR];
        fd_pwrite(fd: i32, iovs: i32, len: i32, offset: i64, out: i32) [fd => ESPIPE];
        fd_readdir(fd: i32, buf: i32, len: i32, cookie: i64, out: i32) [fd => ENOTDIR];
        fd_seek(fd: i32, offset: i64, whence: i32, out: i32) [fd => ESPIPE];
        fd_sync(fd: i32) [fd => EINVAL];
        @sync fd_tell(fd: i32, out: i32) [fd => ESPIPE];
        path_create_directory(fd: i32, path: i32, len: i32) [fd => ENOTDIR];
        path_filestat_get(fd: i32, flags: i32, path: i32, len: i32, out: i32) [fd => ENOTDIR];
        path_filestat_set_times(fd: i32, flags: i32, path: i32, len: i32, atim: i64, mtim: i64, which: i32) [fd => ENOTDIR];
        path_link(fd: i32, flags: i32, path: i32, len: i32, to: i32, to_path: i32, to_len: i32) [fd => ENOTDIR] [to => ENOTDIR];
        path_readlink(fd: i32, path: i32, len: i32, buf: i32, buf_len: i32, out: i32) [fd => ENOTDIR];
        path_remove_directory(fd: i32, path: i32, len: i32) [fd => ENOTDIR];
        path_rename(fd: i32, path: i32, len: i32, to: i32, to_path: i32, to_len: i32) [fd => ENOTDIR] [to => ENOTDIR];
        path_symlink(target: i32, target_len: i32, fd: i32, path: i32, len: i32) [fd => ENOTDIR];
        path_unlink_file(fd: i32, path: i32, len: i32) [fd => ENOTDIR];
    }
    linker.func_wrap_async(
        MODULE,
        "path_open",
        |mut guest: Guest<'_>, arguments: OpenArguments| {
            Box::new(async move { open(&mut guest, arguments).await })
        },
    )?;
    Ok(())
}

/// The directory, `lookupflags`, the path and its length, `oflags`, rights, inherited rights, `fdflags`, the place of
/// the new number.
type OpenArguments = (i32, i32, i32, i32, i32, i64, i64, i32, i32);

/// Opens a file, unless its number would be one of sockets.
async fn open(guest: &mut Guest<'_>, arguments: OpenArguments) -> Result<i32> {
    let (fd, lookup, path, len, open, base, inheriting, flags, out) = arguments;
    if let Some(errno) = refused(guest, fd, ENOTDIR) {
        return Ok(errno);
    }
    // Checked before: nobody could close a file whose number was not told.
    if let Err(failure) = memory(guest).and_then(|(memory, _)| Out::<4>::new(out, memory)) {
        return Ok(failure.errno());
    }
    let (mut memory, wasi) = engine_view(guest)?;
    let errno = engine::path_open(
        wasi,
        &mut memory,
        fd,
        lookup,
        path,
        len,
        open,
        base,
        inheriting,
        flags,
        out,
    )
    .await?;
    if errno != SUCCESS {
        return Ok(errno);
    }
    let opened = opened(guest, out);
    match opened {
        Ok(number) if number.cast_unsigned() < FIRST_OPENED => Ok(SUCCESS),
        Ok(number) => {
            close(guest, number).await?;
            Ok(EMFILE.errno())
        }
        Err(failure) => Ok(failure.errno()),
    }
}

fn opened(guest: &mut Guest<'_>, out: i32) -> std::result::Result<i32, Failure> {
    let (memory, _) = memory(guest)?;
    let bytes = Place::new(out, 4)?.read_array::<4>(memory)?;
    Ok(i32::from_le_bytes(bytes))
}

/// The engine's `fd_close`.
pub(super) async fn close(guest: &mut Guest<'_>, fd: i32) -> Result<i32> {
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_close(wasi, &mut memory, fd).await
}

/// The engine's `fd_read`.
pub(super) async fn read(
    guest: &mut Guest<'_>,
    fd: i32,
    (iovs, len): (i32, i32),
    out: i32,
) -> Result<i32> {
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_read(wasi, &mut memory, fd, iovs, len, out).await
}

/// The engine's `fd_write`.
pub(super) async fn write(
    guest: &mut Guest<'_>,
    fd: i32,
    (iovs, len): (i32, i32),
    out: i32,
) -> Result<i32> {
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_write(wasi, &mut memory, fd, iovs, len, out).await
}

/// The engine's `fd_fdstat_get`.
pub(super) async fn fdstat(guest: &mut Guest<'_>, fd: i32, out: i32) -> Result<i32> {
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_fdstat_get(wasi, &mut memory, fd, out).await
}

/// The engine's `fd_filestat_get`.
pub(super) async fn filestat(guest: &mut Guest<'_>, fd: i32, out: i32) -> Result<i32> {
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_filestat_get(wasi, &mut memory, fd, out).await
}

/// The engine's `fd_fdstat_set_flags`.
pub(super) fn set_flags(guest: &mut Guest<'_>, fd: i32, flags: i32) -> Result<i32> {
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_fdstat_set_flags(wasi, &mut memory, fd, flags)
}

/// The engine's `fd_prestat_get`.
pub(super) fn prestat(guest: &mut Guest<'_>, fd: i32, out: i32) -> Result<i32> {
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_prestat_get(wasi, &mut memory, fd, out)
}

/// The engine's `fd_renumber`, among files; a socket never becomes a file's number, nor the other way round.
pub(super) async fn renumber(guest: &mut Guest<'_>, from: i32, to: i32) -> Result<i32> {
    let sockets = &guest.data().sockets;
    if sockets.owns(from) || sockets.owns(to) {
        let one_is_closed = [from, to]
            .iter()
            .any(|fd| sockets.owns(*fd) && sockets.get(*fd).is_err());
        return Ok(if one_is_closed { EBADF } else { ENOTSUP }.errno());
    }
    let (mut memory, wasi) = engine_view(guest)?;
    engine::fd_renumber(wasi, &mut memory, from, to).await
}

/// The engine's `poll_oneoff` on a memory of our own.
pub(super) async fn poll(
    wasi: &mut WasiP1Ctx,
    memory: &mut [u8],
    (subscriptions, events): (i32, i32),
    count: i32,
    out: i32,
) -> Result<i32> {
    // What it copies is bounded by the caller.
    wasi.set_hostcall_fuel(memory.len());
    let mut memory = GuestMemory::Unshared(memory);
    engine::poll_oneoff(wasi, &mut memory, subscriptions, events, count, out).await
}
