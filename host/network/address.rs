//! Which addresses a pod has, and which address a socket of it shows.
//!
//! A pod owns 127.0.0.0/8, `::1` and its pod IPs; `0.0.0.0` and `::` stand for all of their family. A socket belongs to one
//! family: as in `wasi:sockets`, an IPv6 socket is v6-only and IPv4-mapped addresses are refused, so the two families never
//! meet and their port spaces are separate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Errno;

/// The family of a socket's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressFamily {
    /// `AF_INET`.
    Ipv4,
    /// `AF_INET6`, always v6-only.
    Ipv6,
}

impl AddressFamily {
    /// The family of an address.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// `0.0.0.0` or `::`.
    #[must_use]
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// The pod's own addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PodAddresses {
    pub(crate) ip: Ipv4Addr,
    pub(crate) ip6: Option<Ipv6Addr>,
}

/// What the network shows as the source of a connection from outside the pod, where the real one cannot be shown: the first
/// address of [`crate::POD_CIDR`], which every pod sees as its gateway.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);

/// [`GATEWAY`] for IPv6 (RFC 4193 unique local).
pub const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 0, 0, 1);

/// The address of this machine's own loopback that pods name by a gateway's, if it is one.
pub(crate) fn behind_gateway(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(GATEWAY) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(GATEWAY6) => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

impl PodAddresses {
    /// Whether the address is one of the pod's; the wildcard addresses are not.
    pub(crate) fn contains(self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(v4) => v4.is_loopback() || v4 == self.ip,
            IpAddr::V6(v6) => v6.is_loopback() || v6 == self.own6(),
        }
    }

    /// The pod's IPv6 address: without one of its own it has one beside [`GATEWAY6`] with the numbers of its IPv4 address,
    /// from which it can reach nothing but what egress allows.
    fn own6(self) -> Ipv6Addr {
        let [a, b, c, d] = self.ip.octets();
        let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
        let derived = Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 1, high, low);
        self.ip6.unwrap_or(derived)
    }

    /// Whether a socket of `family` may bind to the address.
    ///
    /// `EAFNOSUPPORT` for the other family, `EINVAL` for IPv4-mapped and multicast addresses, `EADDRNOTAVAIL` for an
    /// address that is not the pod's.
    pub(crate) fn check_bind(self, family: AddressFamily, ip: IpAddr) -> Result<(), Errno> {
        check_unicast(family, ip)?;
        if ip.is_unspecified() || self.contains(ip) {
            Ok(())
        } else {
            Err(Errno::AddrNotAvail)
        }
    }

    /// The local address that a connection from the unbound or wildcard-bound socket to `to` shows: the loopback address
    /// for a loopback destination (RFC 1122 3.2.1.3 g), else the pod's IP.
    pub(crate) fn source_for(self, to: IpAddr) -> IpAddr {
        match to {
            IpAddr::V4(v4) if v4.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(_) => IpAddr::V4(self.ip),
            IpAddr::V6(v6) if v6.is_loopback() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(self.own6()),
        }
    }
}

/// Whether a socket of `family` can name the address as its peer: `EAFNOSUPPORT` for the other family, `EINVAL` for what
/// `wasi:sockets` calls an invalid argument (port 0, wildcard, multicast, IPv4-mapped).
pub(crate) fn check_peer(family: AddressFamily, to: SocketAddr) -> Result<(), Errno> {
    check_unicast(family, to.ip())?;
    if to.ip().is_unspecified() || to.port() == 0 {
        Err(Errno::Inval)
    } else {
        Ok(())
    }
}

fn check_unicast(family: AddressFamily, ip: IpAddr) -> Result<(), Errno> {
    if AddressFamily::of(ip) != family {
        return Err(Errno::AfNoSupport);
    }
    let refused = match ip {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast() || v6.to_ipv4_mapped().is_some(),
    };
    if refused { Err(Errno::Inval) } else { Ok(()) }
}

/// The address that a pod sees for a client outside of it, when the client talks to the pod's address of `family`.
///
/// A client at the host's own loopback must not look like a neighbour at the pod's loopback, which programs trust; it and
/// a client of the other family are shown as the gateway, with their port, as a masquerading router does.
pub(crate) fn seen_from_pod(client: SocketAddr, family: AddressFamily) -> SocketAddr {
    let ip = client.ip().to_canonical();
    let hidden = ip.is_loopback() || ip.is_unspecified() || AddressFamily::of(ip) != family;
    let ip = match (hidden, family) {
        (false, _) => ip,
        (true, AddressFamily::Ipv4) => IpAddr::V4(GATEWAY),
        (true, AddressFamily::Ipv6) => IpAddr::V6(GATEWAY6),
    };
    SocketAddr::new(ip, client.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: PodAddresses = PodAddresses {
        ip: Ipv4Addr::new(10, 244, 0, 7),
        ip6: None,
    };

    #[test]
    fn a_socket_binds_only_to_addresses_of_its_pod_and_family() {
        use AddressFamily::{Ipv4, Ipv6};
        for (family, ip, expected) in [
            (Ipv4, "127.0.0.1", Ok(())),
            (Ipv4, "127.9.9.9", Ok(())),
            (Ipv4, "0.0.0.0", Ok(())),
            (Ipv4, "10.244.0.7", Ok(())),
            (Ipv4, "10.244.0.8", Err(Errno::AddrNotAvail)),
            (Ipv4, "8.8.8.8", Err(Errno::AddrNotAvail)),
            (Ipv4, "224.0.0.1", Err(Errno::Inval)),
            (Ipv4, "255.255.255.255", Err(Errno::Inval)),
            (Ipv4, "::1", Err(Errno::AfNoSupport)),
            (Ipv6, "::1", Ok(())),
            (Ipv6, "::", Ok(())),
            (Ipv6, "127.0.0.1", Err(Errno::AfNoSupport)),
            (Ipv6, "::ffff:127.0.0.1", Err(Errno::Inval)),
            (Ipv6, "ff02::1", Err(Errno::Inval)),
            (Ipv6, "fd00::7", Err(Errno::AddrNotAvail)),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(POD.check_bind(family, ip), expected, "{family:?} {ip}");
        }
    }

    #[test]
    fn a_peer_must_be_one_address_and_one_port() {
        for (to, expected) in [
            ("127.0.0.1:80", Ok(())),
            ("8.8.8.8:53", Ok(())),
            ("0.0.0.0:80", Err(Errno::Inval)),
            ("127.0.0.1:0", Err(Errno::Inval)),
            ("239.1.1.1:80", Err(Errno::Inval)),
            ("[::1]:80", Err(Errno::AfNoSupport)),
        ] {
            assert_eq!(
                check_peer(AddressFamily::Ipv4, to.parse().unwrap()),
                expected,
                "{to}"
            );
        }
    }

    #[test]
    fn a_client_on_the_hosts_loopback_is_seen_as_the_gateway() {
        for (client, family, seen) in [
            ("127.0.0.1:4000", AddressFamily::Ipv4, "10.244.0.1:4000"),
            ("192.168.1.9:4000", AddressFamily::Ipv4, "192.168.1.9:4000"),
            (
                "[::ffff:192.168.1.9]:4000",
                AddressFamily::Ipv4,
                "192.168.1.9:4000",
            ),
            ("[::1]:4000", AddressFamily::Ipv4, "10.244.0.1:4000"),
            (
                "[2001:db8::1]:4000",
                AddressFamily::Ipv6,
                "[2001:db8::1]:4000",
            ),
            (
                "127.0.0.1:4000",
                AddressFamily::Ipv6,
                "[fd00:10:244::1]:4000",
            ),
        ] {
            assert_eq!(
                seen_from_pod(client.parse().unwrap(), family),
                seen.parse().unwrap(),
                "{client}"
            );
        }
    }
}
