//! Addresses that are no place on the internet: those of this machine, of its link, of many, and the virtual network's own.
//!
//! Standard: the registries of special-purpose addresses, RFC 6890. Private networks (RFC 1918, RFC 4193) are not among
//! them, but for the ranges that the virtual network has taken: a company's own servers are there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const V4: &[(Ipv4Addr, u8)] = &[
    // "This network", and the unspecified address, which reaches the loopback on Linux.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::LOCALHOST, 8),
    // Link-local; the metadata services of clouds are here.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Pods and services: see `fabric`.
    (Ipv4Addr::new(10, 244, 0, 0), 16),
    (Ipv4Addr::new(10, 96, 0, 0), 12),
    // Multicast; reserved, and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const V6: &[(Ipv6Addr, u8)] = &[
    // Unspecified, loopback, and addresses of IPv4 in the old form.
    (Ipv6Addr::UNSPECIFIED, 96),
    // IPv4-mapped.
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    // Link-local and multicast.
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
    // The gateway's, see `address`.
    (Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 0, 0, 0), 64),
];

/// The prefixes in whose last 32 bits there is an IPv4 address to which a translator takes what is sent there (RFC 6052,
/// RFC 8215).
const NAT64: [[u16; 6]; 2] = [[0x64, 0xff9b, 0, 0, 0, 0], [0x64, 0xff9b, 1, 0, 0, 0]];

/// The special range in which an address is, if it is in one.
pub(super) fn range_of(ip: IpAddr) -> Option<IpNet> {
    match ip {
        IpAddr::V4(v4) => {
            let mut ranges = V4
                .iter()
                .filter_map(|(ip, prefix)| Ipv4Net::new(*ip, *prefix).ok());
            ranges.find(|range| range.contains(&v4)).map(IpNet::V4)
        }
        IpAddr::V6(v6) => {
            let mut ranges = V6
                .iter()
                .filter_map(|(ip, prefix)| Ipv6Net::new(*ip, *prefix).ok());
            let found = ranges.find(|range| range.contains(&v6));
            found.or_else(|| translated(v6)).map(IpNet::V6)
        }
    }
}

/// The first part of an address in whose next 32 bits there is an IPv4 address to which a relay takes it (6to4, RFC 3056).
const SIX_TO_FOUR: u16 = 0x2002;

/// An address that stands for a special IPv4 address is as special, all by itself.
fn translated(ip: Ipv6Addr) -> Option<Ipv6Net> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let [high, low] = if NAT64.contains(&[a, b, c, d, e, f]) {
        [g, h]
    } else if a == SIX_TO_FOUR {
        [b, c]
    } else {
        return None;
    };
    let [h1, h2] = high.to_be_bytes();
    let [l1, l2] = low.to_be_bytes();
    let v4 = Ipv4Addr::new(h1, h2, l1, l2);
    range_of(IpAddr::V4(v4)).map(|_| Ipv6Net::from(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_its_link_and_its_network_are_special() {
        for (ip, expected) in [
            ("127.0.0.1", Some("127.0.0.1/8")),
            ("127.255.0.9", Some("127.0.0.1/8")),
            ("0.0.0.0", Some("0.0.0.0/8")),
            ("0.1.2.3", Some("0.0.0.0/8")),
            ("169.254.169.254", Some("169.254.0.0/16")),
            ("10.244.9.9", Some("10.244.0.0/16")),
            ("10.96.0.10", Some("10.96.0.0/12")),
            ("10.111.255.255", Some("10.96.0.0/12")),
            ("224.0.0.251", Some("224.0.0.0/4")),
            ("255.255.255.255", Some("240.0.0.0/4")),
            ("::", Some("::/96")),
            ("::1", Some("::/96")),
            ("::127.0.0.1", Some("::/96")),
            ("::ffff:127.0.0.1", Some("::ffff:0:0/96")),
            ("fe80::1", Some("fe80::/10")),
            ("febf::1", Some("fe80::/10")),
            ("ff02::1", Some("ff00::/8")),
            ("fd00:10:244::1", Some("fd00:10:244::/64")),
            ("64:ff9b::7f00:1", Some("64:ff9b::7f00:1/128")),
            ("64:ff9b:1::a9fe:a9fe", Some("64:ff9b:1::a9fe:a9fe/128")),
            ("64:ff9b::5db8:d822", None),
            ("2002:7f00:1::9", Some("2002:7f00:1::9/128")),
            ("2002:5db8:d822::1", None),
            ("93.184.216.34", None),
            ("10.0.0.1", None),
            ("10.112.0.1", None),
            ("192.168.1.1", None),
            ("172.16.0.1", None),
            ("2001:db8::1", None),
            ("fd12::1", None),
        ] {
            let found = range_of(ip.parse().unwrap());
            assert_eq!(found, expected.map(|range| range.parse().unwrap()), "{ip}");
        }
    }
}
