//! How long to wait before the next try.
//!
//! Two schedules, both the kubelet's. [`CrashBackoff`] is for containers that ended: the first restart is immediate,
//! then 10 s, 20 s, 40 s … 300 s, each counted from the end of the last run, and a run of more than ten minutes
//! starts the schedule over (`pod-lifecycle#restart-policy`; `client-go/util/flowcontrol` `Backoff`, as
//! `kuberuntime_manager.go` uses it). [`RetryBackoff`] is for what never came to run.

use std::time::Duration;

/// The first wait between two runs of a container that ends; the kubelet's `backOffPeriod`.
pub const CRASH_BACKOFF_INITIAL: Duration = Duration::from_secs(10);
/// The longest wait between two runs; the kubelet's `MaxCrashLoopBackOff`. At this value the wait no longer doubles.
pub const CRASH_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// A container that ended later than this after its start starts the schedule over; twice the longest wait, as in
/// the kubelet.
pub const CRASH_BACKOFF_RESET: Duration = Duration::from_secs(600);

/// The first wait after a failed pull of an image; the kubelet's.
pub const IMAGE_BACKOFF_INITIAL: Duration = Duration::from_secs(10);
/// The longest wait between two pulls of an image; the kubelet's.
pub const IMAGE_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// The wait between two tries to create a container whose config is wrong (e.g. a ConfigMap is missing): the
/// kubelet tries with every sync of a failed pod, ten seconds apart.
pub const CREATE_RETRY: Duration = Duration::from_secs(10);
/// The first wait after a volume or another resource of the pod could not be made; the kubelet's volume manager's.
pub const RESOURCE_BACKOFF_INITIAL: Duration = Duration::from_millis(500);
/// The longest wait between two tries to make the pod's resources; the kubelet's volume manager's.
pub const RESOURCE_BACKOFF_MAX: Duration = Duration::from_secs(122);

/// The restarts of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashBackoff {
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    wait: Duration,
    restarted: Duration,
}

impl CrashBackoff {
    /// How long a container that ended at `finished` must stay down; zero when it may start at once.
    #[must_use]
    pub fn wait(&self, finished: Duration) -> Duration {
        self.valid_at(finished)
            .map_or(Duration::ZERO, |entry| entry.wait)
    }

    /// The moment at which a container that ended at `finished` may start again.
    #[must_use]
    pub fn due(&self, finished: Duration) -> Duration {
        finished.saturating_add(self.wait(finished))
    }

    /// Remembers that the container, which had ended at `finished`, is started again at `now`.
    pub fn restarted(&mut self, finished: Duration, now: Duration) {
        let wait = self
            .valid_at(finished)
            .map_or(CRASH_BACKOFF_INITIAL, |entry| {
                entry.wait.saturating_mul(2).min(CRASH_BACKOFF_MAX)
            });
        self.entry = Some(Entry {
            wait,
            restarted: now,
        });
    }

    /// The entry, unless the container had run for so long that its crashes are forgotten.
    fn valid_at(&self, finished: Duration) -> Option<Entry> {
        self.entry
            .filter(|e| finished.saturating_sub(e.restarted) <= CRASH_BACKOFF_RESET)
    }
}

/// The tries of something that has never worked yet: a wait that doubles with each failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBackoff {
    next: Duration,
    initial: Duration,
    max: Duration,
}

impl RetryBackoff {
    /// For images.
    #[must_use]
    pub const fn image() -> Self {
        Self::new(IMAGE_BACKOFF_INITIAL, IMAGE_BACKOFF_MAX)
    }

    /// For the pod's own resources: volumes, network, published ports.
    #[must_use]
    pub const fn resources() -> Self {
        Self::new(RESOURCE_BACKOFF_INITIAL, RESOURCE_BACKOFF_MAX)
    }

    const fn new(initial: Duration, max: Duration) -> Self {
        Self {
            next: initial,
            initial,
            max,
        }
    }

    /// How long to wait after this failure.
    #[must_use]
    pub fn failed(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.max);
        wait
    }

    /// It worked: the next failure is the first again.
    pub fn reset(&mut self) {
        self.next = self.initial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs a container that ends `run` after each start and gives the waits before its restarts.
    fn waits(runs: &[Duration]) -> Vec<u64> {
        let mut backoff = CrashBackoff::default();
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for run in runs {
            let finished = now + *run;
            waits.push(backoff.wait(finished).as_secs());
            now = backoff.due(finished);
            backoff.restarted(finished, now);
        }
        waits
    }

    #[test]
    fn the_first_restart_is_immediate_and_the_wait_doubles_to_five_minutes() {
        assert_eq!(waits(&[SECOND; 9]), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_run_of_more_than_ten_minutes_starts_the_schedule_over() {
        let long = CRASH_BACKOFF_RESET + SECOND;
        assert_eq!(
            waits(&[SECOND, SECOND, SECOND, long, SECOND, SECOND]),
            [0, 10, 20, 0, 10, 20]
        );
    }

    #[test]
    fn a_run_of_exactly_ten_minutes_does_not() {
        assert_eq!(waits(&[SECOND, SECOND, CRASH_BACKOFF_RESET]), [0, 10, 20]);
    }

    #[test]
    fn retries_double_and_begin_again_after_a_success() {
        let mut retry = RetryBackoff::image();
        let mut take = |n| (0..n).map(|_| retry.failed().as_secs()).collect::<Vec<_>>();
        assert_eq!(take(7), [10, 20, 40, 80, 160, 300, 300]);
        retry.reset();
        assert_eq!(retry.failed(), IMAGE_BACKOFF_INITIAL);
    }
}
