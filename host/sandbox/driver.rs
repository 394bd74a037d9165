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
//!                    │                        ▲                          │ stop, deadline
//!                    │                        └── SIGTERM, grace, SIGKILL ◄┘
//!                    ▼
//!               release resources in reverse ──► Succeeded | Failed, `ended`
//! ```
//!
//! What to do is decided by [`decide`], a pure function; this file carries it out (`perform`) and reports back what
//! happened (`heed`). The driver never waits for anything but the next thing that happens: starting and ending a
//! container is the work of [`crate::container`]'s tasks. A pod in which nothing happens has no timer.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use wasmpod_lifecycle::pod::{
    Action, ContainerIndex, Event, NoticeSeverity, PodState, ProbeOutcome, StartFailure, StopCause,
    decide,
};
use wasmpod_manifest::k8s::Container;
use wasmpod_network::NetworkEvent;

use crate::config::SandboxConfig;
use crate::container::{Job, Outcome, What, pod_ips};
use crate::events::PodEvents;
use crate::handle::{PodProgress, SandboxStatus};
use crate::logs::PodLogs;
use crate::port::{ContainerId, PodIdentity};
use crate::resources::Resources;
use crate::tasks::{CatchPanic, PodTaskSet};
use crate::workers::Placement;

/// How many reports of container tasks may wait. Each task has one at a time and waits to hand it over.
const MAX_PENDING_OUTCOMES: usize = 16;

/// What others may ask of a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    /// End, within `grace` or the spec's grace period.
    Stop { grace: Option<Duration> },
}

/// Owns one pod.
pub(crate) struct Driver {
    config: Arc<SandboxConfig>,
    identity: PodIdentity,
    containers: Vec<Container>,
    state: PodState,
    resources: Option<Arc<Resources>>,
    tasks: PodTaskSet,
    /// Container tasks and calls of `stop_container`.
    jobs: JoinSet<()>,
    instances: HashMap<ContainerIndex, Instance>,
    inputs: mpsc::Receiver<Input>,
    outcomes: mpsc::Receiver<Outcome>,
    report: mpsc::Sender<Outcome>,
    status: watch::Sender<Arc<SandboxStatus>>,
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
    id: Option<ContainerId>,
}

/// What wakes the driver.
enum Wake {
    Input(Option<Input>),
    Outcome(Outcome),
    Network(NetworkEvent),
    Time,
}

impl Driver {
    pub(crate) fn new(
        config: SandboxConfig,
        identity: PodIdentity,
        placement: Placement,
        inputs: mpsc::Receiver<Input>,
        progress: watch::Sender<PodProgress>,
        events: PodEvents,
        logs: Arc<PodLogs>,
    ) -> (Self, watch::Receiver<Arc<SandboxStatus>>) {
        let (report, outcomes) = mpsc::channel(MAX_PENDING_OUTCOMES);
        let spec = config.pod.spec.as_ref();
        let containers = spec.into_iter().flat_map(|spec| {
            spec.init_containers
                .iter()
                .flatten()
                .chain(&spec.containers)
                .cloned()
        });
        let containers = containers.collect();
        let state = PodState::new(&config.pod, &config.host, config.clock.now());
        let (status, seen) = watch::channel(Arc::default());
        let driver = Self {
            containers,
            state,
            identity,
            resources: None,
            tasks: PodTaskSet::new(placement.worker().handle().clone()),
            jobs: JoinSet::new(),
            instances: HashMap::new(),
            inputs,
            outcomes,
            report,
            status,
            progress,
            events,
            logs,
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
            self.tell_notices();
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
                Wake::Outcome(outcome) => self.heed(outcome),
                Wake::Network(event) => {
                    self.events.warning(None, event.reason(), event.to_string());
                }
                Wake::Time => {}
            }
        }
    }

    async fn next(&mut self, wake_at: Option<Duration>) -> Wake {
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
            event = network => Wake::Network(event),
            () = timer => Wake::Time,
        }
    }

    fn stop(&mut self, grace: Option<Duration>) {
        let stop = Event::Stop {
            cause: StopCause::Requested,
            grace,
        };
        self.state.handle(stop, self.config.clock.now());
    }

    async fn perform(&mut self, action: &Action) {
        self.state.begin(action, self.config.clock.now());
        match *action {
            Action::AcquireResources => self.acquire().await,
            Action::Start { container, attempt } => self.start(container, attempt),
            Action::CancelStart { container } => {
                if let Some(instance) = self.instances.get(&container) {
                    instance.cancel.send_replace(true);
                }
            }
            Action::Stop { container, kill_at } => {
                let grace = kill_at.saturating_sub(self.config.clock.elapsed());
                self.stop_container(container, grace);
            }
            Action::Probe {
                container,
                attempt,
                probe,
                ..
            } => {
                let outcome = ProbeOutcome::Unknown("this host makes no probes".to_owned());
                let event = Event::Probed {
                    container,
                    attempt,
                    probe,
                    outcome,
                };
                self.state.handle(event, self.config.clock.now());
            }
            Action::RunHook {
                container,
                attempt,
                hook,
                ..
            } => {
                let event = Event::HookFinished {
                    container,
                    attempt,
                    hook,
                    result: Err("this host runs no hooks".to_owned()),
                };
                self.state.handle(event, self.config.clock.now());
            }
            Action::ExceedDeadline | Action::Finish => {}
        }
    }

    async fn acquire(&mut self) {
        let tasks = self.tasks.handle();
        let acquired = Resources::acquire(&self.config, &self.identity, &tasks).await;
        let event = match acquired {
            Ok(resources) => {
                let pod_ips = pod_ips(&resources);
                self.resources = Some(Arc::new(resources));
                Event::ResourcesReady { pod_ips }
            }
            Err(error) => {
                let (reason, message) = (error.reason().to_owned(), error.to_string());
                self.events.warning(None, &reason, message.clone());
                Event::ResourcesFailed { reason, message }
            }
        };
        self.state.handle(event, self.config.clock.now());
    }

    fn start(&mut self, index: ContainerIndex, attempt: u32) {
        let (cancel, cancelled) = watch::channel(false);
        let container = self.containers.get(index.0).cloned().unwrap_or_default();
        let (Some(resources), Some(log)) = (&self.resources, self.logs.container(&container.name))
        else {
            return;
        };
        let job = Job {
            index,
            attempt,
            container,
            identity: self.identity.clone(),
            config: Arc::clone(&self.config),
            resources: Arc::clone(resources),
            log: Arc::clone(log),
            events: self.events.clone(),
            progress: self.progress.clone(),
            tasks: self.tasks.handle(),
            outcomes: self.report.clone(),
            cancelled,
        };
        self.instances.insert(index, Instance { cancel, id: None });
        while self.jobs.try_join_next().is_some() {}
        self.jobs.spawn(job.run());
    }

    fn stop_container(&mut self, index: ContainerIndex, grace: Duration) {
        let id = self.instances.get(&index).and_then(|i| i.id.clone());
        if let Some(id) = id {
            let runtime = Arc::clone(&self.config.runtime);
            self.jobs
                .spawn(async move { runtime.stop_container(&id, grace).await });
        }
    }

    /// Takes note of what a container's task reports.
    fn heed(&mut self, outcome: Outcome) {
        let container = outcome.container;
        let event = match outcome.what {
            What::Image(image_id) => Event::ImageResolved {
                container,
                image_id,
            },
            What::Started(id) => {
                let text = id.as_str().to_owned();
                if let Some(instance) = self.instances.get_mut(&container) {
                    instance.id = Some(id);
                }
                Event::Started {
                    container,
                    id: text,
                }
            }
            What::Failed(failure) => {
                self.tell_failure(container, &failure);
                Event::StartFailed { container, failure }
            }
            What::Cancelled => Event::StartCancelled { container },
            What::Exited(exit) => Event::Exited { container, exit },
        };
        self.state.handle(event, self.config.clock.now());
    }

    /// Passes on what was decided and is worth an event.
    fn tell_notices(&mut self) {
        for notice in self.state.take_notices() {
            let name = notice.container.map(|container| self.name(container));
            match notice.severity {
                NoticeSeverity::Normal => {
                    self.events
                        .normal(name.as_deref(), notice.reason, notice.message);
                }
                NoticeSeverity::Warning => {
                    self.events
                        .warning(name.as_deref(), notice.reason, notice.message);
                }
            }
        }
    }

    fn tell_failure(&self, container: ContainerIndex, failure: &StartFailure) {
        let name = self.name(container);
        let message = match failure {
            StartFailure::Image { reason, message } => {
                let image = self
                    .containers
                    .get(container.0)
                    .and_then(|c| c.image.as_deref());
                let image = image.unwrap_or_default();
                let text = format!("Failed to pull image \"{image}\": {message}");
                self.events.warning(Some(&name), "Failed", text);
                format!("Error: {reason}")
            }
            StartFailure::Create { message, .. } | StartFailure::Start { message } => {
                format!("Error: {message}")
            }
        };
        self.events.warning(Some(&name), "Failed", message);
    }

    /// The pod is over: ends its tasks, then releases what it had, the last acquired first.
    async fn finish(mut self) {
        self.logs.end();
        self.jobs.shutdown().await;
        self.tasks.end().await;
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
        }));
    }

    fn publish(&self) {
        let resources = self.resources.as_deref();
        self.status.send_replace(Arc::new(SandboxStatus {
            pod: self.state.status(),
            stop: self.state.stop_cause(),
            ended: self.state.has_ended(),
            published: resources.map(|r| r.published.clone()).unwrap_or_default(),
            network: resources.map(|r| r.network.clone()),
        }));
    }

    fn name(&self, container: ContainerIndex) -> String {
        self.containers
            .get(container.0)
            .map(|c| c.name.clone())
            .unwrap_or_default()
    }
}
