//! The socket calls that WasmEdge has added to WASI 0.1: with them a module opens, binds and connects sockets itself.
//!
//! There is no text of a standard for them. Followed are the declarations in the crate `wasmedge_wasi_socket` (0.5),
//! which `mio_wasi`, `tokio_wasi` and `hyper_wasi` build upon, and where the calls changed in time all forms of them:
//! under the same name with other parameters ([`link_forms`]), or with `_v2` at the end of the name.
//!
//! | call | forms |
//! |---|---|
//! | `sock_accept` | `(fd, out)`, and WASI's own `(fd, flags, out)` |
//! | `sock_recv_from` | without and with the place for the port |
//! | `sock_getlocaladdr`, `sock_getpeeraddr` | with the place for the family (4 or 6), and without |
//!
//! `address` has how addresses lie in memory, `datagrams` sending to and receiving from them, `options` the socket
//! options, `names` looking up names, `services` the names of ports.

mod address;
mod datagrams;
mod names;
mod options;
mod services;

use wasmpod_network::AddressFamily;
use wasmtime::{Linker, Module, Result};

use self::address::{FamilyOut, read_address, write_address};
use super::MODULE;
use super::errno::{EAFNOSUPPORT, EPROTONOSUPPORT};
use super::socket::Socket;
use super::{descriptors, transfer};
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Guest, Out, errno, memory};

/// Address families as these calls number them.
const INET4: u8 = 1;
const INET6: u8 = 2;

/// Kinds of sockets as these calls number them.
const DATAGRAM: i32 = 1;
const STREAM: i32 = 2;

fn open(guest: &mut Guest<'_>, family: i32, kind: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let family = match u8::try_from(family) {
        Ok(INET4) => AddressFamily::Ipv4,
        Ok(INET6) => AddressFamily::Ipv6,
        _ => return Err(EAFNOSUPPORT),
    };
    let socket = match kind {
        STREAM => Socket::tcp(state.network.tcp_socket(family)?),
        DATAGRAM => Socket::udp(state.network.udp_socket(family)?),
        _ => return Err(EPROTONOSUPPORT),
    };
    let number = state.sockets.insert(socket)?;
    out.put(memory, &[&number])
}

fn bind(guest: &mut Guest<'_>, fd: i32, address: i32, port: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let address = read_address(memory, address, port)?;
    state.sockets.get_mut(fd)?.bind(address, &state.network)
}

fn listen(guest: &mut Guest<'_>, fd: i32, backlog: i32) -> Answer {
    let state = guest.data_mut();
    state.sockets.is_socket(fd)?;
    let backlog = u32::try_from(backlog).unwrap_or(0);
    state.sockets.get_mut(fd)?.listen(backlog, &state.network)
}

async fn connect(guest: &mut Guest<'_>, fd: i32, address: i32, port: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let to = read_address(memory, address, port)?;
    transfer::connect(guest, fd, to).await
}

/// Whose address is asked for.
#[derive(Clone, Copy, Debug)]
enum End {
    Local,
    Peer,
}

fn name(
    guest: &mut Guest<'_>,
    end: End,
    fd: i32,
    place: i32,
    family: FamilyOut,
    port: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let socket = state.sockets.get_mut(fd)?;
    let address = match end {
        End::Local => socket.local_addr()?,
        End::Peer => socket.peer_addr()?,
    };
    let port_out = Out::<4>::new(port, memory)?;
    let family_out = family.check(memory)?;
    write_address(memory, place, address)?;
    if let Some(out) = family_out {
        let family: u32 = if address.is_ipv4() { 4 } else { 6 };
        out.put(memory, &[&family])?;
    }
    port_out.put(memory, &[&u32::from(address.port())])
}

/// Defines the functions, with the parameters that they have today.
///
/// # Errors
/// A bug of this host: shadowing is not allowed.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    for name in ["sock_open", "sock_open_v2"] {
        linker.func_wrap(MODULE, name, |mut guest: Guest<'_>, family: i32, kind: i32, out: i32| {
            errno(open(&mut guest, family, kind, out))
        })?;
    }
    for name in ["sock_bind", "sock_bind_v2"] {
        linker.func_wrap(MODULE, name, |mut guest: Guest<'_>, fd: i32, address: i32, port: i32| {
            errno(bind(&mut guest, fd, address, port))
        })?;
    }
    for name in ["sock_listen", "sock_listen_v2"] {
        linker.func_wrap(MODULE, name, |mut guest: Guest<'_>, fd: i32, backlog: i32| {
            errno(listen(&mut guest, fd, backlog))
        })?;
    }
    for name in ["sock_connect", "sock_connect_v2"] {
        linker.func_wrap_async(MODULE, name, |mut guest: Guest<'_>, (fd, address, port): (i32, i32, i32)| {
            Box::new(async move { errno(connect(&mut guest, fd, address, port).await) })
        })?;
    }
    link_name(linker, "sock_getlocaladdr", End::Local)?;
    link_name(linker, "sock_getpeeraddr", End::Peer)?;
    link_name_without_family(linker, "sock_getlocaladdr_v2", End::Local)?;
    link_name_without_family(linker, "sock_getpeeraddr_v2", End::Peer)?;
    datagrams::link(linker)?;
    options::link(linker)?;
    names::link(linker)?;
    for call in ["sock_accept", "sock_recv", "sock_send"] {
        linker.alias(MODULE, call, MODULE, &format!("{call}_v2"))?;
    }
    Ok(())
}

fn link_name(linker: &mut Linker<CoreState>, call: &str, end: End) -> Result<()> {
    linker.func_wrap(
        MODULE,
        call,
        move |mut guest: Guest<'_>, fd: i32, place: i32, family: i32, port: i32| {
            errno(name(
                &mut guest,
                end,
                fd,
                place,
                FamilyOut::At(family),
                port,
            ))
        },
    )?;
    Ok(())
}

fn link_name_without_family(linker: &mut Linker<CoreState>, call: &str, end: End) -> Result<()> {
    linker.func_wrap(
        MODULE,
        call,
        move |mut guest: Guest<'_>, fd: i32, place: i32, port: i32| {
            errno(name(&mut guest, end, fd, place, FamilyOut::None, port))
        },
    )?;
    Ok(())
}

/// Defines those calls again that `module` imports with other parameters than are defined.
///
/// # Errors
/// A bug of this host: shadowing is not allowed.
pub(crate) fn link_forms(linker: &mut Linker<CoreState>, module: &Module) -> Result<()> {
    linker.allow_shadowing(true);
    for import in module.imports().filter(|import| import.module() == MODULE) {
        let parameters = import.ty().func().map(|function| function.params().len());
        match (import.name(), parameters) {
            ("sock_accept", Some(2)) => {
                linker.func_wrap_async(
                    MODULE,
                    "sock_accept",
                    |mut guest: Guest<'_>, (fd, out): (i32, i32)| {
                        Box::new(
                            async move { errno(descriptors::accept(&mut guest, fd, 0, out).await) },
                        )
                    },
                )?;
            }
            ("sock_recv_from", Some(7)) => datagrams::link_without_port(linker)?,
            (call @ "sock_getlocaladdr", Some(3)) => {
                link_name_without_family(linker, call, End::Local)?;
            }
            (call @ "sock_getpeeraddr", Some(3)) => {
                link_name_without_family(linker, call, End::Peer)?;
            }
            _ => {}
        }
    }
    linker.allow_shadowing(false);
    Ok(())
}
