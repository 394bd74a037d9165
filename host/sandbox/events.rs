//! What is worth telling about a pod's life: the events that `kubectl describe` shows.
//!
//! Reasons and messages are the kubelet's where it has one. The newest [`MAX_EVENTS`] are kept; a reader that falls
//! behind is told how many it missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wasmpod_lifecycle::time::Timestamp;

use crate::clock::Clock;

/// How many events of a pod are kept. A pod that starts well has three for each container, and one that crashes adds
/// at most four with each back-off; the oldest goes.
pub const MAX_EVENTS: usize = 256;

/// Whether an event tells of something wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All is well.
    Normal,
    /// Someone should look.
    Warning,
}

impl Severity {
    /// The event's `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEvent {
    /// When.
    pub time: Timestamp,
    /// Its `type`.
    pub severity: Severity,
    /// One CamelCase word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// The container that it is about; `None` for the pod.
    pub container: Option<String>,
}

/// The events of a pod; cheap to clone.
#[derive(Clone, Debug)]
pub struct PodEvents {
    clock: Clock,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kept: Mutex<VecDeque<PodEvent>>,
    /// How many there ever were.
    count: watch::Sender<u64>,
}

impl PodEvents {
    pub(crate) fn new(clock: Clock) -> Self {
        let shared = Shared {
            kept: Mutex::default(),
            count: watch::Sender::new(0),
        };
        Self {
            clock,
            shared: Arc::new(shared),
        }
    }

    /// Those that are kept, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<PodEvent> {
        self.lock().iter().cloned().collect()
    }

    /// A reader that begins with the oldest event that is kept.
    #[must_use]
    pub fn read(&self) -> EventReader {
        EventReader {
            count: self.shared.count.subscribe(),
            events: self.clone(),
            next: 0,
        }
    }

    pub(crate) fn normal(&self, container: Option<&str>, reason: &str, message: String) {
        self.push(Severity::Normal, container, reason, message);
    }

    pub(crate) fn warning(&self, container: Option<&str>, reason: &str, message: String) {
        self.push(Severity::Warning, container, reason, message);
    }

    fn push(&self, severity: Severity, container: Option<&str>, reason: &str, message: String) {
        let event = PodEvent {
            time: self.clock.timestamp(),
            severity,
            reason: reason.to_owned(),
            message,
            container: container.map(str::to_owned),
        };
        let mut kept = self.lock();
        if kept.len() >= MAX_EVENTS {
            kept.pop_front();
        }
        kept.push_back(event);
        // Under the lock, so that the count and the list agree.
        self.shared.count.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<PodEvent>> {
        self.shared
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an [`EventReader`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventItem {
    /// An event.
    Event(PodEvent),
    /// So many events went unread.
    Missed(u64),
}

/// Reads a pod's events as they come. It does not end: stop reading when the pod has ended.
#[derive(Debug)]
pub struct EventReader {
    events: PodEvents,
    count: watch::Receiver<u64>,
    next: u64,
}

impl EventReader {
    /// The next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> EventItem {
        loop {
            if let Some(item) = self.try_next() {
                return item;
            }
            // Cannot fail: this reader holds the sender too.
            drop(self.count.changed().await);
        }
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<EventItem> {
        let kept = self.events.lock();
        let count = *self.count.borrow_and_update();
        let oldest = count.saturating_sub(u64::try_from(kept.len()).unwrap_or(u64::MAX));
        if self.next < oldest {
            let missed = oldest - self.next;
            self.next = oldest;
            return Some(EventItem::Missed(missed));
        }
        let event = kept.get(usize::try_from(self.next - oldest).ok()?)?.clone();
        self.next += 1;
        Some(EventItem::Event(event))
    }
}
