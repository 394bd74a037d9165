//! The ports of the machine that lead to services.
//!
//! Standard: `service#type-nodeport`. They are the services' own and not of one of their pods, so they last while pods
//! come and go. This is the list of those that are open; who opens them is the loop.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use wasmpod_manifest::k8s::{IntOrString, Pod, Service};
use wasmpod_network::Protocol;
use wasmpod_network::publish::ProxyProtocol;
use wasmpod_store::ObjectRef;

use crate::admission::Held;
use crate::admission::publish::{named_port, protocol, proxy_protocol, selects};
use crate::known::{PublishedPort, lock};

/// A port of the machine and the port of a service behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodePort {
    /// Where the machine listens.
    pub(crate) host: SocketAddr,
    /// The service's own port.
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
    /// How its pods learn who their clients are.
    pub(crate) proxy: Option<ProxyProtocol>,
}

/// The node ports that are open, by their services.
#[derive(Debug)]
pub(crate) struct NodePorts {
    /// The addresses of the machine at which each is opened.
    addresses: Vec<IpAddr>,
    open: Mutex<BTreeMap<ObjectRef, Open>>,
}

/// A service and those of its ports that are open.
type Open = (Arc<Service>, Vec<NodePort>);

impl NodePorts {
    /// None yet, at these addresses.
    pub(crate) fn new(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            open: Mutex::default(),
        }
    }

    /// The node ports that a service wants.
    pub(crate) fn wanted(&self, service: &Service) -> Vec<NodePort> {
        let of_all = self.addresses.iter();
        of_all.flat_map(|ip| node_ports(service, *ip)).collect()
    }

    /// Says which ports of a service are open.
    pub(crate) fn set(&self, service: &ObjectRef, ports: Option<Open>) {
        let mut open = lock(&self.open);
        match ports.filter(|(_, ports)| !ports.is_empty()) {
            Some(ports) => drop(open.insert(service.clone(), ports)),
            None => drop(open.remove(service)),
        }
    }

    /// Where this process listens for services, and for which.
    pub(crate) fn held(&self) -> Vec<Held> {
        let open = lock(&self.open);
        let ports = open.iter().flat_map(|(service, (_, ports))| {
            ports.iter().map(|port| Held {
                host: port.host,
                protocol: port.protocol,
                by: service.name.clone(),
                source: node_port_of(&service.name),
            })
        });
        ports.collect()
    }

    /// Whether this process listens there for a service.
    pub(crate) fn has(&self, host: SocketAddr, protocol: Protocol) -> bool {
        let open = lock(&self.open);
        let mut ports = open.values().flat_map(|(_, ports)| ports);
        ports.any(|port| port.host == host && port.protocol == protocol)
    }

    /// The open ports behind which a pod may be.
    pub(crate) fn of_pod(&self, pod: &Pod) -> Vec<PublishedPort> {
        let open = lock(&self.open);
        let services = open.values().filter(|(service, _)| selects(service, pod));
        let ports = services.flat_map(|(service, ports)| {
            let found = ports.iter().filter_map(|port| {
                Some(PublishedPort {
                    host: port.host,
                    pod_port: target(service, pod, port)?,
                })
            });
            found.collect::<Vec<_>>()
        });
        ports.collect()
    }
}

/// Who asked for a node port.
pub(crate) fn node_port_of(service: &str) -> String {
    format!("NodePort of service \"{service}\"")
}

/// The node ports that a service wants at an address.
fn node_ports(service: &Service, ip: IpAddr) -> Vec<NodePort> {
    let Some(spec) = service.spec.as_ref() else {
        return Vec::new();
    };
    if !has_node_ports(spec.type_.as_deref()) {
        return Vec::new();
    }
    let ports = spec.ports.iter().flatten().filter_map(|port| {
        let node_port = u16::try_from(port.node_port?).ok()?;
        (node_port > 0).then_some(NodePort {
            host: SocketAddr::new(ip, node_port),
            port: u16::try_from(port.port).ok()?,
            protocol: protocol(port.protocol.as_deref())?,
            proxy: proxy_protocol(
                &service.metadata,
                u16::try_from(port.port).ok()?,
                port.name.as_deref(),
            ),
        })
    });
    ports.collect()
}

/// Whether services of this type have ports of the machine.
pub(crate) fn has_node_ports(kind: Option<&str>) -> bool {
    matches!(kind, Some("NodePort" | "LoadBalancer"))
}

/// A pod's own port for a port of its service.
fn target(service: &Service, pod: &Pod, wanted: &NodePort) -> Option<u16> {
    let mut ports = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten());
    let port = ports.find(|port| {
        port.port == i32::from(wanted.port)
            && protocol(port.protocol.as_deref()) == Some(wanted.protocol)
    })?;
    match &port.target_port {
        Some(IntOrString::Int(number)) if *number > 0 => u16::try_from(*number).ok(),
        Some(IntOrString::String(name)) => named_port(pod, name, wanted.protocol),
        _ => Some(wanted.port),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wasmpod_store::Kind;

    use super::*;

    #[test]
    fn a_pod_is_behind_the_open_ports_of_the_services_that_select_it() {
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "svc", "namespace": "default"},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [
                {"port": 80, "targetPort": "http", "nodePort": 31418},
                {"port": 81, "targetPort": 8081, "nodePort": 31419},
                {"port": 82, "targetPort": "nowhere", "nodePort": 31420},
                {"port": 83},
            ]},
        }))
        .unwrap();
        let pod = |app| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "web", "namespace": "default", "labels": {"app": app}},
                "spec": {"containers": [{"name": "c", "ports": [
                    {"containerPort": 8080, "name": "http", "protocol": "TCP"},
                ]}]},
            }))
            .unwrap()
        };
        let ports = NodePorts::new(vec![[127, 0, 0, 1].into()]);
        let wanted = ports.wanted(&service);
        assert_eq!(wanted.len(), 3);
        let object = ObjectRef {
            kind: Kind::Service,
            namespace: Some("default".to_owned()),
            name: "svc".to_owned(),
        };
        ports.set(&object, Some((Arc::new(service), wanted.clone())));
        let found = ports.of_pod(&pod("web"));
        let shown: Vec<_> = found
            .iter()
            .map(|port| (port.host.to_string(), port.pod_port))
            .collect();
        let expected = [("127.0.0.1:31418", 8080), ("127.0.0.1:31419", 8081)];
        assert_eq!(shown, expected.map(|(host, port)| (host.to_owned(), port)));
        assert!(ports.of_pod(&pod("other")).is_empty());
        assert!(ports.has(wanted[0].host, Protocol::Tcp));
        assert!(!ports.has(wanted[0].host, Protocol::Udp));
        ports.set(&object, None);
        assert!(ports.of_pod(&pod("web")).is_empty());
    }

    #[test]
    fn only_services_of_a_type_that_has_node_ports_open_them() {
        for (kind, count) in [
            ("NodePort", 1),
            ("LoadBalancer", 1),
            ("ClusterIP", 0),
            ("ExternalName", 0),
        ] {
            let service =
                json!({"spec": {"type": kind, "ports": [{"port": 80, "nodePort": 30000}]}});
            let service = serde_json::from_value(service).unwrap();
            let two = ["127.0.0.1", "::1"].map(|ip| ip.parse().unwrap());
            let wanted = NodePorts::new(two.to_vec()).wanted(&service);
            assert_eq!(wanted.len(), 2 * count, "{kind}");
        }
    }
}
