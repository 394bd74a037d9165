//! What the kubelet's work costs here: a restart, a pod's readiness, and the probes of many pods.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::runtime;
use tokio::time::timeout;
use wasmpod::k8s::jiff::Timestamp;
use wasmpod::{Host, LogItem, LogOptions, PodHandle, Source};

use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::host::cpu_time;
use crate::pods;
use crate::process::PATIENCE;
use crate::row::{Bar, Row, Unit};
use crate::samples::Samples;
use crate::up::Up;

/// Restarts that are measured, one after the other; the first warms up and does not count.
const RESTARTS: usize = 21;
/// Pods whose readiness is measured, one after the other; the first warms up and does not count.
const READINESS: usize = 11;
/// Pods with two containers each, every one probed each second.
const PROBED_PODS: usize = 1000;
/// After the start, until it has calmed down.
const CALM: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(10);

/// From the last line of an instance to the first line of the one that follows it.
pub(crate) fn restart(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    [
        ("core module", &bench.alone_module),
        ("component", &bench.alone_component),
    ]
    .map(|(kind, module)| {
        let samples = in_a_host(bench.state(), async |host| {
            let mut samples = Samples::default();
            for number in 0..RESTARTS {
                let pause = restarted(host, &format!("again-{number}"), module).await?;
                if number > 0 {
                    samples.push(pause);
                }
            }
            Ok(samples)
        })?;
        let what = format!(
            "restart without back-off, from the last line of one instance to the first of the next: {kind}"
        );
        Ok(Row::new(what, Unit::Milliseconds, samples).bar(Bar::AtMost(2.0)))
    })
    .into_iter()
    .collect()
}

async fn restarted(host: &Host, name: &str, module: &Path) -> anyhow::Result<f64> {
    let mut manifest = pods::pod(name, &[pods::container("clock", module, &["clock"])]);
    set(&mut manifest, "restartPolicy", json!("Always"));
    let pod = start(host, &manifest).await?;
    let told = async |previous| {
        let options = LogOptions {
            previous,
            ..LogOptions::default()
        };
        let mut log = pod
            .logs("clock", options)
            .context("the container has a log")?;
        while let Some(item) = log.next().await? {
            if let LogItem::Line(line) = item {
                return Ok(GuestFigures::parse(
                    &String::from_utf8_lossy(&line.text),
                    "clock",
                ));
            }
        }
        anyhow::Ok(None)
    };
    let mut watch = pod.watch();
    let (first, second) = loop {
        watch
            .next()
            .await
            .context("the pod has ended before its restart")?;
        if let (Some(first), Some(second)) = (told(true).await?, told(false).await?) {
            break (first, second);
        }
    };
    pod.kill().await;
    pod.wait().await;
    let pause = second
        .nanoseconds("start_ns")?
        .saturating_sub(first.nanoseconds("end_ns")?);
    Ok(pause as f64 / 1e6)
}

/// From the moment when the server logs the first probe that it answers to the moment when whoever watches the pod sees
/// it ready.
pub(crate) fn readiness(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let samples = in_a_host(bench.state(), async |host| {
        let mut samples = Samples::default();
        for number in 0..READINESS {
            let delay = ready(host, &format!("ready-{number}")).await?;
            if number > 0 {
                samples.push(delay);
            }
        }
        Ok(samples)
    })?;
    let what = "a pod with an HTTP readiness probe: from the first probe that its server answers to its being seen ready";
    Ok(vec![
        Row::new(what, Unit::Milliseconds, samples).bar(Bar::AtMost(5.0)),
    ])
}

async fn ready(host: &Host, name: &str) -> anyhow::Result<f64> {
    let server = json!({
        "name": "web",
        "image": "nginx",
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1},
    });
    let pod = start(host, &pods::pod(name, &[server])).await?;
    let mut watch = pod.watch();
    let seen = loop {
        watch.next().await.context("the pod has ended")?;
        if pod.is_ready() {
            break SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        }
    };
    let mut log = pod
        .logs("web", LogOptions::default())
        .context("the container has a log")?;
    let answered = loop {
        match log.next().await? {
            Some(LogItem::Line(line)) if line.text.windows(5).any(|part| part == b" 200 ") => {
                break u128::try_from(line.time.parse::<Timestamp>()?.as_nanosecond())?;
            }
            Some(_) => {}
            None => bail!("the server has logged no probe"),
        }
    };
    pod.kill().await;
    pod.wait().await;
    Ok(seen.saturating_sub(answered) as f64 / 1e6)
}

/// What a host spends on two thousand TCP probes a second: its processor time with them less that without.
pub(crate) fn probes(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let probed = share_of_a_core(bench, true)?;
    let twin = share_of_a_core(bench, false)?;
    let what = format!(
        "{PROBED_PODS} pods of two containers with a TCP probe each second: a core's share; twin: without probes"
    );
    let [ours, twin] = [probed, twin].map(|share| Samples::from_iter([share]));
    Ok(vec![
        Row::new(what, Unit::Percent, ours)
            .twin(twin)
            .bar(Bar::AtMost(5.0)),
    ])
}

fn share_of_a_core(bench: &Bench, has_probes: bool) -> anyhow::Result<f64> {
    let container = |name: &str, port: u16| {
        let address = format!("0.0.0.0:{port}");
        let mut container = pods::container(name, &bench.component, &["tcp-echo", &address]);
        if has_probes {
            let probe = json!({"tcpSocket": {"port": port}, "periodSeconds": 1});
            if let Some(fields) = container.as_object_mut() {
                fields.insert("livenessProbe".to_owned(), probe);
            }
        }
        container
    };
    let all: Vec<Value> = (0..PROBED_PODS)
        .map(|number| {
            pods::pod(
                &format!("probed-{number}"),
                &[container("one", 7001), container("two", 7002)],
            )
        })
        .collect();
    let up = Up::start(bench, &pods::list(&all), &["--no-logs"])?;
    up.all_running(2 * PROBED_PODS)?;
    thread::sleep(CALM);
    let (before, start) = (cpu_time(up.id())?, Instant::now());
    thread::sleep(WATCHED);
    let spent = cpu_time(up.id())?.saturating_sub(before);
    let share = spent.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    up.stop()?;
    Ok(share)
}

/// Runs something in a host of this process, and shuts that down.
fn in_a_host<T>(
    state: &Path,
    work: impl AsyncFnOnce(&Host) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let host = Host::builder().state_dir(state).build()?;
        let done = timeout(PATIENCE, work(&host)).await;
        host.shutdown().await?;
        done.context("no answer in time")?
    })
}

async fn start(host: &Host, manifest: &Value) -> anyhow::Result<PodHandle> {
    let manifests = wasmpod::read(&[Source::new("bench", manifest.to_string())])?;
    let mut pods = host.start(manifests).await?;
    ensure!(pods.len() == 1, "the manifest is one pod");
    pods.pop().context("the manifest is one pod")
}

fn set(pod: &mut Value, field: &str, value: Value) {
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert(field.to_owned(), value);
    }
}
