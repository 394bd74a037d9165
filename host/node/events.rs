//! Events: what happened to an object, as objects.
//!
//! Follows client-go's `tools/record`: what happens again to the same object in the same words is one event with a
//! count. An event's name is made from these words, so that the one before is found without keeping a list. What is
//! left out: combining similar events of different words.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{
    Container, Event, EventSource, ObjectMeta, ObjectReference, Pod, Time,
};
use wasmpod_sandbox::{PodEvent, Severity};
use wasmpod_store::{Kind, Object, Store};

/// How long an event is kept after it happened last: `--event-ttl` of the API server.
pub(crate) const EVENT_TTL: Duration = Duration::from_secs(60 * 60);

/// How many events are kept; beyond it those that happened longest ago go first. Ours: a pod has about eight, so the
/// events of a thousand pods have room; at some 2 KiB each they cannot fill the memory whatever a guest does.
pub(crate) const MAX_EVENTS: usize = 10_000;

/// How many go at once when there are too many, so that not every further event has to look for the oldest.
const EVENTS_AT_ONCE: usize = MAX_EVENTS / 10;

/// Who tells of events, in Kubernetes' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    Kubelet,
    Scheduler,
    PersistentVolumes,
    Ingress,
    Workload(Kind),
}

impl Component {
    fn name(self) -> &'static str {
        match self {
            Self::Kubelet => "kubelet",
            Self::Scheduler => "default-scheduler",
            Self::PersistentVolumes => "persistentvolume-controller",
            Self::Ingress => "ingress-controller",
            Self::Workload(kind) => match kind {
                Kind::Deployment => "deployment-controller",
                Kind::ReplicaSet => "replicaset-controller",
                Kind::ReplicationController => "replication-controller",
                Kind::DaemonSet => "daemonset-controller",
                Kind::StatefulSet => "statefulset-controller",
                Kind::Job => "job-controller",
                Kind::CronJob => "cronjob-controller",
                _ => "wasmpod",
            },
        }
    }
}

/// Writes events into the store.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    store: Store,
    node_name: Arc<str>,
}

impl Recorder {
    pub(crate) fn new(store: Store, node_name: &str) -> Self {
        let node_name = node_name.into();
        Self { store, node_name }
    }

    /// Records what a pod's sandbox tells.
    pub(crate) fn of_sandbox(&self, pod: &Pod, event: &PodEvent) {
        let mut involved = reference(Kind::Pod, &pod.metadata);
        involved.field_path = event
            .container
            .as_deref()
            .map(|container| field_path(pod, container));
        let (reason, message) = (&event.reason, event.message.clone());
        let time = Time(event.time);
        self.write(
            involved,
            Component::Kubelet,
            event.severity,
            reason,
            message,
            time,
        );
    }

    /// Records something of any object.
    pub(crate) fn record(
        &self,
        object: &Object,
        component: Component,
        severity: Severity,
        reason: &str,
        message: String,
    ) {
        let time = Time(self.store.now());
        self.write(
            reference(object.kind(), object.metadata()),
            component,
            severity,
            reason,
            message,
            time,
        );
    }

    fn write(
        &self,
        involved: ObjectReference,
        component: Component,
        severity: Severity,
        reason: &str,
        message: String,
        time: Time,
    ) {
        let mut hasher = DefaultHasher::new();
        let path = &involved.field_path;
        (
            &involved.uid,
            path,
            component.name(),
            severity.as_str(),
            reason,
            &message,
        )
            .hash(&mut hasher);
        let object_name = involved.name.clone().unwrap_or_default();
        let name = format!("{object_name}.{:016x}", hasher.finish());
        // An event of an object of the cluster is in the namespace default.
        let namespace = involved.namespace.clone();
        let counted = self
            .store
            .update(Kind::Event, namespace.as_deref(), &name, &mut |object| {
                if let Object::Event(event) = object {
                    let event = Arc::make_mut(event);
                    event.count = Some(event.count.unwrap_or(1).saturating_add(1));
                    event.last_timestamp = Some(time.clone());
                }
                Ok(())
            });
        if counted.is_ok() {
            return;
        }
        let is_of_node = component == Component::Kubelet;
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace,
                ..ObjectMeta::default()
            },
            involved_object: involved,
            reason: Some(reason.to_owned()),
            message: Some(message),
            source: Some(EventSource {
                component: Some(component.name().to_owned()),
                host: is_of_node.then(|| self.node_name.to_string()),
            }),
            reporting_component: Some(component.name().to_owned()),
            reporting_instance: Some(if is_of_node {
                self.node_name.to_string()
            } else {
                String::new()
            }),
            type_: Some(severity.as_str().to_owned()),
            count: Some(1),
            first_timestamp: Some(time.clone()),
            last_timestamp: Some(time),
            ..Event::default()
        };
        // It can only be there already if two tell the same at once: then it was told.
        drop(self.store.create(event.into()));
    }

    /// Removes events whose time is over, and the oldest when there are too many. Says when to come again: when the
    /// next one's time is over.
    pub(crate) fn sweep(&self) -> Option<Timestamp> {
        let (events, _) = self.store.list(Kind::Event, None);
        let Ok(limit) = self.store.now().checked_sub(EVENT_TTL) else {
            return None;
        };
        let mut by_age: Vec<_> = events
            .iter()
            .filter_map(|object| match object {
                Object::Event(event) => Some((event.last_timestamp.as_ref()?.0, object)),
                _ => None,
            })
            .collect();
        by_age.sort_by_key(|(time, _)| *time);
        let surplus = match by_age.len() {
            count if count > MAX_EVENTS => count - MAX_EVENTS + EVENTS_AT_ONCE,
            _ => 0,
        };
        for (index, (time, object)) in by_age.into_iter().enumerate() {
            if index >= surplus && time >= limit {
                return time.checked_add(EVENT_TTL).ok();
            }
            // Somebody else may have deleted it meanwhile.
            drop(
                self.store
                    .delete(Kind::Event, object.namespace(), object.name()),
            );
        }
        None
    }
}

/// How events and others refer to an object.
pub(crate) fn reference(kind: Kind, metadata: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(kind.api_version().to_owned()),
        kind: Some(kind.name().to_owned()),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        field_path: None,
    }
}

/// `spec.containers{name}`, or that of an init container.
fn field_path(pod: &Pod, container: &str) -> String {
    let init = pod
        .spec
        .iter()
        .flat_map(|spec| spec.init_containers.iter().flatten());
    let mut init = init.map(|container: &Container| &container.name);
    if init.any(|name| name == container) {
        format!("spec.initContainers{{{container}}}")
    } else {
        format!("spec.containers{{{container}}}")
    }
}
