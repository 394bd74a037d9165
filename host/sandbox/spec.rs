//! Containers in a pod's spec, by their place in the start order (init containers first, each list as
//! written), and what they declare.

use wasmpod_lifecycle::pod::ContainerIndex;
use wasmpod_manifest::k8s::{Container, Pod};

use crate::port::DeclaredPort;

/// All containers of a pod in their start order.
pub(crate) fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(|spec| {
        spec.init_containers
            .iter()
            .flatten()
            .chain(&spec.containers)
    })
}

/// The container at a place.
pub(crate) fn container(pod: &Pod, index: ContainerIndex) -> Option<&Container> {
    containers(pod).nth(index.0)
}

/// The TCP ports that a container declares, each number once.
pub(crate) fn declared_ports(container: &Container) -> Vec<DeclaredPort> {
    let mut declared: Vec<DeclaredPort> = Vec::new();
    for port in container.ports.iter().flatten() {
        let is_tcp = port
            .protocol
            .as_deref()
            .is_none_or(|protocol| protocol == "TCP");
        // The manifest's rules have checked the range.
        let Ok(number) = u16::try_from(port.container_port) else {
            continue;
        };
        if is_tcp && !declared.iter().any(|known| known.number == number) {
            let name = port.name.clone();
            declared.push(DeclaredPort { name, number });
        }
    }
    declared
}

#[cfg(test)]
mod tests {
    use wasmpod_manifest::k8s::ContainerPort;

    use super::*;

    #[test]
    fn a_container_declares_each_of_its_tcp_ports_once() {
        let port = |number, name: Option<&str>, protocol: Option<&str>| ContainerPort {
            container_port: number,
            name: name.map(str::to_owned),
            protocol: protocol.map(str::to_owned),
            ..ContainerPort::default()
        };
        let container = Container {
            ports: Some(vec![
                port(80, Some("http"), None),
                port(53, Some("dns"), Some("UDP")),
                port(53, None, Some("TCP")),
                port(80, Some("again"), Some("TCP")),
            ]),
            ..Container::default()
        };
        let declared: Vec<_> = declared_ports(&container)
            .into_iter()
            .map(|port| (port.number, port.name))
            .collect();
        assert_eq!(declared, [(80, Some("http".to_owned())), (53, None)]);
        assert!(declared_ports(&Container::default()).is_empty());
    }
}
