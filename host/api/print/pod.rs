//! Pods: READY, STATUS and RESTARTS as `printPod` makes them.

use serde_json::Value;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{
    ContainerStateTerminated, ContainerStatus, Pod, PodSpec, PodStatus, Time,
};

use super::{Head, age, name, or_none, since, text, wide};

pub(super) const HEADS: &[Head] = &[
    text("Name"),
    text("Ready"),
    text("Status"),
    text("Restarts"),
    text("Age"),
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];

pub(super) fn cells(pod: &Pod, now: Timestamp) -> Vec<Value> {
    let no_status = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&no_status);
    let spec = pod.spec.as_ref();
    let summary = Summary::of(spec, status);
    let is_over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let shown = match &pod.metadata.deletion_timestamp {
        Some(_) if status.reason.as_deref() == Some("NodeLost") => "Unknown",
        Some(_) if !is_over => "Terminating",
        _ => &summary.reason,
    };
    let restarts = match &summary.last_restart {
        Some(time) if summary.restarts != 0 => {
            format!("{} ({} ago)", summary.restarts, since(Some(time), now))
        }
        _ => summary.restarts.to_string(),
    };
    let ip = status
        .pod_ips
        .iter()
        .flatten()
        .next()
        .map(|ip| ip.ip.as_str());
    vec![
        name(&pod.metadata),
        format!("{}/{}", summary.ready, summary.total).into(),
        shown.into(),
        restarts.into(),
        age(&pod.metadata, now),
        or_none(ip.or(status.pod_ip.as_deref())).into(),
        or_none(spec.and_then(|spec| spec.node_name.as_deref())).into(),
        or_none(status.nominated_node_name.as_deref()).into(),
        readiness_gates(spec, status).into(),
    ]
}

/// What is counted over the containers.
struct Summary {
    reason: String,
    ready: usize,
    /// Containers and sidecars.
    total: usize,
    restarts: i32,
    last_restart: Option<Time>,
}

impl Summary {
    fn of(spec: Option<&PodSpec>, status: &PodStatus) -> Self {
        let inits: Vec<_> = spec
            .iter()
            .flat_map(|spec| spec.init_containers.iter().flatten())
            .collect();
        let is_sidecar = |container: &ContainerStatus| {
            let mut inits = inits.iter();
            inits.any(|init| {
                init.name == container.name && init.restart_policy.as_deref() == Some("Always")
            })
        };
        let sidecars = inits
            .iter()
            .filter(|init| init.restart_policy.as_deref() == Some("Always"));
        let phase = status.phase.as_deref().unwrap_or_default();
        let mut summary = Self {
            reason: status
                .reason
                .as_deref()
                .filter(|reason| !reason.is_empty())
                .unwrap_or(phase)
                .to_owned(),
            ready: 0,
            total: spec.map_or(0, |spec| spec.containers.len()) + sidecars.count(),
            restarts: 0,
            last_restart: None,
        };
        if has_condition(status, |kind, _, reason| {
            kind == "PodScheduled" && reason == "SchedulingGated"
        }) {
            "SchedulingGated".clone_into(&mut summary.reason);
        }

        // Once the pod is initialized, only sidecars count among the init containers.
        let (mut of_sidecars, mut last_of_sidecars) = (0_i32, None);
        let mut is_initializing = false;
        let statuses = status.init_container_statuses.iter().flatten();
        for (index, container) in statuses.enumerate() {
            summary.count_restarts(container);
            if is_sidecar(container) {
                of_sidecars = of_sidecars.saturating_add(container.restart_count);
                last_of_sidecars = later(last_of_sidecars, last_end(container));
            }
            let state = container.state.as_ref();
            let terminated = state.and_then(|state| state.terminated.as_ref());
            let waiting = state.and_then(|state| state.waiting.as_ref());
            if terminated.is_some_and(|end| end.exit_code == 0) {
                continue;
            }
            if is_sidecar(container) && container.started == Some(true) {
                summary.ready += usize::from(container.ready);
                continue;
            }
            let waits_for = waiting
                .and_then(|waiting| waiting.reason.as_deref())
                .unwrap_or_default();
            summary.reason = match (terminated, waits_for) {
                (Some(end), _) => format!("Init:{}", reason_of(end)),
                (None, "" | "PodInitializing") => format!("Init:{index}/{}", inits.len()),
                (None, reason) => format!("Init:{reason}"),
            };
            is_initializing = true;
            break;
        }

        let is_initialized = has_condition(status, |kind, value, _| {
            kind == "Initialized" && value == "True"
        });
        if !is_initializing || is_initialized {
            summary.restarts = of_sidecars;
            summary.last_restart = last_of_sidecars;
            summary.add_containers(status);
        }
        summary
    }

    fn add_containers(&mut self, status: &PodStatus) {
        let mut has_running = false;
        for container in status.container_statuses.iter().flatten().rev() {
            self.count_restarts(container);
            let state = container.state.as_ref();
            let waiting = state.and_then(|state| state.waiting.as_ref());
            let waits_for = waiting
                .and_then(|waiting| waiting.reason.as_deref())
                .unwrap_or_default();
            let terminated = state.and_then(|state| state.terminated.as_ref());
            if !waits_for.is_empty() {
                waits_for.clone_into(&mut self.reason);
            } else if let Some(end) = terminated {
                self.reason = reason_of(end);
            } else if container.ready && state.is_some_and(|state| state.running.is_some()) {
                has_running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && has_running {
            let is_ready =
                has_condition(status, |kind, value, _| kind == "Ready" && value == "True");
            self.reason = if is_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn count_restarts(&mut self, container: &ContainerStatus) {
        self.restarts = self.restarts.saturating_add(container.restart_count);
        self.last_restart = later(self.last_restart.take(), last_end(container));
    }
}

/// Why a container ended: its reason, else its signal, else its code.
fn reason_of(end: &ContainerStateTerminated) -> String {
    match (
        end.reason.as_deref().unwrap_or_default(),
        end.signal.unwrap_or(0),
    ) {
        ("", 0) => format!("ExitCode:{}", end.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// When the container's instance before this one ended.
fn last_end(container: &ContainerStatus) -> Option<Time> {
    container
        .last_state
        .as_ref()?
        .terminated
        .as_ref()?
        .finished_at
        .clone()
}

fn later(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 > one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// Is there a condition whose type, status and reason are as wanted?
fn has_condition(status: &PodStatus, wanted: impl Fn(&str, &str, &str) -> bool) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|found| {
        wanted(
            &found.type_,
            &found.status,
            found.reason.as_deref().unwrap_or_default(),
        )
    })
}

/// How many of the pod's readiness gates are open.
fn readiness_gates(spec: Option<&PodSpec>, status: &PodStatus) -> String {
    let gates: Vec<_> = spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten())
        .collect();
    if gates.is_empty() {
        return super::NONE.to_owned();
    }
    let is_open =
        |gate: &str| has_condition(status, |kind, value, _| kind == gate && value == "True");
    let open = gates
        .iter()
        .filter(|gate| is_open(&gate.condition_type))
        .count();
    format!("{open}/{}", gates.len())
}
