//! The header by which a pod learns who its client is: the PROXY protocol.
//!
//! Standard: "The PROXY protocol, versions 1 & 2" of HAProxy, 2.1 and 2.2, for TCP; no extensions (TLVs). It is what comes
//! first on a connection, before anything that the client says. A client at the machine's own loopback is told as it is:
//! here nobody takes it for a neighbour in the pod, as a socket's address would be.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use bytes::{BufMut, Bytes, BytesMut};

/// Which header a pod gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// A text that names no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the versions of the PROXY protocol are v1 and v2")]
pub struct NoProxyProtocol;

impl FromStr for ProxyProtocol {
    type Err = NoProxyProtocol;

    fn from_str(text: &str) -> Result<Self, NoProxyProtocol> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err(NoProxyProtocol),
        }
    }
}

impl fmt::Display for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

/// What every header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2, command PROXY.
const VERSION_AND_COMMAND: u8 = 0x21;

/// `AF_INET` and `AF_INET6` with `STREAM`.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

impl ProxyProtocol {
    /// The header for a connection that `client` has made to `host`.
    pub(super) fn header(self, client: SocketAddr, host: SocketAddr) -> Bytes {
        let (from, to) = of_one_family(client.ip(), host.ip());
        let ports = (client.port(), host.port());
        match self {
            Self::V1 => {
                let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
                let line = format!("PROXY {family} {from} {to} {} {}\r\n", ports.0, ports.1);
                Bytes::from(line)
            }
            Self::V2 => {
                let mut header = BytesMut::with_capacity(52);
                header.put_slice(&SIGNATURE);
                header.put_u8(VERSION_AND_COMMAND);
                match (from, to) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        header.put_u8(TCP4);
                        header.put_u16(12);
                        header.put_slice(&from.octets());
                        header.put_slice(&to.octets());
                    }
                    (from, to) => {
                        header.put_u8(TCP6);
                        header.put_u16(36);
                        header.put_slice(&mapped(from).octets());
                        header.put_slice(&mapped(to).octets());
                    }
                }
                header.put_u16(ports.0);
                header.put_u16(ports.1);
                header.freeze()
            }
        }
    }
}

/// Both as IPv4 if they can be, else both as IPv6. A dual-stack listener shows IPv4 clients as IPv6.
fn of_one_family(from: IpAddr, to: IpAddr) -> (IpAddr, IpAddr) {
    match (from.to_canonical(), to.to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (from.into(), to.into()),
        (from, to) => (mapped(from).into(), mapped(to).into()),
    }
}

const fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses of the examples in the specification, 2.1; the bytes are written down from its tables, 2.2.
    #[test]
    fn headers_are_those_of_the_specification() {
        let signature = [
            0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
        ];
        let v4 = ("192.168.0.1:56324", "192.168.0.11:443");
        let mapped = ("[::ffff:192.168.0.1]:56324", "[::ffff:192.168.0.11]:443");
        let v6 = ("[2001:db8::1]:65535", "[::1]:1");
        let of = |version: ProxyProtocol, (from, to): (&str, &str)| {
            version.header(from.parse().unwrap(), to.parse().unwrap())
        };
        for pair in [v4, mapped] {
            assert_eq!(
                of(ProxyProtocol::V1, pair),
                "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
            );
            let rest = [
                0x21, 0x11, 0, 12, 192, 168, 0, 1, 192, 168, 0, 11, 0xdc, 0x04, 0x01, 0xbb,
            ];
            assert_eq!(
                of(ProxyProtocol::V2, pair),
                [&signature[..], &rest].concat()
            );
        }
        assert_eq!(
            of(ProxyProtocol::V1, v6),
            "PROXY TCP6 2001:db8::1 ::1 65535 1\r\n"
        );
        let binary = of(ProxyProtocol::V2, v6);
        assert_eq!(binary.len(), 16 + 36);
        assert_eq!(binary[12..16], [0x21, 0x21, 0, 36]);
        assert_eq!(binary[16..20], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(binary[47..], [1, 0xff, 0xff, 0, 1]);
    }

    #[test]
    fn a_version_is_named_as_it_is_written() {
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        assert_eq!("2".parse::<ProxyProtocol>(), Err(NoProxyProtocol));
    }
}
