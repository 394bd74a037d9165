//! The last changes of each kind, from which watchers read.
//!
//! A watcher has no queue of its own, only a place in this history: any number of slow watchers costs no memory, and
//! one that falls behind the oldest entry is told so and lists again.

use std::collections::VecDeque;

use crate::Object;
use crate::watch::WatchEvent;

/// How many changes of each kind are kept for watchers; the oldest goes first, and a watcher that has not read it by
/// then gets [`StoreError::Expired`](crate::StoreError::Expired). Ours: a list of a thousand pods is read within
/// milliseconds, in which a busy host writes dozens of changes. (An API server's watch cache keeps 100 and more, by
/// load.)
pub const HISTORY_LENGTH: usize = 512;

/// How many containers the pods in the kept changes of a kind may have together, other objects counting as one: an entry
/// keeps an old copy of its object alive, some 2 KiB for each container, so 4 MiB in all. Beyond it the oldest changes go
/// first, down to [`MIN_LENGTH`].
const MAX_WEIGHT: usize = 2048;

/// How many changes are kept however large their objects are.
const MIN_LENGTH: usize = 16;

/// One change as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) event: WatchEvent,
    /// How a modified object was before: mostly what an older change keeps anyway.
    pub(crate) before: Option<Object>,
}

/// The changes of one kind, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: VecDeque<Change>,
    /// That of all entries.
    weight: usize,
    /// The version of the newest change that is not kept any more.
    forgotten: u64,
}

impl History {
    pub(crate) fn push(&mut self, change: Change) {
        self.weight += weight(&change);
        self.entries.push_back(change);
        while self.is_too_large()
            && let Some(oldest) = self.entries.pop_front()
        {
            self.weight -= weight(&oldest);
            self.forgotten = oldest.version;
        }
    }

    fn is_too_large(&self) -> bool {
        let length = self.entries.len();
        length > HISTORY_LENGTH || length > MIN_LENGTH && self.weight > MAX_WEIGHT
    }

    /// Are all changes after `version` still here?
    pub(crate) fn reaches(&self, version: u64) -> bool {
        version >= self.forgotten
    }

    /// The version after which every change can be had.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The changes after `version`, oldest first.
    pub(crate) fn after(&self, version: u64) -> impl Iterator<Item = &Change> {
        let start = self
            .entries
            .partition_point(|change| change.version <= version);
        self.entries.range(start..)
    }
}

/// What a change weighs, in containers.
fn weight(change: &Change) -> usize {
    let Object::Pod(pod) = change.event.object() else {
        return 1;
    };
    let spec = pod.spec.as_ref();
    let containers = spec.map_or(0, |spec| {
        let init = spec.init_containers.as_ref().map_or(0, Vec::len);
        init + spec.containers.len()
    });
    containers.max(1)
}
