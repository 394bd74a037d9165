//! What a pod's `/etc/hosts` says.
//!
//! One table feeds both the file that a guest may read and the lookup behind `wasi:sockets/ip-name-lookup`, so they cannot
//! disagree. Format of the file: the kubelet's managed hosts file (kubernetes/pkg/kubelet/kubelet_pods.go). It knows no
//! search list: glibc, too, applies `search` to DNS only, not to the hosts file.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::address::PodAddresses;

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Not a name at all: empty, longer than 253 bytes (RFC 1035 2.3.4), or with a byte that no host name has.
    #[error("{name:?} is not a host name")]
    Invalid {
        /// The name as given, cut to 253 bytes.
        name: String,
    },
    /// Neither an address, nor in the pod's `/etc/hosts`, nor known to its name server.
    #[error("name {name:?} is not known in this pod")]
    Unresolvable {
        /// The name as given.
        name: String,
    },
    /// Not in the pod's `/etc/hosts`, and a network policy does not let the pod ask its name server.
    #[error(
        "name {name:?} is not known without the name server, which no network policy lets this pod ask"
    )]
    Temporary {
        /// The name as given.
        name: String,
    },
}

/// Bytes of the longest host name, RFC 1035 2.3.4 (255 octets on the wire).
const MAX_NAME_BYTES: usize = 253;

/// The lines of a pod's `/etc/hosts`.
#[derive(Debug)]
pub(crate) struct Hosts {
    own: Vec<(IpAddr, Vec<String>)>,
    aliases: Vec<(IpAddr, Vec<String>)>,
}

impl Hosts {
    pub(crate) fn new(
        addresses: PodAddresses,
        hostname: &str,
        domain: Option<&str>,
        aliases: &[(IpAddr, Vec<String>)],
    ) -> Self {
        let names = match domain.filter(|domain| !domain.is_empty()) {
            Some(domain) => vec![format!("{hostname}.{domain}"), hostname.to_owned()],
            None => vec![hostname.to_owned()],
        };
        let mut own = vec![(IpAddr::V4(addresses.ip), names.clone())];
        own.extend(addresses.ip6.map(|ip6| (IpAddr::V6(ip6), names)));
        Self {
            own,
            aliases: aliases.to_vec(),
        }
    }

    /// The whole file.
    pub(crate) fn file(&self) -> String {
        let mut file = String::from("# Kubernetes-managed hosts file.\n");
        for (ip, names) in LOCAL {
            let _ = writeln!(file, "{ip}\t{}", names.join(" "));
        }
        for (ip, names) in &self.own {
            let _ = writeln!(file, "{ip}\t{}", names.join("\t"));
        }
        if !self.aliases.is_empty() {
            file.push_str("\n# Entries added by HostAliases.\n");
            for (ip, names) in &self.aliases {
                let _ = writeln!(file, "{ip}\t{}", names.join("\t"));
            }
        }
        file
    }

    /// The addresses of a name in the order of the file; names compare without case (RFC 4343).
    pub(crate) fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let literal = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(name);
        if let Ok(ip) = literal.parse() {
            return Ok(vec![ip]);
        }
        let bare = name.strip_suffix('.').unwrap_or(name);
        if !is_host_name(bare) {
            let name = name.chars().take(MAX_NAME_BYTES).collect();
            return Err(ResolveError::Invalid { name });
        }
        // RFC 6761 6.3: every name under "localhost." is the loopback.
        let under_localhost = bare.len() > 10 && bare.to_ascii_lowercase().ends_with(".localhost");
        let wanted = if under_localhost { "localhost" } else { bare };
        let mut found: Vec<IpAddr> = Vec::new();
        let mut consider = |ip: IpAddr, known: &str| {
            if known.eq_ignore_ascii_case(wanted) && !found.contains(&ip) {
                found.push(ip);
            }
        };
        for (ip, names) in LOCAL {
            if let Ok(ip) = ip.parse() {
                names.iter().for_each(|known| consider(ip, known));
            }
        }
        for (ip, names) in self.own.iter().chain(&self.aliases) {
            names.iter().for_each(|known| consider(*ip, known));
        }
        if found.is_empty() {
            Err(ResolveError::Unresolvable {
                name: name.to_owned(),
            })
        } else {
            Ok(found)
        }
    }
}

/// The lines that every pod's file begins with, as the kubelet writes them.
const LOCAL: [(&str, &[&str]); 6] = [
    ("127.0.0.1", &["localhost"]),
    ("::1", &["localhost", "ip6-localhost", "ip6-loopback"]),
    ("fe00::0", &["ip6-localnet"]),
    ("fe00::0", &["ip6-mcastprefix"]),
    ("fe00::1", &["ip6-allnodes"]),
    ("fe00::2", &["ip6-allrouters"]),
];

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn hosts() -> Hosts {
        let addresses = PodAddresses {
            ip: Ipv4Addr::new(10, 244, 0, 7),
            ip6: Some("fd00::7".parse().unwrap()),
        };
        let aliases = [(
            "10.1.2.3".parse().unwrap(),
            vec!["foo.remote".to_owned(), "bar.remote".to_owned()],
        )];
        Hosts::new(
            addresses,
            "web",
            Some("sub.default.svc.cluster.local"),
            &aliases,
        )
    }

    #[test]
    fn the_hosts_file_has_the_kubelets_format() {
        assert_eq!(
            hosts().file(),
            "# Kubernetes-managed hosts file.\n\
             127.0.0.1\tlocalhost\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::0\tip6-localnet\n\
             fe00::0\tip6-mcastprefix\n\
             fe00::1\tip6-allnodes\n\
             fe00::2\tip6-allrouters\n\
             10.244.0.7\tweb.sub.default.svc.cluster.local\tweb\n\
             fd00::7\tweb.sub.default.svc.cluster.local\tweb\n\
             \n\
             # Entries added by HostAliases.\n\
             10.1.2.3\tfoo.remote\tbar.remote\n"
        );
    }

    #[test]
    fn a_name_resolves_to_what_the_hosts_file_says() {
        for (name, expected) in [
            ("localhost", &["127.0.0.1", "::1"][..]),
            ("LocalHost.", &["127.0.0.1", "::1"]),
            ("api.localhost", &["127.0.0.1", "::1"]),
            ("ip6-loopback", &["::1"]),
            ("web", &["10.244.0.7", "fd00::7"]),
            (
                "web.sub.default.svc.cluster.local",
                &["10.244.0.7", "fd00::7"],
            ),
            ("BAR.remote", &["10.1.2.3"]),
            ("192.0.2.1", &["192.0.2.1"]),
            ("::1", &["::1"]),
            ("[::1]", &["::1"]),
        ] {
            let expected: Vec<IpAddr> = expected.iter().map(|ip| ip.parse().unwrap()).collect();
            assert_eq!(hosts().resolve(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn every_other_name_is_unresolvable_or_no_name() {
        for name in ["example.com", "webb", "xlocalhost"] {
            assert_eq!(
                hosts().resolve(name),
                Err(ResolveError::Unresolvable {
                    name: name.to_owned()
                })
            );
        }
        for name in ["", ".", "a b", "a\0b", "häus", &"a".repeat(300)] {
            assert!(
                matches!(hosts().resolve(name), Err(ResolveError::Invalid { .. })),
                "{name:?}"
            );
        }
    }
}
