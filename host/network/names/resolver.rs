//! A lookup as a C library does it: the hosts file first, then the name server with the search list.
//!
//! Standard: resolv.conf(5) for `search` and `ndots`. Pods and services have IPv4 addresses only; of a name outside those
//! of IPv4 are first, since every pod has a way to them if it has one at all.
//! The answers of one name begin at a random place, so that clients that take the first spread over all pods
//! (CoreDNS's `loadbalance`, as kubeadm sets it up).

use std::net::{IpAddr, Ipv4Addr};

use super::hosts::{Hosts, ResolveError};
use super::outside::Learnt;
use super::zone::{Data, RecordType, Zone};
use crate::fabric::{Fabric, NAMESERVER};
use crate::service::pick_index;

/// What a pod's `/etc/resolv.conf` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResolverConfig {
    pub(crate) nameservers: Vec<IpAddr>,
    pub(crate) search: Vec<String>,
    pub(crate) ndots: usize,
    /// Whether its name server tells it of the cluster.
    pub(crate) tells_cluster: bool,
}

/// The names of one pod.
#[derive(Debug)]
pub(crate) struct Resolver {
    pub(crate) hosts: Hosts,
    config: ResolverConfig,
}

impl Resolver {
    pub(crate) const fn new(hosts: Hosts, config: ResolverConfig) -> Self {
        Self { hosts, config }
    }

    pub(crate) const fn tells_cluster(&self) -> bool {
        self.config.tells_cluster
    }

    /// The addresses of a name.
    pub(crate) fn resolve(
        &self,
        name: &str,
        fabric: Option<&Fabric>,
        learnt: &Learnt,
    ) -> Result<Vec<IpAddr>, ResolveError> {
        let unknown = match self.hosts.resolve(name) {
            Err(error @ ResolveError::Unresolvable { .. }) => error,
            known_or_invalid => return known_or_invalid,
        };
        let asks = self.config.nameservers.contains(&IpAddr::V4(NAMESERVER));
        let Some(fabric) = fabric.filter(|_| asks) else {
            return Err(unknown);
        };
        let services = fabric.services();
        let has_pod = |ip: Ipv4Addr, namespace: &str| fabric.has_pod(ip, namespace);
        let zone = Zone {
            services: &services,
            has_pod: &has_pod,
            outside: &|name| learnt.look(fabric.egress(), name),
            tells_cluster: self.config.tells_cluster,
        };
        let mut found: Vec<_> = candidates(name, &self.config)
            .map(|name| addresses(zone, &name))
            .find(|addresses| !addresses.is_empty())
            .ok_or(unknown)?;
        let first = pick_index(found.len(), fabric.random()).unwrap_or(0);
        let outside = found.iter().any(IpAddr::is_ipv6);
        if !outside {
            found.rotate_left(first);
        }
        Ok(found)
    }
}

fn addresses(zone: Zone<'_>, name: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for wanted in [RecordType::A, RecordType::Aaaa] {
        for record in zone.lookup(name, wanted).records {
            let ip = match record.data {
                Data::A(ip) => IpAddr::V4(ip),
                Data::Aaaa(ip) => IpAddr::V6(ip),
                Data::Cname(_) | Data::Srv { .. } | Data::Ptr(_) => continue,
            };
            if !found.contains(&ip) {
                found.push(ip);
            }
        }
    }
    found
}

/// The full names that are tried for a name, in order.
fn candidates<'a>(
    name: &'a str,
    config: &'a ResolverConfig,
) -> impl Iterator<Item = String> + use<'a> {
    let lower = name.to_ascii_lowercase();
    let (bare, is_full) = match lower.strip_suffix('.') {
        Some(bare) => (bare.to_owned(), true),
        None => (lower, false),
    };
    let dots = bare.bytes().filter(|byte| *byte == b'.').count();
    let is_first = is_full || dots >= config.ndots;
    let search: &[String] = if is_full { &[] } else { &config.search };
    let as_is = || Some(bare.clone());
    let (first, last) = if is_first {
        (as_is(), None)
    } else {
        (None, as_is())
    };
    let searched = search.iter().map(move |domain| {
        format!(
            "{bare}.{}",
            domain.trim_end_matches('.').to_ascii_lowercase()
        )
    });
    first.into_iter().chain(searched).chain(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{service, service_name};
    use crate::{Network, PodNetworkConfig};

    #[test]
    fn the_search_list_comes_before_or_after_the_name_as_its_dots_say() {
        let config = ResolverConfig {
            search: ["ns.svc.cluster.local", "Cluster.Local."]
                .map(str::to_owned)
                .into(),
            ndots: 2,
            ..ResolverConfig::default()
        };
        for (name, expected) in [
            ("web", "web.ns.svc.cluster.local web.cluster.local web"),
            ("A.b", "a.b.ns.svc.cluster.local a.b.cluster.local a.b"),
            (
                "a.b.c",
                "a.b.c a.b.c.ns.svc.cluster.local a.b.c.cluster.local",
            ),
            ("web.", "web"),
        ] {
            let all: Vec<_> = candidates(name, &config).collect();
            assert_eq!(all.join(" "), expected, "{name}");
        }
    }

    #[test]
    fn a_pod_resolves_hosts_before_services_and_nothing_else() {
        let network = Network::new();
        network.set_service(service_name("web"), service("10.96.0.20", &[80], &[2]));
        network.set_service(service_name("shadowed"), service("10.96.0.21", &[80], &[2]));
        let search = [
            "default.svc.cluster.local",
            "svc.cluster.local",
            "cluster.local",
        ];
        let config = |nameservers: &[&str]| PodNetworkConfig {
            hostname: "pod".to_owned(),
            namespace: "default".to_owned(),
            host_aliases: vec![([10, 1, 1, 1].into(), vec!["shadowed".to_owned()])],
            search: search.map(str::to_owned).into(),
            nameservers: nameservers.iter().map(|ip| ip.parse().unwrap()).collect(),
            ndots: 5,
            ..Default::default()
        };
        let asking = network.create_pod(config(&["10.96.0.10"])).unwrap();
        let silent = network.create_pod(config(&["192.0.2.1"])).unwrap();
        let web = Some("10.96.0.20");
        for (name, expected) in [
            ("web", web),
            ("WEB.default", web),
            ("web.default.svc", web),
            ("web.default.svc.cluster.local", web),
            ("web.default.svc.cluster.local.", web),
            ("web.default.", None),
            ("web.other", None),
            ("shadowed", Some("10.1.1.1")),
            ("10-244-0-2.default.pod", Some("10.244.0.2")),
            ("10-244-0-2.other.pod", None),
            ("pod", Some("10.244.0.2")),
            ("example.com", None),
            ("kubernetes.io.", None),
        ] {
            let found = asking.resolve(name).ok();
            let expected = expected.map(|ip| vec![ip.parse().unwrap()]);
            assert_eq!(found, expected, "{name}");
        }
        assert!(silent.resolve("web").is_err(), "its server is another");
        assert!(silent.resolve("shadowed").is_ok());
    }
}
