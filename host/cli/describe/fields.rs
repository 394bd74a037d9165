//! Parts that many descriptions have: labels, annotations, selectors, times, and looking into JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use wasmpod::k8s::{LabelSelector, ObjectMeta, OwnerReference};

use super::View;
use crate::age;
use crate::tabs::Tabs;

/// What stands for nothing.
pub(super) const NONE: &str = "<none>";

/// Labels, or what else are keys and values: one a line, as `key=value`.
pub(super) fn labels(out: &mut Tabs, name: &str, map: Option<&BTreeMap<String, String>>) {
    let map = map.into_iter().flatten();
    lines(out, name, map.map(|(key, value)| format!("{key}={value}")));
}

/// Annotations: one a line as `key: value`; what kubectl keeps for itself is left out.
pub(super) fn annotations(out: &mut Tabs, map: Option<&BTreeMap<String, String>>) {
    const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let mut shown = map
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != LAST_APPLIED)
        .peekable();
    if shown.peek().is_none() {
        return out.field(0, "Annotations", NONE);
    }
    for (index, (key, value)) in shown.enumerate() {
        let head = if index == 0 { "Annotations:" } else { "" };
        let value = value.trim_end_matches('\n');
        if value.contains('\n') || key.len() + value.len() > LONG_ANNOTATION {
            out.line(0, format!("{head}\t{key}:"));
            for line in value.lines() {
                out.line(0, format!("\t  {}", shortened(line)));
            }
        } else {
            out.line(0, format!("{head}\t{key}: {value}"));
        }
    }
}

/// From how many characters on an annotation has lines of its own, and how many a line may have (kubectl's
/// `maxAnnotationLen`).
const LONG_ANNOTATION: usize = 140;

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONG_ANNOTATION) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}

/// A name before the first of some lines, the others below it.
pub(super) fn lines(out: &mut Tabs, name: &str, lines: impl IntoIterator<Item = String>) {
    let mut is_first = true;
    for line in lines {
        let head = if is_first {
            format!("{name}:")
        } else {
            String::new()
        };
        is_first = false;
        out.line(0, format!("{head}\t{line}"));
    }
    if is_first {
        out.field(0, name, NONE);
    }
}

/// Name, namespace, labels, annotations.
pub(super) fn head(out: &mut Tabs, metadata: &ObjectMeta) {
    out.field(0, "Name", metadata.name.as_deref().unwrap_or_default());
    if let Some(namespace) = &metadata.namespace {
        out.field(0, "Namespace", namespace);
    }
    labels(out, "Labels", metadata.labels.as_ref());
    annotations(out, metadata.annotations.as_ref());
}

/// The metadata of an object.
pub(super) fn metadata(object: &Value) -> ObjectMeta {
    let metadata = object.get("metadata").cloned().unwrap_or_default();
    serde_json::from_value(metadata).unwrap_or_default()
}

/// `ReplicaSet/web-5d9`: who made it.
pub(super) fn controller(metadata: &ObjectMeta) -> Option<String> {
    let mut owners = metadata.owner_references.iter().flatten();
    let owner: &OwnerReference = owners.find(|owner| owner.controller == Some(true))?;
    Some(format!("{}/{}", owner.kind, owner.name))
}

/// `app=web,tier in (a,b)`
pub(super) fn selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else {
        return NONE.to_owned();
    };
    let equal = selector.match_labels.iter().flatten();
    let mut parts: Vec<_> = equal.map(|(key, value)| format!("{key}={value}")).collect();
    for wanted in selector.match_expressions.iter().flatten() {
        let values = wanted.values.as_deref().unwrap_or_default().join(",");
        parts.push(match wanted.operator.as_str() {
            "In" => format!("{} in ({values})", wanted.key),
            "NotIn" => format!("{} notin ({values})", wanted.key),
            "DoesNotExist" => format!("!{}", wanted.key),
            _ => wanted.key.clone(),
        });
    }
    if parts.is_empty() {
        NONE.to_owned()
    } else {
        parts.join(",")
    }
}

/// A moment as text.
pub(super) fn moment(moment: Option<Timestamp>, view: &View) -> String {
    moment.map_or_else(
        || "<unset>".to_owned(),
        |moment| age::rfc1123(moment, &view.zone),
    )
}

/// `True` or `False`, as kubectl writes it.
pub(super) fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// What is at a JSON pointer as text: nothing when there is nothing.
pub(super) fn at(object: &Value, pointer: &str) -> Option<String> {
    match object.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The same, or `<none>`.
pub(super) fn at_or_none(object: &Value, pointer: &str) -> String {
    at(object, pointer).unwrap_or_else(|| NONE.to_owned())
}

/// The array at a JSON pointer.
pub(super) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    let found = object.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

/// The keys and values at a JSON pointer.
pub(super) fn map(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let fields = object.pointer(pointer).and_then(Value::as_object);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    fields
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}
