//! What a pod has besides its containers: directory, volumes, network, published ports, IPC.
//!
//! Acquired in this order and released in the reverse. A failure half-way releases what was acquired; when that fails
//! too, both are told, the first one first.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use wasmpod_manifest::k8s::PodSpec;
use wasmpod_network::publish::{PublishConfig, PublishError, publish};
use wasmpod_network::{NetworkError, PodNetwork};
use wasmpod_volume::{PodVolumes, VolumeError};

use crate::config::{SandboxConfig, Sources, node_facts};
use crate::dns::{self, FqdnTooLong};
use crate::ipc::{Ipc, IpcError};
use crate::port::PodIdentity;
use crate::shares::PodShares;
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
    /// The pod's host name.
    #[error(transparent)]
    Hostname(#[from] FqdnTooLong),
    /// A port of the host.
    #[error("{}", described(.0, PublishError::hint))]
    Publish(PublishError),
    /// Limits of its IPC.
    #[error(transparent)]
    Ipc(#[from] IpcError),
    /// The task that carries a published port's traffic, or the network's own.
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
            Self::Directory { .. }
            | Self::Network(_)
            | Self::Hostname(_)
            | Self::Ipc(_)
            | Self::Task(_) => "FailedCreatePodSandBox",
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
pub(crate) fn described<E: std::error::Error>(error: &E, hint: fn(&E) -> Option<String>) -> String {
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
    /// What the pod calls itself.
    pub(crate) hostname: String,
    pub(crate) published: Vec<SocketAddr>,
    pub(crate) ipc: Ipc,
    /// What its containers may use.
    pub(crate) shares: PodShares,
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
        let acquired = match Self::connect(config, identity, tasks).await {
            Ok(connected) => Ipc::acquire(config)
                .map(|ipc| (connected, ipc))
                .map_err(Into::into),
            Err(error) => Err(error),
        };
        match acquired {
            Ok(((network, hostname, published), ipc)) => Ok(Self {
                dir: dir.to_owned(),
                volumes,
                network,
                hostname,
                published,
                ipc,
                shares: PodShares::new(&config.pod),
            }),
            Err(error) => Err(error.and(volumes.release().err().map(ResourceError::Volume))),
        }
    }

    async fn connect(
        config: &SandboxConfig,
        identity: &PodIdentity,
        tasks: &PodTasks,
    ) -> Result<(PodNetwork, String, Vec<SocketAddr>), ResourceError> {
        let names = dns::network_config(&config.pod, identity);
        let hostname = dns::hostname(&config.pod, &names)?;
        let network = config.network.create_pod(names)?;
        let mut ready = Vec::new();
        for request in &config.publish {
            let published = publish(PublishConfig {
                host: request.host,
                pod: network.clone(),
                pod_name: identity.name.clone(),
                port: request.port,
                protocol: request.protocol,
                proxy: request.proxy,
            });
            ready.push(published.await.map_err(ResourceError::Publish)?);
        }
        drop(tasks.spawn(network.clone().serve())?);
        // All are bound before the first one carries anything.
        let mut addresses = Vec::new();
        for published in ready {
            addresses.push(published.local_addr());
            drop(tasks.spawn(published.serve())?);
        }
        Ok((network, hostname, addresses))
    }

    /// Releases everything; all failures are told. Blocks: volumes may be big.
    pub(crate) fn release(self) -> Result<(), ResourceError> {
        let Self {
            dir,
            volumes,
            network,
            hostname: _,
            published: _,
            ipc,
            shares: _,
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
