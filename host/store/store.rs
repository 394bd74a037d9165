//! The store itself.
//!
//! One lock, held for a lookup or a write and never while anyone waits. One counter gives every write of any kind its
//! resourceVersion, so that versions of different kinds can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wasmpod_manifest::k8s::Time;
use wasmpod_manifest::k8s::jiff::Timestamp;

use crate::history::{Change, History};
use crate::watch::{Watch, WatchEvent};
use crate::{Kind, Object, StoreError, names};

/// The namespace of an object that says none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The objects of a host; cheap to clone, all clones are one store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    inner: Mutex<Inner>,
    /// The newest resourceVersion of each kind, by [`Kind::index`]: what wakes watchers.
    versions: Vec<watch::Sender<u64>>,
    /// The newest resourceVersion of all.
    version: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    version: u64,
    /// By [`Kind::index`].
    shelves: Vec<Shelf>,
}

/// The objects of one kind: by namespace (empty for the cluster) and name, which is the order of a list.
#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, BTreeMap<String, Object>>,
    history: History,
}

impl Shelf {
    fn get(&self, namespace: &str, name: &str) -> Option<&Object> {
        self.objects.get(namespace)?.get(name)
    }

    fn put(&mut self, object: &Object) {
        let namespace = object.namespace().unwrap_or_default().to_owned();
        let names = self.objects.entry(namespace).or_default();
        names.insert(object.name().to_owned(), object.clone());
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// An empty store. `clock` tells the time for `metadata.creationTimestamp`.
    #[must_use]
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let inner = Inner {
            version: 0,
            shelves: Kind::ALL.iter().map(|_| Shelf::default()).collect(),
        };
        Self {
            shared: Arc::new(Shared {
                clock: Box::new(clock),
                inner: Mutex::new(inner),
                versions: Kind::ALL.iter().map(|_| watch::Sender::new(0)).collect(),
                version: watch::Sender::new(0),
            }),
        }
    }

    /// The time now, by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    /// The newest resourceVersion of all.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.lock().version
    }

    /// The newest resourceVersion as it grows: wakes whoever wants to look again after any change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    /// Adds an object and gives it back as it is kept: with uid, creationTimestamp, resourceVersion, the namespace
    /// `default` if it has none, and a name made from `generateName` if it has no name.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`], or [`StoreError::Invalid`] without a name.
    pub fn create(&self, mut object: Object) -> Result<Object, StoreError> {
        let kind = object.kind();
        let now = self.now();
        let metadata = object.metadata_mut();
        if kind.is_namespaced() {
            metadata
                .namespace
                .get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
        } else {
            metadata.namespace = None;
        }
        let is_generated = metadata.name.as_deref().is_none_or(str::is_empty);
        if is_generated {
            let Some(base) = metadata
                .generate_name
                .clone()
                .filter(|base| !base.is_empty())
            else {
                return Err(StoreError::Invalid {
                    kind,
                    name: String::new(),
                    detail: "metadata.name: Required value: name or generateName is required"
                        .to_owned(),
                });
            };
            metadata.name = Some(names::generate_name(&base));
        }
        metadata.uid = Some(names::uid());
        metadata.creation_timestamp = Some(Time(whole_seconds(now)));
        metadata.deletion_timestamp = None;
        metadata.deletion_grace_period_seconds = None;
        metadata.generation = kind.counts_generations().then_some(1);
        let mut inner = self.lock();
        let Some(shelf) = inner.shelves.get(kind.index()) else {
            return Ok(object);
        };
        let namespace = object.namespace().unwrap_or_default();
        if shelf.get(namespace, object.name()).is_some() {
            let name = object.name().to_owned();
            return Err(StoreError::AlreadyExists { kind, name });
        }
        Ok(self.write(&mut inner, object, None, WatchEvent::Added))
    }

    /// The object of this kind and name. `namespace` is not looked at for objects of the cluster; `None` means
    /// `default` for others.
    #[must_use]
    pub fn get(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Option<Object> {
        let inner = self.lock();
        let shelf = inner.shelves.get(kind.index())?;
        shelf.get(scope(kind, namespace), name).cloned()
    }

    /// The objects of this kind, of one namespace or of all, by namespace and name; and the resourceVersion from which
    /// to watch for what comes after.
    #[must_use]
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> (Vec<Object>, u64) {
        let inner = self.lock();
        let Some(shelf) = inner.shelves.get(kind.index()) else {
            return (Vec::new(), inner.version);
        };
        let objects = match namespace.filter(|_| kind.is_namespaced()) {
            Some(namespace) => {
                let names = shelf.objects.get(namespace).into_iter();
                names.flat_map(BTreeMap::values).cloned().collect()
            }
            None => {
                let all = shelf.objects.values().flat_map(BTreeMap::values);
                all.cloned().collect()
            }
        };
        (objects, inner.version)
    }

    /// How many objects there are of this kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        let inner = self.lock();
        let shelf = inner.shelves.get(kind.index());
        shelf.map_or(0, |shelf| shelf.objects.values().map(BTreeMap::len).sum())
    }

    /// Changes an object with `change` and gives it back as it is kept now. Nothing is written, and nobody is told,
    /// when nothing is different afterwards. Name, namespace, uid and creationTimestamp stay whatever `change` does.
    ///
    /// `change` may replace the whole object by one that a client sent: if that names a resourceVersion or a uid which
    /// are not the present ones, it was made from an old copy. It runs while the store is locked, so it must be short
    /// and must not call the store.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`], and what `change` says.
    pub fn update(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        change: &mut dyn FnMut(&mut Object) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        let mut inner = self.lock();
        Ok(match revise(&inner, kind, namespace, name, change)? {
            Revision::Same(object) => object,
            Revision::New { old, new } => {
                self.write(&mut inner, new, Some(old), WatchEvent::Modified)
            }
        })
    }

    /// What [`update`](Self::update) would make of an object, with the resourceVersion that it has; nothing is written.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn would_update(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        change: &mut dyn FnMut(&mut Object) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        let inner = self.lock();
        match revise(&inner, kind, namespace, name, change)? {
            Revision::Same(object) | Revision::New { new: object, .. } => Ok(object),
        }
    }

    /// Removes an object at once, tells watchers, and gives back how it was last. (Whether its pod must be stopped
    /// before is not the store's question.)
    ///
    /// # Errors
    /// [`StoreError::NotFound`]
    pub fn delete(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Object, StoreError> {
        self.delete_if(kind, namespace, name, None)
    }

    /// As [`delete`](Self::delete), if the object has this uid; another one of the same name stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Conflict`] for another uid.
    pub fn delete_if(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Object, StoreError> {
        let mut inner = self.lock();
        let scope = scope(kind, namespace);
        let shelf = inner.shelves.get_mut(kind.index());
        let objects = shelf.and_then(|shelf| Some((shelf.objects.get_mut(scope)?, scope)));
        let Some((names, _)) = objects else {
            return Err(not_found(kind, name));
        };
        let Some(object) = names.get(name) else {
            return Err(not_found(kind, name));
        };
        if let Some(wanted) = uid
            && wanted != object.uid()
        {
            return Err(StoreError::Conflict {
                kind,
                name: name.to_owned(),
                detail: format!(
                    "Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
                    object.uid()
                ),
            });
        }
        let removed = names.remove(name);
        let is_empty = names.is_empty();
        if is_empty && let Some(shelf) = inner.shelves.get_mut(kind.index()) {
            shelf.objects.remove(scope);
        }
        let removed = removed.ok_or_else(|| not_found(kind, name))?;
        Ok(self.write(&mut inner, removed, None, WatchEvent::Deleted))
    }

    /// Every change of this kind after the version `since`, of one namespace or of all. `since` comes from
    /// [`list`](Self::list), or from the last change that was seen.
    ///
    /// # Errors
    /// [`StoreError::Expired`]: not all of these changes are kept any more.
    pub fn watch(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        since: u64,
    ) -> Result<Watch, StoreError> {
        let inner = self.lock();
        let shelf = inner.shelves.get(kind.index());
        let sender = self.shared.versions.get(kind.index());
        let (Some(shelf), Some(sender)) = (shelf, sender) else {
            return Err(StoreError::Expired {
                since,
                oldest: inner.version,
            });
        };
        if !shelf.history.reaches(since) {
            let oldest = shelf.history.forgotten();
            return Err(StoreError::Expired { since, oldest });
        }
        Ok(Watch {
            store: self.clone(),
            kind,
            namespace: namespace
                .filter(|_| kind.is_namespaced())
                .map(str::to_owned),
            seen: since,
            version: sender.subscribe(),
        })
    }

    pub(crate) fn next_change(
        &self,
        watch: &mut Watch,
    ) -> Result<Option<(WatchEvent, Option<Object>)>, StoreError> {
        let inner = self.lock();
        let Some(shelf) = inner.shelves.get(watch.kind.index()) else {
            return Ok(None);
        };
        if !shelf.history.reaches(watch.seen) {
            let (since, oldest) = (watch.seen, shelf.history.forgotten());
            return Err(StoreError::Expired { since, oldest });
        }
        for change in shelf.history.after(watch.seen) {
            watch.seen = change.version;
            if watch.concerns(change.event.object()) {
                return Ok(Some((change.event.clone(), change.before.clone())));
            }
        }
        // What other kinds did meanwhile is no change here: the place moves on, so that it does not expire.
        watch.seen = watch.seen.max(inner.version);
        Ok(None)
    }

    /// Gives the object the next resourceVersion, keeps it (unless it was removed) and tells watchers.
    fn write(
        &self,
        inner: &mut Inner,
        mut object: Object,
        before: Option<Object>,
        event: fn(Object) -> WatchEvent,
    ) -> Object {
        inner.version += 1;
        let version = inner.version;
        object.metadata_mut().resource_version = Some(version.to_string());
        let event = event(object.clone());
        let index = object.kind().index();
        if let Some(shelf) = inner.shelves.get_mut(index) {
            if !matches!(event, WatchEvent::Deleted(_)) {
                shelf.put(&object);
            }
            shelf.history.push(Change {
                version,
                event,
                before,
            });
        }
        if let Some(sender) = self.shared.versions.get(index) {
            sender.send_replace(version);
        }
        self.shared.version.send_replace(version);
        object
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a change makes of an object.
enum Revision {
    /// Nothing is different.
    Same(Object),
    New {
        old: Object,
        new: Object,
    },
}

/// Changes a copy of an object, by the rules of [`Store::update`].
fn revise(
    inner: &Inner,
    kind: Kind,
    namespace: Option<&str>,
    name: &str,
    change: &mut dyn FnMut(&mut Object) -> Result<(), StoreError>,
) -> Result<Revision, StoreError> {
    let old = inner
        .shelves
        .get(kind.index())
        .and_then(|shelf| shelf.get(scope(kind, namespace), name))
        .cloned()
        .ok_or_else(|| not_found(kind, name))?;
    let mut new = old.clone();
    change(&mut new)?;
    if new.is_same_copy(&old) {
        return Ok(Revision::Same(old));
    }
    let conflict = |detail: String| StoreError::Conflict {
        kind,
        name: name.to_owned(),
        detail,
    };
    if new.kind() != kind {
        return Err(conflict(format!("it is a {kind}, not a {}", new.kind())));
    }
    let (before, after) = (old.metadata(), new.metadata());
    if after.uid.is_some() && after.uid != before.uid {
        return Err(conflict(format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            new.uid(),
            old.uid()
        )));
    }
    if after
        .resource_version
        .as_deref()
        .is_some_and(|v| !v.is_empty())
        && after.resource_version != before.resource_version
    {
        return Err(conflict(
                "the object has been modified; please apply your changes to the latest version and try again"
                    .to_owned(),
            ));
    }
    let before = before.clone();
    let is_deleted_now = before.deletion_timestamp.is_none() && after.deletion_timestamp.is_some();
    let metadata = new.metadata_mut();
    metadata.name = before.name;
    metadata.namespace = before.namespace;
    metadata.uid = before.uid;
    metadata.creation_timestamp = before.creation_timestamp;
    metadata.generation = before.generation;
    metadata.resource_version = before.resource_version;
    if new == old {
        return Ok(Revision::Same(old));
    }
    // As in the API server, asking for the deletion is a change of what is wanted too.
    if kind.counts_generations() && (is_deleted_now || new.spec_differs(&old)) {
        let generation = before.generation.unwrap_or(0).saturating_add(1);
        new.metadata_mut().generation = Some(generation);
    }
    Ok(Revision::New { old, new })
}

/// The key of a namespace on a shelf.
fn scope(kind: Kind, namespace: Option<&str>) -> &str {
    if kind.is_namespaced() {
        namespace.unwrap_or(DEFAULT_NAMESPACE)
    } else {
        ""
    }
}

/// Kubernetes' times of objects have no fractions of a second.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn not_found(kind: Kind, name: &str) -> StoreError {
    let name = name.to_owned();
    StoreError::NotFound { kind, name }
}
