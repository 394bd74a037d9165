//! The loop: makes the world match the objects, and the objects tell of the world.
//!
//! ```text
//!   any change in the store ──► which objects does it concern? ──► queue ──► look at each: what it wants and
//!   a sandbox has ended ───────────────────────────────────────►   ▲         what there is; do the difference
//!   a controller's time has come ───────────────────────────────►  │                     │
//!                                                                  └──── changes ◄────────┘
//! ```
//!
//! One task looks at one object at a time, so nothing is done twice. Looking at an object again is always right: what
//! is to be done is computed from what there is, not from what has happened. What takes time (the end of a pod, the
//! rewriting of its volumes) is done by others; the loop is woken when it is over. An object that does not change, and
//! whose pods do not, costs nothing: there is no periodic resync.

mod claim;
mod endpoints;
mod garbage;
mod ingress;
mod mirror;
mod objects;
mod pod;
mod policy;
mod service;
mod start;
pub(crate) mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_store::{Kind, Object, ObjectRef, StoreError, Watch, WatchEvent};

use crate::admission::publish::selects;
use crate::known::is_terminal;
use crate::node_ports::NodePort;
use crate::shared::Shared;

/// How long after something could not be done it is tried again, when nothing else changes. Ours; the controllers of
/// Kubernetes begin with milliseconds and double up to minutes, which one second is in the middle of.
const RETRY: Duration = Duration::from_secs(1);

/// The task that reconciles.
pub(crate) struct Reconciler {
    shared: Arc<Shared>,
    watches: Vec<Watch>,
    /// What has to be looked at.
    queue: BTreeSet<ObjectRef>,
    /// What has to be looked at later.
    timers: BTreeMap<ObjectRef, Timestamp>,
    /// Pods that have no place yet.
    unplaced: BTreeSet<ObjectRef>,
    /// The tasks behind the ports of the machine that lead to services.
    node_ports: BTreeMap<(ObjectRef, NodePort), AbortHandle>,
    /// What policies are made from has changed since the network was told.
    policies_are_stale: bool,
    /// What was said of ingresses last, by reason and message.
    ingress_troubles: BTreeMap<ObjectRef, Vec<(&'static str, String)>>,
    /// When events are to be cleared away.
    sweep_at: Option<Timestamp>,
    /// What was begun and is not awaited by the loop: sandboxes that are followed, told, stopped.
    jobs: JoinSet<()>,
}

impl Reconciler {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let mut new = Self {
            shared,
            watches: Vec::new(),
            queue: BTreeSet::new(),
            timers: BTreeMap::new(),
            unplaced: BTreeSet::new(),
            node_ports: BTreeMap::new(),
            policies_are_stale: true,
            ingress_troubles: BTreeMap::new(),
            sweep_at: None,
            jobs: JoinSet::new(),
        };
        for kind in Kind::ALL {
            new.watch(*kind);
        }
        new
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut version = self.shared.store.changes();
        loop {
            // Marked as seen before looking, so that no change between the two is missed.
            let seen = *version.borrow_and_update();
            self.collect();
            self.set_policies();
            let batch = std::mem::take(&mut self.queue);
            if batch.is_empty() {
                self.shared.settled.send_replace(seen);
                self.idle(&mut version).await;
                continue;
            }
            for object in batch {
                self.timers.remove(&object);
                self.reconcile(&object);
            }
            // Callers on the same thread have a turn.
            tokio::task::yield_now().await;
        }
    }

    /// Waits for something to do.
    async fn idle(&mut self, version: &mut tokio::sync::watch::Receiver<u64>) {
        let now = self.shared.store.now();
        let next = self.timers.values().copied().chain(self.sweep_at).min();
        let timer = async {
            match next {
                Some(at) => {
                    let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                    tokio::time::sleep(left).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Cannot fail: the store is shared with this task.
            _ = version.changed() => {}
            () = self.shared.wake.notified() => {}
            Some(_) = self.jobs.join_next(), if !self.jobs.is_empty() => {}
            () = timer => {}
        }
        self.ring();
    }

    /// Queues that whose time has come.
    fn ring(&mut self) {
        let now = self.shared.store.now();
        let due = self.timers.extract_if(.., |_, at| *at <= now);
        self.queue.extend(due.map(|(object, _)| object));
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep_at = self.shared.recorder.sweep();
        }
    }

    /// Looks at an object once more at `at`, if nothing happens before.
    fn wake_at(&mut self, object: &ObjectRef, at: Timestamp) {
        self.timers.insert(object.clone(), at);
    }

    fn retry(&mut self, object: &ObjectRef) {
        let now = self.shared.store.now();
        let at = now.checked_add(RETRY).unwrap_or(now);
        self.wake_at(object, at);
    }

    /// Starts to watch a kind, and looks at all that there is of it.
    fn watch(&mut self, kind: Kind) {
        loop {
            let (objects, version) = self.shared.store.list(kind, None);
            // Between the two calls so much may have happened that they do not meet.
            let Ok(watch) = self.shared.store.watch(kind, None, version) else {
                continue;
            };
            if kind != Kind::Event {
                self.queue.extend(objects.iter().map(Object::reference));
            }
            self.watches.push(watch);
            return;
        }
    }

    /// Finds out what has happened since the last time.
    fn collect(&mut self) {
        self.queue.extend(self.shared.take_asked());
        for mut watch in std::mem::take(&mut self.watches) {
            loop {
                match watch.try_next() {
                    Ok(Some(event)) => self.note(&event),
                    Ok(None) => {
                        self.watches.push(watch);
                        break;
                    }
                    Err(_) => {
                        self.catch_up(watch.kind());
                        break;
                    }
                }
            }
        }
    }

    /// Too much has happened to a kind to know what: everything that could be concerned is looked at.
    fn catch_up(&mut self, kind: Kind) {
        for known in self.shared.known.all() {
            self.queue.insert(Object::from(known.wanted()).reference());
        }
        for other in Kind::ALL.iter().filter(|other| **other != Kind::Event) {
            let (objects, _) = self.shared.store.list(*other, None);
            self.queue.extend(objects.iter().map(Object::reference));
        }
        self.policies_are_stale = true;
        self.watch(kind);
    }

    /// Queues what a change concerns.
    fn note(&mut self, event: &WatchEvent) {
        let object = event.object();
        let kind = object.kind();
        if kind == Kind::Event {
            return self.note_event(event);
        }
        self.note_policies(event);
        let is_deleted = matches!(event, WatchEvent::Deleted(_));
        self.queue.insert(object.reference());
        for owner in object.metadata().owner_references.iter().flatten() {
            if let Some(kind) = Kind::from_type(&owner.api_version, &owner.kind) {
                self.queue.insert(ObjectRef {
                    kind,
                    namespace: object.namespace().map(str::to_owned),
                    name: owner.name.clone(),
                });
            }
        }
        match object {
            Object::Pod(pod) => {
                self.note_services(object, pod);
                let frees = is_deleted || is_terminal(pod);
                if frees {
                    // It leaves its share of the machine, its ports and its claims.
                    self.queue.append(&mut self.unplaced);
                    self.queue
                        .extend(crate::claims::names(pod).map(|name| ObjectRef {
                            kind: Kind::PersistentVolumeClaim,
                            namespace: object.namespace().map(str::to_owned),
                            name,
                        }));
                }
            }
            Object::EndpointSlice(slice) => {
                self.queue
                    .extend(service::service_of(slice).map(|name| ObjectRef {
                        kind: Kind::Service,
                        namespace: object.namespace().map(str::to_owned),
                        name: name.clone(),
                    }));
            }
            Object::Service(_) if is_deleted => self.service_is_deleted(&object.reference()),
            Object::Endpoints(_) => {
                self.queue.insert(ObjectRef {
                    kind: Kind::Service,
                    ..object.reference()
                });
            }
            Object::Secret(_) => self.note_ingresses(object),
            Object::PersistentVolume(_) => {
                let (claims, _) = self.shared.store.list(Kind::PersistentVolumeClaim, None);
                self.queue.extend(claims.iter().map(Object::reference));
            }
            Object::PersistentVolumeClaim(claim) => {
                self.queue.append(&mut self.unplaced);
                let volume = claim
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.volume_name.clone());
                self.queue.extend(volume.map(|name| ObjectRef {
                    kind: Kind::PersistentVolume,
                    namespace: None,
                    name,
                }));
            }
            _ => {}
        }
        if is_deleted {
            self.note_removal(object);
        }
    }

    /// What depends on an object that is gone.
    fn note_removal(&mut self, object: &Object) {
        self.shared.known.forget_base(&object.reference());
        // Nothing is owned by these, and there are many of them.
        let may_own = !matches!(
            object.kind(),
            Kind::ConfigMap | Kind::Secret | Kind::EndpointSlice | Kind::Endpoints
        );
        if may_own && object.kind() != Kind::Pod {
            let dependents = self.shared.dependents(object.uid());
            self.queue.extend(dependents.iter().map(Object::reference));
        }
        if object.kind() == Kind::Pod {
            // A pod owns claims at most (`ephemeral`, `persistentVolumeClaimRetentionPolicy`).
            let (claims, _) = self
                .shared
                .store
                .list(Kind::PersistentVolumeClaim, object.namespace());
            let owned = claims
                .iter()
                .filter(|claim| claim.is_owned_by(object.uid()));
            self.queue.extend(owned.map(Object::reference));
        }
        if let Some(namespace) = object.namespace()
            && let Some(found) = self.shared.store.get(Kind::Namespace, None, namespace)
            && found.metadata().deletion_timestamp.is_some()
        {
            self.queue.insert(found.reference());
        }
    }

    /// The services whose endpoints a pod is, or may have been before its labels changed.
    fn note_services(&mut self, object: &Object, pod: &wasmpod_manifest::k8s::Pod) {
        let (services, _) = self.shared.store.list(Kind::Service, object.namespace());
        if services.is_empty() {
            return;
        }
        let had_other_labels = self.has_other_labels(object, pod);
        for service in &services {
            if let Object::Service(found) = service
                && (had_other_labels || selects(found, pod))
            {
                self.queue.insert(service.reference());
            }
        }
    }

    fn note_event(&mut self, event: &WatchEvent) {
        if let WatchEvent::Added(_) = event {
            let (count, now) = (
                self.shared.store.count(Kind::Event),
                self.shared.store.now(),
            );
            if count > crate::events::MAX_EVENTS {
                self.sweep_at = self.shared.recorder.sweep();
            } else if self.sweep_at.is_none() {
                self.sweep_at = now.checked_add(crate::events::EVENT_TTL).ok();
            }
        }
    }

    /// Looks at an object, and does what is due.
    fn reconcile(&mut self, object: &ObjectRef) {
        match object.kind {
            Kind::Pod => self.pod(object),
            Kind::PersistentVolumeClaim => self.claim(object),
            Kind::PersistentVolume => self.volume(object),
            Kind::Service => self.service(object),
            Kind::Ingress => self.ingress(object),
            Kind::ConfigMap | Kind::Secret => self.contents(object),
            Kind::Namespace => self.namespace(object),
            kind if kind.is_workload() => self.workload(object),
            _ => drop(self.collect_garbage(object)),
        }
    }

    fn get(&self, object: &ObjectRef) -> Option<Object> {
        self.shared
            .store
            .get(object.kind, object.namespace.as_deref(), &object.name)
    }

    /// Changes an object; that it is gone meanwhile, or changed by somebody else, is no news: it is looked at again.
    fn change(
        &self,
        object: &ObjectRef,
        uid: &str,
        change: &mut dyn FnMut(&mut Object),
    ) -> Option<Object> {
        let namespace = object.namespace.as_deref();
        let changed =
            self.shared
                .store
                .update(object.kind, namespace, &object.name, &mut |stored| {
                    if stored.uid() != uid {
                        return Err(StoreError::NotFound {
                            kind: object.kind,
                            name: object.name.clone(),
                        });
                    }
                    change(stored);
                    Ok(())
                });
        changed.ok()
    }
}
