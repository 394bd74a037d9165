//! All services of a host, found by name and by address.
//!
//! Bounded by the objects that it is made from: nothing is kept of a service that was removed.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::time::Instant;

use super::affinity::Affinity;
use super::choose::{pick, targets};
use super::{NamedPort, Service, ServiceAddress, ServiceName};
use crate::counters::Protocol;

/// The services.
#[derive(Debug, Default)]
pub(crate) struct Services {
    by_name: BTreeMap<ServiceName, Entry>,
    by_ip: HashMap<Ipv4Addr, ServiceName>,
}

#[derive(Debug)]
struct Entry {
    service: Service,
    ports: Vec<Backends>,
}

/// One port of a service and where its connections may go.
#[derive(Debug)]
pub(crate) struct Backends {
    port: NamedPort,
    targets: Vec<SocketAddr>,
    affinity: Option<Arc<Affinity>>,
}

/// What is at an address.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A port of a service.
    Port(&'a Backends),
    /// A service, which has no such port.
    OtherPorts,
    /// No service.
    Nothing,
}

impl Services {
    /// Puts a service in the place of what had its name. Clients that are known keep their endpoints.
    pub(crate) fn set(&mut self, name: ServiceName, service: Service) {
        let old = self.by_name.remove(&name);
        self.forget_ip(&name, old.as_ref());
        let old = old.map(|old| old.ports).unwrap_or_default();
        let ports = service.ports.iter().map(|port| {
            let known = old.iter().find(|known| known.port == *port);
            let affinity = service.affinity.map(|timeout| {
                let known = known.and_then(|known| known.affinity.as_ref());
                match known.filter(|known| known.timeout == timeout) {
                    Some(known) => Arc::clone(known),
                    None => Arc::new(Affinity::new(timeout)),
                }
            });
            Backends {
                port: port.clone(),
                targets: targets(&service.endpoints, port),
                affinity,
            }
        });
        let ports = ports.collect();
        if let ServiceAddress::ClusterIp(ip) = service.address {
            // Two services that were given one address by hand: the first keeps it.
            self.by_ip.entry(ip).or_insert_with(|| name.clone());
        }
        self.by_name.insert(name, Entry { service, ports });
    }

    /// Removes a service.
    pub(crate) fn remove(&mut self, name: &ServiceName) {
        let old = self.by_name.remove(name);
        self.forget_ip(name, old.as_ref());
    }

    fn forget_ip(&mut self, name: &ServiceName, old: Option<&Entry>) {
        if let Some(ServiceAddress::ClusterIp(ip)) = old.map(|old| &old.service.address)
            && self.by_ip.get(ip) == Some(name)
        {
            self.by_ip.remove(ip);
        }
    }

    pub(crate) fn get(&self, name: &ServiceName) -> Option<&Service> {
        self.by_name.get(name).map(|entry| &entry.service)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&ServiceName, &Service)> {
        self.by_name
            .iter()
            .map(|(name, entry)| (name, &entry.service))
    }

    /// The service that has this address.
    pub(crate) fn at_ip(&self, ip: Ipv4Addr) -> Option<&ServiceName> {
        self.by_ip.get(&ip)
    }

    /// Whether any service is in this namespace.
    pub(crate) fn has_namespace(&self, namespace: &str) -> bool {
        let first = ServiceName {
            namespace: namespace.to_owned(),
            name: String::new(),
        };
        let next = self.by_name.range(first..).next();
        next.is_some_and(|(name, _)| name.namespace == namespace)
    }

    /// What is at an address.
    pub(crate) fn find(&self, ip: Ipv4Addr, port: u16, protocol: Protocol) -> Found<'_> {
        match self.by_ip.get(&ip) {
            None => Found::Nothing,
            Some(name) => match self.port(name, port, protocol) {
                Some(found) => Found::Port(found),
                None => Found::OtherPorts,
            },
        }
    }

    /// A port of a service by its name.
    pub(crate) fn port(
        &self,
        name: &ServiceName,
        port: u16,
        protocol: Protocol,
    ) -> Option<&Backends> {
        let mut ports = self.by_name.get(name)?.ports.iter();
        ports.find(|found| found.port.port == port && found.port.protocol == protocol)
    }
}

impl Backends {
    /// The endpoint that a client gets, if there is any.
    pub(crate) fn choose(&self, client: IpAddr, now: Instant, random: u64) -> Option<SocketAddr> {
        match &self.affinity {
            Some(affinity) => affinity.choose(client, &self.targets, now, random),
            None => pick(&self.targets, random),
        }
    }

    /// Whether connections may go to this endpoint.
    pub(crate) fn has(&self, endpoint: SocketAddr) -> bool {
        self.targets.contains(&endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{service, service_name};

    #[test]
    fn a_service_is_found_by_its_address_until_it_changes_or_goes() {
        let mut services = Services::default();
        let (web, other) = (service_name("web"), service_name("other"));
        services.set(web.clone(), service("10.96.0.20", &[80], &[1]));
        services.set(other.clone(), service("10.96.0.21", &[80], &[]));
        let at = |services: &Services, ip: &str, port| {
            let choose = |found: &Backends| found.choose([10, 0, 0, 1].into(), Instant::now(), 0);
            match services.find(ip.parse().unwrap(), port, Protocol::Tcp) {
                Found::Port(found) => match choose(found) {
                    Some(endpoint) => endpoint.to_string(),
                    None => "refused".to_owned(),
                },
                Found::OtherPorts => "other ports".to_owned(),
                Found::Nothing => "nothing".to_owned(),
            }
        };
        for (ip, port, expected) in [
            ("10.96.0.20", 80, "10.244.0.1:80"),
            ("10.96.0.20", 81, "other ports"),
            ("10.96.0.21", 80, "refused"),
            ("10.96.0.22", 80, "nothing"),
        ] {
            assert_eq!(at(&services, ip, port), expected, "{ip}:{port}");
        }
        services.set(web.clone(), service("10.96.0.22", &[81], &[2]));
        assert_eq!(at(&services, "10.96.0.20", 80), "nothing");
        assert_eq!(at(&services, "10.96.0.22", 81), "10.244.0.2:81");
        services.remove(&web);
        assert_eq!(at(&services, "10.96.0.22", 81), "nothing");
        services.remove(&other);
        assert!(services.by_ip.is_empty() && services.by_name.is_empty());
    }

    #[test]
    fn of_two_services_with_one_address_the_first_has_it() {
        let mut services = Services::default();
        let (first, second) = (service_name("first"), service_name("second"));
        services.set(first.clone(), service("10.96.0.20", &[80], &[1]));
        services.set(second.clone(), service("10.96.0.20", &[80], &[2]));
        let ip = [10, 96, 0, 20].into();
        assert_eq!(services.at_ip(ip), Some(&first));
        services.remove(&second);
        assert_eq!(services.at_ip(ip), Some(&first));
    }

    #[test]
    fn a_client_keeps_its_endpoint_over_changes_of_the_service() {
        let mut services = Services::default();
        let sticky = |lasts: &[u8]| Service {
            affinity: Some(std::time::Duration::from_secs(60)),
            ..service("10.96.0.20", &[80], lasts)
        };
        let (name, now) = (service_name("web"), Instant::now());
        let choose = |services: &Services, random| {
            let port = services.port(&name, 80, Protocol::Tcp).unwrap();
            port.choose([10, 0, 0, 1].into(), now, random).unwrap()
        };
        services.set(name.clone(), sticky(&[1, 2]));
        let first = choose(&services, u64::MAX);
        services.set(name.clone(), sticky(&[1, 2, 3]));
        assert_eq!(choose(&services, 0), first);
    }

    #[test]
    fn a_namespace_is_there_while_a_service_is_in_it() {
        let mut services = Services::default();
        services.set(service_name("web"), service("10.96.0.20", &[80], &[]));
        assert!(services.has_namespace("default"));
        assert!(!services.has_namespace("defaul") && !services.has_namespace("default2"));
    }
}
