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
