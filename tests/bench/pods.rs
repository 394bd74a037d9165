//! Manifests of the pods that run the benchmarks' guests.

use std::path::Path;

use serde_json::{Value, json};

/// A container that runs one of the benchmarks' guests, or any module with arguments.
pub(crate) fn container(name: &str, module: &Path, args: &[&str]) -> Value {
    json!({"name": name, "image": module, "args": args})
}

/// A pod whose containers run once.
pub(crate) fn pod(name: &str, containers: &[Value]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": containers},
    })
}

/// The manifest of several objects.
pub(crate) fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// `pods` pods that share `containers` containers evenly; all of them wait.
pub(crate) fn idle(pods: usize, containers: usize, module: &Path) -> String {
    let each = containers / pods.max(1);
    let pods = (0..pods).map(|pod_number| {
        let containers =
            (0..each).map(|number| container(&format!("c{number}"), module, &["idle"]));
        pod(
            &format!("idle-{pod_number}"),
            &containers.collect::<Vec<_>>(),
        )
    });
    list(&pods.collect::<Vec<_>>())
}
