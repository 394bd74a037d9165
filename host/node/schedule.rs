//! Whether a pod has a place on this machine: its requests against what is left.
//!
//! Standard: `manage-resources-containers#how-pods-with-resource-requests-are-scheduled`, and the messages of
//! kube-scheduler (`framework/types.go` `FitError`). There is one node, so there is nothing to choose; affinity, taints
//! and priorities have no effect.

use std::net::SocketAddr;

use wasmpod_manifest::k8s::{Container, Pod, PodSpec, ResourceRequirements};
use wasmpod_manifest::quantity;

/// How many pods a node has room for. The kubelet's default is 110, for pods of processes with network devices; a pod
/// here costs some 100 KiB. Beyond it pods stay Pending ("Too many pods").
pub const MAX_PODS: usize = 10_000;

/// What a pod has reserved of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) cpu_millicores: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) ephemeral_storage_bytes: u64,
}

impl Requests {
    /// What a pod requests: the greater of what its main containers and sidecars request together and what any init
    /// container does beside the sidecars before it (`init-containers#resource-sharing-within-containers`), or what the
    /// pod itself requests; plus its overhead.
    pub(crate) fn of(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else {
            return Self::default();
        };
        let of_containers = Self::of_containers(spec);
        let own = Self::of_requirements(spec.resources.as_ref());
        let or = |own: u64, sum: u64| if own == 0 { sum } else { own };
        let overhead = ResourceRequirements {
            requests: spec.overhead.clone(),
            ..ResourceRequirements::default()
        };
        Self {
            cpu_millicores: or(own.cpu_millicores, of_containers.cpu_millicores),
            memory_bytes: or(own.memory_bytes, of_containers.memory_bytes),
            ephemeral_storage_bytes: or(
                own.ephemeral_storage_bytes,
                of_containers.ephemeral_storage_bytes,
            ),
        }
        .plus(Self::of_requirements(Some(&overhead)))
    }

    fn of_containers(spec: &PodSpec) -> Self {
        let of = |container: &Container| Self::of_requirements(container.resources.as_ref());
        let (mut sidecars, mut peak) = (Self::default(), Self::default());
        for container in spec.init_containers.iter().flatten() {
            if container.restart_policy.as_deref() == Some("Always") {
                sidecars = sidecars.plus(of(container));
                peak = peak.max(sidecars);
            } else {
                peak = peak.max(sidecars.plus(of(container)));
            }
        }
        let main = spec.containers.iter().map(of).fold(sidecars, Self::plus);
        peak.max(main)
    }

    fn of_requirements(resources: Option<&ResourceRequirements>) -> Self {
        let text = |name: &str| {
            let resources = resources?;
            let get =
                |list: &Option<std::collections::BTreeMap<_, _>>| list.as_ref()?.get(name).cloned();
            // What is limited but not requested is requested in full.
            get(&resources.requests).or_else(|| get(&resources.limits))
        };
        let bytes = |name| {
            text(name)
                .and_then(|q: wasmpod_manifest::k8s::Quantity| quantity::parse_bytes(&q.0).ok())
        };
        Self {
            cpu_millicores: text("cpu")
                .and_then(|q| quantity::parse_millicores(&q.0).ok())
                .unwrap_or(0),
            memory_bytes: bytes("memory").unwrap_or(0),
            ephemeral_storage_bytes: bytes("ephemeral-storage").unwrap_or(0),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores.saturating_add(other.cpu_millicores),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            ephemeral_storage_bytes: self
                .ephemeral_storage_bytes
                .saturating_add(other.ephemeral_storage_bytes),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores.max(other.cpu_millicores),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            ephemeral_storage_bytes: self
                .ephemeral_storage_bytes
                .max(other.ephemeral_storage_bytes),
        }
    }
}

/// What a machine has for pods. What is not known is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allocatable {
    pub(crate) cpu_millicores: u64,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) pods: usize,
}

/// Why a pod has no place now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The reasons, each for the one node.
    reasons: Vec<String>,
    /// Would it not have a place on the empty machine either?
    is_hopeless: bool,
}

impl Misfit {
    /// A reason that other pods have nothing to do with.
    pub(crate) fn hopeless(reason: String) -> Self {
        Self {
            reasons: vec![reason],
            is_hopeless: true,
        }
    }

    /// A host port that it wants is taken by another pod.
    pub(crate) fn port(wanted: SocketAddr, holder: &str) -> Self {
        let reason = "1 node(s) didn't have free ports for the requested pod ports";
        Self {
            reasons: vec![format!("{reason} ({wanted} is published for pod {holder})")],
            is_hopeless: false,
        }
    }

    /// The message of the event `FailedScheduling` and of the condition `PodScheduled`.
    pub(crate) fn message(&self) -> String {
        let preemption = if self.is_hopeless {
            "Preemption is not helpful for scheduling"
        } else {
            "No preemption victims found for incoming pod"
        };
        format!(
            "0/1 nodes are available: {}. preemption: 0/1 nodes are available: 1 {preemption}.",
            self.reasons.join(", ")
        )
    }
}

/// Does a pod have a place beside `pods` others, who have reserved `used`?
pub(crate) fn fit(
    wanted: Requests,
    used: Requests,
    pods: usize,
    machine: Allocatable,
) -> Result<(), Misfit> {
    let (mut reasons, mut is_hopeless) = (Vec::new(), false);
    let mut check = |name: &str, wanted: u64, used: u64, all: u64| {
        if wanted > 0 && wanted > all.saturating_sub(used) {
            reasons.push(format!("1 Insufficient {name}"));
            is_hopeless |= wanted > all;
        }
    };
    check(
        "cpu",
        wanted.cpu_millicores,
        used.cpu_millicores,
        machine.cpu_millicores,
    );
    if let Some(memory) = machine.memory_bytes {
        check("memory", wanted.memory_bytes, used.memory_bytes, memory);
    }
    if pods >= machine.pods {
        reasons.push("1 Too many pods".to_owned());
    }
    if reasons.is_empty() {
        Ok(())
    } else {
        Err(Misfit {
            reasons,
            is_hopeless,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn requests(spec: &Value) -> (u64, u64) {
        let pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        let requests = Requests::of(&pod);
        (requests.cpu_millicores, requests.memory_bytes)
    }

    fn container(cpu: &str, policy: Option<&str>) -> Value {
        json!({"name": cpu, "restartPolicy": policy, "resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn a_pod_requests_what_runs_at_its_busiest() {
        for (init, main, expected) in [
            (vec![], vec![("100m", None), ("200m", None)], 300),
            (vec![("1", None)], vec![("100m", None)], 1000),
            (vec![("1", None), ("50m", None)], vec![("2", None)], 2000),
            (vec![("100m", Some("Always"))], vec![("200m", None)], 300),
            (
                vec![("100m", Some("Always")), ("500m", None)],
                vec![("200m", None)],
                600,
            ),
            (
                vec![("500m", None), ("100m", Some("Always"))],
                vec![("200m", None)],
                500,
            ),
        ] {
            let list = |list: &[(&str, Option<&str>)]| {
                list.iter()
                    .map(|(cpu, policy)| container(cpu, *policy))
                    .collect::<Vec<_>>()
            };
            let spec = json!({"initContainers": list(&init), "containers": list(&main)});
            assert_eq!(requests(&spec).0, expected, "{spec}");
        }
    }

    #[test]
    fn limits_count_where_nothing_is_requested_and_the_pods_own_requests_count_before_all() {
        let limited =
            json!({"containers": [{"name": "c", "resources": {"limits": {"memory": "1Ki"}}}]});
        assert_eq!(requests(&limited), (0, 1024));
        let own = json!({
            "resources": {"requests": {"cpu": "2"}}, "overhead": {"cpu": "250m"},
            "containers": [container("100m", None)],
        });
        assert_eq!(requests(&own), (2250, 0));
    }

    #[test]
    fn what_does_not_fit_is_said_in_the_schedulers_words() {
        let machine = Allocatable {
            cpu_millicores: 2000,
            memory_bytes: Some(1000),
            pods: 2,
        };
        let wanted = |cpu_millicores, memory_bytes| Requests {
            cpu_millicores,
            memory_bytes,
            ..Requests::default()
        };
        let used = wanted(1500, 500);
        assert_eq!(fit(wanted(500, 500), used, 1, machine), Ok(()));
        assert_eq!(fit(wanted(0, 0), wanted(9000, 9000), 1, machine), Ok(()));
        for (wanted, pods, expected) in [
            (
                wanted(501, 0),
                1,
                "1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
            ),
            (
                wanted(501, 501),
                2,
                "1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
            ),
            (
                wanted(0, 1001),
                1,
                "1 Insufficient memory. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            ),
        ] {
            let message = fit(wanted, used, pods, machine).unwrap_err().message();
            assert_eq!(message, format!("0/1 nodes are available: {expected}"));
        }
    }
}
