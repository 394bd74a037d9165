//! Containers in a pod's spec, by their place in the start order: init containers first, each list as written.

use wasmpod_lifecycle::pod::ContainerIndex;
use wasmpod_manifest::k8s::{Container, Pod};

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

/// The TCP ports that a container declares, each once, in their order.
pub(crate) fn tcp_ports(container: &Container) -> Vec<u16> {
    let mut ports = Vec::new();
    for port in container.ports.iter().flatten() {
        let is_tcp = port.protocol.as_deref().is_none_or(|name| name == "TCP");
        // The manifest's rules have checked the range.
        if let (true, Ok(number)) = (is_tcp, u16::try_from(port.container_port))
            && !ports.contains(&number)
        {
            ports.push(number);
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tcp_ports_of_a_container_are_its_own_and_each_is_there_once() {
        let container = serde_json::from_value(json!({"name": "a", "ports": [
            {"containerPort": 8080},
            {"containerPort": 53, "protocol": "UDP"},
            {"containerPort": 80, "protocol": "TCP"},
            {"containerPort": 8080, "name": "again"},
        ]}));
        assert_eq!(tcp_ports(&container.unwrap()), [8080, 80]);
        assert!(tcp_ports(&Container::default()).is_empty());
    }
}
