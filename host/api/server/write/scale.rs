//! `autoscaling/v1` Scale: how many pods a workload wants, as an object of its own.

use serde_json::{Value, json};
use wasmpod_store::Object;

/// The Scale of a workload; nothing when it has none.
pub(super) fn of(object: &Object) -> Option<Value> {
    let value = serde_json::to_value(object).ok()?;
    let text = |pointer: &str| value.pointer(pointer).cloned().unwrap_or(Value::Null);
    let count = |pointer: &str| value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let selector = match value.pointer("/spec/selector") {
        // A replication controller's is the map itself.
        Some(Value::Object(found))
            if !found.contains_key("matchLabels") && !found.contains_key("matchExpressions") =>
        {
            labels(found)
        }
        Some(found) => selector_text(found),
        None => String::new(),
    };
    let mut metadata = json!({});
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let (Some(found), Value::Object(metadata)) =
            (value.pointer(&format!("/metadata/{field}")), &mut metadata)
        {
            metadata.insert(field.to_owned(), found.clone());
        }
    }
    if text("/spec").is_null() {
        return None;
    }
    Some(json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": count("/spec/replicas")},
        "status": {"replicas": count("/status/replicas"), "selector": selector},
    }))
}

fn labels(found: &serde_json::Map<String, Value>) -> String {
    let pairs = found.iter();
    let pairs = pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(",")
}

/// A selector as `kubectl` and autoscalers write it.
fn selector_text(selector: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(Value::Object(found)) = selector.get("matchLabels") {
        parts.push(labels(found));
    }
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for expression in expressions.into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values: Vec<_> = expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let values = values.join(",");
        parts.push(match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.join(",")
}

/// The replicas that a Scale asks for, or what is wrong with it.
pub(super) fn replicas(scale: &Value) -> Result<i32, String> {
    let found = scale.pointer("/spec/replicas").cloned();
    let found = found.unwrap_or(Value::from(0));
    match found.as_i64().map(i32::try_from) {
        Some(Ok(count)) if count >= 0 => Ok(count),
        Some(Ok(count)) => Err(format!(
            "spec.replicas: Invalid value: {count}: must be greater than or equal to 0"
        )),
        _ => Err(format!(
            "spec.replicas: Invalid value: {found}: must be an integer"
        )),
    }
}

#[cfg(test)]
mod tests {
    use wasmpod_store::Kind;

    use super::*;

    #[test]
    fn a_scale_tells_of_its_workload() {
        let selector = json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "t", "operator": "In", "values": ["a", "b"]}],
        });
        let template = json!({"spec": {"containers": []}});
        let object = Object::from_json(
            Kind::Deployment,
            json!({
                "metadata": {"name": "d", "namespace": "n", "resourceVersion": "7"},
                "spec": {"replicas": 3, "selector": selector, "template": template},
                "status": {"replicas": 2},
            }),
        );
        let scale = of(&object.unwrap()).unwrap();
        assert_eq!(
            scale,
            json!({
                "kind": "Scale", "apiVersion": "autoscaling/v1",
                "metadata": {"name": "d", "namespace": "n", "resourceVersion": "7"},
                "spec": {"replicas": 3}, "status": {"replicas": 2, "selector": "app=web,t in (a,b)"},
            })
        );
        let controller = json!({"metadata": {"name": "r"}, "spec": {"selector": {"a": "b"}}});
        let controller = Object::from_json(Kind::ReplicationController, controller).unwrap();
        assert_eq!(of(&controller).unwrap()["status"]["selector"], "a=b");
    }

    #[test]
    fn replicas_are_a_count() {
        assert_eq!(replicas(&json!({"spec": {"replicas": 5}})), Ok(5));
        assert_eq!(replicas(&json!({})), Ok(0));
        for wrong in [json!(-1), json!("3"), json!(1.5), json!(4_000_000_000_u32)] {
            assert!(replicas(&json!({"spec": {"replicas": wrong}})).is_err());
        }
    }
}
