//! Values of arguments: sizes, times, switches, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http_loop::clock::{Instant, MILLISECOND, SECOND};

/// A size in bytes: `512`, `8k`, `1m`, `2g`.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let (digits, factor) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1 << 10),
        (at, 'm' | 'M') => (text.get(..at)?, 1 << 20),
        (at, 'g' | 'G') => (text.get(..at)?, 1 << 30),
        _ => (text, 1),
    };
    http_loop::decimal::parse_decimal(digits.as_bytes())?.checked_mul(factor)
}

/// A time in nanoseconds: `60`, `60s`, `500ms`, `1h30m`, `1d`.
#[must_use]
pub fn time(text: &str) -> Option<Instant> {
    if text.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|next: char| !next.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at_checked(digits)?;
        let number = http_loop::decimal::parse_decimal(number.as_bytes())?;
        let units: [(&str, u64); 8] = [
            ("ms", MILLISECOND),
            ("s", SECOND),
            ("m", 60 * SECOND),
            ("h", 3_600 * SECOND),
            ("d", 86_400 * SECOND),
            ("w", 604_800 * SECOND),
            ("M", 2_592_000 * SECOND),
            ("y", 31_536_000 * SECOND),
        ];
        let unit = units
            .iter()
            .find_map(|(name, unit)| behind.strip_prefix(name).map(|behind| (*unit, behind)));
        let (unit, behind) = match unit {
            Some(found) => found,
            None if behind.is_empty() => (SECOND, behind),
            None => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = behind.trim_start_matches(' ');
    }
    Some(total)
}

/// `on` or `off`.
#[must_use]
pub fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// Why the address of a `listen` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadAddress {
    /// The port is not 1 to 65535.
    Port,
    /// The host is no address.
    Host,
    /// A path of a Unix socket.
    Unix,
}

/// The address of a `listen`: `80`, `127.0.0.1:80`, `*:80`, `[::]:80`, `localhost`, `127.0.0.1`.
///
/// # Errors
/// When it is none.
pub fn listen_address(text: &str) -> Result<SocketAddr, BadAddress> {
    if text.starts_with("unix:") {
        return Err(BadAddress::Unix);
    }
    let port_of = |port: &str| {
        port.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or(BadAddress::Port)
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port_of(text)?)));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port_of(port)?),
        _ => (text, 80),
    };
    let ip = match host {
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(host) => host
                .parse::<Ipv6Addr>()
                .map(IpAddr::V6)
                .map_err(|_| BadAddress::Host)?,
            None => host
                .parse::<Ipv4Addr>()
                .map(IpAddr::V4)
                .map_err(|_| BadAddress::Host)?,
        },
    };
    Ok(SocketAddr::new(ip, port))
}

/// Host and port of a server to connect to: `web`, `web:8080`, `10.0.0.1`, `[::1]:80`.
#[must_use]
pub fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().ok().filter(|port| *port > 0)?)
        }
        _ => (text, 80),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    (!host.is_empty()).then_some((host, port))
}

/// A network: `10.0.0.0/8`, `::1`.
#[must_use]
pub fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        Some(length) => length.parse().ok().filter(|length| *length <= most)?,
        None => most,
    };
    Some((address, length))
}

/// Whether an address is in a network.
#[must_use]
pub fn contains(network: (IpAddr, u8), address: IpAddr) -> bool {
    match (network.0, address.to_canonical()) {
        (IpAddr::V4(network_ip), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(network.1.min(32));
            u32::from(network_ip).checked_shr(shift) == u32::from(address).checked_shr(shift)
        }
        (IpAddr::V6(network_ip), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(network.1.min(128));
            u128::from(network_ip).checked_shr(shift) == u128::from(address).checked_shr(shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_their_units() {
        assert_eq!(
            [size("10"), size("2k"), size("1M"), size("1g")],
            [Some(10), Some(2048), Some(1 << 20), Some(1 << 30)]
        );
        assert_eq!([size(""), size("k"), size("1x"), size("-1")], [None; 4]);
        assert_eq!(time("65"), Some(65 * SECOND));
        assert_eq!(time("500ms"), Some(500 * MILLISECOND));
        assert_eq!(time("1h30m"), Some(5_400 * SECOND));
        assert_eq!(time("1m 5s"), Some(65 * SECOND));
        assert_eq!(
            [time(""), time("s"), time("5q"), time("99999999999999y")],
            [None; 4]
        );
    }

    #[test]
    fn listen_addresses_are_ports_addresses_or_both() {
        let table = [
            ("80", "0.0.0.0:80"),
            ("*:81", "0.0.0.0:81"),
            ("127.0.0.1", "127.0.0.1:80"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("[::]:80", "[::]:80"),
            ("[::1]", "[::1]:80"),
        ];
        for (text, expected) in table {
            assert_eq!(
                listen_address(text),
                Ok(expected.parse().unwrap()),
                "{text}"
            );
        }
        assert_eq!(listen_address("70000"), Err(BadAddress::Port));
        assert_eq!(listen_address("0"), Err(BadAddress::Port));
        assert_eq!(listen_address("web:80"), Err(BadAddress::Host));
        assert_eq!(listen_address("unix:/a"), Err(BadAddress::Unix));
    }

    #[test]
    fn networks_contain_their_addresses_only() {
        let inside =
            |text: &str, address: &str| contains(network(text).unwrap(), address.parse().unwrap());
        assert!(inside("10.0.0.0/8", "10.255.1.1"));
        assert!(!inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("0.0.0.0/0", "1.2.3.4"));
        assert!(inside("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(!inside("::/0", "1.2.3.4"));
        assert_eq!(network("10.0.0.0/33"), None);
    }
}
