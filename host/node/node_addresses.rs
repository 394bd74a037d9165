//! The addresses of this machine at which node ports are opened.
//!
//! Standard: the flag `--nodeport-addresses` of kube-proxy, with one difference: without it kube-proxy listens on all
//! addresses of its node, and this program on [`DEFAULT_HOST_IP`] alone, because a tool on somebody's machine must not let
//! others in unasked.
//!
//! Blocks are looked up when the agent begins. An address that the machine gets later is covered by a block of everything
//! only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::str::FromStr;

use ipnet::IpNet;

use crate::admission::publish::{DEFAULT_HOST_IP, covers};
use crate::error::NodeError;

/// What kube-proxy calls the address of its Node object, which here is [`DEFAULT_HOST_IP`].
const PRIMARY: &str = "primary";

/// An address of this machine, or all that it has of a block.
///
/// ```
/// use wasmpod_node::NodePortAddress;
///
/// for text in ["192.168.0.0/16", "127.0.0.1", "::1", "0.0.0.0/0", "primary"] {
///     assert!(text.parse::<NodePortAddress>().is_ok());
/// }
/// assert!("eth0".parse::<NodePortAddress>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePortAddress(IpNet);

/// The text is no such thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is neither an address, nor a block of addresses (192.168.0.0/16), nor \"primary\""
)]
pub struct NodePortAddressError {
    /// The text.
    pub text: String,
}

impl FromStr for NodePortAddress {
    type Err = NodePortAddressError;

    fn from_str(text: &str) -> Result<Self, NodePortAddressError> {
        if text == PRIMARY {
            return Ok(Self(DEFAULT_HOST_IP.into()));
        }
        let block = text.parse().map(|block: IpNet| block.trunc()).ok();
        let block = block.or_else(|| text.parse::<IpAddr>().map(IpNet::from).ok());
        block.map(Self).ok_or_else(|| NodePortAddressError {
            text: text.to_owned(),
        })
    }
}

/// The addresses that are bound, of which none covers another; `of_machine` are those that the machine's interfaces have,
/// and `has` tells of any whether it can be bound.
pub(crate) fn resolve(
    wanted: &[NodePortAddress],
    of_machine: impl FnOnce() -> Vec<IpAddr>,
    has: impl Fn(IpAddr) -> bool,
) -> Result<Vec<IpAddr>, NodeError> {
    if wanted.is_empty() {
        return Ok(vec![DEFAULT_HOST_IP]);
    }
    let is_looked_up = |block: &IpNet| host_address(block).is_none();
    let of_machine = if wanted
        .iter()
        .any(|NodePortAddress(block)| is_looked_up(block))
    {
        of_machine()
    } else {
        Vec::new()
    };
    let mut found = Vec::new();
    for NodePortAddress(block) in wanted {
        let before = found.len();
        match host_address(block) {
            Some(ip) => found.extend(has(ip).then_some(ip)),
            None => found.extend(of_machine.iter().filter(|ip| block.contains(*ip))),
        }
        if found.len() == before {
            return Err(NodeError::NoSuchAddress { block: *block });
        }
    }
    let mut bound: Vec<IpAddr> = Vec::new();
    for ip in found {
        if !bound.iter().any(|wide| covers(*wide, ip)) {
            bound.retain(|narrow| !covers(ip, *narrow));
            bound.push(ip);
        }
    }
    Ok(bound)
}

/// What is bound for a block without asking which addresses the machine has: an address, or all of IPv4. All of IPv6 is no
/// single socket, which would have those of IPv4 too.
fn host_address(block: &IpNet) -> Option<IpAddr> {
    match block {
        IpNet::V4(block) if block.prefix_len() == 0 => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        block if block.prefix_len() == block.max_prefix_len() => Some(block.addr()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

/// Whether a socket can have this address. More have than interfaces say: on Linux all of 127.0.0.0/8.
pub(crate) fn is_of_this_machine(ip: IpAddr) -> bool {
    let bound = TcpListener::bind((ip, 0));
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// The addresses of this machine's interfaces. Without those of a link of IPv6, which are none without their interface.
pub(crate) fn of_this_machine() -> Vec<IpAddr> {
    let Ok(interfaces) = sysinfo::Networks::new_with_refreshed_list() else {
        return Vec::new();
    };
    let addresses = interfaces.values().flat_map(|one| one.ip_networks());
    let mut addresses: Vec<_> = addresses
        .map(|network| network.addr)
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(wanted: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<_> = wanted.iter().map(|text| text.parse().unwrap()).collect();
        let machine = ["127.0.0.1", "192.168.1.7", "192.168.2.7", "::1", "fd12::7"];
        let machine = machine.map(|text| text.parse().unwrap()).to_vec();
        let has = |ip: IpAddr| ip != IpAddr::from([203, 0, 113, 9]);
        let found = resolve(&wanted, || machine, has).map_err(|error| error.to_string())?;
        Ok(found.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn blocks_are_the_addresses_that_the_machine_has_of_them() {
        for (wanted, expected) in [
            (&[][..], &["127.0.0.1"][..]),
            (&["primary"], &["127.0.0.1"]),
            (&["::1"], &["::1"]),
            (&["127.0.0.1", "::1"], &["127.0.0.1", "::1"]),
            (&["192.168.1.0/24"], &["192.168.1.7"]),
            (&["192.168.1.9/24"], &["192.168.1.7"]),
            (
                &["192.168.0.0/16", "192.168.1.7"],
                &["192.168.1.7", "192.168.2.7"],
            ),
            (&["127.0.0.0/8", "fd12::/16"], &["127.0.0.1", "fd12::7"]),
            // No interface has it, but it can be bound.
            (&["127.0.0.9/32"], &["127.0.0.9"]),
            (&["0.0.0.0/0"], &["0.0.0.0"]),
            (&["127.0.0.1", "0.0.0.0", "192.168.1.7"], &["0.0.0.0"]),
            (&["::/0"], &["::1", "fd12::7"]),
            (&["0.0.0.0/0", "::/0"], &["0.0.0.0", "::1", "fd12::7"]),
            (&["127.0.0.1", "::1", "::"], &["::"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|&ip| ip.to_owned()).collect();
            assert_eq!(bound(wanted), Ok(expected), "{wanted:?}");
        }
    }

    #[test]
    fn what_the_machine_has_not_is_refused() {
        for block in ["10.0.0.0/8", "203.0.113.9/32"] {
            let said = bound(&["127.0.0.1", block]);
            let expected =
                format!("cannot open node ports on {block}: this machine has no address of it");
            assert_eq!(said, Err(expected));
        }
        for text in ["", "eth0", "10.0.0.0/33", "10.0.0.1:80", "[::1]"] {
            assert!(text.parse::<NodePortAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_has_a_loopback() {
        assert!(of_this_machine().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(is_of_this_machine(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        // Of a block for documentation (RFC 5737), which nobody has.
        assert!(!is_of_this_machine(IpAddr::from([203, 0, 113, 9])));
    }
}
