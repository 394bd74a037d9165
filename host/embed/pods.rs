//! The pods of a host as they come and go, and what makes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmpod_manifest::k8s::Pod;
use wasmpod_node::Agent;
use wasmpod_store::{Kind, Object, ObjectRef, WatchEvent};

use crate::PodHandle;

/// A pod that came or went.
#[derive(Debug, Clone)]
pub enum PodChange {
    /// It was created.
    PodAdded(PodHandle),
    /// Its object was removed. The handle still tells how it was, and still reads its logs.
    PodRemoved(PodHandle),
}

/// The pods of a host as they come and go, beginning with those that are there.
#[derive(Debug)]
pub struct PodWatch {
    agent: Arc<Agent>,
    watch: Option<wasmpod_store::Watch>,
    /// Those that were said to have come and not to have gone, by uid.
    present: BTreeMap<String, PodHandle>,
    /// What is to be said next.
    waiting: Vec<PodChange>,
}

impl PodWatch {
    pub(crate) fn new(agent: Arc<Agent>) -> Self {
        Self {
            agent,
            watch: None,
            present: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// The next pod that comes or goes. Dropping the future loses nothing. One that was there too shortly to be seen is
    /// passed over.
    pub async fn next(&mut self) -> PodChange {
        loop {
            if let Some(change) = self.waiting.pop() {
                return change;
            }
            let Some(watch) = &mut self.watch else {
                self.list();
                continue;
            };
            match watch.next().await {
                Ok(WatchEvent::Added(Object::Pod(pod))) => self.add(&pod),
                Ok(WatchEvent::Deleted(object)) => self.remove(object.uid()),
                Ok(_) => {}
                // Too much has happened meanwhile: what there is now is compared with what was said.
                Err(_) => self.watch = None,
            }
        }
    }

    fn list(&mut self) {
        let store = self.agent.store().clone();
        let (pods, version) = store.list(Kind::Pod, None);
        self.watch = store.watch(Kind::Pod, None, version).ok();
        let there: Vec<_> = pods.iter().map(Object::uid).collect();
        let said = self.present.keys();
        let gone: Vec<_> = said
            .filter(|uid| !there.contains(&uid.as_str()))
            .cloned()
            .collect();
        for uid in gone {
            self.remove(&uid);
        }
        for object in &pods {
            if let Object::Pod(pod) = object {
                self.add(pod);
            }
        }
        // The first one is to be said first.
        self.waiting.reverse();
    }

    fn add(&mut self, pod: &Arc<Pod>) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        if self.present.contains_key(&uid) {
            return;
        }
        if let Some(known) = self.agent.known(pod) {
            let handle = PodHandle::new(Arc::clone(&self.agent), known);
            self.present.insert(uid, handle.clone());
            self.waiting.push(PodChange::PodAdded(handle));
        }
    }

    fn remove(&mut self, uid: &str) {
        if let Some(handle) = self.present.remove(uid) {
            self.waiting.push(PodChange::PodRemoved(handle));
        }
    }
}

/// A workload (Deployment, ReplicaSet, ReplicationController, DaemonSet, StatefulSet, Job, CronJob) as it is now.
#[derive(Debug, Clone)]
pub struct WorkloadState {
    object: Object,
}

impl WorkloadState {
    /// All workloads that no other workload made.
    pub(crate) fn all(agent: &Agent) -> Vec<Self> {
        let kinds = Kind::ALL.iter().filter(|kind| kind.is_workload());
        let objects = kinds.flat_map(|kind| agent.store().list(*kind, None).0);
        let own = objects.filter(|object| object.controller().is_none());
        own.map(|object| Self { object }).collect()
    }

    /// Which one it is.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        self.object.reference()
    }

    /// `KIND/NAME` in lower case, such as `deployment/web`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}/{}", self.object.kind().singular(), self.object.name())
    }

    /// The whole object.
    #[must_use]
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// How many pods it wants at once or in the end; nothing for a CronJob, which wants jobs.
    #[must_use]
    pub fn wanted(&self) -> Option<i32> {
        match &self.object {
            Object::Deployment(found) => found.spec.replicas.or(Some(1)),
            Object::ReplicaSet(found) => found.spec.replicas.or(Some(1)),
            Object::StatefulSet(found) => found.spec.replicas.or(Some(1)),
            Object::ReplicationController(found) => found.spec.as_ref()?.replicas.or(Some(1)),
            Object::DaemonSet(_) => Some(1),
            Object::Job(found) => {
                let spec = found.spec.as_ref()?;
                spec.completions.or(spec.parallelism).or(Some(1))
            }
            _ => None,
        }
    }

    /// How many of its pods are ready, or, for a Job, have succeeded; nothing for a CronJob.
    #[must_use]
    pub fn reached(&self) -> Option<i32> {
        let count = match &self.object {
            Object::Deployment(found) => found.status.as_ref().and_then(|s| s.ready_replicas),
            Object::ReplicaSet(found) => found.status.as_ref().and_then(|s| s.ready_replicas),
            Object::StatefulSet(found) => found.status.as_ref().and_then(|s| s.ready_replicas),
            Object::ReplicationController(found) => {
                found.status.as_ref().and_then(|s| s.ready_replicas)
            }
            Object::DaemonSet(found) => found.status.as_ref().map(|s| s.number_ready),
            Object::Job(found) => found.status.as_ref().and_then(|s| s.succeeded),
            _ => return None,
        };
        Some(count.unwrap_or(0))
    }

    /// Has it reached what it wanted, for a Job, or failed for good? Others never finish.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.condition("Complete") || self.has_failed()
    }

    /// Is it a Job that has failed for good?
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.condition("Failed")
    }

    fn condition(&self, type_: &str) -> bool {
        let Object::Job(job) = &self.object else {
            return false;
        };
        let conditions = job
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        let mut conditions = conditions;
        conditions.any(|found| found.type_ == type_ && found.status == "True")
    }
}
