//! `metrics.k8s.io`: what pods use, for `top`.
//!
//! CPU is a rate, so it needs two moments. The server notes every few seconds what each container has used, and a
//! request compares the present with the oldest note of it that is kept; a container that is younger than any note is
//! compared with its start. So figures are fresh, and there are some from a container's second second on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Response;
use serde_json::{Value, json};
use tokio::time::Instant;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{ObjectMeta, Pod};
use wasmpod_node::{Agent, RunningPod};
use wasmpod_store::{Kind, Object};

use crate::server::accept::Form;
use crate::server::body::{self, Body};
use crate::server::error;
use crate::server::selection::Selection;
use crate::server::shape::{Include, Shape};
use crate::table::{Row, Table};
use crate::{Resource, Status, print};

/// How often what containers have used is noted. Noting 2,000 containers takes about a millisecond.
pub(super) const PERIOD: Duration = Duration::from_secs(5);

/// How many notes are kept: with the period, a rate is over 10 to 15 seconds, as with metrics-server's default.
const MAX_NOTES: usize = 3;

/// The shortest time over which a rate means something.
const MIN_WINDOW: Duration = Duration::from_secs(1);

/// What containers had used at some moments, oldest first.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<VecDeque<Note>>);

#[derive(Debug)]
struct Note {
    at: Instant,
    /// By uid of the pod and name of the container.
    cpu: HashMap<(String, String), Duration>,
}

/// What a container uses.
#[derive(Clone, Debug)]
struct Figures {
    container: String,
    /// Millionths of a thousandth of a core.
    nanocores: u64,
    memory_bytes: u64,
    window: Duration,
}

impl Metrics {
    /// Notes what every container has used up to now.
    pub(super) fn note(&self, agent: &Agent) {
        let mut cpu = HashMap::new();
        for pod in agent.pods() {
            let uid = &pod.sandbox().identity().uid;
            let usage = pod.sandbox().usage().into_iter();
            cpu.extend(usage.map(|used| ((uid.clone(), used.name), used.cpu)));
        }
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= MAX_NOTES {
            notes.pop_front();
        }
        notes.push_back(Note {
            at: Instant::now(),
            cpu,
        });
    }

    /// What the containers of a pod use now.
    fn figures(&self, running: &RunningPod, pod: &Pod, now: Timestamp) -> Vec<Figures> {
        let uid = &running.sandbox().identity().uid;
        let at = Instant::now();
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = running.sandbox().usage().into_iter().filter_map(|used| {
            let key = (uid.clone(), used.name.clone());
            let noted = notes.iter().find_map(|note| {
                let before = *note.cpu.get(&key)?;
                let window = at.saturating_duration_since(note.at);
                // Less than before: it is another instance.
                (window >= MIN_WINDOW && before <= used.cpu).then_some((used.cpu - before, window))
            });
            let (spent, window) = noted.or_else(|| Some((used.cpu, age(pod, &used.name, now)?)))?;
            Some(Figures {
                container: used.name,
                nanocores: rate(spent, window),
                memory_bytes: used.memory_bytes,
                window,
            })
        });
        figures.collect()
    }
}

/// How long a container's instance has run, if long enough.
fn age(pod: &Pod, container: &str, now: Timestamp) -> Option<Duration> {
    let status = pod.status.as_ref()?;
    let inits = status.init_container_statuses.iter().flatten();
    let mut all = inits.chain(status.container_statuses.iter().flatten());
    let found = all.find(|status| status.name == container)?;
    let start = found
        .state
        .as_ref()?
        .running
        .as_ref()?
        .started_at
        .as_ref()?;
    let age = Duration::try_from(now.duration_since(start.0)).ok()?;
    (age >= MIN_WINDOW).then_some(age)
}

fn rate(spent: Duration, window: Duration) -> u64 {
    let window = window.as_nanos().max(1);
    u64::try_from(spent.as_nanos().saturating_mul(1_000_000_000) / window).unwrap_or(u64::MAX)
}

/// One object of `metrics.k8s.io`: a pod with its containers, or the node without.
struct Measured {
    metadata: ObjectMeta,
    containers: Vec<Figures>,
}

/// GET and LIST of `PodMetrics` and `NodeMetrics`.
pub(super) fn answer(
    agent: &Agent,
    metrics: &Metrics,
    resource: &Resource,
    name: Option<&str>,
    selection: &Selection,
    shape: &Shape,
) -> Result<Response<Body>, Status> {
    let (mut objects, version) = agent
        .store()
        .list(selection.kind, selection.namespace.as_deref());
    objects.retain(|object| selection.matches(object));
    let measured: Vec<_> = objects
        .iter()
        .filter_map(|object| measure(agent, metrics, object, shape.now))
        .collect();
    let is_node = selection.kind == Kind::Node;
    if let Form::Table(version) = shape.form {
        return match (name, measured.as_slice()) {
            (Some(name), []) => Err(error::not_found(resource, name)),
            (_, all) => Ok(body::json(&table(all, version, resource, shape))),
        };
    }
    let json = |measured: &Measured| json(measured, resource, is_node, shape.now);
    match (name, measured.first()) {
        (Some(name), None) => Err(error::not_found(resource, name)),
        (Some(_), Some(only)) => Ok(body::json(&json(only))),
        (None, _) => Ok(body::json(&json!({
            "kind": format!("{}List", resource.kind),
            "apiVersion": resource.api_version(),
            "metadata": {"resourceVersion": version.to_string()},
            "items": measured.iter().map(json).collect::<Vec<_>>(),
        }))),
    }
}

/// What an object uses; nothing when that is not known (yet).
fn measure(agent: &Agent, metrics: &Metrics, object: &Object, now: Timestamp) -> Option<Measured> {
    let metadata = |labels| ObjectMeta {
        name: Some(object.name().to_owned()),
        namespace: object.namespace().map(str::to_owned),
        labels,
        ..ObjectMeta::default()
    };
    let containers = match object {
        Object::Pod(pod) => {
            let running = agent.running(object.namespace()?, object.name())?;
            metrics.figures(&running, pod, now)
        }
        // The node is what all pods use: it has no life besides them.
        Object::Node(_) => {
            let (pods, _) = agent.store().list(Kind::Pod, None);
            let all = pods
                .iter()
                .filter_map(|pod| measure(agent, metrics, pod, now));
            let all: Vec<_> = all.flat_map(|measured| measured.containers).collect();
            let window = all.iter().map(|figures| figures.window).max();
            vec![Figures {
                container: String::new(),
                nanocores: all.iter().map(|figures| figures.nanocores).sum(),
                memory_bytes: all.iter().map(|figures| figures.memory_bytes).sum(),
                window: window.unwrap_or(PERIOD),
            }]
        }
        _ => return None,
    };
    (!containers.is_empty()).then(|| Measured {
        metadata: metadata(object.metadata().labels.clone()),
        containers,
    })
}

fn json(measured: &Measured, resource: &Resource, is_node: bool, now: Timestamp) -> Value {
    let usage = |figures: &Figures| {
        json!({
            "cpu": format!("{}n", figures.nanocores),
            "memory": format!("{}Ki", figures.memory_bytes.div_ceil(1024)),
        })
    };
    let mut metadata = serde_json::to_value(&measured.metadata).unwrap_or_default();
    let now = Timestamp::from_second(now.as_second())
        .unwrap_or(now)
        .to_string();
    if let Value::Object(fields) = &mut metadata {
        fields.insert("creationTimestamp".to_owned(), now.as_str().into());
    }
    let mut object = json!({
        "kind": resource.kind,
        "apiVersion": resource.api_version(),
        "metadata": metadata,
        "timestamp": now,
        "window": window(&measured.containers),
    });
    if let Value::Object(fields) = &mut object {
        let containers = measured.containers.iter();
        if is_node {
            fields.insert(
                "usage".to_owned(),
                containers.map(usage).next().unwrap_or_default(),
            );
        } else {
            let containers = containers
                .map(|figures| json!({"name": figures.container, "usage": usage(figures)}));
            fields.insert("containers".to_owned(), containers.collect());
        }
    }
    object
}

/// The longest time over which a rate was taken.
fn window(containers: &[Figures]) -> String {
    let longest = containers
        .iter()
        .map(|figures| figures.window)
        .max()
        .unwrap_or_default();
    format!("{:.3}s", longest.as_secs_f64())
}

fn table(all: &[Measured], version: &str, resource: &Resource, shape: &Shape) -> Table {
    let rows = all.iter().map(|measured| {
        let nanocores: u64 = measured
            .containers
            .iter()
            .map(|figures| figures.nanocores)
            .sum();
        let memory_bytes: u64 = measured
            .containers
            .iter()
            .map(|figures| figures.memory_bytes)
            .sum();
        let cells = vec![
            measured.metadata.name.clone().into(),
            format!("{}m", nanocores.div_ceil(1_000_000)).into(),
            format!("{}Ki", memory_bytes.div_ceil(1024)).into(),
            window(&measured.containers).into(),
        ];
        let object = match shape.include {
            Include::None => Value::Null,
            Include::Metadata => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": format!("meta.k8s.io/{version}"),
                "metadata": measured.metadata,
            }),
            Include::Object => json(measured, resource, !resource.namespaced, shape.now),
        };
        Row { cells, object }
    });
    Table {
        kind: "Table".to_owned(),
        api_version: format!("meta.k8s.io/{version}"),
        metadata: json!({}),
        column_definitions: print::metrics_columns(),
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_time_spent_over_time_passed() {
        assert_eq!(
            rate(Duration::from_millis(500), Duration::from_secs(5)),
            100_000_000
        );
        assert_eq!(
            rate(Duration::from_secs(3), Duration::ZERO),
            3_000_000_000_000_000_000
        );
        assert_eq!(rate(Duration::ZERO, Duration::from_secs(1)), 0);
    }
}
