//! What the system tells of itself and of a process, by way of Linux's `/proc` (proc(5)). Elsewhere there is nothing to
//! read, and the figures that need it are not measured.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// A process's memory counts as settled when it has not changed for so long.
const SETTLED: Duration = Duration::from_millis(300);
/// ... and is taken as it is after so long.
const SETTLING: Duration = Duration::from_secs(10);

/// The machine on which the figures were measured: one line of Markdown.
pub(crate) fn description() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let cpu = cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!(
        "{cores} cores ({cpu}), {} {kernel}, load at the start {load}",
        std::env::consts::OS
    )
}

/// The memory that a process holds, page tables included, in KiB, once it has settled.
pub(crate) fn settled_memory_kib(process: u32) -> anyhow::Result<f64> {
    let limit = Instant::now() + SETTLING;
    let mut last = memory_kib(process)?;
    let mut since = Instant::now();
    while since.elapsed() < SETTLED && Instant::now() < limit {
        thread::sleep(SETTLED / 10);
        let now = memory_kib(process)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(f64::from(last))
}

fn memory_kib(process: u32) -> anyhow::Result<u32> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).context("memory is measured on Linux only")?;
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim_end_matches("kB").trim().parse::<u32>().ok()
    };
    let values = value("VmRSS:").zip(value("VmPTE:"));
    values
        .map(|(resident, tables)| resident + tables)
        .with_context(|| format!("{path} tells no memory"))
}

/// Processor time that all threads of a process have taken.
pub(crate) fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    cpu_time_of(process, "")
}

/// Processor time that the threads of a process have taken whose names begin so.
pub(crate) fn cpu_time_of(process: u32, threads: &str) -> anyhow::Result<Duration> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))
        .context("processor time is measured on Linux only")?;
    let mut total = Duration::ZERO;
    for task in tasks.flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if !name.starts_with(threads) {
            continue;
        }
        // A thread may have ended since.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else {
            continue;
        };
        let first = text.split(' ').next().unwrap_or_default();
        total += Duration::from_nanos(
            first
                .trim()
                .parse()
                .context("schedstat begins with a number")?,
        );
    }
    Ok(total)
}
