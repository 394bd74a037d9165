//! The agent itself: what it is made from, its thread, and its end.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use wasmpod_ingress::Scheme;
use wasmpod_manifest::k8s::{Namespace, NamespaceStatus, ObjectMeta, Pod};
use wasmpod_network::EgressConfig;
use wasmpod_sandbox::{Clock, ContainerRuntime, ProgressSink};
use wasmpod_store::{DEFAULT_NAMESPACE, Kind, Object, Store, StoreError};
use wasmpod_volume::VolumePolicy;

use crate::admission::publish::PublishRule;
use crate::delete::DeleteOptions;
use crate::error::NodeError;
use crate::ingress::IngressConfig;
use crate::known::{KnownPod, RunningPod, lock};
use crate::machine;
use crate::node_addresses::NodePortAddress;
use crate::reconcile::Reconciler;
use crate::schedule::Allocatable;
use crate::shared::Shared;
use crate::state_dir::StateDir;

/// What an agent is made from.
pub struct AgentConfig {
    /// Where it keeps the files of its pods; made if it is not there.
    pub state_dir: PathBuf,
    /// The folder from which the names of manifests count, and with them the relative paths of modules in them.
    pub base_dir: PathBuf,
    /// The threads on which everything runs.
    pub threads: Threads,
    /// The time of the agent and its pods.
    pub clock: Clock,
    /// What volumes may use of the machine.
    pub volume_policy: VolumePolicy,
    /// What is published besides `hostPort` and NodePort services.
    pub publish: Vec<PublishRule>,
    /// Where node ports are opened: kube-proxy's `--nodeport-addresses`. When empty, on 127.0.0.1 alone.
    pub node_port_addresses: Vec<NodePortAddress>,
    /// What pods may reach outside of the virtual network; without it, nothing.
    pub egress: Option<EgressConfig>,
    /// Where ingresses are served.
    pub ingress: IngressConfig,
    /// What runs containers.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// Who is told of the preparation of programs.
    pub progress: ProgressSink,
    /// `spec.nodeName` of the pods.
    pub node_name: String,
    /// What pods may request together; what the machine has unless said.
    pub capacity: Option<Capacity>,
}

/// The threads on which an agent and its pods run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One for the agent, and so many for pods; one for each processor unless said.
    Own(Option<NonZeroUsize>),
    /// The tokio runtime of the caller of [`Agent::new`], which must be single-threaded and have I/O and time, for programs
    /// and tests that bring their own, perhaps with a paused clock.
    Callers,
}

/// What pods may request together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Thousandths of a processor.
    pub cpu_millicores: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// How many pods.
    pub pods: usize,
}

impl AgentConfig {
    pub(crate) fn allocatable(&self) -> Allocatable {
        match self.capacity {
            Some(capacity) => Allocatable {
                cpu_millicores: capacity.cpu_millicores,
                memory_bytes: Some(capacity.memory_bytes),
                pods: capacity.pods,
            },
            None => Allocatable::of_this_machine(),
        }
    }
}

impl std::fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentConfig")
            .field("state_dir", &self.state_dir)
            .field("threads", &self.threads)
            .field("publish", &self.publish)
            .finish_non_exhaustive()
    }
}

/// The agent of this process. The objects of its [store](Agent::store) are what is wanted; a task of its own makes
/// pods match them, and writes into them how they are.
#[derive(Debug)]
pub struct Agent {
    pub(crate) shared: Arc<Shared>,
    loop_end: Mutex<Option<LoopEnd>>,
    /// Nothing when ingresses are served nowhere.
    ingress_end: Mutex<Option<LoopEnd>>,
    state: Mutex<Option<StateDir>>,
}

/// What ends the loop.
#[derive(Debug)]
enum LoopEnd {
    /// Its own thread, which ends when the sender is dropped.
    Thread(oneshot::Sender<()>, JoinHandle<()>),
    Task(AbortHandle),
}

impl LoopEnd {
    /// Ends the loop with all that it started; blocks until its thread is gone.
    fn end(self) {
        match self {
            Self::Thread(sender, thread) => {
                drop(sender);
                // A panic was already reported by the panic hook.
                drop(thread.join());
            }
            Self::Task(task) => task.abort(),
        }
    }
}

impl Agent {
    /// An agent without pods.
    ///
    /// # Errors
    ///
    /// When the state directory cannot be used or the host gives no threads.
    ///
    /// # Panics
    ///
    /// With [`Threads::Callers`], when the caller has no tokio runtime.
    pub fn new(config: AgentConfig) -> Result<Arc<Self>, NodeError> {
        let state = StateDir::acquire(&config.state_dir)?;
        let threads = config.threads;
        let (shared, doors) = Shared::new(config, &state)?;
        let shared = Arc::new(shared);
        let now = shared.store.now();
        let node = machine::node(&shared.config.node_name, &shared.machine, now);
        shared.store.create(node.into())?;
        ensure_namespace(&shared.store, DEFAULT_NAMESPACE);
        let reconciler = Reconciler::new(Arc::clone(&shared));
        let begin = |name: &str, work: Pin<Box<dyn Future<Output = ()> + Send>>| match threads {
            Threads::Own(_) => own_thread(name, work).map_err(NodeError::Workers),
            Threads::Callers => Ok(LoopEnd::Task(tokio::spawn(work).abort_handle())),
        };
        let loop_end = begin("agent", Box::pin(reconciler.run()))?;
        let ingress_end = if doors.is_empty() {
            None
        } else {
            let front = shared.ingresses.front.clone();
            // It fails only where there is no I/O or no cryptography, and both are compiled in.
            let serving = async move { drop(front.serve(doors).await) };
            Some(begin("ingress", Box::pin(serving))?)
        };
        Ok(Arc::new(Self {
            shared,
            loop_end: Mutex::new(Some(loop_end)),
            ingress_end: Mutex::new(ingress_end),
            state: Mutex::new(Some(state)),
        }))
    }

    /// The objects: the truth about what is wanted, and how it is. Delete with [`Agent::delete`] and change with
    /// [`Agent::update`], which know what that means.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The folder of this process's run in the state directory; nothing after [`Agent::shutdown`].
    #[must_use]
    pub fn run_dir(&self) -> Option<PathBuf> {
        lock(&self.state)
            .as_ref()
            .map(|state| state.run().to_owned())
    }

    /// `spec.nodeName` of its pods.
    #[must_use]
    pub fn node_name(&self) -> &str {
        &self.shared.config.node_name
    }

    /// The pod of this name, if it was started and is not removed.
    #[must_use]
    pub fn running(&self, namespace: &str, name: &str) -> Option<RunningPod> {
        let known = self.shared.known.get(namespace, name)?;
        // Another pod of this name may have come that the loop has not seen yet.
        known.stored()?;
        known.running().cloned()
    }

    /// The pods that were started and are not removed, by namespace and name.
    #[must_use]
    pub fn pods(&self) -> Vec<RunningPod> {
        let known = self.shared.known.all();
        known
            .iter()
            .filter_map(|pod| pod.running().cloned())
            .collect()
    }

    /// What is known of this pod of the store, whether it runs or not; nothing when it is removed meanwhile.
    #[must_use]
    pub fn known(&self, pod: &Arc<Pod>) -> Option<Arc<KnownPod>> {
        self.shared.known.of(&self.shared.store, pod)
    }

    /// All pods that are in the store, by namespace and name.
    #[must_use]
    pub fn known_pods(&self) -> Vec<Arc<KnownPod>> {
        let (pods, _) = self.store().list(Kind::Pod, None);
        let pods = pods
            .iter()
            .filter_map(|object| <&Arc<Pod>>::try_from(object).ok());
        pods.filter_map(|pod| self.known(pod)).collect()
    }

    /// Deletes an object: a pod after its containers have ended, an owner with what it owns. Gives it back as it is
    /// kept meanwhile, or as it was last.
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
        Ok(self.shared.delete(kind, namespace, name, options)?)
    }

    /// Changes an object as [`Store::update`] does, if what is changed may be.
    ///
    /// # Errors
    ///
    /// As [`Store::update`]; and [`StoreError::Invalid`] for fields that stay as they are: those of a pod's spec but a
    /// few, the data of an immutable ConfigMap or Secret.
    pub fn update(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        change: &mut dyn FnMut(&mut Object) -> Result<(), StoreError>,
    ) -> Result<Object, NodeError> {
        Ok(self.shared.update(kind, namespace, name, change)?)
    }

    /// Waits until everything was done that follows at once from the objects as they are now. What takes time, such as
    /// the end of a container, is not waited for.
    pub async fn settled(&self) {
        let version = self.store().resource_version();
        let mut settled: watch::Receiver<u64> = self.shared.settled.subscribe();
        // An error means that the agent has ended: nothing more will be done.
        drop(settled.wait_for(|settled| *settled >= version).await);
    }

    /// Asks every pod to end within `grace`, or the grace period of its spec. From now on no pod is started. Returns
    /// when all have taken note; a second call may shorten the time.
    pub async fn stop(&self, grace: Option<std::time::Duration>) {
        self.shared.close();
        for pod in self.pods() {
            pod.sandbox.stop(grace).await;
        }
    }

    /// Stops every pod in its grace period, waits for them, and removes what is left of them.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub async fn shutdown(&self) -> Result<(), NodeError> {
        self.stop(None).await;
        for pod in self.pods() {
            pod.sandbox.wait().await;
        }
        let ends = self.take_ends();
        let workers = lock(&self.shared.workers).take();
        // Joining threads blocks.
        let ended = tokio::task::spawn_blocking(move || {
            ends.into_iter().for_each(LoopEnd::end);
            drop(workers);
        });
        drop(ended.await);
        let state = lock(&self.state).take();
        Ok(state.map_or(Ok(()), StateDir::release)?)
    }

    /// Where ingresses are served on this machine, and how.
    #[must_use]
    pub fn ingress_doors(&self) -> &[(Scheme, SocketAddr)] {
        &self.shared.ingresses.doors
    }

    /// Whom nobody reaches any more ends first.
    fn take_ends(&self) -> Vec<LoopEnd> {
        let ends = [&self.ingress_end, &self.loop_end];
        ends.into_iter()
            .filter_map(|end| lock(end).take())
            .collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // No thread works in a directory that is gone: threads first.
        self.take_ends().into_iter().for_each(LoopEnd::end);
        drop(lock(&self.shared.workers).take());
    }
}

/// A thread for the loop, so that no guest that computes delays it, and one for ingresses, so that no client does.
fn own_thread(
    name: &str,
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
) -> std::io::Result<LoopEnd> {
    // The loop waits for clients of services, too.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (sender, ended) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = work => {}
                    _ = ended => {}
                }
            });
        })?;
    Ok(LoopEnd::Thread(sender, thread))
}

/// Makes the Namespace object, if it is not there: here a namespace needs no making.
pub(crate) fn ensure_namespace(store: &Store, name: &str) {
    if store.get(Kind::Namespace, None, name).is_some() {
        return;
    }
    let labels = [("kubernetes.io/metadata.name".to_owned(), name.to_owned())];
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        status: Some(NamespaceStatus {
            phase: Some("Active".to_owned()),
            ..NamespaceStatus::default()
        }),
        ..Namespace::default()
    };
    // Somebody else may have made it meanwhile.
    drop(store.create(namespace.into()));
}
