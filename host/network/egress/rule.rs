//! What may be reached, as a user writes it: `CIDR:PORT` or `NAME:PORT`, for UDP with `/udp` behind it.
//!
//! | text | meaning |
//! |---|---|
//! | `192.0.2.0/24:443` | TCP port 443 of every address of the block |
//! | `192.0.2.7:8000-8100` | these ports of one address |
//! | `[2001:db8::/32]:*` | every port of a block of IPv6 |
//! | `example.com:443` | what this name stands for |
//! | `*.example.com:443/udp` | what any name below it stands for, UDP |

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;

use super::HOST_NAMES;
use crate::counters::Protocol;

/// The longest name, in bytes: RFC 1035 2.3.4.
const MAX_NAME_BYTES: usize = 253;

/// The longest part of a name, in bytes: RFC 1035 2.3.1.
const MAX_LABEL_BYTES: usize = 63;

/// One thing that pods may reach outside of the virtual network.
///
/// ```
/// use wasmpod_network::{EgressRule, EgressTarget, Protocol};
///
/// let rule: EgressRule = "*.example.com:443".parse().unwrap();
/// assert_eq!(rule.to, EgressTarget::Below("example.com".to_owned()));
/// assert_eq!((rule.ports.clone(), rule.protocol), (443..=443, Protocol::Tcp));
/// assert!("localhost:80".parse::<EgressRule>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRule {
    /// Where to.
    pub to: EgressTarget,
    /// The ports there.
    pub ports: RangeInclusive<u16>,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// Where a rule lets pods go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressTarget {
    /// These addresses.
    Block(IpNet),
    /// The addresses of this name, in lower case.
    Name(String),
    /// The addresses of every name that ends in `.` and this one.
    Below(String),
}

/// The text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressRuleError {
    /// There is no port behind a colon.
    #[error("{text:?} has no port: write CIDR:PORT or NAME:PORT, with * for every port")]
    NoPort {
        /// The text.
        text: String,
    },
    /// The port is none.
    #[error("{port:?} is no port: write one of 1 to 65535, a range such as 8000-8100, or *")]
    Port {
        /// The port as written.
        port: String,
    },
    /// An address of IPv6 without brackets, of which nobody knows where it ends.
    #[error("write the IPv6 address in brackets, such as [2001:db8::/32]:443")]
    Brackets,
    /// The machine itself has been named.
    #[error(
        "{name:?} is each pod's own name for itself or for its machine: to let pods reach the loopback of this machine write 127.0.0.1/32:PORT or [::1]:PORT, and let them connect to host.containers.internal"
    )]
    Machine {
        /// The name.
        name: String,
    },
    /// Neither an address, nor a block of them, nor a name.
    #[error(
        "{target:?} is neither an address, nor a block of addresses (192.0.2.0/24), nor a name"
    )]
    Target {
        /// What stands before the port.
        target: String,
    },
}

impl FromStr for EgressRule {
    type Err = EgressRuleError;

    fn from_str(text: &str) -> Result<Self, EgressRuleError> {
        let (rest, protocol) = if let Some(rest) = text.strip_suffix("/udp") {
            (rest, Protocol::Udp)
        } else {
            (text.strip_suffix("/tcp").unwrap_or(text), Protocol::Tcp)
        };
        let no_port = || EgressRuleError::NoPort {
            text: text.to_owned(),
        };
        let (target, port) = rest.rsplit_once(':').ok_or_else(no_port)?;
        if target.is_empty() || port.is_empty() || port.ends_with(']') {
            return Err(no_port());
        }
        Ok(Self {
            to: parse_target(target)?,
            ports: parse_ports(port)?,
            protocol,
        })
    }
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, EgressRuleError> {
    if text == "*" {
        return Ok(1..=u16::MAX);
    }
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|port| is_plain && *port > 0)
    };
    let ends = match text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(text).zip(number(text)),
    };
    match ends {
        Some((first, last)) if first <= last => Ok(first..=last),
        _ => Err(EgressRuleError::Port {
            port: text.to_owned(),
        }),
    }
}

fn parse_target(text: &str) -> Result<EgressTarget, EgressRuleError> {
    let wrong = || EgressRuleError::Target {
        target: text.to_owned(),
    };
    if let Some(inner) = text.strip_prefix('[') {
        // The prefix may stand within the brackets or behind them.
        let (inner, behind) = inner.split_once(']').ok_or_else(wrong)?;
        let block = parse_block(&format!("{inner}{behind}")).ok_or_else(wrong)?;
        return match block {
            IpNet::V6(_) => Ok(EgressTarget::Block(block)),
            IpNet::V4(_) => Err(wrong()),
        };
    }
    if text.contains(':') {
        return Err(EgressRuleError::Brackets);
    }
    if let Some(block) = parse_block(text) {
        return Ok(EgressTarget::Block(block));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") || HOST_NAMES.contains(&&*name) {
        return Err(EgressRuleError::Machine { name });
    }
    match name.strip_prefix("*.") {
        Some(below) if is_name(below) => Ok(EgressTarget::Below(below.to_owned())),
        None if is_name(&name) => Ok(EgressTarget::Name(name)),
        _ => Err(wrong()),
    }
}

fn parse_block(text: &str) -> Option<IpNet> {
    let block = text.parse::<IpNet>().map(|block| block.trunc()).ok();
    block.or_else(|| text.parse::<IpAddr>().map(IpNet::from).ok())
}

/// Whether it is a name of a host, and no misspelt address: its last part is no number (RFC 1123 2.1).
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= MAX_NAME_BYTES
        && text.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl EgressRule {
    /// Whether the rule is about this protocol and port.
    pub(super) fn has_port(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol == protocol && self.ports.contains(&port)
    }
}

impl EgressTarget {
    /// Whether this name, in lower case and without its last dot, is meant.
    pub(super) fn has_name(&self, name: &str) -> bool {
        match self {
            Self::Block(_) => false,
            Self::Name(own) => own == name,
            Self::Below(domain) => name
                .strip_suffix(domain)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl fmt::Display for EgressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            EgressTarget::Block(block @ IpNet::V4(_)) => write!(f, "{block}:")?,
            EgressTarget::Block(block @ IpNet::V6(_)) => write!(f, "[{block}]:")?,
            EgressTarget::Name(name) => write!(f, "{name}:")?,
            EgressTarget::Below(name) => write!(f, "*.{name}:")?,
        }
        match (*self.ports.start(), *self.ports.end()) {
            (1, u16::MAX) => f.write_str("*")?,
            (first, last) if first == last => write!(f, "{first}")?,
            (first, last) => write!(f, "{first}-{last}")?,
        }
        match self.protocol {
            Protocol::Tcp => Ok(()),
            Protocol::Udp => f.write_str("/udp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_and_written_again() {
        for (text, written) in [
            ("192.0.2.0/24:443", "192.0.2.0/24:443"),
            ("192.0.2.9/24:443", "192.0.2.0/24:443"),
            ("192.0.2.7:80", "192.0.2.7/32:80"),
            ("127.0.0.1/32:5432", "127.0.0.1/32:5432"),
            ("0.0.0.0/0:*", "0.0.0.0/0:*"),
            ("192.0.2.7:8000-8100/udp", "192.0.2.7/32:8000-8100/udp"),
            ("192.0.2.7:80/tcp", "192.0.2.7/32:80"),
            ("[2001:db8::1]:443", "[2001:db8::1/128]:443"),
            ("[2001:db8::/32]:443", "[2001:db8::/32]:443"),
            ("[2001:db8::]/32:443", "[2001:db8::/32]:443"),
            ("Example.COM.:443", "example.com:443"),
            ("*.example.com:443", "*.example.com:443"),
            ("db:5432", "db:5432"),
            ("_sip.example.com:5060/udp", "_sip.example.com:5060/udp"),
        ] {
            let rule: EgressRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(rule), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_and_the_reason_told() {
        for (text, expected) in [
            ("", "no port"),
            ("example.com", "no port"),
            (":80", "no port"),
            ("example.com:", "no port"),
            ("[2001:db8::1]", "no port"),
            ("10.0.0.0/8", "no port"),
            ("example.com:0", "is no port"),
            ("example.com:65536", "is no port"),
            ("example.com:+80", "is no port"),
            ("example.com:90-80", "is no port"),
            ("example.com:80-", "is no port"),
            ("example.com:http", "is no port"),
            ("2001:db8::1:443", "brackets"),
            ("[192.0.2.1]:443", "neither"),
            ("[2001:db8::1:443", "neither"),
            ("10.0.0.0/33:80", "neither"),
            ("1.2.3:80", "neither"),
            ("256.1.1.1:80", "neither"),
            ("*:80", "neither"),
            ("*.*.com:80", "neither"),
            ("a..b:80", "neither"),
            ("-a.com:80", "neither"),
            ("https//x:80", "neither"),
            ("localhost:80", "127.0.0.1/32:PORT"),
            ("host.docker.internal:80", "127.0.0.1/32:PORT"),
        ] {
            // The last colon divides, so that an address without brackets may look like one with a port.
            let error = text.parse::<EgressRule>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_at_least_one_part_of_a_name() {
        let rule: EgressRule = "*.example.com:443".parse().unwrap();
        for (name, expected) in [
            ("a.example.com", true),
            ("a.b.example.com", true),
            ("example.com", false),
            (".example.com", false),
            ("badexample.com", false),
            ("example.com.evil.net", false),
        ] {
            assert_eq!(rule.to.has_name(name), expected, "{name}");
        }
    }
}
