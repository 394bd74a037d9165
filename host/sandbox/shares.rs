//! What the containers of a pod may use, from their resources and those of the pod.
//!
//! The pod's own limits (`spec.resources`) hold for all of its containers together, as the cgroup of a pod does; a
//! container without a limit of its own may use all of that.

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::{Container, Pod, Quantity, ResourceRequirements};
use wasmpod_manifest::quantity;

use crate::config::DEFAULT_MEMORY_LIMIT_BYTES;
use crate::cpu::CpuShare;
use crate::memory::MemoryShare;

/// The pod's shares, within which its containers have theirs.
#[derive(Debug)]
pub(crate) struct PodShares {
    /// None without a limit of the pod.
    memory: Option<MemoryShare>,
    /// None without a limit of the pod.
    cpu: Option<CpuShare>,
}

impl PodShares {
    pub(crate) fn new(pod: &Pod) -> Self {
        let resources = pod.spec.as_ref().and_then(|spec| spec.resources.as_ref());
        Self {
            memory: memory_limit(resources).map(MemoryShare::new),
            cpu: cpu_limit(resources).map(|limit| CpuShare::new(Some(limit), 0)),
        }
    }

    /// The linear memory that one instance of this container, and what runs beside it, may have.
    pub(crate) fn memory(&self, container: &Container) -> MemoryShare {
        let own = memory_limit(container.resources.as_ref());
        match &self.memory {
            Some(pod) => pod.within(own.unwrap_or(pod.limit_bytes())),
            None => MemoryShare::new(own.unwrap_or(DEFAULT_MEMORY_LIMIT_BYTES)),
        }
    }

    /// Its part of its worker: `resources.limits.cpu`, and `resources.requests.cpu` as its weight.
    pub(crate) fn cpu(&self, container: &Container) -> CpuShare {
        let own = container.resources.as_ref();
        let limit = cpu_limit(own);
        // No request means the limit, as the API server fills in.
        let request = own.and_then(|resources| millicores(resources.requests.as_ref()));
        let request = request.or(limit).unwrap_or(0);
        match &self.cpu {
            Some(pod) => pod.within(limit, request),
            None => CpuShare::new(limit, request),
        }
    }
}

/// In bytes. The manifest's rules have checked the quantity; a limit of 0 means none.
fn memory_limit(resources: Option<&ResourceRequirements>) -> Option<u64> {
    let memory = resources?.limits.as_ref()?.get("memory")?;
    let bytes = quantity::parse_bytes(&memory.0).ok()?;
    (bytes > 0).then_some(bytes)
}

/// In millicores; a limit of 0 means none.
fn cpu_limit(resources: Option<&ResourceRequirements>) -> Option<u64> {
    millicores(resources?.limits.as_ref()).filter(|limit| *limit > 0)
}

fn millicores(list: Option<&BTreeMap<String, Quantity>>) -> Option<u64> {
    quantity::parse_millicores(&list?.get("cpu")?.0).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn pod(limits: &Value) -> PodShares {
        let pod = json!({"spec": {"containers": [], "resources": {"limits": limits}}});
        PodShares::new(&serde_json::from_value(pod).unwrap())
    }

    fn container(limits: &Value) -> Container {
        serde_json::from_value(json!({"name": "a", "resources": {"limits": limits}})).unwrap()
    }

    #[test]
    fn a_container_without_a_limit_has_its_pods() {
        let shares = pod(&json!({"memory": "64Mi"}));
        let own = container(&json!({"memory": "32Mi"}));
        assert_eq!(shares.memory(&own).limit_bytes(), 32 << 20);
        let none = Container::default();
        assert_eq!(shares.memory(&none).limit_bytes(), 64 << 20);
        let nothing = pod(&json!({})).memory(&none);
        assert_eq!(nothing.limit_bytes(), DEFAULT_MEMORY_LIMIT_BYTES);
    }

    #[test]
    fn containers_together_have_what_their_pod_has() {
        let shares = pod(&json!({"memory": "64Mi", "cpu": "100m"}));
        let own = container(&json!({"memory": "48Mi"}));
        let (one, other) = (shares.memory(&own), shares.memory(&own));
        assert!(one.take(40 << 20).is_ok());
        assert!(other.take(40 << 20).is_err());
        let (one, other) = (shares.cpu(&own), shares.cpu(&own));
        assert_eq!(other.wait_for(), None);
        one.charge(Duration::from_secs(1));
        assert!(other.wait_for().is_some());
    }
}
