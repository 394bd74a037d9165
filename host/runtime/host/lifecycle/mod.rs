//! Termination, as a guest can see it: the interface `wasmpod:lifecycle/termination` for components and the imports of
//! module `wasmpod_lifecycle` for core modules.
//!
//! What signal(7) is to a Unix program is one bit here: whether the guest handles the signal that asks it to end. A
//! guest says so by calling anything that tells it about the request; until then the signal has its default action.
//! What it deliberately does not do: decide when a container is stopped, or end it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wasmpod_sandbox::{MainProcess, StopSignal};

mod component;
mod core;

pub(super) use self::component::link as link_component;
pub(super) use self::core::link as link_core;

/// What one guest and those who end it know of its termination; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Termination {
    is_handled: Arc<AtomicBool>,
    requested: Arc<watch::Sender<Option<Request>>>,
    main: MainProcess,
}

/// The guest was asked to end.
#[derive(Clone, Copy, Debug)]
struct Request {
    /// When it is ended by force; `None`: never.
    kill_at: Option<Instant>,
}

impl Request {
    /// What is left, in nanoseconds; the greatest number if there is no end.
    fn left_nanoseconds(self) -> u64 {
        let left = |at: Instant| at.saturating_duration_since(Instant::now()).as_nanos();
        self.kill_at
            .map_or(u64::MAX, |at| u64::try_from(left(at)).unwrap_or(u64::MAX))
    }
}

impl Termination {
    /// Of a guest in the container whose process 1 is `main`.
    pub(crate) fn new(main: MainProcess) -> Self {
        Self {
            is_handled: Arc::default(),
            requested: Arc::new(watch::Sender::new(None)),
            main,
        }
    }

    /// Asks the guest to end; false if it does not handle that, and nothing has happened.
    pub(crate) fn request(&self, kill_at: Option<Instant>) -> bool {
        if !self.is_handled.load(Ordering::Acquire) {
            return false;
        }
        self.requested.send_replace(Some(Request { kill_at }));
        true
    }

    /// The guest handles termination from here on, or leaves it to the default action again.
    fn handle(&self, is_handled: bool) {
        self.is_handled.store(is_handled, Ordering::Release);
    }

    /// What is left of the guest's grace period, in nanoseconds, if it was asked to end.
    fn left_nanoseconds(&self) -> Option<u64> {
        (*self.requested.borrow()).map(Request::left_nanoseconds)
    }

    /// Resolves when the guest was asked to end.
    async fn requested(&self) {
        let mut requested = self.requested.subscribe();
        // This holds the sender: an error cannot be.
        drop(requested.wait_for(Option::is_some).await);
    }

    /// As [`requested`](Self::requested), but no longer than `limit`; `None` is forever.
    async fn wait(&self, limit: Option<Duration>) -> Option<u64> {
        match limit {
            // Looking is not waiting.
            Some(Duration::ZERO) => {}
            Some(limit) => drop(tokio::time::timeout(limit, self.requested()).await),
            None => self.requested().await,
        }
        self.left_nanoseconds()
    }

    /// What `kill 1` does: SIGTERM to process 1 of the container.
    fn terminate_main(&self) {
        self.main.send(StopSignal::TERM);
    }
}
