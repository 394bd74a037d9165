//! The addresses and node ports of services.
//!
//! Standard: `cluster-ip-allocation`, `service#type-nodeport`. Here they are given out; what is reached at them is the
//! network's business.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use wasmpod_manifest::k8s::{Service, ServicePort, ServiceSpec};
use wasmpod_network::{NAMESERVER, SERVICE_CIDR};
use wasmpod_store::{Kind, Object, Store, StoreError};

use crate::node_ports::has_node_ports;

/// The range of cluster IPs is [`wasmpod_network::SERVICE_CIDR`]; its first address would be that of the service
/// `kubernetes`, and the one before this is the name server's.
const FIRST_CLUSTER_IP: u32 = u32::from_be_bytes([10, 96, 0, 11]);

/// The ports of the machine that services get: the API server's default `--service-node-port-range`. When all are taken,
/// one more service has none.
const NODE_PORTS: RangeInclusive<i32> = 30000..=32767;

/// The bits that the addresses of [`SERVICE_CIDR`] share.
const CLUSTER_IP_PREFIX: (u32, u32) = (u32::from_be_bytes([10, 96, 0, 0]), u32::MAX << 20);

/// How many services can have a cluster IP; one more gets none. Ours: far from filling the range of a million.
const MAX_CLUSTER_IPS: u32 = 65_536;

/// Gives a service a cluster IP if it wants one and has none.
pub(crate) fn give_address(store: &Store, service: &mut Service) {
    let Some(spec) = &mut service.spec else {
        return;
    };
    if spec.type_.as_deref() == Some("ExternalName") {
        return;
    }
    if spec.cluster_ip.as_deref().is_none_or(str::is_empty) {
        let taken = taken(store);
        let mut candidates = (0..MAX_CLUSTER_IPS)
            .map(|offset| Ipv4Addr::from(FIRST_CLUSTER_IP.saturating_add(offset)).to_string());
        spec.cluster_ip = candidates.find(|ip| !taken.contains(ip));
    }
    if spec.cluster_ips.is_none() {
        spec.cluster_ips = spec.cluster_ip.clone().map(|ip| vec![ip]);
    }
    spec.ip_families
        .get_or_insert_with(|| vec!["IPv4".to_owned()]);
    spec.ip_family_policy
        .get_or_insert_with(|| "SingleStack".to_owned());
    let allocates = spec.allocate_load_balancer_node_ports != Some(false)
        || spec.type_.as_deref() != Some("LoadBalancer");
    if has_node_ports(spec.type_.as_deref()) && allocates {
        give_node_ports(store, spec);
    }
}

/// Gives every port of a service a port of the machine, if it has none. Where the search begins is random, so that two
/// hosts on one machine seldom want the same.
fn give_node_ports(store: &Store, spec: &mut ServiceSpec) {
    let (services, _) = store.list(Kind::Service, None);
    let others = services.iter().filter_map(|object| match object {
        Object::Service(service) => service.spec.as_ref(),
        _ => None,
    });
    let ports = |spec: &ServiceSpec| -> Vec<i32> {
        let ports = spec.ports.iter().flatten();
        ports.filter_map(|port| port.node_port).collect()
    };
    let mut taken: BTreeSet<i32> = others.flat_map(ports).collect();
    taken.extend(ports(spec));
    let count = NODE_PORTS.count();
    let start = RandomState::new().hash_one(0_u8);
    let start = usize::try_from(start % u64::try_from(count).unwrap_or(1)).unwrap_or(0);
    let mut candidates = NODE_PORTS.cycle().skip(start).take(count);
    let mut given: Vec<ServicePort> = spec.ports.clone().unwrap_or_default();
    for index in 0..given.len() {
        let Some(port) = given.get(index).filter(|port| node_port(port).is_none()) else {
            continue;
        };
        // The same port with another protocol has the same port of the machine.
        let twin = given.iter().find_map(|other| {
            node_port(other).filter(|number| {
                let has = |one: &ServicePort| {
                    node_port(one) == Some(*number) && one.protocol == port.protocol
                };
                other.port == port.port && !given.iter().any(has)
            })
        });
        let found = twin.or_else(|| candidates.find(|number| taken.insert(*number)));
        if let Some(port) = given.get_mut(index) {
            port.node_port = found;
        }
    }
    spec.ports = Some(given);
}

/// The port of the machine that a port names.
fn node_port(port: &ServicePort) -> Option<i32> {
    port.node_port.filter(|number| *number != 0)
}

/// Refuses the address and the ports of the machine that a service asks for and cannot have: another one has them, or
/// nobody may.
pub(crate) fn can_have(store: &Store, service: &Service) -> Result<(), StoreError> {
    let Some(spec) = &service.spec else {
        return Ok(());
    };
    let (services, _) = store.list(Kind::Service, None);
    let others: Vec<_> = services
        .iter()
        .filter_map(|object| match object {
            Object::Service(other) => Some(other),
            _ => None,
        })
        .filter(|other| {
            (&other.metadata.name, &other.metadata.namespace)
                != (&service.metadata.name, &service.metadata.namespace)
        })
        .filter_map(|other| other.spec.as_ref())
        .collect();
    let refused = |detail| {
        Err(StoreError::Invalid {
            kind: Kind::Service,
            name: service.metadata.name.clone().unwrap_or_default(),
            detail,
        })
    };
    if let Some(ip) = asked_address(spec) {
        let (network, mask) = CLUSTER_IP_PREFIX;
        let why = if u32::from(ip) & mask != network {
            Some(format!(
                "the provided IP is not in the valid range. The range of valid IPs is {SERVICE_CIDR}"
            ))
        } else if ip == NAMESERVER || others.iter().any(|other| asked_address(other) == Some(ip)) {
            Some("provided IP is already allocated".to_owned())
        } else {
            None
        };
        if let Some(why) = why {
            return refused(format!(
                "spec.clusterIPs: Invalid value: [\"{ip}\"]: failed to allocate IP {ip}: {why}"
            ));
        }
    }
    for (index, port) in spec.ports.iter().flatten().enumerate() {
        let Some(number) = node_port(port).filter(|_| has_node_ports(spec.type_.as_deref())) else {
            continue;
        };
        let has = |other: &&ServiceSpec| {
            let mut ports = other.ports.iter().flatten();
            ports.any(|one| node_port(one) == Some(number) && one.protocol == port.protocol)
        };
        if others.iter().any(has) {
            return refused(format!(
                "spec.ports[{index}].nodePort: Invalid value: {number}: provided port is already allocated"
            ));
        }
    }
    Ok(())
}

/// The cluster IP that a service names.
fn asked_address(spec: &ServiceSpec) -> Option<Ipv4Addr> {
    spec.cluster_ip.as_deref()?.parse().ok()
}

/// Gives a changed service what it had and does not say: its address, and its ports of the machine.
pub(crate) fn keep_address(new: &mut Service, old: &Service) {
    let (Some(new), Some(old)) = (&mut new.spec, &old.spec) else {
        return;
    };
    if new.type_.as_deref() == Some("ExternalName") {
        return;
    }
    let is_given = |ip: &Option<String>| ip.as_deref().is_some_and(|ip| !ip.is_empty());
    if is_given(&old.cluster_ip) && !is_given(&new.cluster_ip) {
        new.cluster_ip.clone_from(&old.cluster_ip);
        new.cluster_ips.clone_from(&old.cluster_ips);
    }
    let kinds = [&new.type_, &old.type_];
    if !kinds.iter().all(|kind| has_node_ports(kind.as_deref())) {
        return;
    }
    let mut given = new.ports.clone().unwrap_or_default();
    for index in 0..given.len() {
        let Some(port) = given.get(index).filter(|port| node_port(port).is_none()) else {
            continue;
        };
        let same = |old: &&ServicePort| old.port == port.port && old.protocol == port.protocol;
        let before = old.ports.iter().flatten().find(same).and_then(node_port);
        // Another port may have been given it meanwhile.
        let is_used = |one: &ServicePort| {
            node_port(one) == before && before.is_some() && one.protocol == port.protocol
        };
        let kept = before.filter(|_| !given.iter().any(is_used));
        if let Some(port) = given.get_mut(index) {
            port.node_port = kept;
        }
    }
    new.ports = (!given.is_empty()).then_some(given);
}

fn taken(store: &Store) -> BTreeSet<String> {
    let (services, _) = store.list(Kind::Service, None);
    let addresses = services.iter().filter_map(|object| match object {
        Object::Service(service) => service.spec.as_ref()?.cluster_ip.clone(),
        _ => None,
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, spec: &serde_json::Value) -> Service {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    fn address(store: &Store, name: &str, spec: &serde_json::Value) -> Option<String> {
        let mut service = service(name, spec);
        give_address(store, &mut service);
        store.create(service.clone().into()).unwrap();
        service.spec.unwrap().cluster_ip
    }

    #[test]
    fn each_service_that_wants_an_address_gets_one_of_its_own() {
        let store = Store::new(|| wasmpod_manifest::k8s::jiff::Timestamp::UNIX_EPOCH);
        let none = json!({});
        assert_eq!(address(&store, "a", &none).as_deref(), Some("10.96.0.11"));
        let fixed = json!({"clusterIP": "10.96.0.12"});
        assert_eq!(address(&store, "b", &fixed).as_deref(), Some("10.96.0.12"));
        assert_eq!(address(&store, "c", &none).as_deref(), Some("10.96.0.13"));
        assert_eq!(
            address(&store, "d", &json!({"clusterIP": "None"})).as_deref(),
            Some("None")
        );
        assert_eq!(address(&store, "e", &json!({"type": "ExternalName"})), None);
    }

    fn node_ports(store: &Store, name: &str, spec: &serde_json::Value) -> Vec<Option<i32>> {
        let mut service = service(name, spec);
        give_address(store, &mut service);
        store.create(service.clone().into()).unwrap();
        let ports = service.spec.unwrap().ports.unwrap();
        ports.into_iter().map(|port| port.node_port).collect()
    }

    #[test]
    fn each_port_of_a_node_port_service_gets_one_of_its_own() {
        let store = Store::new(|| wasmpod_manifest::k8s::jiff::Timestamp::UNIX_EPOCH);
        let mut seen = BTreeSet::new();
        for number in 0..50 {
            let spec = json!({"type": "NodePort", "ports": [
                {"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30000 + number},
                {"name": "c", "port": 82, "nodePort": 0},
            ]});
            let ports = node_ports(&store, &format!("s{number}"), &spec);
            assert_eq!(ports[1], Some(30000 + number));
            for port in [ports[0], ports[2]] {
                assert!(NODE_PORTS.contains(&port.unwrap()) && seen.insert(port));
                assert_ne!(port, ports[1]);
            }
        }
        let none = json!({"ports": [{"port": 80}]});
        assert_eq!(node_ports(&store, "inside", &none), [None]);
    }

    #[test]
    fn a_changed_service_keeps_what_it_had_unless_it_is_of_another_type() {
        let old = json!({"type": "NodePort", "clusterIP": "10.96.0.12", "ports": [
            {"port": 80, "protocol": "TCP", "nodePort": 31000},
        ]});
        let external = json!({"type": "ExternalName", "externalName": "example.com"});
        let port = json!([{"port": 80, "protocol": "TCP"}]);
        for (old, new, address, node_port) in [
            (
                &old,
                json!({"type": "NodePort", "ports": port}),
                Some("10.96.0.12"),
                Some(31000),
            ),
            (
                &old,
                json!({"type": "ClusterIP", "ports": port}),
                Some("10.96.0.12"),
                None,
            ),
            (&old, external.clone(), None, None),
            (
                &external,
                json!({"type": "ClusterIP", "clusterIP": "10.96.0.20"}),
                Some("10.96.0.20"),
                None,
            ),
        ] {
            let mut changed = service("s", &new);
            keep_address(&mut changed, &service("s", old));
            let spec = changed.spec.unwrap();
            assert_eq!(spec.cluster_ip.as_deref(), address, "{new}");
            let ports = spec.ports.unwrap_or_default();
            let found = ports.first().and_then(|port| port.node_port);
            assert_eq!(found, node_port, "{new}");
        }
    }

    #[test]
    fn one_port_with_two_protocols_has_one_port_of_the_machine() {
        let store = Store::new(|| wasmpod_manifest::k8s::jiff::Timestamp::UNIX_EPOCH);
        let spec = json!({"type": "NodePort", "ports": [
            {"name": "tcp", "port": 53, "protocol": "TCP"}, {"name": "udp", "port": 53, "protocol": "UDP"},
            {"name": "other", "port": 54, "protocol": "UDP"},
        ]});
        let ports = node_ports(&store, "dns", &spec);
        assert_eq!(ports[0], ports[1]);
        assert_ne!(ports[0], ports[2]);
    }

    #[test]
    fn what_another_service_has_is_refused() {
        let store = Store::new(|| wasmpod_manifest::k8s::jiff::Timestamp::UNIX_EPOCH);
        let old = json!({"type": "NodePort", "clusterIP": "10.96.0.12", "ports": [
            {"port": 80, "protocol": "TCP", "nodePort": 31000},
        ]});
        store.create(service("old", &old).into()).unwrap();
        let port = |number, protocol| json!({"type": "NodePort", "ports": [{"port": 81, "protocol": protocol, "nodePort": number}]});
        for (name, spec, expected) in [
            ("old", old.clone(), None),
            ("new", json!({"clusterIP": "10.96.0.13"}), None),
            ("new", json!({"clusterIP": "None"}), None),
            (
                "new",
                json!({"clusterIP": "10.96.0.12"}),
                Some("already allocated"),
            ),
            (
                "new",
                json!({"clusterIP": "10.96.0.10"}),
                Some("already allocated"),
            ),
            (
                "new",
                json!({"clusterIP": "10.112.0.1"}),
                Some("not in the valid range"),
            ),
            (
                "new",
                port(31000, "TCP"),
                Some("spec.ports[0].nodePort: Invalid value: 31000"),
            ),
            ("new", port(31000, "UDP"), None),
            ("new", port(31001, "TCP"), None),
        ] {
            let found = can_have(&store, &service_in_default(name, &spec));
            let found = found.err().map(|error| error.to_string());
            assert_eq!(found.is_some(), expected.is_some(), "{spec}: {found:?}");
            let found = found.unwrap_or_default();
            assert!(found.contains(expected.unwrap_or_default()), "{found}");
        }
    }

    fn service_in_default(name: &str, spec: &serde_json::Value) -> Service {
        let mut service = service(name, spec);
        service.metadata.namespace = Some("default".to_owned());
        service
    }

    #[test]
    fn a_changed_service_keeps_each_port_that_nobody_else_took() {
        let old = json!({"type": "NodePort", "clusterIP": "10.96.0.12", "ports": [
            {"port": 80, "protocol": "TCP", "nodePort": 31000}, {"port": 81, "protocol": "TCP", "nodePort": 31001},
        ]});
        let mut changed = service(
            "s",
            &json!({"type": "NodePort", "clusterIP": "10.96.0.12", "ports": [
                {"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"},
                {"port": 82, "protocol": "TCP", "nodePort": 31000},
            ]}),
        );
        keep_address(&mut changed, &service("s", &old));
        let ports = changed.spec.unwrap().ports.unwrap();
        let ports: Vec<_> = ports.into_iter().map(|port| port.node_port).collect();
        assert_eq!(ports, [None, Some(31001), Some(31000)]);
    }
}
