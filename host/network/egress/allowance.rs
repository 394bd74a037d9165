//! The decision what may be reached outside: the rules, and the addresses that names have had lately.
//!
//! Pure but for the time, which is a parameter. Bounded: who makes pods look up names without end only pushes out older
//! ones, which are then to be looked up again.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::time::Instant;

use super::rule::{EgressRule, EgressTarget};
use super::{HOST_NAMES, Lookup, special};
use crate::address::{GATEWAY, GATEWAY6, behind_gateway};
use crate::counters::Protocol;
use crate::limits::{MAX_PINNED_ADDRESSES, MAX_PINNED_NAMES, NAME_FRESH, NAME_PINNED};

#[derive(Debug)]
pub(super) struct Allowance {
    rules: Vec<EgressRule>,
    names: HashMap<Arc<str>, Known>,
}

/// What a name stood for when it was looked up last.
#[derive(Clone, Debug)]
struct Known {
    lookup: Lookup,
    at: Instant,
    /// All that it has stood for, and when last: a resolver may give other addresses each time.
    pinned: Vec<(IpAddr, Instant)>,
}

impl Allowance {
    pub(super) fn new(rules: Vec<EgressRule>) -> Self {
        Self {
            rules,
            names: HashMap::new(),
        }
    }

    /// Whether a real address may be reached.
    pub(super) fn allows(&self, protocol: Protocol, to: SocketAddr, now: Instant) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| {
            rule.has_port(protocol, to.port())
                && match &rule.to {
                    EgressTarget::Block(_) => rule.has_address(to.ip()),
                    EgressTarget::Name(name) => {
                        let known = self.names.get(name.as_str());
                        known.is_some_and(|known| known.allows(to.ip(), now))
                    }
                    target @ EgressTarget::Below(_) => self
                        .names
                        .iter()
                        .any(|(name, known)| target.has_name(name) && known.allows(to.ip(), now)),
                }
        })
    }

    /// Whether the host's resolver is to be asked for a name: some rule is about it, or about addresses that it may have.
    pub(super) fn asks(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| match &rule.to {
            // Nobody needs a name to find his own machine.
            EgressTarget::Block(block) => {
                special::range_of(block.addr()).is_none_or(|range| !range.contains(block))
            }
            target => target.has_name(name),
        })
    }

    /// What is told of a name without asking anybody: the names of this machine, and what was looked up just now.
    pub(super) fn known(&self, name: &str, now: Instant) -> Option<Vec<IpAddr>> {
        if HOST_NAMES.contains(&name) {
            let gateways = [IpAddr::V4(GATEWAY), IpAddr::V6(GATEWAY6)].into_iter();
            let leads_on = |gateway: &IpAddr| {
                let loopback = behind_gateway(*gateway);
                loopback.is_some_and(|ip| self.rules.iter().any(|rule| rule.has_address(ip)))
            };
            return Some(gateways.filter(leads_on).collect());
        }
        let known = self.names.get(name)?;
        let is_fresh = now.duration_since(known.at) < NAME_FRESH;
        is_fresh.then(|| known.lookup.allowed.clone())
    }

    /// Takes on what the host's resolver says, and keeps of it what may be told.
    pub(super) fn learn(&mut self, name: &str, addresses: Vec<IpAddr>, now: Instant) -> Lookup {
        let is_named = self.rules.iter().any(|rule| rule.to.has_name(name));
        let mut lookup = Lookup::default();
        for ip in addresses {
            // What a program would make of it.
            let ip = ip.to_canonical();
            let is_block = self.rules.iter().any(|rule| rule.has_address(ip));
            if is_block || is_named && special::range_of(ip).is_none() {
                if !lookup.allowed.contains(&ip) {
                    lookup.allowed.push(ip);
                }
            } else if special::range_of(ip).is_some() {
                lookup.refused = Some(ip);
            } else {
                lookup.has_others = true;
            }
        }
        if self.names.len() >= MAX_PINNED_NAMES && !self.names.contains_key(name) {
            let oldest = self.names.iter().min_by_key(|(_, known)| known.at);
            if let Some(oldest) = oldest.map(|(name, _)| Arc::clone(name)) {
                self.names.remove(&oldest);
            }
        }
        let mut pinned: Vec<_> = lookup.allowed.iter().map(|ip| (*ip, now)).collect();
        if let Some(before) = self.names.get(name) {
            let before = before.pinned.iter();
            pinned.extend(before.filter(|(ip, _)| !lookup.allowed.contains(ip)));
        }
        // The newest are first.
        pinned.truncate(MAX_PINNED_ADDRESSES);
        let known = Known {
            lookup: lookup.clone(),
            at: now,
            pinned,
        };
        self.names.insert(Arc::from(name), known);
        lookup
    }
}

impl Known {
    /// Whether the name stands for an address, or did so lately. Special ones are reached by blocks only.
    fn allows(&self, ip: IpAddr, now: Instant) -> bool {
        let mut pinned = self.pinned.iter();
        pinned.any(|(known, at)| *known == ip && now.duration_since(*at) < NAME_PINNED)
            && special::range_of(ip).is_none()
    }
}

impl EgressRule {
    /// Whether the rule is a block that has this address; of a special range only if it means just that.
    fn has_address(&self, ip: IpAddr) -> bool {
        match &self.to {
            EgressTarget::Block(block) => {
                block.contains(&ip)
                    && special::range_of(ip).is_none_or(|range| range.contains(block))
            }
            EgressTarget::Name(_) | EgressTarget::Below(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn allowance(rules: &[&str]) -> Allowance {
        Allowance::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_block_allows_its_addresses_and_special_ones_only_when_it_means_them() {
        let now = Instant::now();
        for (rule, to, expected) in [
            ("192.0.2.0/24:443", "192.0.2.9:443", true),
            ("192.0.2.0/24:443", "192.0.2.9:444", false),
            ("192.0.2.0/24:443", "192.0.3.9:443", false),
            ("192.0.2.0/24:443/udp", "192.0.2.9:443", false),
            ("0.0.0.0/0:*", "192.0.2.9:443", true),
            ("0.0.0.0/0:*", "10.0.0.1:1", true),
            ("0.0.0.0/0:*", "127.0.0.1:80", false),
            ("0.0.0.0/0:*", "169.254.169.254:80", false),
            ("0.0.0.0/0:*", "0.0.0.0:80", false),
            ("0.0.0.0/0:*", "[2001:db8::1]:80", false),
            ("[::/0]:*", "[2001:db8::1]:80", true),
            ("[::/0]:*", "[::1]:80", false),
            ("[::/0]:*", "[fe80::1]:80", false),
            ("[::/0]:*", "[64:ff9b::7f00:1]:80", false),
            ("[::/0]:*", "[2002:7f00:1::]:80", false),
            ("[::/0]:*", "[fd12::1]:80", true),
            ("[::/0]:*", "192.0.2.9:80", false),
            ("[::1]:80", "[::1]:80", true),
            ("[::1]:80", "[::]:80", false),
            ("[fe80::/10]:80", "[fe80::1]:80", true),
            ("[fe80::/9]:80", "[fe80::1]:80", false),
            ("127.0.0.0/8:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("126.0.0.0/7:80", "127.0.0.1:80", false),
            ("169.254.169.254:80", "169.254.169.254:80", true),
            ("10.0.0.0/8:*", "10.96.0.10:53", false),
        ] {
            let found = allowance(&[rule]).allows(Protocol::Tcp, to.parse().unwrap(), now);
            assert_eq!(found, expected, "{rule} {to}");
        }
    }

    #[test]
    fn a_name_allows_the_addresses_that_it_had_lately() {
        let now = Instant::now();
        let mut names = allowance(&["example.com:443", "*.example.net:80"]);
        let to = |text: &str| text.parse().unwrap();
        assert!(
            !names.allows(Protocol::Tcp, to("192.0.2.1:443"), now),
            "not looked up"
        );
        names.learn("example.com", ips(&["192.0.2.1", "2001:db8::1"]), now);
        names.learn("a.example.net", ips(&["192.0.2.2"]), now);
        names.learn("example.org", ips(&["192.0.2.3"]), now);
        for (at, expected) in [
            ("192.0.2.1:443", true),
            ("[2001:db8::1]:443", true),
            ("192.0.2.1:80", false),
            ("192.0.2.2:80", true),
            ("192.0.2.2:443", false),
            ("192.0.2.3:443", false),
            ("192.0.2.4:443", false),
        ] {
            assert_eq!(names.allows(Protocol::Tcp, to(at), now), expected, "{at}");
        }
        let later = now + NAME_PINNED;
        assert!(!names.allows(Protocol::Tcp, to("192.0.2.1:443"), later));
        let soon = now + NAME_PINNED / 2;
        names.learn("example.com", ips(&["192.0.2.9"]), soon);
        assert!(
            names.allows(Protocol::Tcp, to("192.0.2.1:443"), soon),
            "who knew it still may"
        );
        assert!(
            !names.allows(Protocol::Tcp, to("192.0.2.1:443"), later),
            "it has moved"
        );
        assert!(names.allows(Protocol::Tcp, to("192.0.2.9:443"), later));
    }

    #[test]
    fn a_name_that_resolves_to_this_machine_or_network_gives_nothing() {
        let now = Instant::now();
        for special in [
            "127.0.0.1",
            "0.0.0.0",
            "169.254.169.254",
            "10.244.0.1",
            "10.96.0.10",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "ff02::1",
            "fd00:10:244::1",
            "64:ff9b::7f00:1",
            "2002:a9fe:a9fe::1",
        ] {
            // Also when a block of everything stands beside the name.
            for rules in [
                vec!["evil.example:*"],
                vec!["*.example:*"],
                vec!["evil.example:*", "0.0.0.0/0:*", "[::/0]:*"],
            ] {
                let mut names = allowance(&rules);
                let ip: IpAddr = special.parse().unwrap();
                let found = names.learn("evil.example", vec![ip, [192, 0, 2, 1].into()], now);
                assert_eq!(found.allowed, ips(&["192.0.2.1"]), "{special} {rules:?}");
                assert_eq!(
                    found.refused,
                    Some(ip.to_canonical()),
                    "{special} {rules:?}"
                );
                let to = SocketAddr::new(ip, 80);
                assert!(!names.allows(Protocol::Tcp, to, now), "{special} {rules:?}");
            }
        }
        let mut explicit = allowance(&["db.example:5432", "127.0.0.1/32:5432"]);
        let found = explicit.learn("db.example", ips(&["127.0.0.1"]), now);
        assert_eq!(found.allowed, ips(&["127.0.0.1"]));
    }

    #[test]
    fn blocks_let_names_resolve_to_addresses_of_theirs() {
        let now = Instant::now();
        let mut blocks = allowance(&["192.0.2.0/24:443"]);
        assert!(blocks.asks("anything.example"));
        let found = blocks.learn("anything.example", ips(&["192.0.2.1", "198.51.100.1"]), now);
        assert_eq!((found.allowed, found.refused), (ips(&["192.0.2.1"]), None));
        assert!(!allowance(&["127.0.0.1:80"]).asks("anything.example"));
        let named = allowance(&["example.com:443"]);
        assert!(named.asks("example.com") && !named.asks("example.org"));
        assert!(!allowance(&[]).asks("example.com"));
    }

    #[test]
    fn the_names_of_this_machine_are_known_where_its_loopback_is_reached() {
        let now = Instant::now();
        let (v4, v6) = (IpAddr::V4(GATEWAY), IpAddr::V6(GATEWAY6));
        for (rules, expected) in [
            (&["127.0.0.1/32:80"][..], vec![v4]),
            (&["127.0.0.2/32:80"], vec![]),
            (&["0.0.0.0/0:80"], vec![]),
            (&["[::1]:80"], vec![v6]),
            (&["[::/0]:80"], vec![]),
            (&["[::1]:80", "127.0.0.1:81"], vec![v4, v6]),
        ] {
            for name in HOST_NAMES {
                let known = allowance(rules).known(name, now);
                assert_eq!(known, Some(expected.clone()), "{rules:?} {name}");
            }
        }
    }

    #[test]
    fn a_lookup_is_told_again_while_it_is_fresh_and_names_are_bounded() {
        let now = Instant::now();
        let mut names = allowance(&["0.0.0.0/0:443"]);
        names.learn("a.example", ips(&["192.0.2.1"]), now);
        assert_eq!(names.known("a.example", now), Some(ips(&["192.0.2.1"])));
        assert_eq!(names.known("a.example", now + NAME_FRESH), None);
        assert_eq!(names.known("b.example", now), None);
        for number in 0..MAX_PINNED_NAMES {
            let later = now + Duration::from_secs(1);
            names.learn(&format!("{number}.example"), Vec::new(), later);
        }
        assert_eq!(names.names.len(), MAX_PINNED_NAMES);
        assert_eq!(
            names.known("a.example", now),
            None,
            "the oldest has made room"
        );
    }
}
