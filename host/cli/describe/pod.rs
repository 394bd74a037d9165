//! A pod: itself, then its containers, conditions and volumes.

use wasmpod::k8s::{Pod, PodSpec, PodStatus, PodTemplateSpec, Toleration};

use super::View;
use super::container::{self, Among};
use super::fields::{NONE, annotations, controller, labels, lines, moment};
use super::volume;
use crate::age;
use crate::tabs::Tabs;

pub(super) fn describe(out: &mut Tabs, pod: &Pod, view: &View) {
    let metadata = &pod.metadata;
    let (spec, status) = (
        pod.spec.clone().unwrap_or_default(),
        pod.status.clone().unwrap_or_default(),
    );
    out.field(0, "Name", metadata.name.as_deref().unwrap_or_default());
    out.field(
        0,
        "Namespace",
        metadata.namespace.as_deref().unwrap_or_default(),
    );
    if let Some(priority) = spec.priority {
        out.field(0, "Priority", priority);
    }
    for (name, value) in [
        ("Priority Class Name", &spec.priority_class_name),
        ("Runtime Class Name", &spec.runtime_class_name),
        ("Service Account", &spec.service_account_name),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            out.field(0, name, value);
        }
    }
    let host_ip = status.host_ip.as_deref().unwrap_or_default();
    match &spec.node_name {
        Some(node) => out.field(0, "Node", format_args!("{node}/{host_ip}")),
        None => out.field(0, "Node", NONE),
    }
    if let Some(start) = &status.start_time {
        out.field(0, "Start Time", moment(Some(start.0), view));
    }
    labels(out, "Labels", metadata.labels.as_ref());
    annotations(out, metadata.annotations.as_ref());
    phase(out, pod, &status, view);
    out.field(0, "IP", status.pod_ip.as_deref().unwrap_or_default());
    ips(out, &status);
    if let Some(owner) = controller(metadata) {
        out.field(0, "Controlled By", owner);
    }
    if let Some(inits) = spec
        .init_containers
        .as_deref()
        .filter(|inits| !inits.is_empty())
    {
        let statuses = status
            .init_container_statuses
            .as_deref()
            .unwrap_or_default();
        let among = Among {
            pod,
            statuses,
            in_template: false,
        };
        container::describe(out, "Init Containers", inits, &among, view);
    }
    let statuses = status.container_statuses.as_deref().unwrap_or_default();
    let among = Among {
        pod,
        statuses,
        in_template: false,
    };
    container::describe(out, "Containers", &spec.containers, &among, view);
    gates_and_conditions(out, &spec, &status);
    volume::describe(out, spec.volumes.as_deref().unwrap_or_default(), false);
    out.field(
        0,
        "QoS Class",
        status.qos_class.as_deref().unwrap_or_default(),
    );
    labels(out, "Node-Selectors", spec.node_selector.as_ref());
    let tolerations = spec.tolerations.iter().flatten().map(toleration);
    lines(out, "Tolerations", tolerations);
}

/// The template from which a workload makes its pods.
pub(super) fn template(out: &mut Tabs, template: &PodTemplateSpec, view: &View) {
    out.line(0, "Pod Template:");
    let metadata = template.metadata.clone().unwrap_or_default();
    let spec = template.spec.clone().unwrap_or_default();
    labels(out, "  Labels", metadata.labels.as_ref());
    if metadata
        .annotations
        .as_ref()
        .is_some_and(|map| !map.is_empty())
    {
        labels(out, "  Annotations", metadata.annotations.as_ref());
    }
    if let Some(account) = spec
        .service_account_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        out.field(1, "Service Account", account);
    }
    let pod = Pod {
        metadata,
        spec: Some(spec.clone()),
        status: None,
    };
    let among = Among {
        pod: &pod,
        statuses: &[],
        in_template: true,
    };
    if let Some(inits) = spec
        .init_containers
        .as_deref()
        .filter(|inits| !inits.is_empty())
    {
        container::describe(out, "Init Containers", inits, &among, view);
    }
    container::describe(out, "Containers", &spec.containers, &among, view);
    volume::describe(out, spec.volumes.as_deref().unwrap_or_default(), true);
    labels(out, "  Node-Selectors", spec.node_selector.as_ref());
    let tolerations = spec.tolerations.iter().flatten().map(toleration);
    lines(out, "  Tolerations", tolerations);
}

fn phase(out: &mut Tabs, pod: &Pod, status: &PodStatus, view: &View) {
    let phase = status.phase.as_deref().unwrap_or_default();
    let is_over = matches!(phase, "Succeeded" | "Failed");
    match &pod.metadata.deletion_timestamp {
        Some(deleted) if !is_over => {
            let since = age::since(Some(deleted.0), view.now);
            out.field(0, "Status", format_args!("Terminating (lasts {since})"));
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            out.field(0, "Termination Grace Period", format_args!("{grace}s"));
        }
        _ => out.field(0, "Status", phase),
    }
    for (name, value) in [("Reason", &status.reason), ("Message", &status.message)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            out.field(0, name, value);
        }
    }
}

fn ips(out: &mut Tabs, status: &PodStatus) {
    let ips = status.pod_ips.as_deref().unwrap_or_default();
    if ips.is_empty() {
        return out.field(0, "IPs", NONE);
    }
    out.line(0, "IPs:");
    for ip in ips {
        out.field(1, "IP", &ip.ip);
    }
}

fn gates_and_conditions(out: &mut Tabs, spec: &PodSpec, status: &PodStatus) {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let gates = spec.readiness_gates.as_deref().unwrap_or_default();
    if !gates.is_empty() {
        out.line(0, "Readiness Gates:");
        out.line(1, "Type\tStatus");
        for gate in gates {
            let mut found = conditions.iter();
            let found = found.find(|condition| condition.type_ == gate.condition_type);
            let status = found.map_or(NONE, |condition| condition.status.as_str());
            out.line(1, format!("{} \t{status} ", gate.condition_type));
        }
    }
    if !conditions.is_empty() {
        out.line(0, "Conditions:");
        out.line(1, "Type\tStatus");
        for condition in conditions {
            out.line(1, format!("{} \t{} ", condition.type_, condition.status));
        }
    }
}

fn toleration(toleration: &Toleration) -> String {
    let mut text = toleration.key.clone().unwrap_or_default();
    if let Some(value) = toleration
        .value
        .as_deref()
        .filter(|value| !value.is_empty())
    {
        text = format!("{text}={value}");
    }
    if let Some(effect) = toleration
        .effect
        .as_deref()
        .filter(|effect| !effect.is_empty())
    {
        text = format!("{text}:{effect}");
    }
    if toleration.operator.as_deref() == Some("Exists") && toleration.value.is_none() {
        text = if text.is_empty() {
            "op=Exists".to_owned()
        } else {
            format!("{text} op=Exists")
        };
    }
    match toleration.toleration_seconds {
        Some(seconds) => format!("{text} for {seconds}s"),
        None => text,
    }
}
