//! What a pod has besides its containers: directory, volumes, network, published ports, IPC.
//!
//! Acquired in this order and released in the reverse. A failure half-way releases what was acquired; when that fails
//! too, both are told, the first one first.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use wasmpod_ipc::PodIpc;
use wasmpod_manifest::k8s::{Pod, PodSpec};
use wasmpod_network::publish::{PublishConfig, PublishError, publish};
use wasmpod_network::{NetworkError, PodNetwork, PodNetworkConfig};
use wasmpod_volume::{PodVolumes, VolumeError};

use crate::config::{SandboxConfig, Sources, node_facts};
use crate::port::PodIdentity;
use crate::tasks::{PodTasks, SpawnError};

/// Why a pod's resources cannot be acquired or released.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// The pod's directory.
    #[error("cannot {verb} the pod's directory `{}`: {source}", path.display())]
    Directory {
        /// `make` or `remove`
        verb: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the host says.
        source: io::Error,
    },
    /// A volume.
    #[error("{}", described(.0, VolumeError::hint))]
    Volume(VolumeError),
    /// The pod's address.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A port of the host.
    #[error("{}", described(.0, PublishError::hint))]
    Publish(PublishError),
    /// The task that carries a published port's traffic.
    #[error(transparent)]
    Task(#[from] SpawnError),
    /// A failure, and another while cleaning up after it.
    #[error("{first}; then: {then}")]
    Both {
        /// What went wrong first.
        first: Box<Self>,
        /// What went wrong afterwards.
        then: Box<Self>,
    },
}

impl ResourceError {
    /// The reason of the pod's event.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Volume(error) => error.reason(),
            Self::Publish(_) => "HostPortConflict",
            Self::Directory { .. } | Self::Network(_) | Self::Task(_) => "FailedCreatePodSandBox",
            Self::Both { first, .. } => first.reason(),
        }
    }

    fn and(self, then: Option<Self>) -> Self {
        match then {
            Some(then) => Self::Both {
                first: Box::new(self),
                then: Box::new(then),
            },
            None => self,
        }
    }
}

/// An error with its causes and its hint on one line: a status and an event have room for no more.
fn described<E: std::error::Error>(error: &E, hint: fn(&E) -> Option<String>) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if let Some(hint) = hint(error) {
        text.push_str(" (hint: ");
        text.push_str(&hint);
        text.push(')');
    }
    text
}

/// All of a pod's resources. Field order is the order of acquiring.
#[derive(Debug)]
pub(crate) struct Resources {
    dir: PathBuf,
    pub(crate) volumes: PodVolumes,
    pub(crate) network: PodNetwork,
    pub(crate) published: Vec<SocketAddr>,
    pub(crate) ipc: PodIpc,
}

impl Resources {
    /// Acquires everything, or nothing. `tasks` carry the published ports' traffic.
    pub(crate) async fn acquire(
        config: &SandboxConfig,
        identity: &PodIdentity,
        tasks: &PodTasks,
    ) -> Result<Self, ResourceError> {
        let dir = config.pods_dir.join(&identity.uid);
        fs::create_dir_all(&dir).map_err(|source| ResourceError::Directory {
            verb: "make",
            path: dir.clone(),
            source,
        })?;
        match Self::acquire_in(&dir, config, identity, tasks).await {
            Ok(resources) => Ok(resources),
            Err(error) => Err(error.and(remove_dir(&dir).err())),
        }
    }

    async fn acquire_in(
        dir: &Path,
        config: &SandboxConfig,
        identity: &PodIdentity,
        tasks: &PodTasks,
    ) -> Result<Self, ResourceError> {
        let none = PodSpec::default();
        let spec = config.pod.spec.as_ref().unwrap_or(&none);
        let facts = node_facts(&config.host);
        let sources = Sources {
            objects: config.sources.as_ref(),
            pod: &config.pod,
            facts: &facts,
        };
        let volumes = PodVolumes::acquire(dir, spec, &sources, &config.volume_policy)
            .map_err(ResourceError::Volume)?;
        match Self::connect(config, identity, tasks).await {
            Ok((network, published)) => {
                let ipc = PodIpc::new(config.ipc_limits.clone());
                Ok(Self {
                    dir: dir.to_owned(),
                    volumes,
                    network,
                    published,
                    ipc,
                })
            }
            Err(error) => Err(error.and(volumes.release().err().map(ResourceError::Volume))),
        }
    }

    async fn connect(
        config: &SandboxConfig,
        identity: &PodIdentity,
        tasks: &PodTasks,
    ) -> Result<(PodNetwork, Vec<SocketAddr>), ResourceError> {
        let network = config
            .network
            .create_pod(network_config(&config.pod, identity))?;
        let mut ready = Vec::new();
        for request in &config.publish {
            let published = publish(PublishConfig {
                host: request.host,
                pod: network.clone(),
                pod_name: identity.name.clone(),
                port: request.port,
                protocol: request.protocol,
            });
            ready.push(published.await.map_err(ResourceError::Publish)?);
        }
        // All are bound before the first one carries anything.
        let mut addresses = Vec::new();
        for published in ready {
            addresses.push(published.local_addr());
            drop(tasks.spawn(published.serve())?);
        }
        Ok((network, addresses))
    }

    /// Releases everything; all failures are told. Blocks: volumes may be big.
    pub(crate) fn release(self) -> Result<(), ResourceError> {
        let Self {
            dir,
            volumes,
            network,
            published: _,
            ipc,
        } = self;
        drop(ipc);
        network.close();
        drop(network);
        let volumes = volumes.release().map_err(ResourceError::Volume);
        match (volumes, remove_dir(&dir)) {
            (Ok(()), removed) => removed,
            (Err(first), removed) => Err(first.and(removed.err())),
        }
    }
}

fn remove_dir(dir: &Path) -> Result<(), ResourceError> {
    match fs::remove_dir_all(dir) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ResourceError::Directory {
            verb: "remove",
            path: dir.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// The longest host name, in bytes; Kubernetes cuts a pod's name there (`HOST_NAME_MAX` less one).
const MAX_HOSTNAME_BYTES: usize = 63;

/// The pod's names on its network (`dns-pod-service#pod-s-hostname-and-subdomain-fields`).
fn network_config(pod: &Pod, identity: &PodIdentity) -> PodNetworkConfig {
    let spec = pod.spec.as_ref();
    let own = spec
        .and_then(|spec| spec.hostname.clone())
        .filter(|name| !name.is_empty());
    let hostname = own.unwrap_or_else(|| {
        let cut = identity
            .name
            .get(..MAX_HOSTNAME_BYTES)
            .unwrap_or(&identity.name);
        cut.trim_end_matches(['-', '.']).to_owned()
    });
    let namespace = &identity.namespace;
    let subdomain = spec
        .and_then(|spec| spec.subdomain.as_deref())
        .filter(|name| !name.is_empty());
    let aliases = spec
        .and_then(|spec| spec.host_aliases.as_deref())
        .unwrap_or_default();
    let host_aliases = aliases.iter().filter_map(|alias| {
        let ip: IpAddr = alias.ip.parse().ok()?;
        Some((ip, alias.hostnames.clone().unwrap_or_default()))
    });
    PodNetworkConfig {
        hostname,
        domain: subdomain.map(|name| format!("{name}.{namespace}.svc.cluster.local")),
        host_aliases: host_aliases.collect(),
        search: vec![
            format!("{namespace}.svc.cluster.local"),
            "svc.cluster.local".to_owned(),
            "cluster.local".to_owned(),
        ],
        ..PodNetworkConfig::default()
    }
}
