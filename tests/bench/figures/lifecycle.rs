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
/// As long as `wasmpod top` looks back.
const WATCHED: Duration = Duration::from_secs(15);

/// What is restarted: it ends once, and stays the second time. A volume tells the two apart.
const ONCE: &str =
    "if [ -e /state/again ]; then echo again; sleep 1000; fi; touch /state/again; echo once";

/// From the last line of an instance to the first line of the one that follows it.
pub(crate) fn restart(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let samples = in_a_host(bench.state(), async |host| {
        let mut samples = Samples::default();
        for number in 0..RESTARTS {
            let pause = restarted(host, &format!("again-{number}")).await?;
            if number > 0 {
                samples.push(pause);
            }
        }
        Ok(samples)
    })?;
    let what = "restart without back-off, from the last line of one shell to the first line of the next, its volume kept";
    Ok(vec![
        Row::new(what, Unit::Milliseconds, samples).bar(Bar::AtMost(2.0)),
    ])
}

async fn restarted(host: &Host, name: &str) -> anyhow::Result<f64> {
    let container = json!({
        "name": "shell",
        "image": "busybox",
        "command": ["sh", "-c", ONCE],
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    });
    let mut manifest = pods::pod(name, &[container]);
    set(&mut manifest, "restartPolicy", json!("Always"));
    set(
        &mut manifest,
        "volumes",
        json!([{"name": "state", "emptyDir": {}}]),
    );
    let pod = start(host, &manifest).await?;
    let told = async |previous, text: &[u8]| {
        let options = LogOptions {
            previous,
            // The line comes after the status that tells of its container.
            follow: !previous,
            ..LogOptions::default()
        };
        let mut log = pod
            .logs("shell", options)
            .context("the container has a log")?;
        while let Some(item) = log.next().await? {
            if let LogItem::Line(line) = item
                && line.text == text
            {
                return Ok(Some(line.time.parse::<Timestamp>()?.as_nanosecond()));
            }
        }
        anyhow::Ok(None)
    };
    let mut watch = pod.watch();
    let (last, first) = loop {
        watch.next().await.context("the pod has ended")?;
        if let Some(first) = told(false, b"again").await?
            && let Some(last) = told(true, b"once").await?
        {
            break (last, first);
        }
    };
    pod.kill().await;
    pod.wait().await;
    Ok((first - last) as f64 / 1e6)
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

/// What a host spends on two thousand TCP probes a second: its processor time with them less that without, less what
/// the servers themselves spend on a client that comes and goes, which is charged to their containers.
pub(crate) fn probes(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let probed = shares_of_a_core(bench, true)?;
    let twin = shares_of_a_core(bench, false)?;
    let what = |what| {
        format!(
            "{PROBED_PODS} pods of two containers with a TCP probe each second, {what}: a core's share; twin: without probes"
        )
    };
    let row = |who, of: fn(&Shares) -> f64| {
        let [ours, twin] = [&probed, &twin].map(|shares| Samples::from_iter([of(shares)]));
        Row::new(what(who), Unit::Percent, ours).twin(twin)
    };
    Ok(vec![
        row("the host", |shares| shares.all - shares.guests).bar(Bar::AtMost(5.0)),
        row("the probed servers", |shares| shares.guests),
    ])
}

/// Processor time of a whole process, and the part of it that is charged to containers; in percent of a core.
struct Shares {
    all: f64,
    guests: f64,
}

/// The servers answer each probe as they would any client that says nothing.
fn shares_of_a_core(bench: &Bench, has_probes: bool) -> anyhow::Result<Shares> {
    let container = |image: &str, name: &str, port: u16| {
        let mut container = json!({"name": name, "image": image});
        if has_probes && let Some(fields) = container.as_object_mut() {
            let probe = json!({"tcpSocket": {"port": port}, "periodSeconds": 1});
            fields.insert("livenessProbe".to_owned(), probe);
        }
        container
    };
    let all: Vec<Value> = (0..PROBED_PODS)
        .map(|number| {
            pods::pod(
                &format!("probed-{number}"),
                &[
                    container("nginx", "one", 80),
                    container("google-samples/hello-app", "two", 8080),
                ],
            )
        })
        .collect();
    let up = Up::start(bench, &pods::list(&all), &["--no-logs"])?;
    up.all_running(2 * PROBED_PODS)?;
    thread::sleep(CALM);
    let (before, start) = (cpu_time(up.id())?, Instant::now());
    thread::sleep(WATCHED);
    let spent = cpu_time(up.id())?.saturating_sub(before);
    let all = spent.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    let top = bench.look(&["top", "node", "--no-headers"])?;
    up.stop()?;
    let millicores = top.split_whitespace().nth(1);
    let millicores = millicores.and_then(|cpu| cpu.strip_suffix('m')?.parse::<f64>().ok());
    let guests = millicores.context(top)? / 10.0;
    Ok(Shares { all, guests })
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
