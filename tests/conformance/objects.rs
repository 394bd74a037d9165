//! The objects of a test, as JSON, which is YAML too: what upstream's tests make of Go structs.

use serde_json::{Value, json};
use wasmpod_manifest::{Source, read};

/// Several objects as one manifest.
pub(crate) fn manifest(objects: &[Value]) -> String {
    let documents: Vec<_> = objects.iter().map(Value::to_string).collect();
    documents.join("\n---\n")
}

/// The pod of a test: its containers run once.
pub(crate) fn pod(spec: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"restartPolicy": "Never"}});
    set(&mut pod["spec"], spec);
    pod
}

/// Puts the fields of `more` into an object.
pub(crate) fn set(object: &mut Value, more: Value) {
    let Value::Object(more) = more else {
        panic!("not fields: {more}");
    };
    object.as_object_mut().unwrap().extend(more);
}

/// A ConfigMap with these `data`.
pub(crate) fn config_map(name: &str, data: Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    object["data"] = data;
    object
}

/// A Secret with these `stringData`.
pub(crate) fn secret(name: &str, data: Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    object["stringData"] = data;
    object
}

/// The data of upstream's ConfigMaps and Secrets.
pub(crate) fn data() -> Value {
    json!({"data-1": "value-1", "data-2": "value-2", "data-3": "value-3"})
}

/// Why a manifest is refused.
pub(crate) fn refusal(objects: &[Value]) -> String {
    match read(&[Source::new("test.yaml", manifest(objects))]) {
        Ok(_) => panic!("accepted: {objects:?}"),
        Err(report) => format!("{report:?}"),
    }
}
