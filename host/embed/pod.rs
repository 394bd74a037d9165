//! One pod of a host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wasmpod_manifest::k8s::Pod;
use wasmpod_node::{PublishedPort, RunningPod};
use wasmpod_sandbox::logs::{LogOptions, LogReader};
use wasmpod_sandbox::{EventItem, EventReader, PodEvent, SandboxStatus, Severity};

/// A handle to one pod; cheap to clone.
#[derive(Debug, Clone)]
pub struct PodHandle(RunningPod);

impl PodHandle {
    pub(crate) fn new(pod: RunningPod) -> Self {
        Self(pod)
    }

    /// `metadata.name`
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.sandbox().identity().name
    }

    /// `metadata.namespace`
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.sandbox().identity().namespace
    }

    /// The names of its containers, init containers first, in the manifest's order.
    #[must_use]
    pub fn containers(&self) -> Vec<String> {
        let pod = self.0.pod();
        let spec = pod.spec.iter();
        let containers = spec.flat_map(|spec| {
            spec.init_containers
                .iter()
                .flatten()
                .chain(&spec.containers)
        });
        containers.map(|container| container.name.clone()).collect()
    }

    /// The pod with the status that it has now.
    #[must_use]
    pub fn pod(&self) -> Pod {
        self.0.pod()
    }

    /// `status.phase`: `Pending`, `Running`, `Succeeded` or `Failed`.
    #[must_use]
    pub fn phase(&self) -> String {
        self.0.sandbox().status().phase().to_owned()
    }

    /// Is its `Ready` condition true?
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.sandbox().status().is_ready()
    }

    /// Is it over, and everything of it released?
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.sandbox().status().ended
    }

    /// Was it ended by [`PodHandle::stop`] or [`PodHandle::kill`]?
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        self.0.sandbox().status().stop.is_some()
    }

    /// What of it is reachable on this machine; empty until it has its network.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedPort> {
        self.0.published()
    }

    /// The pod as it changes, beginning with how it is now.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch {
            pod: self.0.clone(),
            status: self.0.sandbox().watch(),
            seen_last: false,
            seen_any: false,
        }
    }

    /// Its events, beginning with the oldest that is kept.
    #[must_use]
    pub fn events(&self) -> Events {
        Events {
            reader: self.0.sandbox().events().read(),
            status: self.0.sandbox().watch(),
        }
    }

    /// The log of a container; nothing when the pod has none of this name.
    #[must_use]
    pub fn logs(&self, container: &str, options: LogOptions) -> Option<LogReader> {
        self.0.sandbox().logs(container, options)
    }

    /// Asks it to end within `grace`, or the grace period of its spec. Returns when it has taken note; a second call
    /// may shorten the time.
    pub async fn stop(&self, grace: Option<Duration>) {
        self.0.sandbox().stop(grace).await;
    }

    /// Ends it by force.
    pub async fn kill(&self) {
        self.0.sandbox().kill().await;
    }

    /// Waits until it is over and everything of it is released.
    pub async fn wait(&self) -> Pod {
        let status = self.0.sandbox().wait().await;
        self.0.with_status(&status)
    }
}

/// A pod as it changes.
#[derive(Debug)]
pub struct Watch {
    pod: RunningPod,
    status: watch::Receiver<Arc<SandboxStatus>>,
    seen_any: bool,
    seen_last: bool,
}

impl Watch {
    /// How the pod is next; nothing after its last state. States that follow each other faster than they are asked for
    /// are passed over. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Pod> {
        if self.seen_last {
            return None;
        }
        if self.seen_any {
            self.status.changed().await.ok()?;
        }
        self.seen_any = true;
        let status = Arc::clone(&self.status.borrow_and_update());
        self.seen_last = status.ended;
        Some(self.pod.with_status(&status))
    }
}

/// A pod's events as they come.
#[derive(Debug)]
pub struct Events {
    reader: EventReader,
    status: watch::Receiver<Arc<SandboxStatus>>,
}

impl Events {
    /// The next event; nothing after the pod's last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let item = tokio::select! {
                biased;
                item = self.reader.next() => item,
                _ = self.status.wait_for(|status| status.ended) => self.reader.try_next()?,
            };
            if let EventItem::Event(event) = item {
                return Some(Event(event));
            }
        }
    }
}

/// One event, shown as `Warning BackOff container "web": back-off restarting failed container`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event(pub PodEvent);

impl Event {
    /// Should someone look?
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.0.severity == Severity::Warning
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = &self.0;
        write!(f, "{} {}: ", event.severity.as_str(), event.reason)?;
        if let Some(container) = &event.container {
            write!(f, "container \"{container}\": ")?;
        }
        f.write_str(&event.message)
    }
}
