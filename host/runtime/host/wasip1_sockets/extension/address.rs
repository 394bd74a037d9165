//! Addresses in the guest's memory.
//!
//! A guest gives the address and length of a buffer. Its length says what is in it: 4 bytes are an IPv4 address, 16 an
//! IPv6 one, 128 a family (2 bytes, little-endian) and the address behind it. The port is an argument of its own.

use std::net::{IpAddr, SocketAddr};

use super::{INET4, INET6};
use crate::host::guest_memory::{Failure, Out, Place};
use crate::host::wasip1_sockets::errno::{EAFNOSUPPORT, EINVAL};

/// Bytes of a buffer that has a family too.
const WITH_FAMILY: usize = 128;

/// Bytes of the description of a buffer.
const DESCRIPTION: i32 = 8;

/// Where the family of an address is to be written, if it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum FamilyOut {
    At(i32),
    None,
}

impl FamilyOut {
    pub(super) fn check(self, memory: &[u8]) -> Result<Option<Out<4>>, Failure> {
        match self {
            Self::At(place) => Out::new(place, memory).map(Some),
            Self::None => Ok(None),
        }
    }
}

/// The buffer that is described at `pointer`.
fn buffer(memory: &[u8], pointer: i32) -> Result<Place, Failure> {
    let description = Place::new(pointer, DESCRIPTION)?;
    let [a, b, c, d, e, f, g, h] = description.read_array::<8>(memory)?;
    Place::of(
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    )?
    .check(memory)
}

/// The address that a guest names, with its port.
pub(super) fn read_address(memory: &[u8], pointer: i32, port: i32) -> Result<SocketAddr, Failure> {
    let port = u16::try_from(port).map_err(|_| EINVAL)?;
    let bytes = buffer(memory, pointer)?.read(memory)?;
    let ip = match *bytes {
        [a, b, c, d] => IpAddr::from([a, b, c, d]),
        [INET4, 0, a, b, c, d, ..] if bytes.len() == WITH_FAMILY => IpAddr::from([a, b, c, d]),
        [INET6, 0, ref address @ ..] if bytes.len() == WITH_FAMILY => {
            let octets: &[u8; 16] = address.first_chunk().ok_or(EINVAL)?;
            IpAddr::from(*octets)
        }
        _ if bytes.len() == WITH_FAMILY => return Err(EAFNOSUPPORT),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).map_err(|_| EINVAL)?),
    };
    Ok(SocketAddr::new(ip, port))
}

/// Whether an address can be written where the guest wants it; one buffer is as large as the other is.
pub(super) fn check_address(memory: &[u8], pointer: i32) -> Result<(), Failure> {
    match buffer(memory, pointer)?.bytes() {
        4 | 16 | WITH_FAMILY => Ok(()),
        _ => Err(EINVAL),
    }
}

/// Writes an address into the guest's buffer; `EINVAL` where there is no room for it.
pub(super) fn write_address(
    memory: &mut [u8],
    pointer: i32,
    address: SocketAddr,
) -> Result<(), Failure> {
    let place = buffer(memory, pointer)?.write(memory)?;
    let (family, octets): (u8, &[u8]) = match address.ip() {
        IpAddr::V4(ip) => (INET4, &ip.octets()),
        IpAddr::V6(ip) => (INET6, &ip.octets()),
    };
    let place = match place {
        [first, second, rest @ ..] if rest.len() == WITH_FAMILY - 2 => {
            (*first, *second) = (family, 0);
            rest
        }
        place => place,
    };
    let place = place.get_mut(..octets.len()).ok_or(EINVAL)?;
    place.copy_from_slice(octets);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::guest_memory::EFAULT;

    /// A memory whose buffer of `bytes` bytes at 16 is described at 8.
    fn memory(bytes: u32) -> Vec<u8> {
        let mut memory = vec![0; 160];
        memory[8] = 16;
        memory[12..16].copy_from_slice(&bytes.to_le_bytes());
        memory
    }

    #[test]
    fn what_is_written_is_read_again_in_every_buffer_that_has_room() {
        for (address, buffers) in [
            ("10.244.0.2:80", &[4, 128][..]),
            ("[fd00::2]:8080", &[16, 128]),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            for bytes in buffers {
                let mut memory = memory(*bytes);
                write_address(&mut memory, 8, address).unwrap();
                let read = read_address(&memory, 8, address.port().into());
                assert_eq!(read, Ok(address), "{bytes}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_fits_into_a_buffer_for_ipv6() {
        let mut memory = memory(16);
        write_address(&mut memory, 8, ([1, 2, 3, 4], 5).into()).unwrap();
        assert_eq!(memory[16..24], [1, 2, 3, 4, 0, 0, 0, 0]);
    }

    #[test]
    fn other_buffers_families_and_ports_are_refused() {
        let ip6: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(write_address(&mut memory(4), 8, ip6), Err(EINVAL));
        assert_eq!(read_address(&memory(5), 8, 80), Err(EINVAL));
        assert_eq!(read_address(&memory(128), 8, 80), Err(EAFNOSUPPORT));
        assert_eq!(read_address(&memory(4), 8, 65536), Err(EINVAL));
        assert_eq!(read_address(&memory(4), 8, -1), Err(EINVAL));
        assert_eq!(read_address(&memory(u32::MAX), 8, 80), Err(EFAULT));
        assert_eq!(read_address(&memory(4), 157, 80), Err(EFAULT));
        assert_eq!(read_address(&memory(4), -1, 80), Err(EFAULT));
        for (bytes, expected) in [(4, Ok(())), (16, Ok(())), (128, Ok(())), (8, Err(EINVAL))] {
            assert_eq!(check_address(&memory(bytes), 8), expected, "{bytes}");
        }
    }
}
