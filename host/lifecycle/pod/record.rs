//! One container of a pod: where it stands, and what it was before.

use std::time::Duration;

use crate::backoff::{CrashBackoff, RetryBackoff};
use crate::exit::Exit;
use crate::policy::{ContainerPlan, Kind};
use crate::time::Now;

/// The place of a container in its pod's start order, init containers first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerIndex(pub usize);

/// What is known of one container.
#[derive(Clone, Debug)]
pub struct ContainerRecord {
    /// What the spec says about it.
    pub plan: ContainerPlan,
    /// Where it stands.
    pub state: ContainerState,
    /// How the instance before this one ended.
    pub last: Option<Box<Terminated>>,
    /// The number of the current instance, or of the next one while there has been none: `restartCount`.
    pub attempt: u32,
    /// What the image turned out to be; empty before it was resolved.
    pub image_id: String,
    /// The restarts of this container.
    pub backoff: CrashBackoff,
    /// The pulls of its image.
    pub(super) image_retry: RetryBackoff,
    /// When the container, having been asked to end, is ended by force; `None` if it was not asked.
    pub(super) kill_at: Option<Duration>,
    /// It was ended by force.
    pub(super) kill_sent: bool,
}

/// The states of one container.
#[derive(Clone, Debug)]
pub enum ContainerState {
    /// No instance exists.
    Waiting {
        /// The kubelet's word, e.g. `ErrImagePull`; `None` before the first try.
        reason: Option<&'static str>,
        /// What went wrong at the last try.
        message: Option<String>,
        /// When it is tried again.
        retry_at: Duration,
    },
    /// The driver is making and starting an instance.
    Starting {
        /// The start is being given up.
        cancelled: bool,
    },
    /// The guest runs.
    Running {
        /// The runtime's name for the instance.
        id: String,
        /// When it was started.
        started: Now,
    },
    /// The guest has ended.
    Terminated(Box<Terminated>),
}

/// An instance that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminated {
    /// The runtime's name for the instance; empty if it never got one.
    pub id: String,
    /// How it ended.
    pub exit: Exit,
    /// When it was started.
    pub started: Now,
    /// When it ended.
    pub finished: Now,
}

impl ContainerRecord {
    pub(super) fn new(plan: ContainerPlan) -> Self {
        Self {
            plan,
            state: ContainerState::Waiting {
                reason: None,
                message: None,
                retry_at: Duration::ZERO,
            },
            last: None,
            attempt: 0,
            image_id: String::new(),
            backoff: CrashBackoff::default(),
            image_retry: RetryBackoff::image(),
            kill_at: None,
            kill_sent: false,
        }
    }

    pub(super) fn is_main(&self) -> bool {
        self.plan.kind == Kind::Main
    }

    pub(super) fn is_init(&self) -> bool {
        self.plan.kind == Kind::Init
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }

    /// True while there is an instance, or one is being made.
    pub(super) fn is_alive(&self) -> bool {
        matches!(
            self.state,
            ContainerState::Running { .. } | ContainerState::Starting { .. }
        )
    }

    /// How the last instance ended, when none is there now.
    #[must_use]
    pub fn terminated(&self) -> Option<&Terminated> {
        match &self.state {
            ContainerState::Terminated(ended) => Some(ended),
            ContainerState::Waiting { .. }
            | ContainerState::Starting { .. }
            | ContainerState::Running { .. } => None,
        }
    }

    /// True when the container has ended and its policy wants another instance.
    pub(super) fn will_restart(&self) -> bool {
        self.terminated()
            .is_some_and(|ended| self.plan.restart.restarts(&ended.exit))
    }

    /// True for an init container that is done, or a sidecar that has come up: the next one may start.
    pub(super) fn lets_next_start(&self) -> bool {
        match self.plan.kind {
            Kind::Init => self
                .terminated()
                .is_some_and(|ended| ended.exit.is_success()),
            // A sidecar that was up once and crashed does not stop the sequence: it is restarted beside it.
            Kind::Sidecar => self.is_running() || self.attempt > 0 || self.terminated().is_some(),
            Kind::Main => true,
        }
    }

    /// When a new instance may be started; `None` when there is one or none is wanted.
    pub(super) fn startable_at(&self) -> Option<Duration> {
        match &self.state {
            ContainerState::Waiting { retry_at, .. } => Some(*retry_at),
            ContainerState::Terminated(ended) => self
                .will_restart()
                .then(|| self.backoff.due(ended.finished.elapsed)),
            ContainerState::Starting { .. } | ContainerState::Running { .. } => None,
        }
    }

    /// The driver begins to make an instance.
    pub(super) fn begin_start(&mut self, now: Now) {
        let before = std::mem::replace(
            &mut self.state,
            ContainerState::Starting { cancelled: false },
        );
        if let ContainerState::Terminated(ended) = before {
            self.backoff.restarted(ended.finished.elapsed, now.elapsed);
            self.attempt = self.attempt.saturating_add(1);
            self.last = Some(ended);
        }
        self.kill_at = None;
        self.kill_sent = false;
    }

    pub(super) fn end(&mut self, exit: Exit, now: Now) {
        let before = std::mem::replace(
            &mut self.state,
            ContainerState::Waiting {
                reason: None,
                message: None,
                retry_at: Duration::ZERO,
            },
        );
        let (id, started) = match before {
            ContainerState::Running { id, started } => (id, started),
            ContainerState::Waiting { .. }
            | ContainerState::Starting { .. }
            | ContainerState::Terminated(_) => (String::new(), now),
        };
        self.state = ContainerState::Terminated(Box::new(Terminated {
            id,
            exit,
            started,
            finished: now,
        }));
    }
}
