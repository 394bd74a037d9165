//! CPU limits: how much of a core an endless loop gets under its limit, and what its neighbours notice of it.
//!
//! The loop's part is the processor time of the pods' threads over ten seconds in which nobody else does anything; what
//! the clock that interrupts guests takes on its own thread is told apart. The
//! neighbours are the echoing containers of `fairness`, once in the loop's own pod, on its thread, and once in a pod of
//! their own.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fairness::{Place, round_trips};
use crate::bench::Bench;
use crate::host::cpu_time_of;
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::Samples;
use crate::up::Up;

/// Limits, and the part of a core that each is, in percent.
const LIMITS: [(&str, f64); 3] = [("100m", 10.0), ("500m", 50.0), ("1", 100.0)];
/// How far a measured part may be from its limit, of the limit.
const TOLERANCE: f64 = 0.1;
/// After the start, until it has calmed down.
const CALM: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_secs(10);
/// How often the neighbours are measured, with and without each loop in turns: a p99 is easily disturbed.
const ROUNDS: usize = 5;

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (limit, percent) in LIMITS {
        let what = format!("an endless loop limited to cpu: {limit}, over 10 s: of one core");
        let (share, clock) = share(bench, limit)?;
        rows.push(
            Row::new(what, Unit::Percent, Samples::from_iter([share]))
                .bar(Bar::AtLeast(percent - percent * TOLERANCE))
                .bar(Bar::AtMost(percent + percent * TOLERANCE)),
        );
        let what = "... the clock that interrupts it";
        rows.push(Row::new(what, Unit::Percent, Samples::from_iter([clock])));
    }
    Ok(rows)
}

pub(crate) fn neighbours(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (place, whose) in [
        (Place::SamePod, "the same pod"),
        (Place::OtherPod, "another pod"),
    ] {
        let mut idle = Samples::default();
        let mut beside = LIMITS.map(|_| Samples::default());
        for _ in 0..ROUNDS {
            idle.push(round_trips(bench, None)?.percentile(99));
            for (samples, (limit, _)) in beside.iter_mut().zip(LIMITS) {
                let disturber = Some((spinner(bench, limit), place));
                samples.push(round_trips(bench, disturber)?.percentile(99));
            }
        }
        for (samples, (limit, _)) in beside.into_iter().zip(LIMITS) {
            let what = format!(
                "nine containers echo beside an endless loop limited to cpu: {limit} in {whose}: p99; twin: without the loop"
            );
            let row = Row::new(what, Unit::Milliseconds, samples);
            rows.push(row.twin(idle.clone()).bar(Bar::RatioAtMost(2.0)));
        }
    }
    Ok(rows)
}

/// Percent of a core that an endless loop gets under `limit`, and that the clock behind the interruptions takes.
fn share(bench: &Bench, limit: &str) -> anyhow::Result<(f64, f64)> {
    let pod = pods::pod("limited", &[spinner(bench, limit)]);
    let up = Up::start(bench, &pod.to_string(), &["--no-logs"])?;
    up.all_running(1)?;
    thread::sleep(CALM);
    let times = || {
        anyhow::Ok([
            cpu_time_of(up.id(), "worker-")?,
            cpu_time_of(up.id(), "wasmpod-epoch")?,
        ])
    };
    let (start, [worker, clock]) = (Instant::now(), times()?);
    thread::sleep(WATCHED);
    let ([worker_after, clock_after], passed) = (times()?, start.elapsed().as_secs_f64());
    let percent =
        |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() / passed * 100.0;
    let (worker, clock) = (percent(worker, worker_after), percent(clock, clock_after));
    up.stop()?;
    Ok((worker, clock))
}

fn spinner(bench: &Bench, limit: &str) -> Value {
    let mut container = pods::container("loop", &bench.alone_component, &["spin"]);
    if let Some(fields) = container.as_object_mut() {
        fields.insert("resources".into(), json!({"limits": {"cpu": limit}}));
    }
    container
}
