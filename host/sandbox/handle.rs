//! A running pod, seen from outside.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use wasmpod_ipc::{Listing, PodIpc};
use wasmpod_lifecycle::pod::StopCause;
use wasmpod_manifest::k8s::{ContainerStatus, Pod, PodStatus};
use wasmpod_network::{
    Capture, CaptureError, CaptureOptions, ContainerTraffic, PodNetwork, SocketInfo,
};

use crate::config::SandboxConfig;
use crate::driver::{Driver, Input, Shared};
use crate::events::PodEvents;
use crate::exec::{self, ExecError};
use crate::logs::{LogOptions, LogReader, PodLogs};
use crate::port::{PodIdentity, Progress};
use crate::running::{ContainerUsage, RunningContainer, RunningContainers};
use crate::spec;
use crate::stdio::{AttachRequest, ExecRequest, Session};
use crate::workers::Placement;

/// How many requests may wait for a pod's driver, which answers within microseconds. A sender waits when there are more.
const MAX_PENDING_INPUTS: usize = 16;

/// A pod's status, and what Kubernetes' type has no place for.
#[derive(Clone, Debug, Default)]
pub struct SandboxStatus {
    /// `status` of the Pod.
    pub pod: PodStatus,
    /// Who ended the pod, when it did not end by itself.
    pub stop: Option<StopCause>,
    /// The pod is over, and all that it had is released. This status is the last.
    pub ended: bool,
    /// The pod's host ports, in the order in which they were asked for.
    pub published: Vec<SocketAddr>,
    /// The pod's network, while it has one.
    pub network: Option<PodNetwork>,
    /// The pod's IPC, while it has one.
    pub ipc: Option<PodIpc>,
}

/// What a pod's sockets are and did.
#[derive(Clone, Debug, Default)]
pub struct PodTraffic {
    /// Those that there are.
    pub sockets: Vec<SocketInfo>,
    /// What all sockets of each container came to, those that are closed included.
    pub containers: Vec<ContainerTraffic>,
}

impl SandboxStatus {
    /// `status.phase`
    #[must_use]
    pub fn phase(&self) -> &str {
        self.pod.phase.as_deref().unwrap_or("Unknown")
    }

    /// The status of a container, init containers included.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ContainerStatus> {
        let init = self.pod.init_container_statuses.iter().flatten();
        let mut all = init.chain(self.pod.container_statuses.iter().flatten());
        all.find(|status| status.name == name)
    }

    /// True when the pod's `Ready` condition is.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let conditions = self.pod.conditions.iter().flatten();
        conditions
            .into_iter()
            .any(|c| c.type_ == "Ready" && c.status == "True")
    }
}

/// How far the programs of a pod's containers are prepared, by container; empty when none is being prepared.
pub type PodProgress = BTreeMap<String, Progress>;

/// Why a sandbox cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The pod has no name, namespace or uid.
    #[error("the pod has no metadata.{field}")]
    NoIdentity {
        /// Which of them.
        field: &'static str,
    },
    /// The directory of its logs cannot be made.
    #[error("pod \"{pod}\": cannot make its log directory under `{dir}`")]
    Logs {
        /// The pod.
        pod: String,
        /// The directory of all logs.
        dir: String,
        /// What the host says.
        source: std::io::Error,
    },
}

/// A handle to a running pod; cheap to clone, usable from every thread. When the last one is dropped the pod is
/// stopped with its grace period, as nobody could do that any more, and its logs are removed.
#[derive(Clone, Debug)]
pub struct SandboxHandle {
    identity: Arc<PodIdentity>,
    inputs: mpsc::Sender<Input>,
    status: watch::Receiver<Arc<SandboxStatus>>,
    progress: watch::Receiver<PodProgress>,
    events: PodEvents,
    logs: Arc<PodLogs>,
    running: Arc<RunningContainers>,
}

impl SandboxHandle {
    /// Starts a pod on its worker.
    ///
    /// # Errors
    /// The pod has no identity, or its log directory cannot be made.
    pub fn start(config: SandboxConfig, placement: Placement) -> Result<Self, SandboxError> {
        let identity = Arc::new(identity(&config)?);
        let containers = spec::containers(&config.pod).map(|c| c.name.as_str());
        let logs = PodLogs::create(
            &config.logs_dir,
            &identity,
            containers,
            config.log_limits,
            config.clock,
        );
        let logs = Arc::new(logs.map_err(|source| SandboxError::Logs {
            pod: identity.to_string(),
            dir: config.logs_dir.display().to_string(),
            source,
        })?);
        let events = PodEvents::new(config.clock);
        let (inputs, receive) = mpsc::channel(MAX_PENDING_INPUTS);
        let (progress, progress_seen) = watch::channel(PodProgress::new());
        let worker = placement.worker().handle().clone();
        let running = Arc::new(RunningContainers::default());
        let shared = Shared {
            identity: Arc::clone(&identity),
            events: events.clone(),
            logs: Arc::clone(&logs),
            running: Arc::clone(&running),
            progress,
        };
        let (driver, status) = Driver::new(config, shared, placement, receive);
        drop(worker.spawn(driver.run()));
        Ok(Self {
            identity,
            inputs,
            status,
            progress: progress_seen,
            events,
            logs,
            running,
        })
    }

    /// Which pod this is.
    #[must_use]
    pub fn identity(&self) -> &PodIdentity {
        &self.identity
    }

    /// The status now.
    #[must_use]
    pub fn status(&self) -> Arc<SandboxStatus> {
        Arc::clone(&self.status.borrow())
    }

    /// The status as it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<SandboxStatus>> {
        self.status.clone()
    }

    /// How far the preparation of programs is, as it changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<PodProgress> {
        self.progress.clone()
    }

    /// The pod's events.
    #[must_use]
    pub fn events(&self) -> &PodEvents {
        &self.events
    }

    /// Reads the log of a container; `None` if the pod has none of this name.
    #[must_use]
    pub fn logs(&self, container: &str, options: LogOptions) -> Option<LogReader> {
        let log = self.logs.container(container)?;
        // Of a container that waits for its restart the instance that ended is the previous one already.
        let status = self.status();
        let state = status
            .container(container)
            .and_then(|found| found.state.as_ref());
        let waits = state.is_some_and(|state| state.waiting.is_some());
        let last = log.last_ended().filter(|_| options.previous && waits);
        Some(match last {
            Some(attempt) => log.read_attempt(attempt, options),
            None => log.read(options),
        })
    }

    /// Runs a command beside a container, as `kubectl exec` does. Returns when the command has been started. Dropping
    /// the session ends the command; the end of the container does too.
    ///
    /// # Errors
    /// The container does not run, or the command cannot be started.
    pub async fn exec(&self, container: &str, request: ExecRequest) -> Result<Session, ExecError> {
        if request.command.is_empty() {
            return Err(ExecError::NoCommand);
        }
        let answer = self.with_running(container, |running| exec::open(running, request))?;
        answer.await.unwrap_or(Err(ExecError::PodEnded))
    }

    /// Joins the standard streams of a running container, as `kubectl attach` does: what it prints from now on, and its
    /// standard input if it has `stdin`. Dropping the session leaves the container as it is, but for `stdinOnce`.
    ///
    /// # Errors
    /// The container does not run.
    #[expect(clippy::unused_async, reason = "the same shape as `exec`")]
    pub async fn attach(
        &self,
        container: &str,
        request: AttachRequest,
    ) -> Result<Session, ExecError> {
        self.with_running(container, |running| exec::attach(running, request))
    }

    /// What the containers that run use now.
    #[must_use]
    pub fn usage(&self) -> Vec<ContainerUsage> {
        self.running.usage()
    }

    /// The IPC objects of the pod; `None` while it has no IPC, before it starts and after its end.
    #[must_use]
    pub fn ipc(&self) -> Option<Listing> {
        let ipc = self.status.borrow().ipc.clone();
        ipc.map(|ipc| ipc.list())
    }

    /// The sockets of the pod and what went over them; `None` while it has no network, before it starts and after its end.
    #[must_use]
    pub fn traffic(&self) -> Option<PodTraffic> {
        let network = self.status.borrow().network.clone()?;
        Some(PodTraffic {
            sockets: network.sockets(),
            containers: network.traffic(),
        })
    }

    /// Begins to capture what passes the pod's network; `None` while it has none.
    #[must_use]
    pub fn capture(&self, options: CaptureOptions) -> Option<Result<Capture, CaptureError>> {
        let network = self.status.borrow().network.clone()?;
        Some(network.capture(options))
    }

    fn with_running<T>(
        &self,
        container: &str,
        with: impl FnOnce(&Arc<RunningContainer>) -> T,
    ) -> Result<T, ExecError> {
        self.running.with(container, with).ok_or_else(|| {
            if self.logs.container(container).is_none() {
                return ExecError::NoSuchContainer {
                    container: container.to_owned(),
                    pod: self.identity.name.clone(),
                };
            }
            ExecError::NotRunning {
                container: container.to_owned(),
                state: self.state_of(container),
            }
        })
    }

    /// The state of a container in one or two words.
    fn state_of(&self, container: &str) -> String {
        let status = self.status();
        let state = status
            .container(container)
            .and_then(|found| found.state.as_ref());
        match state {
            Some(state) if state.running.is_some() => "ending".to_owned(),
            Some(state) => match (&state.terminated, &state.waiting) {
                (Some(ended), _) => format!("terminated (exit code {})", ended.exit_code),
                (None, Some(waiting)) => match &waiting.reason {
                    Some(reason) => format!("waiting ({reason})"),
                    None => "waiting".to_owned(),
                },
                (None, None) => "waiting".to_owned(),
            },
            None => "waiting".to_owned(),
        }
    }

    /// Asks the pod to end: every container gets SIGTERM now and SIGKILL after `grace` (`None`: the grace period of
    /// its spec). Returns when the pod has taken note; [`wait`](Self::wait) for the end. A second stop can shorten
    /// the time that is left.
    pub async fn stop(&self, grace: Option<Duration>) {
        // An error means that the pod is over already.
        let _: Result<(), _> = self.inputs.send(Input::Stop { grace }).await;
    }

    /// Ends the pod by force.
    pub async fn kill(&self) {
        self.stop(Some(Duration::ZERO)).await;
    }

    /// Tells the pod that its stored object has changed: labels, annotations, an image, a deadline. What a pod cannot
    /// change while it lives is not looked at. Returns when the pod has taken note.
    pub async fn update(&self, pod: Arc<Pod>) {
        // An error means that the pod is over already.
        let _: Result<(), _> = self.inputs.send(Input::Update(pod)).await;
    }

    /// Tells the pod that objects which its volumes show (ConfigMaps, Secrets) may have changed. Returns when the
    /// volumes show what the objects say now; what cannot be shown is an event of the pod.
    pub async fn refresh(&self) {
        let (done, is_done) = oneshot::channel();
        if self.inputs.send(Input::Refresh(done)).await.is_ok() {
            // An error means that the pod has ended meanwhile.
            let _: Result<(), _> = is_done.await;
        }
    }

    /// Waits until the pod is over and everything of it is released, and gives its last status.
    pub async fn wait(&self) -> Arc<SandboxStatus> {
        self.wait_for(|status| status.ended).await
    }

    /// Waits until the status is as wanted, or the pod is over.
    pub async fn wait_for(&self, wanted: impl Fn(&SandboxStatus) -> bool) -> Arc<SandboxStatus> {
        let mut status = self.status.clone();
        let found = status
            .wait_for(|status| wanted(status) || status.ended)
            .await;
        found.map_or_else(|_| self.status(), |found| Arc::clone(&found))
    }
}

fn identity(config: &SandboxConfig) -> Result<PodIdentity, SandboxError> {
    let meta = &config.pod.metadata;
    let get = |value: &Option<String>, field| {
        value
            .clone()
            .filter(|v| !v.is_empty())
            .ok_or(SandboxError::NoIdentity { field })
    };
    Ok(PodIdentity {
        namespace: get(&meta.namespace, "namespace")?,
        name: get(&meta.name, "name")?,
        uid: get(&meta.uid, "uid")?,
    })
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<SandboxHandle>();
    is_send_and_sync::<LogReader>();
};
