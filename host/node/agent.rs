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
use wasmpod_store::{Kind, Object, ObjectRef, Store};
use wasmpod_volume::VolumePolicy;

use crate::admission::{self, name_of};
use crate::delete::DeleteOptions;
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

/// What became of the objects of some manifests.
#[derive(Debug, Clone, Default)]
pub struct Started {
    /// The pods that run by now: those of the manifests, and the first ones of their workloads.
    pub pods: Vec<RunningPod>,
    /// The workloads, in the manifests' order.
    pub workloads: Vec<ObjectRef>,
}

/// The agent of this process.
#[derive(Debug)]
pub struct Agent {
    store: Store,
    config: AgentConfig,
    images: Arc<Images>,
    network: Arc<Network>,
    pods: Mutex<BTreeMap<(String, String), RunningPod>>,
    // Dropped in this order: no thread works in a directory that is gone.
    workers: Workers,
    state: Mutex<Option<StateDir>>,
}

impl Agent {
    /// An agent without pods.
    ///
    /// # Errors
    ///
    /// When the state directory cannot be used or the host gives no threads.
    pub fn new(config: AgentConfig) -> Result<Arc<Self>, NodeError> {
        let state = StateDir::acquire(&config.state_dir)?;
        let workers = match config.workers {
            Some(count) => Workers::start(count.get()),
            None => Workers::one_per_core(),
        };
        let clock = Clock::host();
        Ok(Arc::new(Self {
            store: Store::new(move || clock.timestamp()),
            images: Arc::default(),
            network: Arc::new(Network::new()),
            pods: Mutex::default(),
            workers: workers.map_err(NodeError::Workers)?,
            state: Mutex::new(Some(state)),
            config,
        }))
    }

    /// The objects: the truth about what is wanted, and how it is.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The pod of this name, if it has been started.
    #[must_use]
    pub fn running(&self, namespace: &str, name: &str) -> Option<RunningPod> {
        let key = (namespace.to_owned(), name.to_owned());
        self.lock().get(&key).cloned()
    }

    /// Deletes an object: a pod after its containers have ended, an owner with what it owns. Gives it back as it is
    /// kept meanwhile.
    ///
    /// # Errors
    ///
    /// There is no such object, or it has another uid.
    pub fn delete(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Object, NodeError> {
        Ok(self
            .store
            .delete_if(kind, namespace, name, options.uid.as_deref())?)
    }

    /// Starts the pods of `manifests`, in their order, after everything that can be known to fail was checked: images,
    /// programs, ports. Returns as soon as all are on their way.
    ///
    /// # Errors
    ///
    /// When something cannot work; then nothing was started.
    pub async fn start(&self, manifests: Manifests) -> Result<Started, NodeError> {
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
        Ok(Started {
            pods: running,
            workloads: Vec::new(),
        })
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
            pods_dir: self.state_dir(StateDir::pods),
            logs_dir: self.state_dir(StateDir::logs),
            log_limits: LogLimits::default(),
            clock: Clock::host(),
            pod: pod.clone(),
        };
        let ports = publications.iter().map(|wanted| wanted.pod_port).collect();
        let sandbox = SandboxHandle::start(config, placement)?;
        let running = RunningPod {
            wanted: Arc::new(pod),
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
    pub async fn shutdown(&self) -> Result<(), NodeError> {
        let pods = std::mem::take(&mut *self.lock());
        for pod in pods.values() {
            pod.sandbox.stop(None).await;
        }
        for pod in pods.values() {
            pod.sandbox.wait().await;
        }
        drop(pods);
        let state = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        state
            .map_or(Ok(()), StateDir::release)
            .map_err(NodeError::from)
    }

    fn state_dir(&self, part: fn(&StateDir) -> PathBuf) -> PathBuf {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(part).unwrap_or_default()
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
