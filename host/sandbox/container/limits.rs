//! What a container may use, from its resources and those of its pod.
//!
//! A container without a limit of its own has that of its pod (`spec.resources`), as the cgroup of the pod would hold
//! it; that several containers *together* stay below the pod's limit is not enforced.

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::{Container, Pod, Quantity, ResourceRequirements};
use wasmpod_manifest::quantity;

use crate::config::DEFAULT_MEMORY_LIMIT_BYTES;
use crate::cpu::CpuShare;

/// How much linear memory the container may have, in bytes. The manifest's rules have checked the quantity.
pub(crate) fn memory_limit(pod: &Pod, container: &Container) -> u64 {
    let bytes = |resources: Option<&ResourceRequirements>| {
        let memory = resources?.limits.as_ref()?.get("memory")?;
        let bytes = quantity::parse_bytes(&memory.0).ok()?;
        (bytes > 0).then_some(bytes)
    };
    bytes(container.resources.as_ref())
        .or_else(|| bytes(of_pod(pod)))
        .unwrap_or(DEFAULT_MEMORY_LIMIT_BYTES)
}

/// The container's part of its worker: `resources.limits.cpu`, and `resources.requests.cpu` as its weight.
pub(crate) fn cpu_share(pod: &Pod, container: &Container) -> CpuShare {
    let millicores = |list: Option<&BTreeMap<String, Quantity>>| {
        quantity::parse_millicores(&list?.get("cpu")?.0).ok()
    };
    let limit = |resources: Option<&ResourceRequirements>| {
        // A limit of 0 means none.
        millicores(resources?.limits.as_ref()).filter(|limit| *limit > 0)
    };
    let own = container.resources.as_ref();
    let request = own.and_then(|resources| millicores(resources.requests.as_ref()));
    let own_limit = limit(own);
    // No request means the limit, as the API server fills in.
    let request = request.or(own_limit).unwrap_or(0);
    CpuShare::new(own_limit.or_else(|| limit(of_pod(pod))), request)
}

fn of_pod(pod: &Pod) -> Option<&ResourceRequirements> {
    pod.spec.as_ref()?.resources.as_ref()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_without_a_limit_has_its_pods() {
        let pod = json!({"spec": {"containers": [], "resources": {"limits": {"memory": "64Mi"}}}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let own = json!({"name": "a", "resources": {"limits": {"memory": "32Mi"}}});
        let own: Container = serde_json::from_value(own).unwrap();
        assert_eq!(memory_limit(&pod, &own), 32 << 20);
        assert_eq!(memory_limit(&pod, &Container::default()), 64 << 20);
        let nothing = memory_limit(&Pod::default(), &Container::default());
        assert_eq!(nothing, DEFAULT_MEMORY_LIMIT_BYTES);
    }
}
