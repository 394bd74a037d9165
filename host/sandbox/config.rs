//! What a sandbox is made from, and the ports through which it asks its surroundings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use wasmpod_image::{Image, ImageError};
use wasmpod_ipc::IpcLimits;
use wasmpod_lifecycle::HostFacts;
use wasmpod_lifecycle::environment::EnvironmentSources;
use wasmpod_manifest::k8s::{ConfigMap, Pod, Secret, Service};
use wasmpod_network::{Network, Protocol};
use wasmpod_volume::{VolumePolicy, VolumeSources};

use crate::clock::Clock;
use crate::logs::LogLimits;
use crate::port::{BoxFuture, ContainerRuntime};

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

/// [`PodSources`] as the volumes and the environment ask for it.
pub(crate) struct Sources<'a>(pub(crate) &'a dyn PodSources);

impl VolumeSources for Sources<'_> {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.0.config_map(name)
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.0.secret(name)
    }
}

impl EnvironmentSources for Sources<'_> {
    fn config_map(&self, name: &str) -> Option<ConfigMap> {
        self.0.config_map(name).map(Arc::unwrap_or_clone)
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.0.secret(name).map(Arc::unwrap_or_clone)
    }

    fn services(&self) -> Vec<Service> {
        self.0.services()
    }
}
