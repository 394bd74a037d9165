//! How environments are looked at: a container prints its own.

use serde_json::{Value, json};
use wasmpod_manifest::k8s::PodStatus;

use crate::objects::{manifest, pod, set};
use crate::pod::Pod;

/// What a container with these fields has in its environment, sorted lines of it; and the pod's status.
pub(crate) async fn environment(objects: &[Value], fields: Value) -> (Environment, PodStatus) {
    let mut container = json!({"name": "c", "image": "busybox", "command": ["sh", "-c", "env"]});
    set(&mut container, fields);
    let mut all = objects.to_vec();
    all.push(pod(json!({"containers": [container]})));
    let pod = Pod::start(&manifest(&all)).await;
    let status = pod.ends("Succeeded").await;
    (Environment(pod.log("c").await), status)
}

/// What `env` has printed.
#[derive(Debug)]
pub(crate) struct Environment(String);

impl Environment {
    /// The environment has these lines.
    pub(crate) fn has(&self, lines: &[&str]) {
        for line in lines {
            assert!(
                self.0.lines().any(|found| found == *line),
                "{line}, in:\n{}",
                self.0
            );
        }
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> &str {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {name} in:\n{}", self.0))
    }
}
