//! The task that owns a pod.
//!
//! ```text
//!                     resources fail (retried with back-off)
//!                    ┌──┐
//!   start ──► Pending│  ▼
//!              acquire resources ──► init containers, one by one ──► main containers, in order
//!                    │                        │                          │
//!                    │ stop                   │ one fails for good       ▼
//!                    │                        │                       Running ◄──┐ restart, after
//!                    ▼                        ▼                          │   └────┘ its back-off
//!               nothing runs ◄──────────── everything has ended ◄────────┤
//!                    │                        ▲                          │ stop, deadline, eviction
//!                    │                        └── hooks, SIGTERM, SIGKILL ◄┘
//!                    ▼
//!               release resources in reverse ──► Succeeded | Failed, `ended`
//! ```
//!
//! What to do is decided by [`decide`], a pure function; `perform` carries it out and `heed` reports back what happened.
//! The driver never waits for anything but the next thing that happens: containers, probes, hooks, and whatever touches
//! many files are tasks of their own. A pod in which nothing happens has no timer.

mod heed;
mod perform;
mod upkeep;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use wasmpod_lifecycle::pod::{
    Action, ContainerIndex, Event, NoticeSeverity, PodState, StopCause, decide,
};
use wasmpod_manifest::k8s::Pod;
use wasmpod_network::NetworkEvent;

use crate::config::SandboxConfig;
use crate::container::Outcome;
use crate::events::PodEvents;
use crate::handle::{PodProgress, SandboxStatus};
use crate::logs::PodLogs;
use crate::port::PodIdentity;
use crate::resources::Resources;
use crate::running::{RunningContainer, RunningContainers};
use crate::spec;
use crate::tasks::{CatchPanic, PodTaskSet};
use crate::workers::Placement;

use upkeep::Upkeep;

/// How many reports of container tasks may wait. Each task has one at a time and waits to hand it over.
const MAX_PENDING_OUTCOMES: usize = 16;

/// What others may ask of a pod.
#[derive(Debug)]
pub(crate) enum Input {
    /// End, within `grace` or the spec's grace period.
    Stop { grace: Option<Duration> },
    /// The pod's object is another one now.
    Update(Arc<Pod>),
    /// The objects that volumes show may be others now; the sender is dropped when the volumes are up to date.
    Refresh(oneshot::Sender<()>),
}

/// What a pod's handles and its driver share.
pub(crate) struct Shared {
    pub(crate) identity: Arc<PodIdentity>,
    pub(crate) events: PodEvents,
    pub(crate) logs: Arc<PodLogs>,
    pub(crate) running: Arc<RunningContainers>,
    pub(crate) progress: watch::Sender<PodProgress>,
}

/// Owns one pod.
pub(crate) struct Driver {
    /// With the pod's object as it is now.
    config: Arc<SandboxConfig>,
    identity: Arc<PodIdentity>,
    state: PodState,
    resources: Option<Arc<Resources>>,
    tasks: PodTaskSet,
    /// Container tasks, probes, hooks and calls of `stop_container`.
    jobs: JoinSet<()>,
    instances: HashMap<ContainerIndex, Instance>,
    running: Arc<RunningContainers>,
    upkeep: Upkeep,
    inputs: mpsc::Receiver<Input>,
    outcomes: mpsc::Receiver<Outcome>,
    report: mpsc::Sender<Outcome>,
    status: watch::Sender<Arc<SandboxStatus>>,
    /// What was published last.
    published_revision: Option<u64>,
    progress: watch::Sender<PodProgress>,
    events: PodEvents,
    logs: Arc<PodLogs>,
    placement: Placement,
    /// The last handle is gone.
    is_abandoned: bool,
}

/// The current instance of a container.
struct Instance {
    cancel: watch::Sender<bool>,
    running: Option<Arc<RunningContainer>>,
}

/// What wakes the driver.
enum Wake {
    Input(Option<Input>),
    Outcome(Outcome),
    Upkeep(upkeep::Done),
    Network(NetworkEvent),
    /// A decision is due, or something of the upkeep.
    Time,
}

impl Driver {
    pub(crate) fn new(
        config: SandboxConfig,
        shared: Shared,
        placement: Placement,
        inputs: mpsc::Receiver<Input>,
    ) -> (Self, watch::Receiver<Arc<SandboxStatus>>) {
        let (report, outcomes) = mpsc::channel(MAX_PENDING_OUTCOMES);
        let state = PodState::new(&config.pod, &config.host, config.clock.now());
        let (status, seen) = watch::channel(Arc::default());
        let mut driver = Self {
            state,
            identity: shared.identity,
            resources: None,
            tasks: PodTaskSet::of_worker(placement.worker()),
            jobs: JoinSet::new(),
            instances: HashMap::new(),
            running: shared.running,
            upkeep: Upkeep::new(&config.pod),
            inputs,
            outcomes,
            report,
            status,
            published_revision: None,
            progress: shared.progress,
            events: shared.events,
            logs: shared.logs,
            placement,
            is_abandoned: false,
            config: Arc::new(config),
        };
        driver.publish();
        (driver, seen)
    }

    /// Runs the pod to its end. A bug of this host ends the pod, not the process.
    pub(crate) async fn run(self) {
        let (status, events, logs) = (
            self.status.clone(),
            self.events.clone(),
            Arc::clone(&self.logs),
        );
        if let Err(panic) = (CatchPanic {
            future: Box::pin(self.drive()),
        })
        .await
        {
            let message = format!("internal error of the host, please report it: {panic}");
            events.warning(None, "InternalError", message.clone());
            logs.end();
            status.send_modify(|last| {
                let mut failed = SandboxStatus::clone(last);
                failed.pod.phase = Some("Failed".to_owned());
                failed.pod.reason = Some("InternalError".to_owned());
                failed.pod.message = Some(message);
                failed.ended = true;
                *last = Arc::new(failed);
            });
        }
    }

    async fn drive(mut self) {
        loop {
            let decision = decide(&self.state, self.config.clock.elapsed());
            for action in &decision.actions {
                if *action == Action::Finish {
                    return self.finish().await;
                }
                self.perform(action).await;
            }
            if !decision.actions.is_empty() {
                continue;
            }
            self.publish();
            match self.next(decision.wake_at).await {
                // Nobody holds a handle any more: nobody could ever stop this pod.
                Wake::Input(None) => {
                    self.is_abandoned = true;
                    self.stop(None);
                }
                Wake::Input(Some(Input::Stop { grace })) => self.stop(grace),
                Wake::Input(Some(Input::Update(pod))) => self.update(pod),
                Wake::Input(Some(Input::Refresh(done))) => self.refresh(Some(done)),
                Wake::Outcome(outcome) => self.heed(outcome),
                Wake::Upkeep(done) => self.heed_upkeep(done),
                Wake::Network(event) => {
                    self.events.warning(None, event.reason(), event.to_string());
                }
                Wake::Time => self.measure_if_due(),
            }
        }
    }

    async fn next(&mut self, wake_at: Option<Duration>) -> Wake {
        let wake_at = [wake_at, self.upkeep.wake_at()].into_iter().flatten().min();
        let timer = async {
            match wake_at {
                Some(at) => sleep_until(self.config.clock.instant_at(at)).await,
                None => pending().await,
            }
        };
        let network = async {
            match &self.resources {
                Some(resources) => resources.network.event().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            input = self.inputs.recv(), if !self.is_abandoned => Wake::Input(input),
            Some(outcome) = self.outcomes.recv() => Wake::Outcome(outcome),
            done = self.upkeep.next() => Wake::Upkeep(done),
            event = network => Wake::Network(event),
            () = timer => Wake::Time,
        }
    }

    fn stop(&mut self, grace: Option<Duration>) {
        self.tell(Event::Stop {
            cause: StopCause::Requested,
            grace,
        });
    }

    /// The pod's object has changed. What runs keeps what it was started with.
    fn update(&mut self, pod: Arc<Pod>) {
        let shows_itself = pod.metadata.labels != self.config.pod.metadata.labels
            || pod.metadata.annotations != self.config.pod.metadata.annotations;
        self.config = Arc::new(SandboxConfig {
            pod: Arc::clone(&pod),
            ..SandboxConfig::clone(&self.config)
        });
        self.tell(Event::Updated { pod });
        if shows_itself {
            self.refresh(None);
        }
    }

    /// Tells the state what happened, and the world what is worth an event.
    fn tell(&mut self, event: Event) {
        self.state.handle(event, self.config.clock.now());
        self.forward_notices();
    }

    fn forward_notices(&mut self) {
        for notice in self.state.take_notices() {
            let container = notice.container.map(|index| self.name(index));
            match notice.severity {
                NoticeSeverity::Normal => {
                    self.events.normal(container, notice.reason, notice.message);
                }
                NoticeSeverity::Warning => {
                    self.events
                        .warning(container, notice.reason, notice.message);
                }
            }
        }
    }

    /// The pod is over: ends its tasks, then releases what it had, the last acquired first.
    async fn finish(mut self) {
        self.logs.end();
        self.jobs.shutdown().await;
        self.upkeep.end().await;
        self.tasks.end().await;
        self.instances.clear();
        let resources = self.resources.take().and_then(Arc::into_inner);
        if let Some(resources) = resources {
            // On a thread for blocking work: volumes may hold many files.
            let released = tokio::task::spawn_blocking(|| resources.release()).await;
            let failure = match released {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(panic) => Some(panic.to_string()),
            };
            if let Some(message) = failure {
                self.events.warning(None, "FailedKillPod", message);
            }
        }
        self.state.handle(Event::Released, self.config.clock.now());
        // The seat is free before anyone hears of the end.
        drop(self.placement);
        self.status.send_replace(Arc::new(SandboxStatus {
            pod: self.state.status(),
            stop: self.state.stop_cause(),
            ended: true,
            published: Vec::new(),
            network: None,
            ipc: None,
        }));
    }

    /// Shows the status, if it may be another one than the last.
    fn publish(&mut self) {
        let revision = Some(self.state.revision());
        if self.published_revision == revision {
            return;
        }
        self.published_revision = revision;
        let resources = self.resources.as_deref();
        self.status.send_replace(Arc::new(SandboxStatus {
            pod: self.state.status(),
            stop: self.state.stop_cause(),
            ended: self.state.has_ended(),
            published: resources.map(|r| r.published.clone()).unwrap_or_default(),
            network: resources.map(|r| r.network.clone()),
            ipc: resources.map(|r| r.ipc.pod.clone()),
        }));
    }

    fn name(&self, container: ContainerIndex) -> &str {
        spec::container(&self.config.pod, container).map_or("", |container| &container.name)
    }
}
