//! What makes pods: asks `lifecycle` what a workload needs, and does it.

use std::sync::Arc;

use wasmpod_lifecycle::workload::{EventSeverity, Step, WorkloadView, decide};
use wasmpod_manifest::k8s::Pod;
use wasmpod_manifest::{Workload, WorkloadKind};
use wasmpod_sandbox::Severity;
use wasmpod_store::{Kind, Object, ObjectRef, StoreError, random_suffix};

use super::Reconciler;
use super::pod::without_finalizer;
use crate::delete::Propagation;
use crate::events::Component;
use crate::start::status_of_new;

impl Reconciler {
    pub(super) fn workload(&mut self, object: &ObjectRef) {
        if self.collect_garbage(object) || self.shared.is_closing() {
            return;
        }
        let Some(found) = self.get(object) else {
            return;
        };
        let Some(workload) = workload_of(&found) else {
            return;
        };
        let namespace = object.namespace.as_deref();
        let is_owned = |other: &Object| {
            other
                .controller()
                .is_some_and(|owner| owner.uid == found.uid())
        };
        let (pods, _) = self.shared.store.list(Kind::Pod, namespace);
        let pods = pods.into_iter().filter(is_owned);
        let pods: Vec<_> = pods
            .filter_map(|pod| <Arc<Pod>>::try_from(pod).ok())
            .collect();
        let kinds = children_of(object.kind).into_iter();
        let children = kinds.flat_map(|kind| self.shared.store.list(kind, namespace).0);
        let children = children
            .filter(is_owned)
            .filter_map(|child| workload_of(&child));
        let children: Vec<_> = children.map(Arc::new).collect();
        let decision = decide(WorkloadView {
            workload: &workload,
            pods: &pods,
            children: &children,
            now: self.shared.store.now(),
            names: &mut random_suffix,
        });
        for step in decision.steps {
            if let Err(error) = self.step(object, &found, step) {
                // One that is asked for again is not done in a hurry.
                self.retry(object);
                let (component, reason) = (Component::Workload(object.kind), "FailedCreate");
                let message = format!("Error creating: {error}");
                self.shared
                    .recorder
                    .record(&found, component, Severity::Warning, reason, message);
                break;
            }
        }
        if let Some(at) = decision.wake_at {
            self.wake_at(object, at);
        }
        let status = object_of(decision.status);
        self.change(object, found.uid(), &mut |stored| {
            set_status(stored, &status)
        });
    }

    fn step(&mut self, owner: &ObjectRef, found: &Object, step: Step) -> Result<(), StoreError> {
        let namespace = owner.namespace.as_deref();
        let there = |kind: Kind, name: &str| self.shared.store.get(kind, namespace, name);
        match step {
            Step::CreatePod(mut pod) => {
                pod.status = Some(status_of_new(&pod));
                self.create(owner, Object::from(*pod))
            }
            Step::CreateWorkload(workload) => self.create(owner, object_of(*workload)),
            Step::CreateClaim(claim) => match self.create(owner, Object::from(*claim)) {
                Err(StoreError::AlreadyExists { .. }) => Ok(()),
                done => done,
            },
            Step::DeletePod { name } => {
                if let Some(pod) = there(Kind::Pod, &name) {
                    self.delete(&pod, Propagation::Background);
                }
                Ok(())
            }
            Step::DeleteClaim { name } => {
                if let Some(claim) = there(Kind::PersistentVolumeClaim, &name) {
                    self.delete(&claim, Propagation::Background);
                }
                Ok(())
            }
            Step::DeleteWorkload { kind, name } => {
                if let Some(workload) = there(kind_of(kind), &name) {
                    self.delete(&workload, Propagation::Background);
                }
                Ok(())
            }
            Step::RemoveFinalizer { pod, finalizer } => {
                let remove = |stored: &mut Object| {
                    without_finalizer(stored, finalizer);
                    Ok(())
                };
                self.update(Kind::Pod, namespace, &pod, remove)
            }
            Step::ScaleWorkload {
                kind,
                name,
                replicas,
            } => {
                let scale = |stored: &mut Object| {
                    set_replicas(stored, replicas);
                    Ok(())
                };
                self.update(kind_of(kind), namespace, &name, scale)
            }
            Step::Event {
                severity,
                reason,
                message,
            } => {
                let severity = match severity {
                    EventSeverity::Normal => Severity::Normal,
                    EventSeverity::Warning => Severity::Warning,
                };
                let component = Component::Workload(owner.kind);
                self.shared
                    .recorder
                    .record(found, component, severity, reason, message);
                Ok(())
            }
        }
    }

    fn create(&self, owner: &ObjectRef, object: Object) -> Result<(), StoreError> {
        let child = object.reference();
        // Before the object is there: this is the task that would look at it.
        self.shared
            .store
            .create(object)
            .map(|_| self.shared.known.inherit_base(owner, child))
    }

    /// That it is gone is what was wanted at least as much.
    fn update(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        mut change: impl FnMut(&mut Object) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self.shared.store.update(kind, namespace, name, &mut change) {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The kind of what a workload makes besides pods.
fn children_of(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Deployment => Some(Kind::ReplicaSet),
        Kind::CronJob => Some(Kind::Job),
        _ => None,
    }
}

fn kind_of(kind: WorkloadKind) -> Kind {
    match kind {
        WorkloadKind::Deployment => Kind::Deployment,
        WorkloadKind::ReplicaSet => Kind::ReplicaSet,
        WorkloadKind::ReplicationController => Kind::ReplicationController,
        WorkloadKind::DaemonSet => Kind::DaemonSet,
        WorkloadKind::StatefulSet => Kind::StatefulSet,
        WorkloadKind::Job => Kind::Job,
        WorkloadKind::CronJob => Kind::CronJob,
    }
}

/// A workload as an object of the store.
pub(crate) fn object_of(workload: Workload) -> Object {
    match workload {
        Workload::Deployment(found) => (*found).into(),
        Workload::ReplicaSet(found) => (*found).into(),
        Workload::ReplicationController(found) => (*found).into(),
        Workload::DaemonSet(found) => (*found).into(),
        Workload::StatefulSet(found) => (*found).into(),
        Workload::Job(found) => (*found).into(),
        Workload::CronJob(found) => (*found).into(),
    }
}

/// An object of the store as a workload.
pub(crate) fn workload_of(object: &Object) -> Option<Workload> {
    Some(match object {
        Object::Deployment(found) => Workload::Deployment(Box::new((**found).clone())),
        Object::ReplicaSet(found) => Workload::ReplicaSet(Box::new((**found).clone())),
        Object::ReplicationController(found) => {
            Workload::ReplicationController(Box::new((**found).clone()))
        }
        Object::DaemonSet(found) => Workload::DaemonSet(Box::new((**found).clone())),
        Object::StatefulSet(found) => Workload::StatefulSet(Box::new((**found).clone())),
        Object::Job(found) => Workload::Job(Box::new((**found).clone())),
        Object::CronJob(found) => Workload::CronJob(Box::new((**found).clone())),
        _ => return None,
    })
}

/// Takes the status of `new` over into an object of the same kind.
fn set_status(stored: &mut Object, new: &Object) {
    macro_rules! take {
        ($($kind:ident)*) => {
            match (stored, new) {
                $((Object::$kind(stored), Object::$kind(new)) if stored.status != new.status => {
                    Arc::make_mut(stored).status.clone_from(&new.status);
                })*
                _ => {}
            }
        };
    }
    take!(Deployment ReplicaSet ReplicationController DaemonSet StatefulSet Job CronJob);
}

fn set_replicas(stored: &mut Object, replicas: i32) {
    match stored {
        Object::ReplicaSet(found) => Arc::make_mut(found).spec.replicas = Some(replicas),
        Object::ReplicationController(found) => {
            Arc::make_mut(found).spec.get_or_insert_default().replicas = Some(replicas);
        }
        Object::Deployment(found) => Arc::make_mut(found).spec.replicas = Some(replicas),
        Object::StatefulSet(found) => Arc::make_mut(found).spec.replicas = Some(replicas),
        _ => {}
    }
}
