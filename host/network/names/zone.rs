//! The zone `cluster.local`: what the name server knows, as a pure function of the services and pods.
//!
//! Standard: Kubernetes' DNS-based service discovery, version 1.1.0, and CoreDNS where it leaves a choice: an endpoint
//! without a host name is called by its address with dashes; a name that is there without records of the type asked for
//! has an empty answer, one that is not there is `NXDOMAIN`, and so is everything outside of the zone of
//! which nobody else says something.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits::MAX_ALIASES;
use crate::service::{Endpoint, NamedPort, Service, ServiceAddress, ServiceName, Services};

/// What follows the names of all services.
pub(super) const ZONE: &str = "cluster.local";

/// What follows the names of addresses (RFC 1035 3.5).
const REVERSE: &str = ".in-addr.arpa";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordType {
    A,
    Aaaa,
    Cname,
    Srv,
    Ptr,
    /// `ANY`: whatever there is.
    Any,
    /// A type of which the zone has no records, such as MX.
    Other,
}

/// A record: its name and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(String),
    Srv {
        port: u16,
        weight: u16,
        target: String,
    },
    Ptr(String),
}

/// What the zone says to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) records: Vec<Record>,
    /// Addresses of what the records name, which the asker will want next.
    pub(super) additional: Vec<Record>,
    /// The name asked for, or the last that aliases led to, is not there (`NXDOMAIN`).
    pub(super) is_unknown: bool,
}

/// What there is to know.
#[derive(Clone, Copy)]
pub(super) struct Zone<'a> {
    pub(super) services: &'a Services,
    /// Whether a pod of this namespace has this address.
    pub(super) has_pod: &'a dyn Fn(Ipv4Addr, &str) -> bool,
    /// The addresses of a name outside of the zone, as far as there is something known of it.
    pub(super) outside: &'a dyn Fn(&str) -> Option<Vec<IpAddr>>,
    /// Whether who asks is told of the cluster (`dnsPolicy: Default` asks the node's servers, which know nothing of it).
    pub(super) tells_cluster: bool,
}

impl Zone<'_> {
    /// Answers a question; `name` is in lower case and without the last dot.
    pub(super) fn lookup(self, name: &str, wanted: RecordType) -> Answer {
        let mut answer = Answer::default();
        let mut name = name.to_owned();
        for _ in 0..=MAX_ALIASES {
            match self.step(&name, wanted, &mut answer) {
                Some(alias) => name = alias,
                None => return answer,
            }
        }
        // Aliases that go round.
        answer.is_unknown = true;
        answer
    }

    /// Adds what one name says; gives the name to go on with if it is an alias.
    fn step(self, name: &str, wanted: RecordType, answer: &mut Answer) -> Option<String> {
        let mut records = Records {
            name,
            wanted,
            answer,
        };
        let known = if let Some(labels) = labels_in_zone(name) {
            if self.tells_cluster {
                self.in_zone(&labels, &mut records)
            } else {
                Known::No
            }
        } else if let Some(ip) = name.strip_suffix(REVERSE).and_then(reversed_ip) {
            self.reverse(ip, &mut records)
        } else {
            self.out_of_zone(name, &mut records)
        };
        match known {
            Known::Yes => {}
            Known::No => answer.is_unknown = true,
            Known::Alias(target) => {
                let data = Data::Cname(target.clone());
                let name = name.to_owned();
                answer.records.push(Record { name, data });
                let asks_for_alias = matches!(wanted, RecordType::Cname | RecordType::Any);
                return (!asks_for_alias).then_some(target);
            }
        }
        None
    }

    fn out_of_zone(self, name: &str, records: &mut Records<'_>) -> Known {
        let addresses = (self.outside)(name).unwrap_or_default();
        for ip in &addresses {
            match *ip {
                IpAddr::V4(ip) => records.add(RecordType::A, || Data::A(ip)),
                IpAddr::V6(ip) => records.add(RecordType::Aaaa, || Data::Aaaa(ip)),
            }
        }
        if addresses.is_empty() {
            Known::No
        } else {
            Known::Yes
        }
    }

    fn in_zone(self, labels: &[&str], records: &mut Records<'_>) -> Known {
        let known = match labels {
            // cluster.local and svc.cluster.local
            [] | ["svc" | "pod"] => true,
            [namespace, "svc"] => self.services.has_namespace(namespace),
            [ip, namespace, "pod"] => match dashed_ip(ip) {
                Some(ip) if (self.has_pod)(ip, namespace) => {
                    records.add(RecordType::A, || Data::A(ip));
                    true
                }
                _ => false,
            },
            [before @ .., name, namespace, "svc"] => {
                let name = ServiceName {
                    namespace: (*namespace).to_owned(),
                    name: (*name).to_owned(),
                };
                match self.services.get(&name) {
                    Some(service) => return of_service(&name, service, before, records),
                    None => false,
                }
            }
            _ => false,
        };
        if known { Known::Yes } else { Known::No }
    }

    /// The names of an address: of the service that has it, and of the endpoints.
    fn reverse(self, ip: Ipv4Addr, records: &mut Records<'_>) -> Known {
        let mut names = Vec::new();
        names.extend(self.services.at_ip(ip).map(full_name));
        for (name, service) in self.services.all() {
            let mut endpoints = ready(service).filter(|endpoint| endpoint.ip == ip);
            // A pod behind an address is not known by it (the specification, 2.4.3).
            if service.address == ServiceAddress::Headless
                && let Some(endpoint) = endpoints.next()
            {
                names.push(format!("{}.{}", label(endpoint), full_name(name)));
            }
        }
        if names.is_empty() {
            return Known::No;
        }
        for name in names {
            records.add(RecordType::Ptr, || Data::Ptr(name));
        }
        Known::Yes
    }
}

/// Whether a name is there.
enum Known {
    Yes,
    No,
    /// It stands for another.
    Alias(String),
}

/// The records of one name that are asked for.
struct Records<'a> {
    name: &'a str,
    wanted: RecordType,
    answer: &'a mut Answer,
}

impl Records<'_> {
    fn add(&mut self, of: RecordType, data: impl FnOnce() -> Data) {
        if self.wanted == of || self.wanted == RecordType::Any {
            let name = self.name.to_owned();
            self.answer.records.push(Record { name, data: data() });
        }
    }
}

/// What a service says to its own name, and to names before it.
fn of_service(
    name: &ServiceName,
    service: &Service,
    before: &[&str],
    records: &mut Records<'_>,
) -> Known {
    if let ServiceAddress::ExternalName(target) = &service.address {
        return if before.is_empty() {
            let target = target.strip_suffix('.').unwrap_or(target);
            Known::Alias(target.to_ascii_lowercase())
        } else {
            Known::No
        };
    }
    match before {
        [] => {
            for ip in addresses(service) {
                records.add(RecordType::A, || Data::A(ip));
            }
            for port in &service.ports {
                servers(name, service, port, records);
            }
        }
        [protocol] if protocol.starts_with('_') => {
            // The name between a port's and the service's: there, and empty.
            let mut ports = service.ports.iter();
            if !ports.any(|port| is_protocol(port, protocol)) {
                return Known::No;
            }
        }
        [hostname] => {
            let mut endpoints = ready(service).filter(|endpoint| label(endpoint) == **hostname);
            let Some(first) = endpoints.next() else {
                return Known::No;
            };
            records.add(RecordType::A, || Data::A(first.ip));
            for endpoint in endpoints {
                records.add(RecordType::A, || Data::A(endpoint.ip));
            }
        }
        [port, protocol] => {
            let wanted = port.strip_prefix('_').unwrap_or_default();
            let mut ports = service.ports.iter();
            let found = ports.find(|port| {
                !wanted.is_empty() && port.name == wanted && is_protocol(port, protocol)
            });
            match found {
                Some(port) => servers(name, service, port, records),
                None => return Known::No,
            }
        }
        _ => return Known::No,
    }
    Known::Yes
}

/// The SRV records of a port, and the addresses of what they name.
fn servers(name: &ServiceName, service: &Service, port: &NamedPort, records: &mut Records<'_>) {
    // Not for ANY: the addresses are there already.
    if records.wanted != RecordType::Srv {
        return;
    }
    let own = full_name(name);
    let servers: Vec<(String, Ipv4Addr, u16)> = match service.address {
        ServiceAddress::ClusterIp(ip) => vec![(own, ip, port.port)],
        _ => ready(service)
            .filter_map(|endpoint| {
                let number = crate::service::number(endpoint, port)?;
                Some((format!("{}.{own}", label(endpoint)), endpoint.ip, number))
            })
            .collect(),
    };
    // Shares of 100, as CoreDNS gives them.
    let weight = 100 / u16::try_from(servers.len().max(1)).unwrap_or(100).min(100);
    for (target, ip, port) in servers {
        let additional = Record {
            name: target.clone(),
            data: Data::A(ip),
        };
        if !records.answer.additional.contains(&additional) {
            records.answer.additional.push(additional);
        }
        records.add(RecordType::Srv, || Data::Srv {
            port,
            weight,
            target,
        });
    }
}

/// The addresses that a service's name stands for.
fn addresses(service: &Service) -> Vec<Ipv4Addr> {
    match service.address {
        ServiceAddress::ClusterIp(ip) => vec![ip],
        _ => ready(service).map(|endpoint| endpoint.ip).collect(),
    }
}

fn ready(service: &Service) -> impl Iterator<Item = &Endpoint> {
    let endpoints = service.endpoints.iter();
    endpoints.filter(|endpoint| endpoint.conditions.ready)
}

/// The label of an endpoint before its service's name.
fn label(endpoint: &Endpoint) -> String {
    match &endpoint.hostname {
        Some(hostname) => hostname.clone(),
        None => endpoint.ip.to_string().replace('.', "-"),
    }
}

fn is_protocol(port: &NamedPort, label: &str) -> bool {
    let name = port.protocol.to_string();
    label
        .strip_prefix('_')
        .is_some_and(|label| label.eq_ignore_ascii_case(&name))
}

fn full_name(name: &ServiceName) -> String {
    format!("{}.{}.svc.{ZONE}", name.name, name.namespace)
}

/// The labels before the zone's name.
fn labels_in_zone(name: &str) -> Option<Vec<&str>> {
    let before = name.strip_suffix(ZONE)?;
    if before.is_empty() {
        return Some(Vec::new());
    }
    Some(before.strip_suffix('.')?.split('.').collect())
}

/// `10-244-0-2` as an address.
fn dashed_ip(label: &str) -> Option<Ipv4Addr> {
    label.replace('-', ".").parse().ok()
}

/// `2.0.244.10` as the address 10.244.0.2.
fn reversed_ip(labels: &str) -> Option<Ipv4Addr> {
    let reversed: Ipv4Addr = labels.parse().ok()?;
    Some(Ipv4Addr::from(u32::from(reversed).swap_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{service, service_name};

    fn services() -> Services {
        let mut services = Services::default();
        services.set(service_name("web"), service("10.96.0.20", &[80], &[2, 3]));
        let mut db = service("10.96.0.1", &[5432], &[4, 5, 6]);
        db.address = ServiceAddress::Headless;
        db.endpoints[0].hostname = Some("db-0".to_owned());
        db.endpoints[2].conditions.ready = false;
        services.set(service_name("db"), db);
        let mut empty = service("10.96.0.1", &[], &[]);
        empty.address = ServiceAddress::Headless;
        services.set(service_name("empty"), empty);
        for (name, target) in [
            ("alias", "web.default.svc.cluster.local"),
            ("outside", "Example.com."),
            ("round", "round.default.svc.cluster.local"),
        ] {
            let mut alias = service("10.96.0.1", &[], &[]);
            alias.address = ServiceAddress::ExternalName(target.to_owned());
            services.set(service_name(name), alias);
        }
        services
    }

    /// The records in short, one a word, with `?` at the end for a name that is not there.
    fn ask(name: &str, wanted: RecordType) -> String {
        let services = services();
        let outside = |name: &str| {
            let both = || vec![[192, 0, 2, 1].into(), Ipv6Addr::LOCALHOST.into()];
            (name == "dual.example").then(both)
        };
        let has_pod = |ip: Ipv4Addr, namespace: &str| ip.octets()[3] == 2 && namespace == "default";
        let zone = Zone {
            services: &services,
            has_pod: &has_pod,
            outside: &outside,
            tells_cluster: true,
        };
        let answer = zone.lookup(name, wanted);
        let words = answer.records.iter().map(|record| match &record.data {
            Data::A(ip) => ip.to_string(),
            Data::Aaaa(ip) => ip.to_string(),
            Data::Cname(name) => format!("={name}"),
            Data::Srv {
                port,
                weight,
                target,
            } => format!("{target}:{port}/{weight}"),
            Data::Ptr(name) => name.clone(),
        });
        let unknown = answer.is_unknown.then(|| "?".to_owned());
        words.chain(unknown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_have_the_addresses_of_the_specification() {
        for (name, expected) in [
            ("web.default.svc.cluster.local", "10.96.0.20"),
            ("db.default.svc.cluster.local", "10.244.0.4 10.244.0.5"),
            ("db-0.db.default.svc.cluster.local", "10.244.0.4"),
            ("10-244-0-5.db.default.svc.cluster.local", "10.244.0.5"),
            ("10-244-0-4.db.default.svc.cluster.local", "?"),
            ("10-244-0-6.db.default.svc.cluster.local", "?"),
            ("10-244-0-3.web.default.svc.cluster.local", "10.244.0.3"),
            ("empty.default.svc.cluster.local", ""),
            ("default.svc.cluster.local", ""),
            ("svc.cluster.local", ""),
            ("cluster.local", ""),
            ("_tcp.web.default.svc.cluster.local", ""),
            ("_sctp.web.default.svc.cluster.local", "?"),
            ("other.svc.cluster.local", "?"),
            ("web.other.svc.cluster.local", "?"),
            ("webb.default.svc.cluster.local", "?"),
            ("a.b.c.web.default.svc.cluster.local", "?"),
            ("xcluster.local", "?"),
            ("10-244-0-2.default.pod.cluster.local", "10.244.0.2"),
            ("10-244-0-2.other.pod.cluster.local", "?"),
            ("10-244-0-9.default.pod.cluster.local", "?"),
            (
                "alias.default.svc.cluster.local",
                "=web.default.svc.cluster.local 10.96.0.20",
            ),
            ("x.alias.default.svc.cluster.local", "?"),
            ("outside.default.svc.cluster.local", "=example.com ?"),
            ("example.com", "?"),
            ("web", "?"),
            ("", "?"),
        ] {
            assert_eq!(ask(name, RecordType::A), expected, "{name}");
        }
        assert!(ask("round.default.svc.cluster.local", RecordType::A).ends_with('?'));
    }

    #[test]
    fn a_type_that_a_name_does_not_have_is_an_empty_answer() {
        for wanted in [RecordType::Other, RecordType::Ptr, RecordType::Cname] {
            assert_eq!(ask("web.default.svc.cluster.local", wanted), "");
        }
        let alias = "outside.default.svc.cluster.local";
        assert_eq!(ask(alias, RecordType::Cname), "=example.com");
        assert_eq!(ask(alias, RecordType::Other), "=example.com ?");
    }

    #[test]
    fn ports_are_found_by_their_names() {
        let web = "web.default.svc.cluster.local:80/100";
        let db = "db-0.db.default.svc.cluster.local:5432/50 10-244-0-5.db.default.svc.cluster.local:5432/50";
        for (name, expected) in [
            ("_p80._tcp.web.default.svc.cluster.local", web),
            ("_p80._udp.web.default.svc.cluster.local", web),
            ("_p5432._tcp.db.default.svc.cluster.local", db),
            ("_p81._tcp.web.default.svc.cluster.local", "?"),
            ("p80._tcp.web.default.svc.cluster.local", "?"),
            ("_._tcp.web.default.svc.cluster.local", "?"),
        ] {
            assert_eq!(ask(name, RecordType::Srv), expected, "{name}");
        }
        assert_eq!(
            ask("_p80._tcp.web.default.svc.cluster.local", RecordType::A),
            ""
        );
    }

    #[test]
    fn addresses_have_names() {
        for (name, expected) in [
            ("20.0.96.10.in-addr.arpa", "web.default.svc.cluster.local"),
            (
                "4.0.244.10.in-addr.arpa",
                "db-0.db.default.svc.cluster.local",
            ),
            (
                "5.0.244.10.in-addr.arpa",
                "10-244-0-5.db.default.svc.cluster.local",
            ),
            ("6.0.244.10.in-addr.arpa", "?"),
            ("2.0.244.10.in-addr.arpa", "?"),
            ("1.0.0.127.in-addr.arpa", "?"),
            ("in-addr.arpa", "?"),
        ] {
            assert_eq!(ask(name, RecordType::Ptr), expected, "{name}");
        }
    }
}
