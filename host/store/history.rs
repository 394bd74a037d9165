//! The last changes of each kind, from which watchers read.
//!
//! A watcher has no queue of its own, only a place in this history: any number of slow watchers costs no memory, and
//! one that falls behind the oldest entry is told so and lists again.

use std::collections::VecDeque;

use crate::Object;
use crate::watch::WatchEvent;

/// How many changes of each kind are kept for watchers; the oldest goes first, and a watcher that has not read it by
/// then gets [`StoreError::Expired`](crate::StoreError::Expired). Ours: a list of a thousand pods is read within
/// milliseconds, in which a busy host writes dozens of changes; and an entry keeps an old copy of its object alive, some
/// 8 KiB for a pod, so 4 MiB at worst. (An API server's watch cache keeps 100 and more, by load.)
pub const HISTORY_LENGTH: usize = 512;

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
    /// The version of the newest change that is not kept any more.
    forgotten: u64,
}

impl History {
    pub(crate) fn push(&mut self, change: Change) {
        if self.entries.len() >= HISTORY_LENGTH
            && let Some(oldest) = self.entries.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.entries.push_back(change);
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
