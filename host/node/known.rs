//! The pods that an agent knows, and those of them that were started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use wasmpod_lifecycle::pod::keep_foreign_conditions;
use wasmpod_manifest::k8s::Pod;
use wasmpod_sandbox::{SandboxHandle, SandboxStatus};
use wasmpod_store::{Kind, Object, ObjectRef, Store};

use crate::admission::publish::Publication;
use crate::node_ports::NodePorts;
use crate::schedule::Requests;

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
    pub(crate) sandbox: SandboxHandle,
    /// What was asked to be published, in the order of the sandbox's addresses.
    pub(crate) publications: Arc<[Publication]>,
    pub(crate) requests: Requests,
    pub(crate) pod: Arc<Pod>,
    pub(crate) node_ports: Arc<NodePorts>,
}

impl RunningPod {
    /// The handle of its sandbox.
    #[must_use]
    pub fn sandbox(&self) -> &SandboxHandle {
        &self.sandbox
    }

    /// What of it is reachable on this machine now, by its own ports and those of services in front of it; nothing until
    /// it has its network.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedPort> {
        let status = self.sandbox.status();
        if status.pod.pod_ip.is_none() {
            return Vec::new();
        }
        let hosts = status.published.clone();
        let pairs = hosts.into_iter().zip(self.publications.iter());
        pairs
            .map(|(host, wanted)| PublishedPort {
                host,
                pod_port: wanted.pod_port,
            })
            .chain(self.node_ports.of_pod(&self.pod))
            .collect()
    }
}

/// One pod from its creation to its removal, whether it runs or not.
#[derive(Debug)]
pub struct KnownPod {
    store: Store,
    namespace: String,
    name: String,
    uid: String,
    /// As it was when its sandbox heard of it last (the sandbox has this very copy), or when it was created.
    wanted: Mutex<Arc<Pod>>,
    running: OnceLock<RunningPod>,
    /// How far it is.
    stage: watch::Sender<Stage>,
    /// The shortest grace period in which its sandbox was asked to end.
    asked_grace: Mutex<Option<Duration>>,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Waiting,
    Started,
    Removed,
}

impl KnownPod {
    fn new(store: Store, pod: &Arc<Pod>) -> Self {
        let (namespace, name) = key(pod);
        Self {
            store,
            namespace,
            name,
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            wanted: Mutex::new(Arc::clone(pod)),
            running: OnceLock::new(),
            stage: watch::Sender::new(Stage::Waiting),
            asked_grace: Mutex::default(),
        }
    }

    /// `metadata.namespace`
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// `metadata.name`
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `metadata.uid`
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The pod as its object is now, with the newest status of its sandbox; as it was last when the object is removed.
    #[must_use]
    pub fn pod(&self) -> Arc<Pod> {
        let pod = self.stored().unwrap_or_else(|| self.wanted());
        match self.running.get().map(|running| running.sandbox.status()) {
            Some(status) => with_status(pod, &status),
            None => pod,
        }
    }

    /// Its object, while it has this uid.
    pub(crate) fn stored(&self) -> Option<Arc<Pod>> {
        match self.store.get(Kind::Pod, Some(&self.namespace), &self.name) {
            Some(Object::Pod(pod)) if pod.metadata.uid.as_deref() == Some(&self.uid) => Some(pod),
            _ => None,
        }
    }

    /// The running pod, if it was started.
    #[must_use]
    pub fn running(&self) -> Option<&RunningPod> {
        self.running.get()
    }

    /// Waits until the pod was started; nothing when it was removed without that.
    pub async fn started(&self) -> Option<&RunningPod> {
        let mut stage = self.stage.subscribe();
        // Cannot fail: the sender is `self`'s.
        drop(stage.wait_for(|stage| *stage > Stage::Waiting).await);
        self.running.get()
    }

    /// Is its object removed?
    #[must_use]
    pub fn is_removed(&self) -> bool {
        *self.stage.borrow() == Stage::Removed
    }

    /// Is it over, and everything of it released?
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match self.running.get() {
            Some(running) => running.sandbox.status().ended,
            None => self.is_removed() || is_terminal(&self.wanted()),
        }
    }

    /// Waits until it is over and everything of it is released, and gives it as it is then.
    pub async fn ended(&self) -> Arc<Pod> {
        if let Some(running) = self.started().await {
            let status = running.sandbox.wait().await;
            return with_status(self.stored().unwrap_or_else(|| self.wanted()), &status);
        }
        self.pod()
    }

    pub(crate) fn wanted(&self) -> Arc<Pod> {
        Arc::clone(&lock(&self.wanted))
    }

    pub(crate) fn set_wanted(&self, pod: Arc<Pod>) {
        *lock(&self.wanted) = pod;
    }

    pub(crate) fn set_running(&self, running: RunningPod) {
        // It is started once: the agent's loop is the only one that does.
        drop(self.running.set(running));
        self.stage.send_replace(Stage::Started);
    }

    pub(crate) fn set_removed(&self) {
        self.stage.send_replace(Stage::Removed);
    }

    /// Takes note that it is to end in `grace`; false when it was asked for that, or for less, before.
    pub(crate) fn ask_grace(&self, grace: Duration) -> bool {
        let mut asked = lock(&self.asked_grace);
        let is_news = asked.is_none_or(|asked| grace < asked);
        if is_news {
            *asked = Some(grace);
        }
        is_news
    }

    /// Does it have a place on the node, and with it its share of the machine?
    pub(crate) fn occupies(&self) -> Option<&RunningPod> {
        let running = self.running.get()?;
        (!running.sandbox.status().ended).then_some(running)
    }
}

/// The pod with this status of its sandbox. Conditions that others have set are those of the object.
pub(crate) fn with_status(mut pod: Arc<Pod>, status: &SandboxStatus) -> Arc<Pod> {
    let mut status = status.pod.clone();
    keep_foreign_conditions(&mut status, &pod);
    if pod.status.as_ref() != Some(&status) {
        Arc::make_mut(&mut pod).status = Some(status);
    }
    pod
}

/// Is its phase one that does not change any more?
pub(crate) fn is_terminal(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// All pods that an agent knows, by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct KnownPods {
    pods: Mutex<BTreeMap<(String, String), Arc<KnownPod>>>,
    /// The folder from which relative paths of an object count, where it is not the agent's own.
    bases: Mutex<BTreeMap<ObjectRef, Arc<Path>>>,
}

impl KnownPods {
    /// What is known of this pod; made now if it is new and its object is there.
    pub(crate) fn of(&self, store: &Store, pod: &Arc<Pod>) -> Option<Arc<KnownPod>> {
        let mut pods = lock(&self.pods);
        let key = key(pod);
        if let Some(known) = pods.get(&key)
            && Some(known.uid()) == pod.metadata.uid.as_deref()
        {
            return Some(Arc::clone(known));
        }
        // Under the lock: whoever removes the object removes this entry afterwards.
        match store.get(Kind::Pod, Some(&key.0), &key.1) {
            Some(Object::Pod(stored)) if stored.metadata.uid == pod.metadata.uid => {}
            _ => return None,
        }
        let known = Arc::new(KnownPod::new(store.clone(), pod));
        pods.insert(key, Arc::clone(&known));
        Some(known)
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<KnownPod>> {
        let key = (namespace.to_owned(), name.to_owned());
        lock(&self.pods).get(&key).cloned()
    }

    pub(crate) fn remove(&self, namespace: &str, name: &str) -> Option<Arc<KnownPod>> {
        let key = (namespace.to_owned(), name.to_owned());
        lock(&self.pods).remove(&key)
    }

    pub(crate) fn all(&self) -> Vec<Arc<KnownPod>> {
        lock(&self.pods).values().cloned().collect()
    }

    pub(crate) fn base(&self, of: &ObjectRef) -> Option<Arc<Path>> {
        lock(&self.bases).get(of).cloned()
    }

    pub(crate) fn set_base(&self, of: ObjectRef, base: PathBuf) {
        lock(&self.bases).insert(of, base.into());
    }

    /// What `owner` creates counts its paths from the same folder.
    pub(crate) fn inherit_base(&self, owner: &ObjectRef, child: ObjectRef) {
        if let Some(base) = self.base(owner) {
            lock(&self.bases).insert(child, base);
        }
    }

    pub(crate) fn forget_base(&self, of: &ObjectRef) {
        lock(&self.bases).remove(of);
    }
}

pub(crate) fn key(pod: &Pod) -> (String, String) {
    let metadata = &pod.metadata;
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
