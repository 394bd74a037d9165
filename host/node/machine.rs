//! This machine as a node: what it has for pods, and its Node object.
//!
//! What it deliberately does not do: heartbeats and leases. Nobody waits for them; while the process lives, its node is
//! ready.

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{
    Node, NodeAddress, NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo, ObjectMeta, Quantity,
    Time,
};
use wasmpod_network::POD_CIDR;
use wasmpod_sandbox::processors;

use crate::schedule::{Allocatable, MAX_PODS};

/// `status.hostIP`: a guest cannot reach the host, so this is a name only.
pub(crate) const HOST_IP: &str = "127.0.0.1";

/// `status.nodeInfo.kubeletVersion`: the version of Kubernetes whose objects these are, and ours.
const VERSION: &str = concat!("v1.37.0-wasmpod.", env!("CARGO_PKG_VERSION"));

impl Allocatable {
    /// What this machine has: the processors that this process may use, and the memory that the machine or the control
    /// group of this process has.
    pub(crate) fn of_this_machine() -> Self {
        // Where the machine does not say, memory is not counted.
        let memory = sysinfo::System::new().ok().map(|mut system| {
            system.refresh_memory();
            let of_group = system.cgroup_limits().map(|limits| limits.total_memory);
            [Some(system.total_memory()), of_group]
        });
        let memory = memory.into_iter().flatten().flatten();
        Self {
            cpu_millicores: u64::try_from(processors())
                .unwrap_or(1)
                .saturating_mul(1000),
            memory_bytes: memory.filter(|bytes| *bytes > 0).min(),
            pods: MAX_PODS,
        }
    }

    fn quantities(&self) -> BTreeMap<String, Quantity> {
        let memory = self
            .memory_bytes
            .map(|bytes| ("memory", format!("{}Ki", bytes / 1024)));
        let list = [
            ("cpu", format_cpu(self.cpu_millicores)),
            ("pods", self.pods.to_string()),
        ];
        let list = list.into_iter().chain(memory);
        list.map(|(name, amount)| (name.to_owned(), Quantity(amount)))
            .collect()
    }
}

fn format_cpu(millicores: u64) -> String {
    if millicores.is_multiple_of(1000) {
        (millicores / 1000).to_string()
    } else {
        format!("{millicores}m")
    }
}

/// The Node object of this machine.
pub(crate) fn node(name: &str, machine: &Allocatable, now: Timestamp) -> Node {
    let (os, architecture) = (go_os(), go_architecture());
    let labels = [
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", os),
        ("kubernetes.io/arch", architecture),
    ];
    let conditions = [
        (
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        (
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        (
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        (
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status",
        ),
    ];
    let conditions = conditions.map(|(type_, status, reason, message)| NodeCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_heartbeat_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    });
    let address = |type_: &str, address: &str| NodeAddress {
        type_: type_.to_owned(),
        address: address.to_owned(),
    };
    let text = |text: Option<String>| text.unwrap_or_default();
    Node {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(
                labels
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: Some(POD_CIDR.to_owned()),
            pod_cidrs: Some(vec![POD_CIDR.to_owned()]),
            ..NodeSpec::default()
        }),
        status: Some(NodeStatus {
            addresses: Some(vec![
                address("InternalIP", HOST_IP),
                address("Hostname", name),
            ]),
            allocatable: Some(machine.quantities()),
            capacity: Some(machine.quantities()),
            conditions: Some(conditions.into()),
            node_info: Some(NodeSystemInfo {
                architecture: architecture.to_owned(),
                container_runtime_version: concat!("wasmpod://", env!("CARGO_PKG_VERSION"))
                    .to_owned(),
                kernel_version: text(sysinfo::System::kernel_version().ok()),
                kubelet_version: VERSION.to_owned(),
                kube_proxy_version: String::new(),
                operating_system: os.to_owned(),
                os_image: text(sysinfo::System::long_os_version().ok()),
                ..NodeSystemInfo::default()
            }),
            ..NodeStatus::default()
        }),
    }
}

/// Go's name of the operating system, which Kubernetes uses.
fn go_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    }
}

/// Go's name of the processor architecture.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        architecture => architecture,
    }
}
