//! What a sandbox is made from, and the ports through which it asks its surroundings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use wasmpod_image::{Image, ImageError};
use wasmpod_ipc::IpcLimits;
use wasmpod_lifecycle::HostFacts;
use wasmpod_lifecycle::environment::{self, EnvironmentSources, PodFacts};
use wasmpod_manifest::k8s::{
    ConfigMap, ObjectFieldSelector, Pod, ResourceFieldSelector, Secret, Service,
};
use wasmpod_network::publish::ProxyProtocol;
use wasmpod_network::{Network, Protocol};
use wasmpod_volume::{Claim, VolumePolicy, VolumeSources};

use crate::clock::Clock;
use crate::logs::LogLimits;
use crate::port::{BoxFuture, ContainerRuntime};
use crate::workers::processors;

/// The linear memory that a container may have when its `resources.limits.memory` does not say, in bytes.
///
/// Kubernetes would give it all of the node. Here every container lives in one process, so one that allocates without
/// end would take the others with it: 256 MiB is four times what the built-in images need at their busiest, and small
/// enough that a handful of runaways fit into a laptop. Reaching it fails the guest's `memory.grow`.
pub const DEFAULT_MEMORY_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// The objects that a pod's spec refers to, all in the pod's namespace.
pub trait PodSources: Send + Sync {
    /// The ConfigMap of this name.
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>>;
    /// The Secret of this name.
    fn secret(&self, name: &str) -> Option<Arc<Secret>>;
    /// The services of the namespace.
    fn services(&self) -> Vec<Service>;
    /// The directory behind the PersistentVolumeClaim of this name. Surroundings without claims have none.
    fn claim(&self, _name: &str) -> Option<Claim> {
        None
    }
}

/// Where images come from.
pub trait ImageSource: Send + Sync {
    /// The image that `reference` names. `pull_policy` is the container's `imagePullPolicy`.
    fn resolve<'a>(
        &'a self,
        reference: &'a str,
        pull_policy: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<Image>, ImageFailure>>;
}

/// Why an image cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ImageFailure {
    /// `ErrImagePull`, `ErrImageNeverPull` or `InvalidImageName`.
    pub reason: &'static str,
    /// What went wrong.
    pub message: String,
}

impl From<&ImageError> for ImageFailure {
    fn from(error: &ImageError) -> Self {
        let hint = error
            .hint()
            .map(|hint| format!(" (hint: {hint})"))
            .unwrap_or_default();
        Self {
            reason: error.reason(),
            message: format!("{error}{hint}"),
        }
    }
}

/// A port of the pod that is reachable from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// Where the host listens; port 0 lets it choose.
    pub host: SocketAddr,
    /// The pod's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How the pod learns who its clients are, over TCP.
    pub proxy: Option<ProxyProtocol>,
}

/// Everything that a pod is made from.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The pod, with its defaults filled in and its rules checked. Shared with everything that works for it.
    pub pod: Arc<Pod>,
    /// Where it runs.
    pub host: HostFacts,
    /// What runs its containers.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// Where their images come from.
    pub images: Arc<dyn ImageSource>,
    /// The ConfigMaps, Secrets and Services of its namespace.
    pub sources: Arc<dyn PodSources>,
    /// The network that gives the pod its address.
    pub network: Arc<Network>,
    /// The pod's ports that are to be reachable from the host.
    pub publish: Vec<PublishRequest>,
    /// What volumes may use of the host.
    pub volume_policy: VolumePolicy,
    /// The limits of the pod's message queues.
    pub ipc_limits: IpcLimits,
    /// Where the pod's directory is made, under its uid. Exists.
    pub pods_dir: PathBuf,
    /// Where the pod's logs are made.
    pub logs_dir: PathBuf,
    /// The size of its logs.
    pub log_limits: LogLimits,
    /// The pod's time.
    pub clock: Clock,
}

impl std::fmt::Debug for SandboxConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SandboxConfig")
            .field("pod", &self.pod.metadata.name)
            .field("publish", &self.publish)
            .field("pods_dir", &self.pods_dir)
            .field("logs_dir", &self.logs_dir)
            .finish_non_exhaustive()
    }
}

/// [`PodSources`] and the pod itself as the volumes and the environment ask for them.
pub(crate) struct Sources<'a> {
    pub(crate) objects: &'a dyn PodSources,
    pub(crate) pod: &'a Pod,
    pub(crate) facts: &'a PodFacts,
}

/// What volumes may tell of the node; they are made before the pod has an address.
pub(crate) fn node_facts(host: &HostFacts) -> PodFacts {
    PodFacts {
        node_name: host.node_name.clone(),
        host_ips: host.host_ips.clone(),
        pod_ips: Vec::new(),
        allocatable_cpu_millicores: u64::try_from(processors())
            .unwrap_or(1)
            .saturating_mul(1000),
        allocatable_memory_bytes: DEFAULT_MEMORY_LIMIT_BYTES,
        allocatable_ephemeral_storage_bytes: 0,
    }
}

impl VolumeSources for Sources<'_> {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.objects.config_map(name)
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.objects.secret(name)
    }

    fn field(&self, field: &ObjectFieldSelector) -> Result<String, String> {
        environment::field_value(self.pod, self.facts, &field.field_path)
            .map_err(|error| error.to_string())
    }

    fn resource_field(&self, field: &ResourceFieldSelector) -> Result<String, String> {
        environment::resource_value(self.pod, None, field, self.facts)
            .map_err(|error| error.to_string())
    }

    fn claim(&self, name: &str) -> Option<Claim> {
        self.objects.claim(name)
    }
}

impl EnvironmentSources for Sources<'_> {
    fn config_map(&self, name: &str) -> Option<ConfigMap> {
        self.objects.config_map(name).map(Arc::unwrap_or_clone)
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.objects.secret(name).map(Arc::unwrap_or_clone)
    }

    fn services(&self) -> Vec<Service> {
        self.objects.services()
    }
}
