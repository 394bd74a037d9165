//! One pod: has it a place, must it start, has it changed, must it end, is it over.
//!
//! ```text
//!   created ──► gated ──► no place (FailedScheduling) ──► has a node ──► sandbox runs ──► ended
//!                                                                            │               │
//!             deletionTimestamp ─────────────────────────────────────────────┴─► stopped ────┴─► removed
//! ```

use std::sync::Arc;
use std::time::Duration;

use wasmpod_lifecycle::pod::foreign_conditions;
use wasmpod_lifecycle::workload::JOB_TRACKING_FINALIZER;
use wasmpod_manifest::k8s::{Pod, PodCondition, Time};
use wasmpod_sandbox::Severity;
use wasmpod_store::{Kind, Object, ObjectRef};

use super::Reconciler;
use super::start::Place;
use crate::claims;
use crate::events::Component;
use crate::known::{KnownPod, is_terminal};
use crate::schedule::Misfit;

impl Reconciler {
    pub(super) fn pod(&mut self, object: &ObjectRef) {
        self.unplaced.remove(object);
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let found = self.get(object);
        let before = self.shared.known.get(namespace, &object.name);
        let uid = found.as_ref().map(Object::uid);
        if let Some(before) = before
            && Some(before.uid()) != uid
        {
            self.forget(namespace, &object.name);
        }
        let Some(Object::Pod(pod)) = &found else {
            return;
        };
        let Some(known) = self.shared.known.of(&self.shared.store, pod) else {
            return;
        };
        if pod.metadata.deletion_timestamp.is_some() {
            self.terminate(object, pod, &known);
        } else if self.collect_garbage(object) {
            // Its owner is gone: it is looked at again as one that is deleted.
        } else if known.running().is_some() {
            self.pass_on(pod, &known);
        } else if !is_terminal(pod) && !self.shared.is_closing() {
            self.place(object, pod, &known);
        }
    }

    /// The object is gone: what still runs of the pod is ended by force, its logs go with the last handle.
    fn forget(&mut self, namespace: &str, name: &str) {
        let Some(known) = self.shared.known.remove(namespace, name) else {
            return;
        };
        known.set_removed();
        if let Some(running) = known.occupies() {
            let sandbox = running.sandbox.clone();
            let (shared, left) = (
                Arc::clone(&self.shared),
                Object::from(known.wanted()).reference(),
            );
            self.jobs.spawn(async move {
                sandbox.kill().await;
                sandbox.wait().await;
                // What it had is free for others.
                shared.ask(left);
            });
        }
    }

    /// A pod that is to end.
    fn terminate(&mut self, object: &ObjectRef, pod: &Arc<Pod>, known: &Arc<KnownPod>) {
        let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        let grace = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        if let Some(running) = known.occupies() {
            if known.ask_grace(grace) {
                let sandbox = running.sandbox.clone();
                self.jobs
                    .spawn(async move { sandbox.stop(Some(grace)).await });
            }
            return;
        }
        self.untrack(object, pod);
        let Some(found) = self.get(object) else {
            return;
        };
        if found
            .metadata()
            .finalizers
            .iter()
            .flatten()
            .next()
            .is_none()
        {
            self.remove(&found);
        }
    }

    /// The Job that would have counted the pod is gone: nobody else takes its finalizer off.
    fn untrack(&self, object: &ObjectRef, pod: &Arc<Pod>) {
        let is_tracked = pod
            .metadata
            .finalizers
            .iter()
            .flatten()
            .any(|finalizer| finalizer == JOB_TRACKING_FINALIZER);
        let owned = Object::from(Arc::clone(pod));
        let job = owned
            .controller()
            .and_then(|job| self.shared.owner(&owned, job));
        if is_tracked && job.is_none() {
            self.change(object, owned.uid(), &mut |stored| {
                without_finalizer(stored, JOB_TRACKING_FINALIZER);
            });
        }
    }

    /// Tells the sandbox of what has changed in the object besides its status.
    fn pass_on(&mut self, pod: &Arc<Pod>, known: &Arc<KnownPod>) {
        let before = known.wanted();
        let (old, new) = (&before.metadata, &pod.metadata);
        let is_same = old.generation == new.generation
            && old.labels == new.labels
            && old.annotations == new.annotations
            && foreign_conditions(&before).eq(foreign_conditions(pod));
        if is_same {
            return;
        }
        known.set_wanted(Arc::clone(pod));
        if let Some(running) = known.occupies() {
            let (sandbox, pod) = (running.sandbox.clone(), Arc::clone(pod));
            self.jobs.spawn(async move { sandbox.update(pod).await });
        }
    }

    /// Gives the pod a place, or says why it has none.
    fn place(&mut self, object: &ObjectRef, pod: &Arc<Pod>, known: &Arc<KnownPod>) {
        let gates = pod
            .spec
            .iter()
            .flat_map(|spec| spec.scheduling_gates.iter().flatten());
        if gates.into_iter().next().is_some() {
            let message = "Scheduling is blocked due to non-empty scheduling gates";
            self.not_scheduled(object, pod, "SchedulingGated", message);
            return;
        }
        let misfit = match self.missing_claims(pod) {
            Some(misfit) => misfit,
            None => match self.find_place(pod) {
                Ok(Place::Free(place)) => return self.start(object, pod, known, place),
                Ok(Place::SoonFree) => {
                    self.unplaced.insert(object.clone());
                    return;
                }
                Err(misfit) => misfit,
            },
        };
        self.unplaced.insert(object.clone());
        let message = misfit.message();
        if self.not_scheduled(object, pod, "Unschedulable", &message) {
            self.shared.recorder.record(
                &Object::from(Arc::clone(pod)),
                Component::Scheduler,
                Severity::Warning,
                "FailedScheduling",
                message,
            );
        }
    }

    /// A claim that the pod uses and that is not there, or not bound.
    fn missing_claims(&self, pod: &Pod) -> Option<Misfit> {
        let namespace = pod.metadata.namespace.as_deref();
        for name in claims::names(pod) {
            let found = self
                .shared
                .store
                .get(Kind::PersistentVolumeClaim, namespace, name);
            let Some(Object::PersistentVolumeClaim(claim)) = found else {
                return Some(Misfit::hopeless(format!(
                    "persistentvolumeclaim \"{name}\" not found"
                )));
            };
            if claim.metadata.deletion_timestamp.is_some() {
                let reason = format!("persistentvolumeclaim \"{name}\" is being deleted");
                return Some(Misfit::hopeless(reason));
            }
            match claim
                .status
                .as_ref()
                .and_then(|status| status.phase.as_deref())
            {
                Some("Bound") => {}
                Some("Lost") => {
                    let reason = format!(
                        "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume"
                    );
                    return Some(Misfit::hopeless(reason));
                }
                _ => {
                    let reason = "pod has unbound immediate PersistentVolumeClaims".to_owned();
                    return Some(Misfit::hopeless(reason));
                }
            }
        }
        None
    }

    /// Writes the condition `PodScheduled: False`; true when that is news.
    fn not_scheduled(&self, object: &ObjectRef, pod: &Pod, reason: &str, message: &str) -> bool {
        let now = Time(self.shared.store.now());
        let mut is_news = false;
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        self.change(object, uid, &mut |stored| {
            let Object::Pod(pod) = stored else { return };
            let conditions = pod
                .status
                .iter()
                .flat_map(|status| status.conditions.iter().flatten());
            let mut conditions = conditions;
            let before = conditions
                .find(|condition| condition.type_ == "PodScheduled")
                .cloned();
            if before.as_ref().is_some_and(|before| {
                before.reason.as_deref() == Some(reason)
                    && before.message.as_deref() == Some(message)
            }) {
                return;
            }
            is_news = true;
            let status = Arc::make_mut(pod).status.get_or_insert_default();
            let conditions = status.conditions.get_or_insert_default();
            conditions.retain(|condition| condition.type_ != "PodScheduled");
            conditions.push(PodCondition {
                type_: "PodScheduled".to_owned(),
                status: "False".to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                last_transition_time: before
                    .and_then(|before| before.last_transition_time)
                    .or_else(|| Some(now.clone())),
                ..PodCondition::default()
            });
        });
        is_news
    }
}

pub(super) fn without_finalizer(stored: &mut Object, finalizer: &str) {
    let finalizers = &mut stored.metadata_mut().finalizers;
    if let Some(list) = finalizers {
        list.retain(|found| found != finalizer);
    }
    if finalizers.as_ref().is_some_and(Vec::is_empty) {
        *finalizers = None;
    }
}
