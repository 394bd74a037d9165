//! The agent itself: starts pods, knows those that run, ends them all.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmpod_lifecycle::HostFacts;
use wasmpod_manifest::Manifests;
use wasmpod_manifest::k8s::Pod;
use wasmpod_network::Network;
use wasmpod_sandbox::{
    Clock, ContainerRuntime, IpcLimits, LogLimits, ProgressSink, PublishRequest, SandboxConfig,
    SandboxHandle, Workers,
};
use wasmpod_volume::VolumePolicy;

use crate::admission::{self, name_of};
use crate::error::NodeError;
use crate::images::{Images, ImagesOf};
use crate::objects::{Namespaced, Objects};
use crate::publish::{Publication, PublishRule};
use crate::running::RunningPod;
use crate::state_dir::StateDir;

/// What an agent is made from.
pub struct AgentConfig {
    /// Where it keeps the files of its pods; made if it is not there.
    pub state_dir: PathBuf,
    /// The folder from which the names of manifests count, and with them the relative paths of modules in them.
    pub base_dir: PathBuf,
    /// How many threads run pods; one for each processor unless said.
    pub workers: Option<NonZeroUsize>,
    /// What volumes may use of the machine.
    pub volume_policy: VolumePolicy,
    /// What is published besides `hostPort` and NodePort services.
    pub publish: Vec<PublishRule>,
    /// What runs containers.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// Who is told of the preparation of programs.
    pub progress: ProgressSink,
    /// `spec.nodeName` of the pods.
    pub node_name: String,
}

impl std::fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentConfig")
            .field("state_dir", &self.state_dir)
            .field("workers", &self.workers)
            .field("publish", &self.publish)
            .finish_non_exhaustive()
    }
}

/// The agent of this process.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    images: Arc<Images>,
    network: Arc<Network>,
    pods: Mutex<BTreeMap<(String, String), RunningPod>>,
    // Dropped in this order: no thread works in a directory that is gone.
    workers: Workers,
    state: StateDir,
}

impl Agent {
    /// An agent without pods.
    ///
    /// # Errors
    ///
    /// When the state directory cannot be used or the host gives no threads.
    pub fn new(config: AgentConfig) -> Result<Self, NodeError> {
        let state = StateDir::acquire(&config.state_dir)?;
        let workers = match config.workers {
            Some(count) => Workers::start(count.get()),
            None => Workers::one_per_core(),
        };
        Ok(Self {
            images: Arc::default(),
            network: Arc::new(Network::new()),
            pods: Mutex::default(),
            workers: workers.map_err(NodeError::Workers)?,
            state,
            config,
        })
    }

    /// Starts the pods of `manifests`, in their order, after everything that can be known to fail was checked: images,
    /// programs, ports. Returns as soon as all are on their way.
    ///
    /// # Errors
    ///
    /// When something cannot work; then nothing was started.
    pub async fn start(&self, manifests: Manifests) -> Result<Vec<RunningPod>, NodeError> {
        let objects = Arc::new(Objects::new(
            manifests.config_maps,
            manifests.secrets,
            manifests.services,
        ));
        let folders = manifests
            .pod_sources
            .iter()
            .map(|source| Path::new(source).parent().unwrap_or(Path::new("")))
            .map(|folder| self.config.base_dir.join(folder));
        let mut pods: Vec<_> = manifests.pods.into_iter().zip(folders).collect();
        for (pod, _) in &mut pods {
            identify(pod);
            if self.lock().contains_key(&key(pod)) {
                return Err(NodeError::AlreadyRuns {
                    pod: format!("{}/{}", key(pod).0, key(pod).1),
                });
            }
        }
        admission::prepare(
            &pods,
            &self.images,
            &self.config.runtime,
            &self.config.progress,
        )
        .await?;
        let published = admission::publish(&pods, &self.config.publish, objects.services()).await?;
        let mut running = Vec::new();
        for ((pod, base), publications) in pods.into_iter().zip(published) {
            running.push(self.start_pod(pod, base, &publications, &objects)?);
        }
        Ok(running)
    }

    fn start_pod(
        &self,
        pod: Pod,
        base: PathBuf,
        publications: &[Publication],
        objects: &Arc<Objects>,
    ) -> Result<RunningPod, NodeError> {
        let placement = self.workers.place().ok_or(NodeError::ShuttingDown)?;
        let key = key(&pod);
        let pod = Arc::new(pod);
        let config = SandboxConfig {
            host: HostFacts {
                node_name: self.config.node_name.clone(),
                host_ips: vec![HOST_IP.to_owned()],
            },
            runtime: Arc::clone(&self.config.runtime),
            images: Arc::new(ImagesOf {
                images: Arc::clone(&self.images),
                base,
            }),
            sources: Arc::new(Namespaced {
                objects: Arc::clone(objects),
                namespace: key.0.clone(),
            }),
            network: Arc::clone(&self.network),
            publish: publications
                .iter()
                .map(|wanted| PublishRequest {
                    host: wanted.host,
                    port: wanted.pod_port,
                    protocol: wanted.protocol,
                })
                .collect(),
            volume_policy: self.config.volume_policy.clone(),
            ipc_limits: IpcLimits::default(),
            pods_dir: self.state.pods(),
            logs_dir: self.state.logs(),
            log_limits: LogLimits::default(),
            clock: Clock::host(),
            pod: Arc::clone(&pod),
        };
        let ports = publications.iter().map(|wanted| wanted.pod_port).collect();
        let sandbox = SandboxHandle::start(config, placement)?;
        let running = RunningPod {
            wanted: pod,
            sandbox,
            ports,
        };
        self.lock().insert(key, running.clone());
        Ok(running)
    }

    /// The pods that were started, by namespace and name.
    #[must_use]
    pub fn pods(&self) -> Vec<RunningPod> {
        self.lock().values().cloned().collect()
    }

    /// Stops every pod in its grace period, waits for them, and removes what is left of them.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        let pods = std::mem::take(&mut *self.lock());
        for pod in pods.values() {
            pod.sandbox.stop(None).await;
        }
        for pod in pods.values() {
            pod.sandbox.wait().await;
        }
        drop(pods);
        let Self { workers, state, .. } = self;
        // Joining threads blocks.
        drop(tokio::task::spawn_blocking(move || drop(workers)).await);
        state.release().map_err(NodeError::from)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), RunningPod>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `status.hostIP`: a guest cannot reach the host, so this is a name only.
const HOST_IP: &str = "127.0.0.1";

fn key(pod: &Pod) -> (String, String) {
    (
        pod.metadata.namespace.clone().unwrap_or_default(),
        name_of(pod),
    )
}

/// Gives a pod what the API server gives an object when it is created: namespace, uid, the name that was to be
/// generated.
fn identify(pod: &mut Pod) {
    let metadata = &mut pod.metadata;
    metadata
        .namespace
        .get_or_insert_with(|| "default".to_owned());
    let uid = uuid::Uuid::new_v4();
    if metadata.name.is_none() {
        let suffix: String = uid.simple().to_string().chars().take(5).collect();
        metadata.name = Some(format!(
            "{}{suffix}",
            metadata.generate_name.as_deref().unwrap_or_default()
        ));
    }
    metadata.uid.get_or_insert_with(|| uid.to_string());
}
