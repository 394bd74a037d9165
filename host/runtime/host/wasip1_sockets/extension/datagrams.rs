//! `sock_send_to` and `sock_recv_from`: sending to and receiving from addresses.

use wasmtime::{Linker, Result};

use super::address::{check_address, read_address, write_address};
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Guest, Out, errno, memory};
use crate::host::wasip1_sockets::MODULE;
use crate::host::wasip1_sockets::descriptors::TRUNCATED;
use crate::host::wasip1_sockets::transfer::{self, ReceiveFlags};

/// Where the results of a receive go.
#[derive(Clone, Copy, Debug)]
struct Places {
    address: i32,
    /// Two bytes, where they are wanted.
    port: Option<i32>,
    bytes: i32,
    flags: i32,
}

async fn send_to(
    guest: &mut Guest<'_>,
    fd: i32,
    buffers: (i32, i32),
    (address, port): (i32, i32),
    out: i32,
) -> Answer {
    let (memory_now, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let out = Out::<4>::new(out, memory_now)?;
    let to = read_address(memory_now, address, port)?;
    let sent = transfer::send(guest, fd, buffers, Some(to)).await?;
    out.put(memory(guest)?.0, &[&sent])
}

async fn receive_from(
    guest: &mut Guest<'_>,
    fd: i32,
    buffers: (i32, i32),
    flags: i32,
    places: Places,
) -> Answer {
    let (memory_now, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    check_address(memory_now, places.address)?;
    let port_out = places.port.map(|port| Out::<2>::new(port, memory_now));
    let port_out = port_out.transpose()?;
    let bytes_out = Out::<4>::new(places.bytes, memory_now)?;
    let flags_out = Out::<2>::new(places.flags, memory_now)?;
    let receipt = transfer::receive(guest, fd, buffers, ReceiveFlags::of(flags)).await?;
    let (memory, _) = memory(guest)?;
    if let Some(from) = receipt.from {
        write_address(memory, places.address, from)?;
        if let Some(out) = port_out {
            out.put(memory, &[&from.port()])?;
        }
    }
    bytes_out.put(memory, &[&receipt.bytes])?;
    let flags = if receipt.truncated { TRUNCATED } else { 0 };
    flags_out.put(memory, &[&flags])
}

type ToArguments = (i32, i32, i32, i32, i32, i32, i32);
type FromArguments = (i32, i32, i32, i32, i32, i32, i32, i32);

/// Defines the functions.
///
/// # Errors
/// A bug of this host: shadowing is not allowed.
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    for name in ["sock_send_to", "sock_send_to_v2"] {
        linker.func_wrap_async(
            MODULE,
            name,
            |mut guest: Guest<'_>, (fd, iovs, len, address, port, _flags, out): ToArguments| {
                Box::new(async move {
                    errno(send_to(&mut guest, fd, (iovs, len), (address, port), out).await)
                })
            },
        )?;
    }
    for name in ["sock_recv_from", "sock_recv_from_v2"] {
        linker.func_wrap_async(
            MODULE,
            name,
            |mut guest: Guest<'_>,
             (fd, iovs, len, address, in_flags, port, bytes, flags): FromArguments| {
                let places = Places {
                    address,
                    port: Some(port),
                    bytes,
                    flags,
                };
                Box::new(async move {
                    errno(receive_from(&mut guest, fd, (iovs, len), in_flags, places).await)
                })
            },
        )?;
    }
    Ok(())
}

/// Defines `sock_recv_from` as it was: the port of the sender is not told.
///
/// # Errors
/// A bug of this host: shadowing is not allowed.
pub(super) fn link_without_port(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap_async(
        MODULE,
        "sock_recv_from",
        |mut guest: Guest<'_>, (fd, iovs, len, address, in_flags, bytes, flags): ToArguments| {
            let places = Places {
                address,
                port: None,
                bytes,
                flags,
            };
            Box::new(async move {
                errno(receive_from(&mut guest, fd, (iovs, len), in_flags, places).await)
            })
        },
    )?;
    Ok(())
}
