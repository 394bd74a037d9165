//! `stress`: takes processor time and memory, to see how limits hold.
//!
//! Answers to the options of two programs of that name that Kubernetes' documentation uses: the one of Debian
//! (`--cpu N`, `--vm N --vm-bytes B --vm-hang S`, `--timeout T`) and vish/stress (`-cpus N`, `-mem-total B`,
//! `-mem-alloc-size B`, `-mem-alloc-sleep T`). A guest is one thread, so several workers of either kind take turns.

use super::{Call, Fail, Outcome};
use crate::rt;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long the processor is taken before another worker has its turn.
const TURN: Duration = Duration::from_millis(1);
/// Every so many bytes of memory one is written, so that all of it is really there (Linux's page).
const PAGE_BYTES: usize = 4096;
/// What is allocated at once unless said, in bytes (vish/stress).
const STEP_BYTES: u64 = 4 * 1024;

/// What is to be taken.
#[derive(Debug, Default, PartialEq)]
struct Load {
    cpus: u64,
    /// Workers that take memory, and how many bytes each.
    memory_workers: u64,
    memory_bytes: u64,
    /// Bytes allocated at once, and how long is waited before the next.
    step_bytes: u64,
    step_pause: Duration,
    /// How long memory is kept before it is written again; `None` keeps it without touching it.
    hang: Option<Duration>,
    timeout: Option<Duration>,
}

/// `stress …`.
pub async fn stress(call: &mut Call<'_>) -> Outcome {
    let load = parse(&std::mem::take(&mut call.args)).map_err(Fail::new)?;
    let memory = load.memory_workers.saturating_mul(load.memory_bytes);
    call.line(format!(
        "stress: info: [1] dispatching hogs: {} cpu, 0 io, {} vm, 0 hdd",
        load.cpus, load.memory_workers
    ))
    .await?;
    call.flush().await?;
    let end = load.timeout.map(|timeout| Instant::now() + timeout);
    let mut kept = Vec::new();
    take(&mut kept, memory, &load).await?;
    loop {
        if end.is_some_and(|end| Instant::now() >= end) {
            call.line("stress: info: [1] successful run completed")
                .await?;
            return Ok(0);
        }
        if load.cpus > 0 {
            let turn = Instant::now();
            let mut root = 2.0_f64;
            while turn.elapsed() < TURN {
                for _ in 0..1000 {
                    root = black_box(root.sqrt() + 1.0);
                }
            }
            rt::give_way().await;
            continue;
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        match (load.hang, left) {
            (None, left) => rt::sleep(left).await,
            (Some(hang), left) => {
                rt::sleep(Some(left.map_or(hang, |left| hang.min(left)))).await;
                kept.clear();
                take(&mut kept, memory, &load).await?;
            }
        }
    }
}

/// Allocates and touches memory.
async fn take(kept: &mut Vec<Vec<u8>>, bytes: u64, load: &Load) -> Result<(), Fail> {
    let mut left = bytes;
    while left > 0 {
        let step = left.min(load.step_bytes.max(1));
        let size = usize::try_from(step).map_err(|_| Fail::new("allocation too large"))?;
        let mut part = Vec::new();
        if part.try_reserve_exact(size).is_err() {
            return Err(Fail::new(format!(
                "FAIL: [1] hogvm malloc failed: Cannot allocate {step} bytes"
            )));
        }
        part.resize(size, 0_u8);
        for byte in part.iter_mut().step_by(PAGE_BYTES) {
            *byte = 90;
        }
        kept.push(black_box(part));
        left -= step;
        if !load.step_pause.is_zero() {
            rt::sleep(Some(load.step_pause)).await;
        }
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Load, String> {
    let mut load = Load {
        memory_bytes: 256 * 1024 * 1024,
        step_bytes: u64::MAX,
        hang: Some(Duration::ZERO),
        ..Load::default()
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let mut value = || {
            inline
                .clone()
                .or_else(|| args.next().cloned())
                .ok_or_else(|| format!("option '{name}' needs a value"))
        };
        match name {
            "-c" | "--cpu" | "-cpus" | "--cpus" => load.cpus = number(&value()?)?,
            "-m" | "--vm" => load.memory_workers = number(&value()?)?,
            "--vm-bytes" => load.memory_bytes = bytes(&value()?)?,
            "--vm-hang" => load.hang = Some(Duration::from_secs(number(&value()?)?)),
            "--vm-keep" => load.hang = None,
            "-t" | "--timeout" => load.timeout = Some(seconds(&value()?)?),
            "-mem-total" | "--mem-total" => {
                load.memory_workers = 1;
                load.memory_bytes = bytes(&value()?)?;
                load.step_bytes = load.step_bytes.min(STEP_BYTES);
                load.hang = None;
            }
            "-mem-alloc-size" | "--mem-alloc-size" => load.step_bytes = bytes(&value()?)?,
            "-mem-alloc-sleep" | "--mem-alloc-sleep" => load.step_pause = seconds(&value()?)?,
            "-v" | "--verbose" | "-q" | "--quiet" | "-logtostderr" | "--logtostderr" => {}
            _ => return Err(format!("unrecognized option '{arg}'")),
        }
    }
    if load.cpus == 0 && load.memory_workers == 0 {
        return Err("nothing to do: give --cpu N or --vm N".into());
    }
    Ok(load)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

/// A size: a number with B, K, M or G (of 1024), or Kubernetes' Ki, Mi, Gi.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" | "b" => 1,
        "K" | "k" | "Ki" => 1 << 10,
        "M" | "m" | "Mi" => 1 << 20,
        "G" | "g" | "Gi" => 1 << 30,
        _ => return Err(format!("not a size: {text}")),
    };
    number(digits)?
        .checked_mul(factor)
        .ok_or_else(|| format!("too large: {text}"))
}

/// A time: a number with ms, s, m, h or d; seconds without.
fn seconds(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("not a time: {text}")),
    };
    Ok(Duration::from_millis(
        number(digits)?.saturating_mul(unit_ms),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn both_programs_options_are_understood() {
        let debian = parse(&words("--vm 1 --vm-bytes 150M --vm-hang 1 --timeout 2m")).unwrap();
        assert_eq!((debian.memory_workers, debian.memory_bytes), (1, 150 << 20));
        assert_eq!(debian.hang, Some(Duration::from_secs(1)));
        assert_eq!(debian.timeout, Some(Duration::from_secs(120)));
        let vish = parse(&words("-cpus 2 -mem-total 100Mi -mem-alloc-sleep 10ms")).unwrap();
        assert_eq!((vish.cpus, vish.memory_bytes), (2, 100 << 20));
        assert_eq!(vish.step_pause, Duration::from_millis(10));
        for wrong in ["", "--cpu", "--cpu x", "--vm-bytes 1X", "--hdd 1"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong:?}");
        }
    }
}
