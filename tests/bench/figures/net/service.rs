//! A Service with three endpoints in other pods: what it costs to have one chosen, beside naming a pod directly.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::Samples;
use crate::up::Up;

const ROUNDS: usize = 5;
const ENDPOINTS: usize = 3;

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let (mut chosen, mut direct, mut more) = <(Samples, Samples, Samples)>::default();
    for round in 0..=ROUNDS {
        let [service, pod] = run(bench)?;
        // The first compiles what is missing.
        if round > 0 {
            chosen.push(service);
            direct.push(pod);
            more.push(service - pod);
        }
    }
    let what = "connect of a component to a Service with three endpoints in other pods, p50; twin: to such a pod itself";
    Ok(vec![
        Row::new(what, Unit::Microseconds, chosen).twin(direct),
        Row::new("... what the Service costs", Unit::Microseconds, more).bar(Bar::AtMost(2.0)),
    ])
}

/// Microseconds of half of the connects to the Service, and of those to the pod.
fn run(bench: &Bench) -> anyhow::Result<[f64; 2]> {
    let mut items: Vec<Value> = (0..ENDPOINTS)
        .map(|number| endpoint(bench, number))
        .collect();
    let service = |name: &str, ip: Option<&str>| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"clusterIP": ip, "selector": {"app": "end"}, "ports": [{"port": 7000}]},
        })
    };
    items.extend([service("chosen", None), service("pods", Some("None"))]);
    let args = ["service", "chosen:7000", "pods:7000", "5000"];
    items.push(pods::pod(
        "client",
        &[pods::container("client", &bench.component, &args)],
    ));
    let up = Up::start(bench, &pods::list(&items), &[])?;
    let p50 = |role| anyhow::Ok(up.guest_figures(role)?.nanoseconds("p50_ns")? as f64 / 1e3);
    let both = [p50("service")?, p50("pod")?];
    up.stop()?;
    Ok(both)
}

fn endpoint(bench: &Bench, number: usize) -> Value {
    let args = ["tcp-accept", "0.0.0.0:7000", "0", "0"];
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": format!("end-{number}"), "labels": {"app": "end"}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [pods::container("end", &bench.component, &args)],
        },
    })
}
