//! The node, and objects of types that have no layout of their own: their fields, one a line, as kubectl's generic
//! description has them.

use jiff::Timestamp;
use serde_json::Value;

use super::View;
use super::fields::{at, at_or_none, head, items, map, metadata, moment};
use crate::age;
use crate::runs::{name, text};
use crate::tabs::Tabs;

pub(super) fn node(out: &mut Tabs, object: &Value, pods: &[Value], view: &View) {
    let metadata = metadata(object);
    head(out, &metadata);
    let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
    out.field(0, "CreationTimestamp", moment(created, view));
    out.field(
        0,
        "Unschedulable",
        at(object, "/spec/unschedulable").unwrap_or_else(|| "false".to_owned()),
    );
    let conditions = items(object, "/status/conditions");
    if !conditions.is_empty() {
        out.line(0, "Conditions:");
        out.line(1, "Type\tStatus\tReason\tMessage");
        out.line(1, "----\t------\t------\t-------");
        for condition in conditions {
            let of = |field| at(condition, field).unwrap_or_default();
            let (kind, status) = (of("/type"), of("/status"));
            out.line(
                1,
                format!("{kind} \t{status} \t{} \t{}", of("/reason"), of("/message")),
            );
        }
    }
    out.line(0, "Addresses:");
    for address in items(object, "/status/addresses") {
        let kind = at_or_none(address, "/type");
        out.field(1, &kind, at(address, "/address").unwrap_or_default());
    }
    for (label, pointer) in [
        ("Capacity", "/status/capacity"),
        ("Allocatable", "/status/allocatable"),
    ] {
        out.line(0, format!("{label}:"));
        for (resource, quantity) in map(object, pointer) {
            out.field(1, &resource, quantity);
        }
    }
    out.line(0, "System Info:");
    for (field, value) in map(object, "/status/nodeInfo") {
        out.field(1, &words_of(&field), value);
    }
    out.line(
        0,
        format!("Non-terminated Pods:\t({} in total)", running(pods).count()),
    );
    out.line(1, "Namespace\tName\tAge");
    out.line(1, "---------\t----\t---");
    for pod in running(pods) {
        let created: Option<Timestamp> = text(pod, "/metadata/creationTimestamp").parse().ok();
        let age = age::since(created, view.now);
        out.line(
            1,
            format!("{}\t{}\t{age}", text(pod, "/metadata/namespace"), name(pod)),
        );
    }
}

fn running(pods: &[Value]) -> impl Iterator<Item = &Value> {
    let is_over =
        |pod: &Value| matches!(text(pod, "/status/phase").as_str(), "Succeeded" | "Failed");
    pods.iter().filter(move |pod| !is_over(pod))
}

pub(super) fn describe(out: &mut Tabs, object: &Value) {
    let metadata = metadata(object);
    head(out, &metadata);
    let Some(object) = object.as_object() else {
        return;
    };
    for (key, value) in object.iter().filter(|(key, _)| *key != "metadata") {
        field(out, 0, key, value);
    }
}

fn field(out: &mut Tabs, level: usize, key: &str, value: &Value) {
    let label = words_of(key);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.line(level, format!("{label}:"));
            for (key, value) in fields {
                field(out, level + 1, key, value);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            out.line(level, format!("{label}:"));
            for item in items {
                match item {
                    Value::Object(fields) => {
                        for (key, value) in fields {
                            field(out, level + 1, key, value);
                        }
                    }
                    other => out.line(level + 1, scalar(other)),
                }
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null => {}
        other => out.field(level, &label, scalar(other)),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `apiVersion` as `API Version`, `hostIP` as `Host IP`, `kernelVersion` as `Kernel Version`.
fn words_of(key: &str) -> String {
    if key == "apiVersion" {
        return "API Version".to_owned();
    }
    let mut words = String::new();
    let mut was_upper = true;
    for character in key.chars() {
        if words.is_empty() {
            words.extend(character.to_uppercase());
            continue;
        }
        if character.is_uppercase() && !was_upper {
            words.push(' ');
        }
        was_upper = character.is_uppercase();
        words.push(character);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_becomes_words() {
        for (key, words) in [
            ("apiVersion", "API Version"),
            ("kind", "Kind"),
            ("hostIP", "Host IP"),
            (
                "persistentVolumeReclaimPolicy",
                "Persistent Volume Reclaim Policy",
            ),
        ] {
            assert_eq!(words_of(key), words);
        }
    }
}
