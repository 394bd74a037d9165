//! What is done for a living pod beside its containers: measuring its storage against its limits, and bringing its
//! volumes up to date. Both touch many files, so they run on a thread for blocking work, one of each at a time.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasmpod_lifecycle::environment::PodFacts;
use wasmpod_lifecycle::pod::Event;
use wasmpod_manifest::k8s::Pod;
use wasmpod_volume::VolumeError;

use super::Driver;
use crate::config::{SandboxConfig, Sources, node_facts};
use crate::container::pod_ips;
use crate::eviction::{CHECK_PERIOD, Limits, Usage};
use crate::logs::PodLogs;
use crate::resources::{Resources, described};
use crate::spec;

/// The upkeep of one pod.
#[derive(Debug)]
pub(super) struct Upkeep {
    limits: Option<Arc<Limits>>,
    /// When the pod is measured next, in elapsed time.
    measure_at: Option<Duration>,
    measuring: Option<JoinHandle<Result<Option<String>, VolumeError>>>,
    refreshing: Option<JoinHandle<Result<bool, VolumeError>>>,
    /// Who waits for the refresh that runs.
    refreshed: Vec<oneshot::Sender<()>>,
    /// One more refresh is wanted, since something changed after the one that runs began.
    wanted: Option<Vec<oneshot::Sender<()>>>,
}

/// Something of it that is done.
#[derive(Debug)]
pub(super) enum Done {
    /// The pod was measured: the message if it uses too much.
    Measured(Option<String>),
    /// The volumes are up to date, but for what could not be done.
    Refreshed(Option<VolumeError>),
}

impl Upkeep {
    pub(super) fn new(pod: &Pod) -> Self {
        Self {
            limits: Limits::of(pod).map(Arc::new),
            measure_at: None,
            measuring: None,
            refreshing: None,
            refreshed: Vec::new(),
            wanted: None,
        }
    }

    /// The pod has its resources.
    pub(super) fn begin(&mut self, now: Duration) {
        self.measure_at = self
            .limits
            .is_some()
            .then(|| now.saturating_add(CHECK_PERIOD));
    }

    /// When there is something to do; `None` for a pod without limits, which needs no timer.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        self.measure_at.filter(|_| self.measuring.is_none())
    }

    /// The next thing that is done. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Done {
        tokio::select! {
            measured = finished(&mut self.measuring) => {
                self.measuring = None;
                // What cannot be measured now is measured next time; a panic was told by the panic hook.
                Done::Measured(measured.and_then(Result::ok).flatten())
            }
            refreshed = finished(&mut self.refreshing) => {
                self.refreshing = None;
                Done::Refreshed(refreshed.and_then(Result::err))
            }
        }
    }

    /// Waits for what runs; nothing more is begun.
    pub(super) async fn end(&mut self) {
        for task in [
            self.measuring.take().map(drop_result),
            self.refreshing.take().map(drop_result),
        ]
        .into_iter()
        .flatten()
        {
            task.await;
        }
    }
}

/// The result of a task; never if there is none. `None` if it was lost.
async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Option<T> {
    match task {
        Some(task) => task.await.ok(),
        None => pending().await,
    }
}

fn drop_result<T: Send + 'static>(
    task: JoinHandle<T>,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { drop(task.await) })
}

impl Driver {
    /// Begins to measure the pod if it is time.
    pub(super) fn measure_if_due(&mut self) {
        let now = self.config.clock.elapsed();
        let is_due = self.upkeep.wake_at().is_some_and(|at| at <= now);
        let (true, Some(resources), Some(limits)) = (is_due, &self.resources, &self.upkeep.limits)
        else {
            return;
        };
        self.upkeep.measure_at = Some(now.saturating_add(CHECK_PERIOD));
        let attempts: Vec<_> = spec::containers(&self.config.pod)
            .zip(self.state.containers())
            .map(|(spec, (_, record))| (spec.name.clone(), record.attempt))
            .collect();
        let (resources, limits) = (Arc::clone(resources), Arc::clone(limits));
        let logs = Arc::clone(&self.logs);
        let measuring = tokio::task::spawn_blocking(move || {
            let usage = measure(&resources, &logs, attempts)?;
            Ok(limits.exceeded(&usage))
        });
        self.upkeep.measuring = Some(measuring);
    }

    /// Brings the volumes up to date, or notes that it is to be done once more.
    pub(super) fn refresh(&mut self, done: Option<oneshot::Sender<()>>) {
        let Some(resources) = &self.resources else {
            // Volumes that are not there yet will be made from what the objects say then.
            return;
        };
        if self.upkeep.refreshing.is_some() {
            self.upkeep.wanted.get_or_insert_default().extend(done);
            return;
        }
        self.upkeep.refreshed = done.into_iter().collect();
        let (resources, config) = (Arc::clone(resources), Arc::clone(&self.config));
        let refreshing = tokio::task::spawn_blocking(move || refresh_volumes(&resources, &config));
        self.upkeep.refreshing = Some(refreshing);
    }

    pub(super) fn heed_upkeep(&mut self, done: Done) {
        match done {
            Done::Measured(None) => {}
            Done::Measured(Some(message)) => {
                self.upkeep.measure_at = None;
                self.tell(Event::Evict { message });
            }
            Done::Refreshed(error) => {
                if let Some(error) = error {
                    let message = described(&error, VolumeError::hint);
                    self.events.warning(None, error.reason(), message);
                }
                self.upkeep.refreshed.clear();
                if let Some(waiting) = self.upkeep.wanted.take() {
                    self.refresh(None);
                    self.upkeep.refreshed = waiting;
                }
            }
        }
    }
}

fn measure(
    resources: &Resources,
    logs: &PodLogs,
    attempts: Vec<(String, u32)>,
) -> Result<Usage, VolumeError> {
    let volumes = resources.volumes.usage()?;
    let containers = attempts.into_iter().map(|(name, attempt)| {
        let root = resources.volumes.root_usage(&name, attempt)?;
        let log = logs.container(&name).map_or(0, |log| log.stored_bytes());
        Ok((name, root.saturating_add(log)))
    });
    Ok(Usage {
        volumes,
        containers: containers.collect::<Result<_, VolumeError>>()?,
    })
}

fn refresh_volumes(resources: &Resources, config: &SandboxConfig) -> Result<bool, VolumeError> {
    let facts = PodFacts {
        pod_ips: pod_ips(resources),
        ..node_facts(&config.host)
    };
    let sources = Sources {
        objects: config.sources.as_ref(),
        pod: &config.pod,
        facts: &facts,
    };
    resources.volumes.refresh(&sources)
}
