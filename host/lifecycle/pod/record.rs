//! One container of a pod: where it stands, and what it was before.

use std::time::Duration;

use super::probing::Probing;
use super::stopping::Stopping;
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
    /// It has started once, in the sense of [`has_started`](Self::has_started): the sequence of starts is past it.
    pub(super) is_initialized: bool,
    /// What belongs to the current instance only.
    pub(super) instance: Instance,
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
    /// The guest runs. It is shown as running when its postStart hook is over.
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

/// The current instance, or the last one; forgotten when a new one is begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Instance {
    /// The image that it was made of.
    pub(super) image: String,
    pub(super) post_start: HookState,
    pub(super) probing: Probing,
    /// It was asked to end, or will be.
    pub(super) stopping: Option<Stopping>,
    /// It was ended in order to be replaced, whatever its exit and the restart policy say.
    pub(super) is_replaced: bool,
}

/// How far a hook is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HookState {
    /// It is to run now.
    Due,
    Running,
    /// It is over, was left out, or there is none.
    #[default]
    Over,
    /// It is over and has failed.
    Failed,
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
            is_initialized: false,
            instance: Instance::default(),
        }
    }

    pub(super) fn is_main(&self) -> bool {
        self.plan.kind == Kind::Main
    }

    pub(super) fn is_init(&self) -> bool {
        self.plan.kind == Kind::Init
    }

    pub(super) fn is_sidecar(&self) -> bool {
        self.plan.kind == Kind::Sidecar
    }

    /// True while a guest exists that was begun and has not ended.
    pub(super) fn has_guest(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }

    /// True when the guest runs and its postStart hook has succeeded: what Kubernetes calls running.
    pub(super) fn is_running(&self) -> bool {
        self.has_guest() && self.instance.post_start == HookState::Over
    }

    /// `started`: it runs, and its startup probe, if it has one, has succeeded.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.is_running()
            && (self.plan.probes.startup.is_none() || self.instance.probing.has_come_up())
    }

    /// `ready` of a container that runs until it is stopped: started, and its readiness probe, if it has one, has
    /// succeeded last. An init container is ready when it is done.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        if self.is_init() {
            return self.terminated().is_some_and(|t| t.exit.is_success());
        }
        self.has_started()
            && (self.plan.probes.readiness.is_none() || self.instance.probing.is_ready())
    }

    /// True while there is an instance, or one is being made.
    pub(super) fn is_alive(&self) -> bool {
        matches!(
            self.state,
            ContainerState::Running { .. } | ContainerState::Starting { .. }
        )
    }

    /// True while the kubelet would be busy with this start: nothing else is started meanwhile.
    pub(super) fn is_coming_up(&self) -> bool {
        let hook = self.instance.post_start;
        matches!(self.state, ContainerState::Starting { .. })
            || self.has_guest() && matches!(hook, HookState::Due | HookState::Running)
    }

    /// True when the container has run, or runs.
    pub(super) fn has_run(&self) -> bool {
        self.last.is_some() || self.is_running() || self.terminated().is_some()
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

    /// True when the container has ended and another instance follows.
    pub(super) fn will_restart(&self) -> bool {
        self.terminated()
            .is_some_and(|ended| self.instance.is_replaced || self.plan.restarts(&ended.exit))
    }

    /// True for an init container that is done, or a sidecar that has started: the next one may start. A sidecar
    /// that had started and crashed does not stop the sequence: it is restarted beside it.
    pub(super) fn lets_next_start(&self) -> bool {
        match self.plan.kind {
            Kind::Init => self
                .terminated()
                .is_some_and(|ended| ended.exit.is_success()),
            Kind::Sidecar => self.is_initialized,
            Kind::Main => true,
        }
    }

    /// How long the container that has ended stays down; `None` when it is not restarted.
    ///
    /// The kubelet looks at the newest instance that has ended *before* it ends one itself. So a container that is
    /// replaced only waits if it was started less than the wait ago.
    pub(super) fn restart_wait(&self) -> Option<Duration> {
        let ended = self.terminated().filter(|_| self.will_restart())?;
        let finished = ended.finished.elapsed;
        if self.instance.is_replaced {
            let before = self.last.as_ref().map(|last| last.finished.elapsed);
            if before.is_none_or(|before| self.backoff.due(before) <= finished) {
                return Some(Duration::ZERO);
            }
        }
        Some(self.backoff.wait(finished))
    }

    /// When a new instance may be started; `None` when there is one or none is wanted.
    pub(super) fn startable_at(&self) -> Option<Duration> {
        match &self.state {
            ContainerState::Waiting { retry_at, .. } => Some(*retry_at),
            ContainerState::Terminated(ended) => {
                let wait = self.restart_wait()?;
                Some(ended.finished.elapsed.saturating_add(wait))
            }
            ContainerState::Starting { .. } | ContainerState::Running { .. } => None,
        }
    }

    /// The number that the next instance will have.
    pub(super) fn next_attempt(&self) -> u32 {
        self.attempt
            .saturating_add(u32::from(self.terminated().is_some()))
    }

    /// The driver begins to make an instance.
    pub(super) fn begin_start(&mut self, now: Now) {
        self.attempt = self.next_attempt();
        let before = std::mem::replace(
            &mut self.state,
            ContainerState::Starting { cancelled: false },
        );
        if let ContainerState::Terminated(ended) = before {
            let is_first_replacement = self.instance.is_replaced && self.last.is_none();
            if !is_first_replacement {
                self.backoff.restarted(ended.finished.elapsed, now.elapsed);
            }
            self.last = Some(ended);
        }
        self.instance = Instance {
            image: self.plan.image.clone(),
            ..Instance::default()
        };
    }

    /// The guest runs.
    pub(super) fn run(&mut self, id: String, now: Now) {
        self.state = ContainerState::Running { id, started: now };
        if self.plan.post_start {
            self.instance.post_start = HookState::Due;
        } else {
            self.come_up(now.elapsed);
        }
    }

    /// The guest runs and its postStart hook is over: from now on it is probed.
    pub(super) fn come_up(&mut self, now: Duration) {
        self.instance.post_start = HookState::Over;
        if let ContainerState::Running { started, .. } = &self.state {
            let started = started.elapsed;
            self.instance.probing.begin(&self.plan.probes, started, now);
        }
        self.is_initialized |= self.has_started();
    }

    /// The guest has ended.
    pub(super) fn end(&mut self, exit: Exit, now: Now) {
        let before = std::mem::replace(&mut self.state, waiting(None, None, Duration::ZERO));
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

    /// The pod starts over: as if the container had never been started, but for what people can see.
    pub(super) fn start_over(&mut self, at: Duration) {
        self.attempt = self.next_attempt();
        let before = std::mem::replace(&mut self.state, waiting(None, None, at));
        if let ContainerState::Terminated(ended) = before {
            self.last = Some(ended);
        }
        self.is_initialized = false;
        self.instance = Instance::default();
    }
}

pub(super) fn waiting(
    reason: Option<&'static str>,
    message: Option<String>,
    retry_at: Duration,
) -> ContainerState {
    ContainerState::Waiting {
        reason,
        message,
        retry_at,
    }
}
