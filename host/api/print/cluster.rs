//! Events, namespaces and the node.

use serde_json::Value;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{Event, Namespace, Node, ServiceAccount, Time};

use super::{Head, NONE, UNKNOWN, age, name, number, or_none, since, text, wide};

pub(super) const EVENT: &[Head] = &[
    text("Last Seen"),
    text("Type"),
    text("Reason"),
    text("Object"),
    wide("Subobject"),
    wide("Source"),
    text("Message"),
    wide("First Seen"),
    wide("Count"),
    wide("Name"),
];

pub(super) const NAMESPACE: &[Head] = &[text("Name"), text("Status"), text("Age")];

/// The secrets are counted, of which an account has none in a Kubernetes of today.
pub(super) const SERVICE_ACCOUNT: &[Head] = &[text("Name"), number("Secrets"), text("Age")];

pub(super) const NODE: &[Head] = &[
    text("Name"),
    text("Status"),
    text("Roles"),
    text("Age"),
    text("Version"),
    wide("Internal-IP"),
    wide("External-IP"),
    wide("OS-Image"),
    wide("Kernel-Version"),
    wide("Container-Runtime"),
];

pub(super) fn event(event: &Event, now: Timestamp) -> Vec<Value> {
    let told = event.event_time.as_ref().map(|time| Time(time.0));
    let first = event.first_timestamp.clone().or(told);
    let repeated = event.series.as_ref();
    let last_repeated = repeated
        .and_then(|series| series.last_observed_time.as_ref())
        .map(|time| Time(time.0));
    let last = last_repeated
        .or_else(|| event.last_timestamp.clone())
        .or_else(|| first.clone());
    let count = repeated
        .and_then(|series| series.count)
        .or(event.count)
        .unwrap_or(0);
    let about = &event.involved_object;
    let kind = about.kind.as_deref().unwrap_or_default().to_lowercase();
    let object = match about.name.as_deref().unwrap_or_default() {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let source = event.source.as_ref();
    let component = source
        .and_then(|source| source.component.as_deref())
        .or(event.reporting_component.as_deref());
    let host = source
        .and_then(|source| source.host.as_deref())
        .or(event.reporting_instance.as_deref());
    let parts: Vec<_> = [component, host]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    vec![
        since(last.as_ref(), now).into(),
        event.type_.as_deref().unwrap_or_default().into(),
        event.reason.as_deref().unwrap_or_default().into(),
        object.into(),
        about.field_path.as_deref().unwrap_or_default().into(),
        parts.join(", ").into(),
        event.message.as_deref().unwrap_or_default().trim().into(),
        since(first.as_ref(), now).into(),
        count.into(),
        name(&event.metadata),
    ]
}

pub(super) fn namespace(namespace: &Namespace, now: Timestamp) -> Vec<Value> {
    let phase = namespace
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    vec![
        name(&namespace.metadata),
        phase.unwrap_or("Active").into(),
        age(&namespace.metadata, now),
    ]
}

pub(super) fn service_account(account: &ServiceAccount, now: Timestamp) -> Vec<Value> {
    let secrets = account.secrets.iter().flatten().count();
    vec![
        name(&account.metadata),
        secrets.into(),
        age(&account.metadata, now),
    ]
}

/// The prefix of the labels that say what a node is for.
const ROLE: &str = "node-role.kubernetes.io/";

pub(super) fn node(node: &Node, now: Timestamp) -> Vec<Value> {
    let status = node.status.as_ref();
    let mut conditions = status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let mut state = match conditions.find(|condition| condition.type_ == "Ready") {
        Some(condition) if condition.status == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true) {
        state.push_str(",SchedulingDisabled");
    }
    let labels = node.metadata.labels.iter().flatten();
    let roles = labels
        .filter_map(|(key, _)| key.strip_prefix(ROLE))
        .filter(|role| !role.is_empty());
    let address = |wanted: &str| {
        let mut all = status
            .iter()
            .flat_map(|status| status.addresses.iter().flatten());
        all.find(|address| address.type_ == wanted)
            .map_or(NONE, |address| address.address.as_str())
    };
    let info = status.and_then(|status| status.node_info.as_ref());
    let known = |text: Option<&String>| {
        Value::from(
            text.filter(|text| !text.is_empty())
                .map_or(UNKNOWN, String::as_str),
        )
    };
    vec![
        name(&node.metadata),
        state.into(),
        or_none(Some(&roles.collect::<Vec<_>>().join(","))).into(),
        age(&node.metadata, now),
        info.map_or("", |info| info.kubelet_version.as_str()).into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        known(info.map(|info| &info.os_image)),
        known(info.map(|info| &info.kernel_version)),
        known(info.map(|info| &info.container_runtime_version)),
    ]
}
