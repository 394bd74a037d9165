//! One pod that the agent has started.

use std::net::SocketAddr;

use wasmpod_manifest::k8s::Pod;
use wasmpod_sandbox::{SandboxHandle, SandboxStatus};

/// A port of the machine and the pod's port behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedPort {
    /// The machine's address.
    pub host: SocketAddr,
    /// The pod's port.
    pub pod_port: u16,
}

/// A pod that was started; cheap to clone.
#[derive(Debug, Clone)]
pub struct RunningPod {
    pub(crate) wanted: std::sync::Arc<Pod>,
    pub(crate) sandbox: SandboxHandle,
    /// The pod's ports in the order in which the sandbox was asked to publish them.
    pub(crate) ports: std::sync::Arc<[u16]>,
}

impl RunningPod {
    /// The handle of its sandbox.
    #[must_use]
    pub fn sandbox(&self) -> &SandboxHandle {
        &self.sandbox
    }

    /// The pod with the status that it has now.
    #[must_use]
    pub fn pod(&self) -> Pod {
        self.with_status(&self.sandbox.status())
    }

    /// The pod with this status.
    #[must_use]
    pub fn with_status(&self, status: &SandboxStatus) -> Pod {
        Pod {
            status: Some(status.pod.clone()),
            ..Pod::clone(&self.wanted)
        }
    }

    /// What of it is reachable on this machine now.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedPort> {
        let hosts = self.sandbox.status().published.clone();
        let pairs = hosts.into_iter().zip(self.ports.iter());
        pairs
            .map(|(host, port)| PublishedPort {
                host,
                pod_port: *port,
            })
            .collect()
    }
}
