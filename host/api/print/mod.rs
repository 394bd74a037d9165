//! What `kubectl get` shows of each kind: the columns of Kubernetes' own printers
//! (`pkg/printers/internalversion/printers.go`), and the cells of an object.
//!
//! Pure: the time is a parameter. Ages are computed when something is printed, so a table shows them as of then.
//!
//! * `age`: durations for people
//! * `pod`, `service`, `ingress`, `network_policy`, `workload`, `storage`, `cluster`: the cells, by kind

mod age;
mod cluster;
mod ingress;
mod network_policy;
mod pod;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod workload;

use serde_json::Value;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{ObjectMeta, Time};
use wasmpod_store::{Kind, Object};

use crate::table::Column;
pub use age::human_duration;

/// A column: its name, and whether it is one of `-o wide`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    name: &'static str,
    type_: &'static str,
    is_wide: bool,
}

const fn text(name: &'static str) -> Head {
    Head {
        name,
        type_: "string",
        is_wide: false,
    }
}

const fn number(name: &'static str) -> Head {
    Head {
        name,
        type_: "integer",
        is_wide: false,
    }
}

const fn wide(name: &'static str) -> Head {
    Head {
        name,
        type_: "string",
        is_wide: true,
    }
}

/// The columns of a kind.
pub(crate) fn columns(kind: Kind) -> Vec<Column> {
    columns_of(heads(kind))
}

/// The columns of the figures of `metrics.k8s.io`.
pub(crate) fn metrics_columns() -> Vec<Column> {
    columns_of(&[text("Name"), text("CPU"), text("Memory"), text("Window")])
}

fn columns_of(heads: &[Head]) -> Vec<Column> {
    let columns = heads.iter().map(|head| Column {
        name: head.name.to_owned(),
        type_: head.type_.to_owned(),
        format: if head.name == "Name" && !head.is_wide {
            "name".to_owned()
        } else {
            String::new()
        },
        description: String::new(),
        priority: u8::from(head.is_wide),
    });
    columns.collect()
}

fn heads(kind: Kind) -> &'static [Head] {
    match kind {
        Kind::Pod => pod::HEADS,
        Kind::Service => service::SERVICE,
        Kind::Endpoints => service::ENDPOINTS,
        Kind::EndpointSlice => service::ENDPOINT_SLICE,
        Kind::Ingress => ingress::INGRESS,
        Kind::IngressClass => ingress::INGRESS_CLASS,
        Kind::NetworkPolicy => network_policy::HEADS,
        Kind::ConfigMap => storage::CONFIG_MAP,
        Kind::Secret => storage::SECRET,
        Kind::PersistentVolume => storage::VOLUME,
        Kind::PersistentVolumeClaim => storage::CLAIM,
        Kind::Event => cluster::EVENT,
        Kind::Namespace => cluster::NAMESPACE,
        Kind::Node => cluster::NODE,
        Kind::ServiceAccount => cluster::SERVICE_ACCOUNT,
        Kind::Deployment => workload::DEPLOYMENT,
        Kind::ReplicaSet | Kind::ReplicationController => workload::REPLICA_SET,
        Kind::DaemonSet => workload::DAEMON_SET,
        Kind::StatefulSet => workload::STATEFUL_SET,
        Kind::Job => workload::JOB,
        Kind::CronJob => workload::CRON_JOB,
    }
}

/// The cells of an object, one for each of [`columns`].
pub(crate) fn cells(object: &Object, now: Timestamp) -> Vec<Value> {
    match object {
        Object::Pod(pod) => pod::cells(pod, now),
        Object::Service(service) => service::service(service, now),
        Object::Endpoints(endpoints) => service::endpoints(endpoints, now),
        Object::EndpointSlice(slice) => service::endpoint_slice(slice, now),
        Object::Ingress(found) => ingress::ingress(found, now),
        Object::IngressClass(class) => ingress::ingress_class(class, now),
        Object::NetworkPolicy(policy) => network_policy::cells(policy, now),
        Object::ConfigMap(map) => storage::config_map(map, now),
        Object::Secret(secret) => storage::secret(secret, now),
        Object::PersistentVolume(volume) => storage::volume(volume, now),
        Object::PersistentVolumeClaim(claim) => storage::claim(claim, now),
        Object::Event(event) => cluster::event(event, now),
        Object::Namespace(namespace) => cluster::namespace(namespace, now),
        Object::Node(node) => cluster::node(node, now),
        Object::ServiceAccount(account) => cluster::service_account(account, now),
        Object::Deployment(deployment) => workload::deployment(deployment, now),
        Object::ReplicaSet(set) => workload::replica_set(set, now),
        Object::ReplicationController(controller) => {
            workload::replication_controller(controller, now)
        }
        Object::DaemonSet(set) => workload::daemon_set(set, now),
        Object::StatefulSet(set) => workload::stateful_set(set, now),
        Object::Job(job) => workload::job(job, now),
        Object::CronJob(job) => workload::cron_job(job, now),
    }
}

const NONE: &str = "<none>";
const UNKNOWN: &str = "<unknown>";
const UNSET: &str = "<unset>";

fn name(metadata: &ObjectMeta) -> Value {
    metadata.name.as_deref().unwrap_or_default().into()
}

/// How long ago the object was created.
fn age(metadata: &ObjectMeta, now: Timestamp) -> Value {
    since(metadata.creation_timestamp.as_ref(), now).into()
}

/// How long ago something was.
fn since(time: Option<&Time>, now: Timestamp) -> String {
    match time {
        Some(time) => human_duration(now.duration_since(time.0)),
        None => UNKNOWN.to_owned(),
    }
}

/// The text, or `<none>`.
fn or_none(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or(NONE)
}

/// What there is with commas between, or `<none>`.
fn joined(parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let parts: Vec<_> = parts
        .into_iter()
        .map(|part| part.as_ref().to_owned())
        .collect();
    or_none(Some(&parts.join(","))).to_owned()
}

/// Labels as a selector writes them: `a=b,c=d`.
fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    joined(
        labels
            .into_iter()
            .map(|(key, value)| format!("{key}={value}")),
    )
}
