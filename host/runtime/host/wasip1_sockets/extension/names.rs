//! `sock_getaddrinfo`: what a name and a service stand for, written into a list that the guest has prepared.
//!
//! The guest gives the address of a chain of `addrinfo`s, each with a place for a `sockaddr`, each of those with a place
//! for its data, and for a name. Layouts (32-bit, little-endian):
//!
//! ```text
//!  addrinfo (28)  flags:2 family:1 socktype:1 protocol:1 -:3 addrlen:4 addr:4 canonname:4 canonname_len:4 next:4
//!  sockaddr (12)  family:1 -:3 data_len:4 data:4
//!  data           IPv4: port:2 (big-endian) address:4 zeros:8     IPv6: port:2 flowinfo:4 address:16 scope:4
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use wasmpod_network::ContainerNetwork;
use wasmtime::{Linker, Result};

use super::services;
use super::{INET4, INET6};
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, Failure, Guest, Number, Out, Place, errno, memory};
use crate::host::wasip1_sockets::MODULE;

/// Errnos of a lookup, as WasmEdge numbers them.
const EAI_BADFLAGS: Failure = Failure::new(79);
const EAI_FAMILY: Failure = Failure::new(81);
const EAI_MEMORY: Failure = Failure::new(82);
const EAI_NONAME: Failure = Failure::new(84);
const EAI_SERVICE: Failure = Failure::new(85);
const EAI_SOCKTYPE: Failure = Failure::new(86);

/// Flags of a lookup: `AI_*`.
const PASSIVE: u16 = 1;
const CANONICAL_NAME: u16 = 1 << 1;
const NUMERIC_HOST: u16 = 1 << 2;
const NUMERIC_SERVICE: u16 = 1 << 3;
/// Also `AI_V4MAPPED`, `AI_ALL`, `AI_ADDRCONFIG`, which change nothing here.
const ALL_FLAGS: u16 = (1 << 7) - 1;

/// Kinds of sockets and their protocols: (socktype, protocol).
const DATAGRAM: (u8, u8) = (1, 2);
const STREAM: (u8, u8) = (2, 1);

const ADDRINFO_BYTES: usize = 28;
const SOCKADDR_BYTES: usize = 12;
/// Bytes of the data of a `sockaddr`.
const DATA4_BYTES: usize = 14;
const DATA6_BYTES: usize = 26;

/// The longest name and service that are looked at, in bytes; no host name is longer (RFC 1035 2.3.4).
const MAX_TEXT_BYTES: usize = 256;

/// What a guest asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question<'a> {
    name: &'a str,
    service: &'a str,
    flags: u16,
    family: u8,
    kind: u8,
    protocol: u8,
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    address: SocketAddr,
    kind: u8,
    protocol: u8,
}

impl Question<'_> {
    /// All answers, streams before datagrams for each address.
    fn answers(&self, network: &ContainerNetwork) -> std::result::Result<Vec<Found>, Failure> {
        let has = |flag: u16| self.flags & flag != 0;
        if self.flags & !ALL_FLAGS != 0 || (has(CANONICAL_NAME) && self.name.is_empty()) {
            return Err(EAI_BADFLAGS);
        }
        if self.name.is_empty() && self.service.is_empty() {
            return Err(EAI_NONAME);
        }
        if self.family > INET6 {
            return Err(EAI_FAMILY);
        }
        let kinds: Vec<_> = [STREAM, DATAGRAM]
            .into_iter()
            .filter(|(kind, _)| [0, *kind].contains(&self.kind))
            .filter(|(_, protocol)| [0, *protocol].contains(&self.protocol))
            .collect();
        if kinds.is_empty() {
            return Err(EAI_SOCKTYPE);
        }
        let port = services::port(self.service, has(NUMERIC_SERVICE)).ok_or(EAI_SERVICE)?;
        let addresses = if self.name.is_empty() {
            let (ip4, ip6) = if has(PASSIVE) {
                (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED)
            } else {
                (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)
            };
            vec![IpAddr::V4(ip4), IpAddr::V6(ip6)]
        } else if has(NUMERIC_HOST) {
            vec![self.name.parse().map_err(|_| EAI_NONAME)?]
        } else {
            network.resolve(self.name).map_err(|_| EAI_NONAME)?
        };
        let of_family = addresses
            .into_iter()
            .filter(|ip| [0, family(*ip)].contains(&self.family));
        let found: Vec<_> = of_family
            .flat_map(|ip| {
                kinds.iter().map(move |(kind, protocol)| Found {
                    address: SocketAddr::new(ip, port),
                    kind: *kind,
                    protocol: *protocol,
                })
            })
            .collect();
        if found.is_empty() {
            Err(EAI_NONAME)
        } else {
            Ok(found)
        }
    }
}

const fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => INET4,
        IpAddr::V6(_) => INET6,
    }
}

/// The data of a `sockaddr`, and how many bytes of it there are.
fn data(address: SocketAddr) -> ([u8; DATA6_BYTES], usize) {
    let mut data = [0; DATA6_BYTES];
    let mut put = |at: usize, field: &[u8]| {
        let places = data.iter_mut().skip(at).zip(field);
        places.for_each(|(place, byte)| *place = *byte);
    };
    put(0, &address.port().to_be_bytes());
    let length = match address.ip() {
        IpAddr::V4(ip) => {
            put(2, &ip.octets());
            DATA4_BYTES
        }
        IpAddr::V6(ip) => {
            put(6, &ip.octets());
            DATA6_BYTES
        }
    };
    (data, length)
}

/// The 32 bits at a place of a record that lies at `start`.
fn word(memory: &[u8], start: u32, at: u32) -> std::result::Result<u32, Failure> {
    let address = start
        .checked_add(at)
        .ok_or(crate::host::guest_memory::EFAULT)?;
    let bytes = Place::of(address, 4)?.read_array::<4>(memory)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Writes numbers one after the other at an address; `N` is how many bytes they are together.
fn put<const N: usize>(memory: &mut [u8], at: u32, numbers: &[&dyn Number]) -> Answer {
    Out::<N>::new(at.cast_signed(), memory)?.put(memory, numbers)
}

/// Writes one answer into the `addrinfo` at `at`; gives the address of the next. An answer for whose data the guest has
/// no room is told without data: its `addrlen` is 0.
fn write(
    memory: &mut [u8],
    at: u32,
    question: &Question<'_>,
    found: Found,
) -> std::result::Result<u32, Failure> {
    Place::of(at, 0)?
        .element(0, ADDRINFO_BYTES)?
        .check(memory)?;
    let sockaddr = word(memory, at, 12)?;
    let (name, name_bytes) = (word(memory, at, 16)?, word(memory, at, 20)?);
    let next = word(memory, at, 24)?;
    Place::of(sockaddr, 0)?
        .element(0, SOCKADDR_BYTES)?
        .check(memory)?;
    let (room, place) = (word(memory, sockaddr, 4)?, word(memory, sockaddr, 8)?);
    let (bytes, length) = data(found.address);
    let family = family(found.address.ip());
    let room = Place::of(place, room)?.write(memory)?;
    let addrlen = match room.get_mut(..length) {
        Some(room) => {
            room.iter_mut()
                .zip(bytes)
                .for_each(|(place, byte)| *place = byte);
            // The size of the `sockaddr` that it stands for, with its family.
            u32::try_from(length.saturating_add(2)).unwrap_or(0)
        }
        None => 0,
    };
    put::<1>(memory, sockaddr, &[&family])?;
    let padding = [0_u8; 3];
    let [a, b, c] = &padding;
    put::<12>(
        memory,
        at,
        &[
            &question.flags,
            &family,
            &found.kind,
            &found.protocol,
            a,
            b,
            c,
            &addrlen,
        ],
    )?;
    if question.flags & CANONICAL_NAME != 0 {
        let written = write_name(memory, (name, name_bytes), question.name)?;
        let length = at
            .checked_add(20)
            .ok_or(crate::host::guest_memory::EFAULT)?;
        put::<4>(memory, length, &[&written])?;
    }
    Ok(next)
}

/// Writes a name with a NUL behind it, as far as there is room; how many bytes of it.
fn write_name(
    memory: &mut [u8],
    (place, room): (u32, u32),
    name: &str,
) -> std::result::Result<u32, Failure> {
    let room = Place::of(place, room)?.write(memory)?;
    let text = name.bytes().chain([0]);
    let written = room.iter_mut().zip(text).map(|(place, byte)| *place = byte);
    Ok(u32::try_from(written.count()).unwrap_or(u32::MAX))
}

/// A text that the guest gave; one NUL at its end is none of it.
fn text(memory: &[u8], pointer: i32, bytes: i32) -> std::result::Result<&str, Failure> {
    let place = Place::new(pointer, bytes)?.check(memory)?;
    let text = place.cut(MAX_TEXT_BYTES).read(memory)?;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    std::str::from_utf8(text).map_err(|_| EAI_NONAME)
}

#[derive(Clone, Copy, Debug)]
struct Arguments {
    name: (i32, i32),
    service: (i32, i32),
    hints: i32,
    /// Where the address of the first `addrinfo` is.
    list: i32,
    most: i32,
    out: i32,
}

fn getaddrinfo(guest: &mut Guest<'_>, arguments: Arguments) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(arguments.out, memory)?;
    let hints = Place::new(arguments.hints, 0)?.element(0, 5)?;
    let [low, high, family, kind, protocol] = hints.read_array::<5>(memory)?;
    let name = text(memory, arguments.name.0, arguments.name.1)?.to_owned();
    let service = text(memory, arguments.service.0, arguments.service.1)?.to_owned();
    let question = Question {
        name: &name,
        service: &service,
        flags: u16::from_le_bytes([low, high]),
        family,
        kind,
        protocol,
    };
    let most = usize::try_from(arguments.most.cast_unsigned()).unwrap_or(usize::MAX);
    if most == 0 {
        return Err(EAI_MEMORY);
    }
    let found = question.answers(&state.network)?;
    let mut at = word(memory, arguments.list.cast_unsigned(), 0)?;
    let mut written = 0_u32;
    for found in found.into_iter().take(most) {
        at = write(memory, at, &question, found)?;
        written = written.saturating_add(1);
    }
    out.put(memory, &[&written])
}

/// Defines the function.
///
/// # Errors
/// A bug of this host: shadowing is not allowed.
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "sock_getaddrinfo",
        |mut guest: Guest<'_>,
         name: i32,
         name_len: i32,
         service: i32,
         service_len: i32,
         hints: i32,
         list: i32,
         most: i32,
         out: i32| {
            let arguments = Arguments {
                name: (name, name_len),
                service: (service, service_len),
                hints,
                list,
                most,
                out,
            };
            errno(getaddrinfo(&mut guest, arguments))
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::wasip1_sockets::tests::Neighbours;

    const ANY: Question<'_> = Question {
        name: "localhost",
        service: "http",
        flags: 0,
        family: INET4,
        kind: 2,
        protocol: 1,
    };

    fn addresses(question: Question<'_>) -> std::result::Result<Vec<String>, Failure> {
        let found = question.answers(&Neighbours::new().client)?;
        let text = |found: &Found| format!("{} {}/{}", found.address, found.kind, found.protocol);
        Ok(found.iter().map(text).collect())
    }

    #[test]
    fn a_name_and_a_service_stand_for_addresses_of_the_kinds_that_are_asked_for() {
        let yes = |question, expected: &[&str]| {
            assert_eq!(addresses(question).unwrap(), expected, "{question:?}");
        };
        yes(ANY, &["127.0.0.1:80 2/1"]);
        yes(
            Question {
                kind: 0,
                protocol: 0,
                ..ANY
            },
            &["127.0.0.1:80 2/1", "127.0.0.1:80 1/2"],
        );
        yes(
            Question {
                family: INET6,
                ..ANY
            },
            &["[::1]:80 2/1"],
        );
        yes(
            Question {
                name: "",
                flags: PASSIVE,
                service: "8080",
                ..ANY
            },
            &["0.0.0.0:8080 2/1"],
        );
        yes(Question { name: "", ..ANY }, &["127.0.0.1:80 2/1"]);
        yes(
            Question {
                name: "192.0.2.1",
                flags: NUMERIC_HOST,
                ..ANY
            },
            &["192.0.2.1:80 2/1"],
        );
        yes(Question { name: "pod", ..ANY }, &["10.244.0.2:80 2/1"]);
    }

    #[test]
    fn a_question_that_has_no_answer_says_why() {
        for (question, failure) in [
            (
                Question {
                    name: "example.com",
                    ..ANY
                },
                EAI_NONAME,
            ),
            (
                Question {
                    name: "",
                    service: "",
                    ..ANY
                },
                EAI_NONAME,
            ),
            (
                Question {
                    name: "pod",
                    flags: NUMERIC_HOST,
                    ..ANY
                },
                EAI_NONAME,
            ),
            (
                Question {
                    name: "192.0.2.1",
                    family: INET6,
                    ..ANY
                },
                EAI_NONAME,
            ),
            (
                Question {
                    service: "none",
                    ..ANY
                },
                EAI_SERVICE,
            ),
            (
                Question {
                    flags: NUMERIC_SERVICE,
                    ..ANY
                },
                EAI_SERVICE,
            ),
            (
                Question {
                    flags: 1 << 7,
                    ..ANY
                },
                EAI_BADFLAGS,
            ),
            (
                Question {
                    name: "",
                    flags: CANONICAL_NAME,
                    ..ANY
                },
                EAI_BADFLAGS,
            ),
            (Question { family: 3, ..ANY }, EAI_FAMILY),
            (Question { kind: 1, ..ANY }, EAI_SOCKTYPE),
            (Question { kind: 9, ..ANY }, EAI_SOCKTYPE),
        ] {
            assert_eq!(addresses(question), Err(failure), "{question:?}");
        }
    }
}
