//! Watching: every change of one kind, in order, once.

use tokio::sync::watch;

use crate::store::Store;
use crate::{Kind, Object, StoreError};

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// It was created.
    Added(Object),
    /// It was changed.
    Modified(Object),
    /// It was removed; this is how it was last, with the resourceVersion of the removal.
    Deleted(Object),
}

impl WatchEvent {
    /// The object.
    #[must_use]
    pub fn object(&self) -> &Object {
        match self {
            Self::Added(object) | Self::Modified(object) | Self::Deleted(object) => object,
        }
    }

    /// `ADDED`, `MODIFIED` or `DELETED`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Added(_) => "ADDED",
            Self::Modified(_) => "MODIFIED",
            Self::Deleted(_) => "DELETED",
        }
    }
}

/// The changes of one kind since a resourceVersion, as they come.
#[derive(Debug)]
pub struct Watch {
    pub(crate) store: Store,
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    /// All changes up to this version were given, or are of no interest.
    pub(crate) seen: u64,
    pub(crate) version: watch::Receiver<u64>,
}

impl Watch {
    /// The next change. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`StoreError::Expired`]: so many changes went unread that some are lost. List again, and watch from there.
    pub async fn next(&mut self) -> Result<WatchEvent, StoreError> {
        Ok(self.next_change().await?.0)
    }

    /// The next change, and how the object was before if it was [modified](WatchEvent::Modified): whoever shows only
    /// some objects sees thereby which begin and which end to be among them. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_change(&mut self) -> Result<(WatchEvent, Option<Object>), StoreError> {
        loop {
            if let Some(change) = self.try_next_change()? {
                return Ok(change);
            }
            // Cannot fail: this watch holds the store, and with it the sender.
            drop(self.version.changed().await);
        }
    }

    /// The next change, if there is one now.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn try_next(&mut self) -> Result<Option<WatchEvent>, StoreError> {
        Ok(self.try_next_change()?.map(|(event, _)| event))
    }

    fn try_next_change(&mut self) -> Result<Option<(WatchEvent, Option<Object>)>, StoreError> {
        self.version.borrow_and_update();
        let store = self.store.clone();
        store.next_change(self)
    }

    /// The kind that is watched.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The resourceVersion up to which everything was given: what a bookmark says.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.seen
    }

    /// Is this object in the namespace that is watched?
    pub(crate) fn concerns(&self, object: &Object) -> bool {
        self.namespace.is_none() || self.namespace.as_deref() == object.namespace()
    }
}
