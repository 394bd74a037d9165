//! Deleting objects: gracefully for pods, and with what they own.
//!
//! Standard: `pod-lifecycle#pod-termination`, `garbage-collection` (propagation policies, preconditions), and the
//! finalizers by which Kubernetes keeps an object until others are done with it. The request is made here; what has to
//! be waited for is finished by the loop (`reconcile`).

use std::time::Duration;

use wasmpod_manifest::k8s::{OwnerReference, Pod, Time};
use wasmpod_store::{Kind, Object, ObjectRef, StoreError};

use crate::known::is_terminal;
use crate::shared::Shared;

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// The time that a pod's containers get, instead of `terminationGracePeriodSeconds`; zero ends them by force and
    /// removes the pod at once. Whole seconds.
    pub grace: Option<Duration>,
    /// What becomes of the objects that it owns.
    pub propagation: Propagation,
    /// Delete it only if it has this uid.
    pub uid: Option<String>,
}

/// What becomes of the objects that a deleted object owns (`propagationPolicy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay, without owner.
    Orphan,
}

/// Keeps an owner until what it owns is gone (apimachinery `FinalizerDeleteDependents`).
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// Keeps a claim while a pod uses it (`persistent-volumes#storage-object-in-use-protection`).
pub(crate) const CLAIM_IN_USE: &str = "kubernetes.io/pvc-protection";
/// Keeps a volume while a claim is bound to it.
pub(crate) const VOLUME_IN_USE: &str = "kubernetes.io/pv-protection";

/// The grace period of a pod that names none, in seconds (`terminationGracePeriodSeconds`).
const DEFAULT_GRACE_SECONDS: i64 = 30;

impl Shared {
    /// Deletes an object, or has it deleted when what it waits for is done.
    pub(crate) fn delete(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Object, StoreError> {
        let uid = options.uid.as_deref();
        let object = self.store.get(kind, namespace, name);
        let object = object.ok_or_else(|| StoreError::NotFound {
            kind,
            name: name.to_owned(),
        })?;
        if let Some(uid) = uid
            && uid != object.uid()
        {
            // The store says it in the right words.
            return self.store.delete_if(kind, namespace, name, Some(uid));
        }
        if options.propagation == Propagation::Orphan {
            for dependent in self.dependents(object.uid()) {
                self.disown(&dependent, object.uid())?;
            }
        }
        let waits_for = match &object {
            Object::Pod(pod) => return self.delete_pod(&object, pod, options.grace),
            Object::PersistentVolumeClaim(_) if self.is_claim_used(&object) => Some(CLAIM_IN_USE),
            Object::PersistentVolume(volume) => {
                let status = volume.status.as_ref();
                let is_bound = status.is_some_and(|s| s.phase.as_deref() == Some("Bound"));
                is_bound.then_some(VOLUME_IN_USE)
            }
            Object::Namespace(_) => return self.terminate_namespace(&object),
            _ if options.propagation == Propagation::Foreground => {
                (!self.dependents(object.uid()).is_empty()).then_some(FOREGROUND)
            }
            _ => None,
        };
        match waits_for {
            Some(finalizer) => {
                let marked = self.mark_deleted(&object, Duration::ZERO, Some(finalizer))?;
                self.ask(marked.reference());
                Ok(marked)
            }
            None => self.remove(&object),
        }
    }

    /// Removes an object, whatever it waited for.
    pub(crate) fn remove(&self, object: &Object) -> Result<Object, StoreError> {
        let uid = Some(object.uid());
        self.store
            .delete_if(object.kind(), object.namespace(), object.name(), uid)
    }

    fn delete_pod(
        &self,
        object: &Object,
        pod: &Pod,
        grace: Option<Duration>,
    ) -> Result<Object, StoreError> {
        let known = self
            .known
            .get(object.namespace().unwrap_or_default(), object.name());
        let runs =
            known.is_some_and(|known| known.uid() == object.uid() && known.occupies().is_some());
        let of_spec = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.termination_grace_period_seconds)
            .unwrap_or(DEFAULT_GRACE_SECONDS);
        let of_spec = Duration::from_secs(u64::try_from(of_spec).unwrap_or(1));
        let grace = if runs && !is_terminal(pod) {
            grace.unwrap_or(of_spec)
        } else {
            Duration::ZERO
        };
        let is_kept = pod.metadata.finalizers.iter().flatten().next().is_some();
        // What still runs of it is ended by force when the loop sees that it is gone.
        if !is_kept && (grace.is_zero() || !runs) {
            return self.remove(object);
        }
        let marked = self.mark_deleted(object, grace, None)?;
        self.ask(marked.reference());
        Ok(marked)
    }

    /// Sets `deletionTimestamp`; a second time it can only come nearer.
    fn mark_deleted(
        &self,
        object: &Object,
        grace: Duration,
        finalizer: Option<&str>,
    ) -> Result<Object, StoreError> {
        let uid = object.uid();
        let seconds = i64::try_from(grace.as_secs()).unwrap_or(i64::MAX);
        let now = self.store.now();
        let end = now.checked_add(grace).unwrap_or(now);
        self.store.update(
            object.kind(),
            object.namespace(),
            object.name(),
            &mut |stored| {
                if stored.uid() != uid {
                    return Err(StoreError::NotFound {
                        kind: stored.kind(),
                        name: stored.name().to_owned(),
                    });
                }
                let before = stored.metadata().deletion_grace_period_seconds;
                if before.is_some_and(|before| before <= seconds) {
                    return Ok(());
                }
                let metadata = stored.metadata_mut();
                metadata.deletion_timestamp = Some(Time(end));
                metadata.deletion_grace_period_seconds = Some(seconds);
                if let Some(finalizer) = finalizer {
                    let finalizers = metadata.finalizers.get_or_insert_default();
                    if !finalizers.iter().any(|found| found == finalizer) {
                        finalizers.push(finalizer.to_owned());
                    }
                }
                Ok(())
            },
        )
    }

    fn terminate_namespace(&self, object: &Object) -> Result<Object, StoreError> {
        let marked = self.mark_deleted(object, Duration::ZERO, None)?;
        let marked = self
            .store
            .update(marked.kind(), None, marked.name(), &mut |stored| {
                if let Object::Namespace(namespace) = stored {
                    let namespace = std::sync::Arc::make_mut(namespace);
                    let status = namespace.status.get_or_insert_default();
                    status.phase = Some("Terminating".to_owned());
                }
                Ok(())
            })?;
        self.ask(marked.reference());
        Ok(marked)
    }

    /// The objects that have an owner of this uid.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Object> {
        // Events have no owners, and are many.
        let kinds = Kind::ALL
            .iter()
            .filter(|kind| kind.is_namespaced() && **kind != Kind::Event);
        let objects = kinds.flat_map(|kind| self.store.list(*kind, None).0);
        objects.filter(|object| object.is_owned_by(uid)).collect()
    }

    /// The owners of an object that are there, and theirs, the nearest first.
    pub(crate) fn owners(&self, object: &Object) -> Vec<ObjectRef> {
        let mut found = Vec::new();
        let mut next = vec![object.clone()];
        while let Some(object) = next.pop() {
            for owner in object.metadata().owner_references.iter().flatten() {
                if let Some(owner) = self.owner(&object, owner)
                    // Owners that own each other are no endless loop.
                    && !found.contains(&owner.reference())
                {
                    found.push(owner.reference());
                    next.push(owner);
                }
            }
        }
        found
    }

    /// The owner, if it is there.
    pub(crate) fn owner(&self, of: &Object, owner: &OwnerReference) -> Option<Object> {
        let kind = Kind::from_type(&owner.api_version, &owner.kind)?;
        self.get_by_uid(kind, of.namespace(), &owner.name, &owner.uid)
    }

    /// Had it owners, and are all of them gone? An owner of a kind that the store does not keep counts as there.
    pub(crate) fn is_orphan(&self, object: &Object) -> bool {
        let mut owners = object
            .metadata()
            .owner_references
            .iter()
            .flatten()
            .peekable();
        let has_owners = owners.peek().is_some();
        let is_gone = |owner: &OwnerReference| {
            Kind::from_type(&owner.api_version, &owner.kind).is_some()
                && self.owner(object, owner).is_none()
        };
        has_owners && owners.all(is_gone)
    }

    /// Takes the owner of this uid from an object.
    fn disown(&self, object: &Object, uid: &str) -> Result<(), StoreError> {
        let done = self.store.update(
            object.kind(),
            object.namespace(),
            object.name(),
            &mut |stored| {
                if stored.is_owned_by(uid) {
                    let owners = &mut stored.metadata_mut().owner_references;
                    if let Some(list) = owners {
                        list.retain(|owner| owner.uid != uid);
                    }
                    if owners.as_ref().is_some_and(Vec::is_empty) {
                        *owners = None;
                    }
                }
                Ok(())
            },
        );
        match done {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Does a pod that has not ended use this claim?
    pub(crate) fn is_claim_used(&self, claim: &Object) -> bool {
        let (pods, _) = self.store.list(Kind::Pod, claim.namespace());
        pods.iter().any(|object| match object {
            Object::Pod(pod) => {
                !is_terminal(pod) && crate::claims::names(pod).any(|name| name == claim.name())
            }
            _ => false,
        })
    }
}
