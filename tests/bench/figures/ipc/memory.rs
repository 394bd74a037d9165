//! Shared memory: copying in and out of a mapping and by calls, and reading at random places.

use std::path::Path;

use super::{Load, ROUNDS};
use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::row::{Bar, Row, Unit};
use crate::samples::in_turns;

/// Bytes that one run copies, in and out: a tenth of a second at least, beside which the rest of a pod's start is short.
const TOTAL: u64 = 8 << 30;
const KIB: u32 = 1024;
const MIB: u32 = 1024 * KIB;
const RANDOM_READS: u32 = 40_000_000;

fn mebibytes(figures: &GuestFigures) -> anyhow::Result<f64> {
    Ok(figures.bytes_per_second()? / f64::from(1 << 20))
}

/// A row of one way of copying; its twin is the native program with the same segment in a mapping.
fn row(
    bench: &Bench,
    role: &str,
    what: &str,
    module: &Path,
    size: u32,
    count: u32,
) -> anyhow::Result<Row> {
    let load = Load {
        measures: role,
        serves: None,
        size,
        count,
        capacity: None,
    };
    let (ours, twin) = in_turns(
        ROUNDS,
        || mebibytes(&load.in_pod(bench, module)?),
        || mebibytes(&load.native(bench)?),
    )?;
    Ok(Row::new(what, Unit::MebibytesPerSecond, ours).twin(twin))
}

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let sizes = [
        (4 * KIB, "4 KiB"),
        (64 * KIB, "64 KiB"),
        (MIB, "1 MiB"),
        (16 * MIB, "16 MiB"),
    ];
    for (size, name) in sizes {
        let count = u32::try_from(TOTAL / u64::from(size))?;
        let what = format!(
            "shared memory, mapped, {name} copied in and out, core module; twin: native memcpy"
        );
        rows.push(
            row(bench, "shm-mapped", &what, &bench.module, size, count)?
                .bar(Bar::RatioAtLeast(0.95)),
        );
        for (guest, module) in [
            ("core module", &bench.module),
            ("component", &bench.component),
        ] {
            let what = format!(
                "shared memory, copied by calls, {name} in and out, {guest}; twin: native memcpy"
            );
            rows.push(
                row(bench, "shm-copied", &what, module, size, count)?.bar(Bar::RatioAtLeast(0.8)),
            );
        }
    }
    let what =
        "shared memory, mapped, 64 bytes at random places of 16 MiB, core module; twin: native";
    let random = row(bench, "shm-random", what, &bench.module, 64, RANDOM_READS)?;
    rows.push(random.bar(Bar::RatioAtLeast(0.9)));
    Ok(rows)
}
