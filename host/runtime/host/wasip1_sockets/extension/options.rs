//! `sock_getsockopt` and `sock_setsockopt`: `socket(7)`'s options, by WasmEdge's numbers.
//!
//! Options that this network has no use for are kept and given back where a program would not notice the difference,
//! and `ENOPROTOOPT` where it would.

use std::time::Duration;

use wasmpod_network::{Errno, TcpOptions};
use wasmtime::{Linker, Result};

use super::{DATAGRAM, STREAM};
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Failure, Guest, Out, Place, errno, memory};
use crate::host::wasip1_sockets::MODULE;
use crate::host::wasip1_sockets::errno::{EINVAL, ENOPROTOOPT};
use crate::host::wasip1_sockets::socket::{Kind, Socket};

/// The only level of options.
const SOL_SOCKET: i32 = 0;

/// `SO_*` as these calls number them.
mod number {
    pub(super) const REUSEADDR: i32 = 0;
    pub(super) const TYPE: i32 = 1;
    pub(super) const ERROR: i32 = 2;
    pub(super) const BROADCAST: i32 = 4;
    pub(super) const SNDBUF: i32 = 5;
    pub(super) const RCVBUF: i32 = 6;
    pub(super) const KEEPALIVE: i32 = 7;
    pub(super) const LINGER: i32 = 9;
    pub(super) const RCVTIMEO: i32 = 11;
    pub(super) const SNDTIMEO: i32 = 12;
    pub(super) const ACCEPTCONN: i32 = 13;
    pub(super) const BINDTODEVICE: i32 = 14;
}

/// An option's value, in the forms that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// `int`
    Number(i32),
    /// `struct linger`: seconds, if it is on.
    Linger(Option<u32>),
    /// `struct timeval`, of two 64-bit numbers; zero for none.
    Time(Option<Duration>),
    /// No text at all.
    Empty,
}

impl Value {
    /// As the guest reads it, and how many bytes of that there are.
    fn bytes(self) -> ([u8; 16], usize) {
        let mut bytes = [0; 16];
        let mut put = |at: usize, field: &[u8]| {
            let places = bytes.iter_mut().skip(at).zip(field);
            places.for_each(|(place, byte)| *place = *byte);
        };
        let length = match self {
            Self::Number(number) => {
                put(0, &number.to_le_bytes());
                4
            }
            Self::Linger(seconds) => {
                put(0, &i32::from(seconds.is_some()).to_le_bytes());
                put(4, &seconds.unwrap_or(0).to_le_bytes());
                8
            }
            Self::Time(time) => {
                let time = time.unwrap_or_default();
                put(0, &time.as_secs().to_le_bytes());
                put(8, &u64::from(time.subsec_micros()).to_le_bytes());
                16
            }
            Self::Empty => 0,
        };
        (bytes, length)
    }
}

/// An `int`; a shorter one is `EINVAL`, what is behind it is not looked at.
fn int(bytes: &[u8]) -> std::result::Result<i32, Failure> {
    bytes
        .first_chunk()
        .map(|bytes| i32::from_le_bytes(*bytes))
        .ok_or(EINVAL)
}

fn long(bytes: &[u8], at: usize) -> std::result::Result<i64, Failure> {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map(|bytes| i64::from_le_bytes(*bytes)).ok_or(EINVAL)
}

/// A `struct timeval`: `None` for zero, `EINVAL` for a negative one or a million microseconds.
fn time(bytes: &[u8]) -> std::result::Result<Option<Duration>, Failure> {
    let seconds = u64::try_from(long(bytes, 0)?).map_err(|_| EINVAL)?;
    let micros = u32::try_from(long(bytes, 8)?).map_err(|_| EINVAL)?;
    if micros >= 1_000_000 {
        return Err(EINVAL);
    }
    let time = Duration::new(seconds, micros.saturating_mul(1000));
    Ok(Some(time).filter(|time| !time.is_zero()))
}

fn linger(bytes: &[u8]) -> std::result::Result<Option<u32>, Failure> {
    let is_on = int(bytes)? != 0;
    let seconds = int(bytes.get(4..).unwrap_or_default())?;
    let seconds = u32::try_from(seconds).map_err(|_| EINVAL)?;
    Ok(is_on.then_some(seconds))
}

fn size(bytes: usize) -> Value {
    Value::Number(i32::try_from(bytes).unwrap_or(i32::MAX))
}

fn tcp_options(socket: &Socket) -> Option<TcpOptions> {
    match socket.kind() {
        Kind::Tcp { socket, .. } => Some(socket.options()),
        Kind::Udp(_) => None,
    }
}

/// The value of an option.
fn get(socket: &mut Socket, name: i32) -> std::result::Result<Value, Failure> {
    let flag = |is_on: bool| Value::Number(i32::from(is_on));
    Ok(match name {
        number::REUSEADDR => flag(socket.options.reuse_address),
        number::TYPE => Value::Number(if socket.is_datagram() {
            DATAGRAM
        } else {
            STREAM
        }),
        number::ERROR => {
            let error = socket.take_error();
            Value::Number(error.map_or(0, |errno| i32::from(errno.wasi())))
        }
        number::BROADCAST => flag(socket.options.broadcast),
        number::SNDBUF => match socket.kind() {
            Kind::Tcp { socket, .. } => size(socket.options().send_buffer_bytes()),
            Kind::Udp(socket) => size(socket.send_buffer_bytes()),
        },
        number::RCVBUF => match socket.kind() {
            Kind::Tcp { socket, .. } => size(socket.options().receive_buffer_bytes()),
            Kind::Udp(socket) => size(socket.receive_buffer_bytes()),
        },
        number::KEEPALIVE => flag(tcp_options(socket).is_some_and(|options| options.keep_alive())),
        number::LINGER => Value::Linger(socket.options.linger),
        number::RCVTIMEO => Value::Time(socket.options.receive_timeout),
        number::SNDTIMEO => Value::Time(socket.options.send_timeout),
        number::ACCEPTCONN => flag(socket.is_listening()),
        number::BINDTODEVICE => Value::Empty,
        _ => return Err(ENOPROTOOPT),
    })
}

/// Sets an option.
fn set(socket: &mut Socket, name: i32, value: &[u8]) -> std::result::Result<(), Failure> {
    let options = &mut socket.options;
    match name {
        number::REUSEADDR => options.reuse_address = int(value)? != 0,
        number::BROADCAST => options.broadcast = int(value)? != 0,
        number::LINGER => options.linger = linger(value)?,
        number::RCVTIMEO => options.receive_timeout = time(value)?,
        number::SNDTIMEO => options.send_timeout = time(value)?,
        number::KEEPALIVE => {
            let is_on = int(value)? != 0;
            if !socket.is_datagram() {
                socket.set_tcp_options(|options| {
                    options.set_keep_alive(is_on);
                    Ok(())
                })?;
            }
        }
        number::SNDBUF | number::RCVBUF => {
            // Linux takes any number for a wish, and gives the least for one that is too small.
            let wish = u64::try_from(int(value)?).unwrap_or(0).max(1);
            set_buffer(socket, name, wish)?;
        }
        // Not bound to a device is what it is.
        number::BINDTODEVICE if value.is_empty() => {}
        _ => return Err(ENOPROTOOPT),
    }
    Ok(())
}

fn set_buffer(socket: &Socket, name: i32, bytes: u64) -> std::result::Result<(), Failure> {
    let is_send = name == number::SNDBUF;
    let change = |options: &mut TcpOptions| -> std::result::Result<(), Errno> {
        if is_send {
            options.set_send_buffer_bytes(bytes)
        } else {
            options.set_receive_buffer_bytes(bytes)
        }
    };
    match socket.kind() {
        Kind::Tcp { .. } => socket.set_tcp_options(change),
        Kind::Udp(socket) if is_send => Ok(socket.set_send_buffer_bytes(bytes)?),
        Kind::Udp(socket) => Ok(socket.set_receive_buffer_bytes(bytes)?),
    }
}

fn getsockopt(
    guest: &mut Guest<'_>,
    fd: i32,
    (level, name): (i32, i32),
    place: i32,
    length: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let length_out = Out::<4>::new(length, memory)?;
    let room = i32::from_le_bytes(Place::new(length, 4)?.read_array::<4>(memory)?);
    let room = Place::new(place, room)?.check(memory)?;
    if level != SOL_SOCKET {
        return Err(ENOPROTOOPT);
    }
    let (bytes, length) = get(state.sockets.get_mut(fd)?, name)?.bytes();
    // A value is cut to the room that there is, getsockopt(2).
    let length = length.min(room.bytes());
    let place = room.write(memory)?;
    place
        .iter_mut()
        .zip(bytes.iter().take(length))
        .for_each(|(place, byte)| *place = *byte);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    length_out.put(memory, &[&length])
}

fn setsockopt(
    guest: &mut Guest<'_>,
    fd: i32,
    (level, name): (i32, i32),
    place: i32,
    length: i32,
) -> Answer {
    let (memory, state) = memory(guest)?;
    state.sockets.is_socket(fd)?;
    let value = Place::new(place, length)?.read(memory)?;
    if level != SOL_SOCKET {
        return Err(ENOPROTOOPT);
    }
    set(state.sockets.get_mut(fd)?, name, value)
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: shadowing is not allowed.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap(MODULE, "sock_getsockopt", |mut guest: Guest<'_>, fd: i32, level: i32, name: i32, place: i32, length: i32| {
        errno(getsockopt(&mut guest, fd, (level, name), place, length))
    })?;
    linker.func_wrap(MODULE, "sock_setsockopt", |mut guest: Guest<'_>, fd: i32, level: i32, name: i32, place: i32, length: i32| {
        errno(setsockopt(&mut guest, fd, (level, name), place, length))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::wasip1_sockets::tests::{Neighbours, tcp, udp};

    #[test]
    fn what_is_set_is_what_is_got() {
        let pod = Neighbours::new();
        let second = Some(Duration::from_millis(1500));
        for mut socket in [tcp(&pod.client), udp(&pod.client)] {
            for value in [Value::Number(1), Value::Number(0)] {
                for name in [number::REUSEADDR, number::BROADCAST] {
                    set(&mut socket, name, &value.bytes().0).unwrap();
                    assert_eq!(get(&mut socket, name), Ok(value));
                }
            }
            for name in [number::RCVTIMEO, number::SNDTIMEO] {
                for value in [Value::Time(second), Value::Time(None)] {
                    set(&mut socket, name, &value.bytes().0).unwrap();
                    assert_eq!(get(&mut socket, name), Ok(value));
                }
            }
            for value in [Value::Linger(Some(7)), Value::Linger(None)] {
                set(&mut socket, number::LINGER, &value.bytes().0).unwrap();
                assert_eq!(get(&mut socket, number::LINGER), Ok(value));
            }
            for (wish, size) in [(100_000, 100_000), (1, 4096), (-1, 4096)] {
                for name in [number::SNDBUF, number::RCVBUF] {
                    set(&mut socket, name, &Value::Number(wish).bytes().0).unwrap();
                    assert_eq!(get(&mut socket, name), Ok(Value::Number(size)));
                }
            }
        }
    }

    #[test]
    fn a_socket_says_of_which_kind_it_is() {
        let pod = Neighbours::new();
        let (mut stream, mut datagram) = (tcp(&pod.server), udp(&pod.server));
        assert_eq!(get(&mut stream, number::TYPE), Ok(Value::Number(2)));
        assert_eq!(get(&mut datagram, number::TYPE), Ok(Value::Number(1)));
        assert_eq!(get(&mut stream, number::ACCEPTCONN), Ok(Value::Number(0)));
        stream.listen(1, &pod.server).unwrap();
        assert_eq!(get(&mut stream, number::ACCEPTCONN), Ok(Value::Number(1)));
        assert_eq!(get(&mut stream, number::BINDTODEVICE).unwrap().bytes().1, 0);
    }

    #[test]
    fn values_that_are_none_are_refused() {
        let pod = Neighbours::new();
        let mut socket = tcp(&pod.client);
        let negative = [0xff; 16];
        for (name, value, failure) in [
            (number::REUSEADDR, &[1, 0][..], EINVAL),
            (number::LINGER, &[1, 0, 0, 0], EINVAL),
            (
                number::LINGER,
                &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
                EINVAL,
            ),
            (number::RCVTIMEO, &[0; 8], EINVAL),
            (number::RCVTIMEO, &negative, EINVAL),
            (number::BINDTODEVICE, b"lo", ENOPROTOOPT),
            (number::TYPE, &[1, 0, 0, 0], ENOPROTOOPT),
            (99, &[1, 0, 0, 0], ENOPROTOOPT),
        ] {
            assert_eq!(
                set(&mut socket, name, value),
                Err(failure),
                "{name} {value:?}"
            );
        }
        let million = [0_i64.to_le_bytes(), 1_000_000_i64.to_le_bytes()].concat();
        assert_eq!(time(&million), Err(EINVAL));
        assert_eq!(get(&mut socket, -1), Err(ENOPROTOOPT));
    }
}
