//! The start of a container in a running host, code cached.
//!
//! A chain of init containers tells the time on the only clock that host and guests share. Each notes when its `main`
//! begins and when it ends; the pod's events tell when the host has found its image and begins to make it. What lies
//! between is the making of its root directory, log, sockets and queues, of the instance, and the start of the guest's
//! own runtime, which asks for arguments and environment before `main`: so this is a little more than the bar is about.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::runtime;
use wasmpod::{Host, LogItem, LogOptions, PodHandle, Source};

use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::Samples;

/// Pods that run one after the other; the first warms up and does not count.
const PODS: usize = 13;
/// Init containers of each, which run one after the other.
const CONTAINERS: usize = 24;

/// When a container was begun and what its guest saw, in nanoseconds since 1970.
struct Life {
    begun: u64,
    first_line: u64,
    last_line: u64,
}

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let disk = bench.fresh_path("-host");
    let places = [
        ("state in memory", bench.state()),
        ("state in the temporary folder", &disk),
    ];
    let mut rows = Vec::new();
    for (place, state) in places {
        let module = &bench.alone_module;
        rows.extend(of_kind(
            &format!("core module, {place}"),
            module,
            150.0,
            state,
        )?);
        let module = &bench.alone_component;
        rows.extend(of_kind(
            &format!("component, {place}"),
            module,
            400.0,
            state,
        )?);
    }
    Ok(rows)
}

fn of_kind(kind: &str, module: &Path, most_us: f64, state: &Path) -> anyhow::Result<Vec<Row>> {
    let micro = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e3;
    let (mut starts, mut changes) = (Samples::default(), Samples::default());
    for lives in chains(module, state)?.get(1..).unwrap_or_default() {
        for life in lives {
            starts.push(micro(life.begun, life.first_line));
        }
        for pair in lives.windows(2) {
            if let [one, next] = pair {
                changes.push(micro(one.last_line, next.first_line));
            }
        }
    }
    let kib = std::fs::metadata(module)?.len() / 1024;
    let start = format!(
        "container start from its image found to the first line of `main`: {kib} KiB {kind}"
    );
    let change = format!("... from the last line of one to the first line of the next: {kind}");
    Ok(vec![
        Row::new(start, Unit::Microseconds, starts).bar(Bar::AtMost(most_us)),
        Row::new(change, Unit::Microseconds, changes),
    ])
}

/// Runs all pods in a host of this process; the lives of their containers, in order.
fn chains(module: &Path, state: &Path) -> anyhow::Result<Vec<Vec<Life>>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let host = Host::builder().state_dir(state).build()?;
        let mut lives = Vec::with_capacity(PODS);
        for number in 0..PODS {
            lives.push(chain(&host, &format!("chain-{number}"), module).await?);
        }
        host.shutdown().await?;
        Ok(lives)
    })
}

async fn chain(host: &Host, pod: &str, module: &Path) -> anyhow::Result<Vec<Life>> {
    let name = |number| format!("c{number}");
    let containers =
        (0..CONTAINERS).map(|number| pods::container(&name(number), module, &["clock"]));
    let mut manifest = pods::pod(pod, &[pods::container("last", module, &["end"])]);
    if let Some(spec) = manifest.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert(
            "initContainers".to_owned(),
            json!(containers.collect::<Vec<_>>()),
        );
    }
    let manifests = wasmpod::read(&[Source::new("chain", manifest.to_string())])?;
    let pod = host
        .start(manifests)
        .await?
        .pop()
        .context("the chain is one pod")?;
    let begun = begun(&pod).await;
    let end = pod.wait().await;
    let phase = end
        .status
        .as_ref()
        .and_then(|status| status.phase.clone())
        .unwrap_or_default();
    ensure!(phase == "Succeeded", "the chain ended as {phase}");
    let mut lives = Vec::with_capacity(CONTAINERS);
    for number in 0..CONTAINERS {
        let name = name(number);
        let told = told(&pod, &name).await;
        let told = told.with_context(|| format!("container {name} told nothing"))?;
        lives.push(Life {
            begun: *begun
                .get(&name)
                .with_context(|| format!("no event of container {name}"))?,
            first_line: told.nanoseconds("start_ns")?,
            last_line: told.nanoseconds("end_ns")?,
        });
    }
    Ok(lives)
}

/// When each container's image was found: the first thing that happens once its start is decided.
async fn begun(pod: &PodHandle) -> HashMap<String, u64> {
    let mut times = HashMap::new();
    let mut events = pod.events();
    while let Some(event) = events.next().await {
        if let ("Pulled", Some(container)) = (event.0.reason.as_str(), event.0.container) {
            times.insert(
                container,
                u64::try_from(event.0.time.as_nanosecond()).unwrap_or_default(),
            );
        }
    }
    times
}

async fn told(pod: &PodHandle, container: &str) -> Option<GuestFigures> {
    let mut log = pod.logs(container, LogOptions::default())?;
    while let Ok(Some(item)) = log.next().await {
        if let LogItem::Line(line) = item {
            return GuestFigures::parse(&String::from_utf8_lossy(&line.text), "clock");
        }
    }
    None
}
