//! Objects that end: orphans, owners that wait for what they own, namespaces.

use wasmpod_store::{Kind, Object, ObjectRef};

use super::Reconciler;
use crate::delete::{DeleteOptions, FOREGROUND, Propagation};

impl Reconciler {
    /// Deletes an object whose owners are all gone, and one that has waited for the end of what it owns. True when
    /// nothing else is to be done for the object.
    pub(super) fn collect_garbage(&mut self, object: &ObjectRef) -> bool {
        let Some(found) = self.get(object) else {
            return true;
        };
        let is_deleted = found.metadata().deletion_timestamp.is_some();
        if !is_deleted && self.shared.is_orphan(&found) {
            self.delete(&found, Propagation::Background);
            return true;
        }
        let finalizers = found.metadata().finalizers.iter().flatten();
        if is_deleted
            && finalizers
                .into_iter()
                .any(|finalizer| finalizer == FOREGROUND)
        {
            let dependents = self.shared.dependents(found.uid());
            if dependents.is_empty() {
                self.remove(&found);
            }
            let alive = dependents
                .iter()
                .filter(|dependent| dependent.metadata().deletion_timestamp.is_none());
            for dependent in alive {
                self.delete(dependent, Propagation::Foreground);
            }
            return true;
        }
        is_deleted
    }

    pub(super) fn delete(&mut self, object: &Object, propagation: Propagation) {
        let options = DeleteOptions {
            propagation,
            uid: Some(object.uid().to_owned()),
            ..DeleteOptions::default()
        };
        // An error means that it is gone already.
        drop(
            self.shared
                .delete(object.kind(), object.namespace(), object.name(), &options),
        );
    }

    pub(super) fn remove(&mut self, object: &Object) {
        // As above.
        drop(self.shared.remove(object));
    }

    /// A namespace that is deleted empties itself, and then goes.
    pub(super) fn namespace(&mut self, object: &ObjectRef) {
        let Some(found) = self.get(object) else {
            return;
        };
        if found.metadata().deletion_timestamp.is_none() {
            return;
        }
        let kinds = Kind::ALL.iter().filter(|kind| kind.is_namespaced());
        let in_it = kinds.flat_map(|kind| self.shared.store.list(*kind, Some(&object.name)).0);
        let (events, others): (Vec<_>, Vec<_>) =
            in_it.partition(|object| object.kind() == Kind::Event);
        for object in &others {
            if object.metadata().deletion_timestamp.is_none() {
                self.delete(object, Propagation::Background);
            }
        }
        // Events come last: the end of the others makes some.
        if others.is_empty() {
            for event in &events {
                self.remove(event);
            }
            self.remove(&found);
        }
    }
}
