//! One pod of a host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wasmpod_manifest::k8s::Pod;
use wasmpod_node::{Agent, DeleteOptions, KnownPod, PublishedPort, RunningPod};
use wasmpod_sandbox::logs::{LogOptions, LogReader};
use wasmpod_sandbox::{
    AttachRequest, EventItem, EventReader, ExecRequest, PodEvent, SandboxHandle, SandboxStatus,
    Session, Severity,
};
use wasmpod_store::Kind;

use crate::Error;

/// A handle to one pod, whether it runs or not; cheap to clone.
#[derive(Debug, Clone)]
pub struct PodHandle {
    agent: Arc<Agent>,
    known: Arc<KnownPod>,
}

impl PodHandle {
    pub(crate) fn new(agent: Arc<Agent>, known: Arc<KnownPod>) -> Self {
        Self { agent, known }
    }

    fn status(&self) -> Option<Arc<SandboxStatus>> {
        Some(self.known.running()?.sandbox().status())
    }

    /// `metadata.name`
    #[must_use]
    pub fn name(&self) -> &str {
        self.known.name()
    }

    /// `metadata.namespace`
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.known.namespace()
    }

    /// `metadata.uid`
    #[must_use]
    pub fn uid(&self) -> &str {
        self.known.uid()
    }

    /// The names of its containers, init containers first, in the manifest's order.
    #[must_use]
    pub fn containers(&self) -> Vec<String> {
        let pod = self.known.pod();
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
    pub fn pod(&self) -> Arc<Pod> {
        self.known.pod()
    }

    /// `status.phase`: `Pending`, `Running`, `Succeeded` or `Failed`.
    #[must_use]
    pub fn phase(&self) -> String {
        match self.status() {
            Some(status) => status.phase().to_owned(),
            None => {
                let pod = self.known.pod();
                let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
                phase.unwrap_or_else(|| "Pending".to_owned())
            }
        }
    }

    /// Is its `Ready` condition true?
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status().is_some_and(|status| status.is_ready())
    }

    /// Is it over, and everything of it released?
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.known.has_ended()
    }

    /// Is its object removed? The handle still tells how it was.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.known.is_removed()
    }

    /// Was it ended by somebody, such as by [`PodHandle::stop`] or [`PodHandle::delete`]?
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        self.status().is_some_and(|status| status.stop.is_some())
    }

    /// What of it is reachable on this machine; empty until it has its network.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedPort> {
        let running = self.known.running();
        running.map(RunningPod::published).unwrap_or_default()
    }

    /// The pod as it changes, beginning with how it is now.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch {
            version: self.agent.store().changes(),
            known: Arc::clone(&self.known),
            status: None,
            last: None,
            seen_last: false,
        }
    }

    /// Its events, beginning with the oldest that is kept. Those of a pod that has no place yet are in the store only.
    #[must_use]
    pub fn events(&self) -> Events {
        Events {
            known: Arc::clone(&self.known),
            from: None,
        }
    }

    /// The log of a container; nothing when the pod has none of this name, or was not started yet
    /// ([`PodHandle::started`]).
    #[must_use]
    pub fn logs(&self, container: &str, options: LogOptions) -> Option<LogReader> {
        self.known.running()?.sandbox().logs(container, options)
    }

    /// Has it a place, and was it started?
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.known.running().is_some()
    }

    /// Waits until it has a place and is started; false when it is removed without that.
    pub async fn started(&self) -> bool {
        self.known.started().await.is_some()
    }

    /// Asks it to end within `grace`, or the grace period of its spec; its object stays. Returns when it has taken note;
    /// a second call may shorten the time. A workload replaces it.
    pub async fn stop(&self, grace: Option<Duration>) {
        if let Some(running) = self.known.running() {
            running.sandbox().stop(grace).await;
        }
    }

    /// Ends it by force; its object stays.
    pub async fn kill(&self) {
        self.stop(Some(Duration::ZERO)).await;
    }

    /// Deletes it: its object is removed when its containers have ended. A workload replaces it.
    ///
    /// # Errors
    ///
    /// When it is removed already.
    pub fn delete(&self, grace: Option<Duration>) -> Result<(), Error> {
        let options = DeleteOptions {
            grace,
            uid: Some(self.uid().to_owned()),
            ..DeleteOptions::default()
        };
        self.agent
            .delete(Kind::Pod, Some(self.namespace()), self.name(), &options)?;
        Ok(())
    }

    /// Runs a command in a container, as a further instance beside it; dropping the session ends it.
    ///
    /// # Errors
    ///
    /// When the container does not run, or there is no such command.
    pub async fn exec(&self, container: &str, request: ExecRequest) -> Result<Session, Error> {
        let session = self.sandbox()?.exec(container, request).await;
        session.map_err(Error::Exec)
    }

    /// Attaches to the standard streams of a running container.
    ///
    /// # Errors
    ///
    /// When the container does not run.
    pub async fn attach(&self, container: &str, request: AttachRequest) -> Result<Session, Error> {
        let session = self.sandbox()?.attach(container, request).await;
        session.map_err(Error::Exec)
    }

    fn sandbox(&self) -> Result<&SandboxHandle, Error> {
        let running = self.known.running().ok_or_else(|| Error::NotStarted {
            pod: self.name().to_owned(),
        })?;
        Ok(running.sandbox())
    }

    /// Waits until it is over and everything of it is released.
    pub async fn wait(&self) -> Arc<Pod> {
        self.known.ended().await
    }
}

/// A pod as it changes.
#[derive(Debug)]
pub struct Watch {
    known: Arc<KnownPod>,
    /// Its sandbox's, from its start on.
    status: Option<watch::Receiver<Arc<SandboxStatus>>>,
    /// The store's, until then.
    version: watch::Receiver<u64>,
    last: Option<Arc<Pod>>,
    seen_last: bool,
}

impl Watch {
    /// How the pod is next; nothing after its last state. States that follow each other faster than they are asked for
    /// are passed over. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Arc<Pod>> {
        loop {
            if self.seen_last {
                return None;
            }
            if self.status.is_none() {
                let running = self.known.running();
                self.status = running.map(|running| running.sandbox().watch());
            }
            // Marked as seen before it is looked at.
            self.version.borrow_and_update();
            if let Some(status) = &mut self.status {
                status.borrow_and_update();
            }
            let has_ended = self.known.has_ended();
            let pod = self.known.pod();
            self.seen_last = has_ended;
            if self.last.as_ref() != Some(&pod) {
                self.last = Some(Arc::clone(&pod));
                return Some(pod);
            }
            if has_ended {
                return None;
            }
            match &mut self.status {
                Some(status) => status.changed().await.ok()?,
                None => tokio::select! {
                    changed = self.version.changed() => changed.ok()?,
                    _ = self.known.started() => {}
                },
            }
        }
    }
}

/// A pod's events as they come.
#[derive(Debug)]
pub struct Events {
    known: Arc<KnownPod>,
    /// Its sandbox's events, from its start on.
    from: Option<(EventReader, watch::Receiver<Arc<SandboxStatus>>)>,
}

impl Events {
    /// The next event; nothing after the pod's last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        let (reader, status) = match &mut self.from {
            Some(from) => from,
            None => {
                let sandbox = self.known.started().await?.sandbox();
                self.from.insert((sandbox.events().read(), sandbox.watch()))
            }
        };
        loop {
            let item = tokio::select! {
                biased;
                item = reader.next() => item,
                _ = status.wait_for(|status| status.ended) => reader.try_next()?,
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
