//! Field selectors: `metadata.name=web,status.phase!=Running`.
//!
//! Standard: `field-selectors`. Which fields can be selected depends on the kind; one that cannot is an error, as an
//! API server has it, and not a list without objects.

use wasmpod_manifest::k8s;

use super::ParseSelectorError;
use crate::{Kind, Object};

/// What the fields of an object must be like; all conditions hold at once, none means every object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    field: String,
    value: String,
    is_equal: bool,
}

impl FieldSelector {
    /// Reads the selector for objects of this kind.
    ///
    /// # Errors
    /// It is no selector, or names a field by which this kind cannot be selected.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, ParseSelectorError> {
        let wrong = |detail: String| ParseSelectorError {
            text: text.to_owned(),
            detail,
        };
        let mut conditions = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let found = ["!=", "==", "="]
                .iter()
                .find_map(|operator| Some((*operator, part.split_once(operator)?)));
            let Some((operator, (field, value))) = found else {
                return Err(wrong(format!(
                    "invalid selector: '{part}'; can't understand it"
                )));
            };
            let field = field.trim();
            if !is_selectable(kind, field) {
                return Err(wrong(format!("field label not supported: {field}")));
            }
            conditions.push(Condition {
                field: field.to_owned(),
                value: value.trim().to_owned(),
                is_equal: operator != "!=",
            });
        }
        Ok(Self { conditions })
    }

    /// Does the object match?
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        self.conditions.iter().all(|condition| {
            let is_same = value(object, &condition.field).unwrap_or_default() == condition.value;
            is_same == condition.is_equal
        })
    }

    /// The name that it asks for, if it asks for one: then a watcher needs to look at one object only.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let mut conditions = self.conditions.iter();
        let found = conditions.find(|found| found.is_equal && found.field == "metadata.name");
        found.map(|condition| condition.value.as_str())
    }

    /// Does it match everything?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }
}

const POD_FIELDS: [&str; 7] = [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];

const EVENT_FIELDS: [&str; 10] = [
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.resourceVersion",
    "involvedObject.uid",
    "reason",
    "source",
    "type",
];

fn is_selectable(kind: Kind, field: &str) -> bool {
    match field {
        "metadata.name" => true,
        "metadata.namespace" => kind.is_namespaced(),
        _ => match kind {
            Kind::Pod => POD_FIELDS.contains(&field),
            Kind::Event => EVENT_FIELDS.contains(&field),
            Kind::Namespace => field == "status.phase",
            Kind::Secret => field == "type",
            Kind::Service => ["spec.clusterIP", "spec.type"].contains(&field),
            Kind::Node => field == "spec.unschedulable",
            _ => false,
        },
    }
}

fn value<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    match (object, field) {
        (_, "metadata.name") => Some(object.name()),
        (_, "metadata.namespace") => object.namespace(),
        (Object::Pod(pod), _) => pod_value(pod, field),
        (Object::Event(event), _) => event_value(event, field),
        (Object::Namespace(namespace), "status.phase") => {
            namespace.status.as_ref()?.phase.as_deref()
        }
        (Object::Secret(secret), "type") => secret.type_.as_deref(),
        (Object::Service(service), "spec.clusterIP") => {
            service.spec.as_ref()?.cluster_ip.as_deref()
        }
        (Object::Service(service), "spec.type") => service.spec.as_ref()?.type_.as_deref(),
        (Object::Node(node), "spec.unschedulable") => {
            Some(match node.spec.as_ref()?.unschedulable {
                Some(true) => "true",
                _ => "false",
            })
        }
        _ => None,
    }
}

fn pod_value<'a>(pod: &'a k8s::Pod, field: &str) -> Option<&'a str> {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    match field {
        "spec.nodeName" => spec?.node_name.as_deref(),
        "spec.restartPolicy" => spec?.restart_policy.as_deref(),
        "spec.schedulerName" => spec?.scheduler_name.as_deref(),
        "spec.serviceAccountName" => spec?.service_account_name.as_deref(),
        "status.phase" => status?.phase.as_deref(),
        "status.podIP" => status?.pod_ip.as_deref(),
        "status.nominatedNodeName" => status?.nominated_node_name.as_deref(),
        _ => None,
    }
}

fn event_value<'a>(event: &'a k8s::Event, field: &str) -> Option<&'a str> {
    let object = &event.involved_object;
    match field {
        "involvedObject.apiVersion" => object.api_version.as_deref(),
        "involvedObject.fieldPath" => object.field_path.as_deref(),
        "involvedObject.kind" => object.kind.as_deref(),
        "involvedObject.name" => object.name.as_deref(),
        "involvedObject.namespace" => object.namespace.as_deref(),
        "involvedObject.resourceVersion" => object.resource_version.as_deref(),
        "involvedObject.uid" => object.uid.as_deref(),
        "reason" => event.reason.as_deref(),
        "source" => event.source.as_ref()?.component.as_deref(),
        "type" => event.type_.as_deref(),
        _ => None,
    }
}
