//! The line of JSON in which a guest of the benchmarks, or its native twin, tells what it measured.

use anyhow::Context as _;
use serde_json::Value;

/// What one run of the guest came to.
#[derive(Debug, Clone)]
pub(crate) struct GuestFigures(Value);

impl GuestFigures {
    /// Nothing when the line is not the guest's, or of another role.
    pub(crate) fn parse(line: &str, role: &str) -> Option<Self> {
        let figures: Value = serde_json::from_str(line).ok()?;
        (figures.get("role")?.as_str()? == role).then_some(Self(figures))
    }

    /// A time in nanoseconds.
    pub(crate) fn nanoseconds(&self, key: &str) -> anyhow::Result<u64> {
        let value = self.0.get(key).and_then(Value::as_u64);
        value.with_context(|| format!("the guest's figures lack \"{key}\""))
    }

    /// Messages a second.
    pub(crate) fn rate(&self) -> anyhow::Result<f64> {
        let count = self.0.get("count").and_then(Value::as_f64);
        let count = count.context("the guest's figures lack \"count\"")?;
        Ok(count / (self.nanoseconds("total_ns")? as f64 / 1e9))
    }

    /// Bytes a second.
    pub(crate) fn bytes_per_second(&self) -> anyhow::Result<f64> {
        let size = self.0.get("size").and_then(Value::as_f64);
        Ok(size.context("the guest's figures lack \"size\"")? * self.rate()?)
    }
}
