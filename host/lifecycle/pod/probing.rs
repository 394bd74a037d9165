//! The probes of one instance: when the next try is due, and what the tries so far amount to.
//!
//! The rules are those of the kubelet's prober worker: one try at a time; a result counts when the threshold is
//! reached; a container that is to be restarted because of a probe is left alone by that probe; a try that could not
//! be made changes nothing. The first tries are where a person expects them: startup as soon as the container runs,
//! readiness as soon as it has started (the kubelet asks for both out of turn), liveness one period after that, as
//! the kubelet's worker ticks; none before `initialDelaySeconds`.

use std::time::Duration;

use super::ProbeKind;
use crate::probe::{ProbePlan, Probes};

/// The three probes of an instance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probing {
    startup: Tries,
    liveness: Tries,
    readiness: Tries,
    started_at: Duration,
}

/// The tries of one probe.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    /// When the next one is due; not before the probe's turn has come.
    due: Duration,
    is_trying: bool,
    /// The probe has failed for good: it rests until the next instance.
    is_on_hold: bool,
    /// What the last try said, and how many in a row said so.
    last: Option<bool>,
    run: u32,
    /// What counts: the last verdict that reached its threshold.
    verdict: Option<bool>,
}

impl Probing {
    /// The container, which was started at `started`, is up at `now`.
    pub(super) fn begin(&mut self, probes: &Probes, started: Duration, now: Duration) {
        *self = Self {
            started_at: started,
            ..Self::default()
        };
        match &probes.startup {
            Some(plan) => self.startup.due = now.max(started.saturating_add(plan.initial_delay)),
            None => self.begin_others(probes, now),
        }
    }

    /// The container has started: liveness and readiness have their turn.
    fn begin_others(&mut self, probes: &Probes, now: Duration) {
        let after_delay = |plan: &ProbePlan| now.max(self.started_at + plan.initial_delay);
        if let Some(plan) = &probes.readiness {
            self.readiness.due = after_delay(plan);
        }
        if let Some(plan) = &probes.liveness {
            self.liveness.due = if plan.initial_delay.is_zero() {
                now.saturating_add(plan.period)
            } else {
                after_delay(plan)
            };
        }
    }

    /// True when the startup probe has succeeded.
    pub(super) fn has_come_up(&self) -> bool {
        self.startup.verdict == Some(true)
    }

    /// True when the readiness probe has succeeded, and has not failed since.
    pub(super) fn is_ready(&self) -> bool {
        self.readiness.verdict == Some(true)
    }

    /// When the next try of a probe is due; `None` while one is on its way and when the probe rests.
    pub(super) fn due(&self, kind: ProbeKind) -> Option<Duration> {
        let tries = self.tries(kind);
        (!tries.is_trying && !tries.is_on_hold).then_some(tries.due)
    }

    /// A try is on its way.
    pub(super) fn try_now(&mut self, kind: ProbeKind) {
        self.tries_mut(kind).is_trying = true;
    }

    /// A try is over, and says nothing.
    pub(super) fn pass(&mut self, kind: ProbeKind, plan: &ProbePlan, now: Duration) {
        self.tries_mut(kind).finish(plan, now);
    }

    /// A try is over. Gives the verdict if this try has brought a new one about.
    pub(super) fn note(
        &mut self,
        kind: ProbeKind,
        probes: &Probes,
        success: bool,
        now: Duration,
    ) -> Option<bool> {
        let plan = probes.get(kind)?;
        let tries = self.tries_mut(kind);
        tries.finish(plan, now);
        let verdict = tries.count(plan, success)?;
        match (kind, verdict) {
            (ProbeKind::Startup | ProbeKind::Liveness, false) => tries.is_on_hold = true,
            (ProbeKind::Startup, true) => self.begin_others(probes, now),
            (ProbeKind::Liveness, true) | (ProbeKind::Readiness, _) => {}
        }
        Some(verdict)
    }

    /// True while a try of this probe is on its way.
    pub(super) fn is_trying(&self, kind: ProbeKind) -> bool {
        self.tries(kind).is_trying
    }

    fn tries(&self, kind: ProbeKind) -> &Tries {
        match kind {
            ProbeKind::Startup => &self.startup,
            ProbeKind::Liveness => &self.liveness,
            ProbeKind::Readiness => &self.readiness,
        }
    }

    fn tries_mut(&mut self, kind: ProbeKind) -> &mut Tries {
        match kind {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Liveness => &mut self.liveness,
            ProbeKind::Readiness => &mut self.readiness,
        }
    }
}

impl Tries {
    /// The next try is due one period after this one was, so that nothing drifts. Of the turns that were missed
    /// because this try took so long, one is made up for at once, as a ticker does that keeps one tick.
    fn finish(&mut self, plan: &ProbePlan, now: Duration) {
        self.is_trying = false;
        let next = self.due.saturating_add(plan.period);
        let late = now.saturating_sub(next).as_nanos();
        let missed = late.checked_div(plan.period.as_nanos()).unwrap_or(0);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.due = next.saturating_add(plan.period.saturating_mul(missed));
    }

    fn count(&mut self, plan: &ProbePlan, success: bool) -> Option<bool> {
        if self.last == Some(success) {
            self.run = self.run.saturating_add(1);
        } else {
            self.last = Some(success);
            self.run = 1;
        }
        let threshold = if success {
            plan.success_threshold
        } else {
            plan.failure_threshold
        };
        if self.run < threshold || self.verdict == Some(success) {
            return None;
        }
        self.verdict = Some(success);
        Some(success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn plan(success: u32, failure: u32) -> ProbePlan {
        ProbePlan {
            initial_delay: Duration::ZERO,
            period: SECOND,
            timeout: SECOND,
            success_threshold: success,
            failure_threshold: failure,
            grace: None,
        }
    }

    #[test]
    fn a_result_counts_when_so_many_in_a_row_say_so() {
        let probes = Probes {
            readiness: Some(plan(2, 3)),
            ..Probes::default()
        };
        let mut probing = Probing::default();
        probing.begin(&probes, Duration::ZERO, Duration::ZERO);
        let tries = [
            true, false, true, true, false, false, true, false, false, false,
        ];
        let verdicts = tries.map(|ok| probing.note(ProbeKind::Readiness, &probes, ok, SECOND));
        let mut expected = [None; 10];
        expected[3] = Some(true);
        expected[9] = Some(false);
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn tries_stay_on_their_schedule_and_a_missed_turn_is_made_up_for_once() {
        let probes = Probes {
            readiness: Some(plan(1, 1)),
            ..Probes::default()
        };
        let mut probing = Probing::default();
        probing.begin(&probes, Duration::ZERO, Duration::ZERO);
        let mut due = Vec::new();
        for answered in [5_u64, 1020, 4700, 4800, 5010] {
            probing.note(
                ProbeKind::Readiness,
                &probes,
                true,
                Duration::from_millis(answered),
            );
            due.push(probing.due(ProbeKind::Readiness).unwrap().as_millis());
        }
        assert_eq!(due, [1000, 2000, 4000, 5000, 6000]);
    }
}
