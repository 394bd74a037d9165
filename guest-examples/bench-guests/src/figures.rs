//! What is measured, and the line in which it is told.

use std::time::{Duration, Instant};

/// Measures steps of a run; all memory is taken before the first.
pub(crate) struct Stopwatch {
    start: Instant,
    last: Instant,
    steps_ns: Vec<u64>,
}

/// The figures of one run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Bytes of one message.
    pub(crate) size: usize,
    /// Messages, or round trips.
    pub(crate) count: usize,
    /// Nanoseconds of all of them.
    pub(crate) total_ns: u64,
    /// Nanoseconds that half of the steps stayed within. A step is a message, or a batch of them.
    pub(crate) p50_ns: u64,
    /// Nanoseconds that 99 of 100 steps stayed within.
    pub(crate) p99_ns: u64,
    /// Messages of one step.
    pub(crate) step: usize,
}

impl Stopwatch {
    /// Starts with room for so many steps.
    pub(crate) fn start(steps: usize) -> Self {
        let steps_ns = Vec::with_capacity(steps);
        let now = Instant::now();
        Self {
            start: now,
            last: now,
            steps_ns,
        }
    }

    /// Ends a step and begins the next.
    pub(crate) fn step(&mut self) {
        let now = Instant::now();
        self.steps_ns
            .push(nanoseconds(now.duration_since(self.last)));
        self.last = now;
    }

    /// The figures of `count` messages of `size` bytes, `step` in a step.
    pub(crate) fn finish(self, size: usize, count: usize, step: usize) -> Figures {
        let total = self.start.elapsed();
        Figures {
            count,
            step,
            ..Figures::of(self.steps_ns, total, size)
        }
    }
}

impl Figures {
    /// The figures of steps that were measured by somebody else.
    pub(crate) fn of(mut steps_ns: Vec<u64>, total: Duration, size: usize) -> Self {
        steps_ns.sort_unstable();
        let [p50_ns, p99_ns] = [50, 99].map(|percent| percentile(&steps_ns, percent));
        let (total_ns, count) = (nanoseconds(total), steps_ns.len());
        Self {
            size,
            count,
            total_ns,
            p50_ns,
            p99_ns,
            step: 1,
        }
    }

    /// One line of JSON on stdout.
    pub(crate) fn print(&self, role: &str) {
        println!("{}", self.line(role));
    }

    fn line(&self, role: &str) -> String {
        let Self {
            size,
            count,
            total_ns,
            p50_ns,
            p99_ns,
            step,
        } = self;
        format!(
            "{{\"role\":\"{role}\",\"size\":{size},\"count\":{count},\"total_ns\":{total_ns},\
             \"step\":{step},\"p50_ns\":{p50_ns},\"p99_ns\":{p99_ns}}}"
        )
    }
}

/// The nearest-rank percentile of sorted values: the least that `percent` of them do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(
            (percentile(&hundred, 50), percentile(&hundred, 99)),
            (50, 99)
        );
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99)), (7, 7));
        assert_eq!(percentile(&[], 99), 0);
    }

    #[test]
    fn the_line_is_json() {
        let figures = Figures {
            size: 64,
            count: 10,
            total_ns: 5,
            p50_ns: 1,
            p99_ns: 2,
            step: 1,
        };
        let expected = r#"{"role":"tcp-ping","size":64,"count":10,"total_ns":5,"step":1,"p50_ns":1,"p99_ns":2}"#;
        assert_eq!(figures.line("tcp-ping"), expected);
    }
}
