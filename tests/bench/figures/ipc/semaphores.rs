//! Named semaphores: alone with one, and handed over between two.

use std::path::Path;

use super::{Load, ROUNDS};
use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::row::{Bar, Row, Unit};
use crate::samples::in_turns;

const ALONE: Load<'_> = Load {
    measures: "sem-alone",
    serves: None,
    size: 0,
    count: 5_000_000,
    capacity: None,
};

const HAND_OVER: Load<'_> = Load {
    measures: "sem-ping",
    serves: Some("sem-pong"),
    count: 30_000,
    ..ALONE
};

/// Nanoseconds of one post and wait.
fn each_ns(figures: &GuestFigures) -> anyhow::Result<f64> {
    Ok(1e9 / figures.rate()?)
}

/// Half of there and back.
fn hand_over_us(figures: &GuestFigures) -> anyhow::Result<f64> {
    Ok(figures.nanoseconds("p50_ns")? as f64 / 2e3)
}

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let alone = |guest: &str, module: &Path| -> anyhow::Result<Row> {
        let (ours, twin) = in_turns(
            ROUNDS,
            || each_ns(&ALONE.in_pod(bench, module)?),
            || each_ns(&ALONE.native(bench)?),
        )?;
        let what = format!("semaphore, post and wait uncontended, {guest}; twin: native sem_t");
        Ok(Row::new(what, Unit::Nanoseconds, ours).twin(twin))
    };
    let hand_over = |guests: &str, module: &Path| -> anyhow::Result<Row> {
        let (ours, twin) = in_turns(
            ROUNDS,
            || hand_over_us(&HAND_OVER.in_pod(bench, module)?),
            || hand_over_us(&HAND_OVER.native(bench)?),
        )?;
        let what = format!(
            "semaphore, hand-over between two {guests}, p50; twin: native sem_t, two processes"
        );
        Ok(Row::new(what, Unit::Microseconds, ours).twin(twin))
    };
    Ok(vec![
        alone("a core module", &bench.module)?.bar(Bar::RatioAtMost(1.5)),
        alone("a component", &bench.component)?,
        hand_over("core modules", &bench.module)?.bar(Bar::RatioAtMost(0.5)),
        hand_over("components", &bench.component)?.bar(Bar::RatioAtMost(0.5)),
    ])
}
