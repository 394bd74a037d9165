//! Measurements of one thing, and what they come to.

use std::time::Duration;

/// Values of one thing, all in the same unit. Never empty once shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The value that half of them stay within.
    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The nearest-rank percentile: the least value that `percent` of them do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// The least and the greatest.
    pub(crate) fn range(&self) -> (f64, f64) {
        (self.percentile(0), self.percentile(100))
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Milliseconds, as a number to calculate with.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Measures both in turns, `rounds` times each; who is first changes with each round, so that neither always meets the
/// machine as the other left it. The first round warms up and does not count.
pub(crate) fn in_turns(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<f64>,
    mut twin: impl FnMut() -> anyhow::Result<f64>,
) -> anyhow::Result<(Samples, Samples)> {
    let (mut our_samples, mut twin_samples) = (Samples::default(), Samples::default());
    for round in 0..=rounds {
        let (mine, other) = if round % 2 == 0 {
            let mine = ours()?;
            (mine, twin()?)
        } else {
            let other = twin()?;
            (ours()?, other)
        };
        if round > 0 {
            our_samples.push(mine);
            twin_samples.push(other);
        }
    }
    Ok((our_samples, twin_samples))
}

/// Measures one thing alone, `rounds` times, without the warm-up.
pub(crate) fn repeat(
    rounds: usize,
    mut measure: impl FnMut() -> anyhow::Result<f64>,
) -> anyhow::Result<Samples> {
    measure()?;
    (0..rounds).map(|_| measure()).collect()
}
