//! One row of the table: what, ours, its twin's, their ratio, the bar, and whether it is reached.

use std::fmt;

use crate::samples::Samples;

/// One line of the table, in Markdown.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    what: String,
    unit: Unit,
    ours: Option<Samples>,
    twin: Twin,
    bars: Vec<Bar>,
}

/// What the row is compared with.
#[derive(Debug, Clone)]
enum Twin {
    /// Nothing does the same.
    None,
    Measured(Samples),
    /// It could not be measured, and why.
    Missing(String),
}

/// What the values of a row count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    MebibytesPerSecond,
    PerSecond,
    MillionPerSecond,
    Kibibytes,
    Percent,
}

/// What is due. All bars of a row must be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// Our value, in the row's unit.
    AtMost(f64),
    /// Our value, in the row's unit.
    AtLeast(f64),
    /// Our value divided by the twin's.
    RatioAtMost(f64),
    /// Our value divided by the twin's.
    RatioAtLeast(f64),
}

impl Row {
    pub(crate) const HEADER: &'static str = "| figure | wasmpod (median, range) | twin (median, range) | ratio | bar | reached |\n\
         |---|---|---|---|---|---|";

    pub(crate) fn new(what: impl Into<String>, unit: Unit, ours: Samples) -> Self {
        Self {
            what: what.into(),
            unit,
            ours: Some(ours),
            twin: Twin::None,
            bars: Vec::new(),
        }
    }

    /// A row of which nothing could be measured.
    pub(crate) fn unmeasured(what: &str, error: &anyhow::Error) -> Self {
        let twin = Twin::Missing(format!("{error:#}").replace('|', "\\|").replace('\n', " "));
        Self {
            what: what.to_owned(),
            unit: Unit::Percent,
            ours: None,
            twin,
            bars: Vec::new(),
        }
    }

    pub(crate) fn twin(self, twin: Samples) -> Self {
        Self {
            twin: Twin::Measured(twin),
            ..self
        }
    }

    /// The twin is not there; `how` says how to get it.
    pub(crate) fn without_twin(self, how: impl Into<String>) -> Self {
        Self {
            twin: Twin::Missing(how.into()),
            ..self
        }
    }

    pub(crate) fn bar(mut self, bar: Bar) -> Self {
        self.bars.push(bar);
        self
    }

    fn ratio(&self) -> Option<f64> {
        match (&self.ours, &self.twin) {
            (Some(ours), Twin::Measured(twin)) => Some(ours.median() / twin.median()),
            _ => None,
        }
    }

    /// Nothing when a bar cannot be judged, or there is none.
    fn is_reached(&self) -> Option<bool> {
        let judged = self.bars.iter().map(|bar| match *bar {
            Bar::AtMost(most) => self.ours.as_ref().map(|ours| ours.median() <= most),
            Bar::AtLeast(least) => self.ours.as_ref().map(|ours| ours.median() >= least),
            Bar::RatioAtMost(most) => self.ratio().map(|ratio| ratio <= most),
            Bar::RatioAtLeast(least) => self.ratio().map(|ratio| ratio >= least),
        });
        judged.reduce(|all, one| Some(all? && one?)).flatten()
    }

    fn show(&self, samples: &Samples) -> String {
        let text = |value| self.unit.number(value);
        let (least, most) = samples.range();
        let median = self.unit.with_unit(&text(samples.median()));
        if samples.len() == 1 {
            median
        } else {
            format!("{median} ({}–{})", text(least), text(most))
        }
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::MebibytesPerSecond => "MiB/s",
            Self::PerSecond => "/s",
            Self::MillionPerSecond => "M/s",
            Self::Kibibytes => "KiB",
            Self::Percent => "%",
        }
    }

    /// Three digits that tell something.
    fn number(self, value: f64) -> String {
        match value.abs() {
            size if size >= 100.0 => format!("{value:.0}"),
            size if size >= 10.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        }
    }

    fn with_unit(self, number: &str) -> String {
        format!("{number} {}", self.name())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = self
            .ours
            .as_ref()
            .map_or("-".to_owned(), |ours| self.show(ours));
        let twin = match &self.twin {
            Twin::None => "-".to_owned(),
            Twin::Measured(twin) => self.show(twin),
            Twin::Missing(how) => how.clone(),
        };
        let ratio = self
            .ratio()
            .map_or("-".to_owned(), |ratio| format!("{ratio:.2}x"));
        let bars = self.bars.iter().map(|bar| match bar {
            Bar::AtMost(most) => self.unit.with_unit(&format!("<= {most}")),
            Bar::AtLeast(least) => self.unit.with_unit(&format!(">= {least}")),
            Bar::RatioAtMost(most) => format!("<= {most}x"),
            Bar::RatioAtLeast(least) => format!(">= {least}x"),
        });
        let bars = bars.collect::<Vec<_>>().join(", ");
        let (bars, reached) = match self.is_reached() {
            _ if self.bars.is_empty() => ("-".to_owned(), "-"),
            Some(true) => (bars, "yes"),
            Some(false) => (bars, "**no**"),
            None => (bars, "not measured"),
        };
        write!(
            f,
            "| {} | {ours} | {twin} | {ratio} | {bars} | {reached} |",
            self.what
        )
    }
}
