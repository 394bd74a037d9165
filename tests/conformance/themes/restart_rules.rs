//! Restart rules of containers: upstream's `test/e2e/common/node/container_restart_policy.go`.

use serde_json::{Value, json};
use wasmpod_manifest::k8s::PodStatus;

use crate::pod::{Pod, condition, container};
use crate::script::{ended, ended_at, pod, running_since, shell, sidecar, with};
use crate::table::rows;

rows! {
    "1.28 Container restart rules";
    "restart on rule match (exitCodes In [42])" => passes rule_matches;
    "no restart on mismatch" => passes rule_does_not_match;
    "container-level restartPolicy Never" => passes container_never;
    "container-level Always" => passes container_always;
    "fall back to the pod level" => passes pod_level;
    "RestartAllContainers on exit of a regular container" => passes all_by_regular;
    "RestartAllContainers on exit of a sidecar container" => passes all_by_sidecar;
    "RestartAllContainers on exit of an init container" => passes all_by_init;
    "multiple actions do not loop" => passes several_actions;
}

fn rule(action: &str, code: i32) -> Value {
    json!({"restartPolicy": "Never", "restartPolicyRules": [
        {"action": action, "exitCodes": {"operator": "In", "values": [code]}},
    ]})
}

/// A pod with a container that ends with this code after a second.
async fn exiting(policy: &str, code: i32, more: Value) -> Pod {
    let container = with(shell("c", &format!("sleep 1; exit {code}")), more);
    Pod::start(&pod(
        &json!({"restartPolicy": policy, "containers": [container]}),
    ))
    .await
}

async fn restarted(pod: &Pod, times: i32) {
    pod.until("restarted", |status| {
        container(status, "c").restart_count == times
    })
    .await;
    assert_eq!(pod.status().phase(), "Running");
}

async fn not_restarted(pod: &Pod, code: i32) {
    let status = pod
        .ends(if code == 0 { "Succeeded" } else { "Failed" })
        .await;
    assert_eq!(container(&status, "c").restart_count, 0);
    assert_eq!(ended(&status, "c").exit_code, code);
}

async fn rule_matches() {
    restarted(&exiting("Never", 42, rule("Restart", 42)).await, 3).await;
}

async fn rule_does_not_match() {
    not_restarted(&exiting("Always", 1, rule("Restart", 42)).await, 1).await;
}

async fn container_never() {
    not_restarted(
        &exiting("Always", 1, json!({"restartPolicy": "Never"})).await,
        1,
    )
    .await;
    not_restarted(
        &exiting("OnFailure", 1, json!({"restartPolicy": "Never"})).await,
        1,
    )
    .await;
}

async fn container_always() {
    restarted(
        &exiting("Never", 0, json!({"restartPolicy": "Always"})).await,
        2,
    )
    .await;
    restarted(
        &exiting("OnFailure", 1, json!({"restartPolicy": "Always"})).await,
        2,
    )
    .await;
}

async fn pod_level() {
    restarted(&exiting("Always", 0, json!({})).await, 2).await;
    restarted(&exiting("OnFailure", 1, json!({})).await, 2).await;
    not_restarted(&exiting("OnFailure", 0, json!({})).await, 0).await;
    not_restarted(&exiting("Never", 1, json!({})).await, 1).await;
}

/// Ends with 42 once, after `before`, and then does `after`.
fn once(name: &str, before: &str, after: &str) -> Value {
    let script = format!(
        "if [ -f /state/{name} ]; then {after}; exit 0; fi; touch /state/{name}; {before}; exit 42"
    );
    let mount = json!({"volumeMounts": [{"name": "state", "mountPath": "/state"}]});
    with(
        with(shell(name, &script), rule("RestartAllContainers", 42)),
        mount,
    )
}

fn steady(name: &str) -> Value {
    shell(name, "sleep 600")
}

async fn start(inits: Value, mains: Value) -> Pod {
    Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "initContainers": inits,
        "containers": mains,
        "volumes": [{"name": "state", "emptyDir": {}}],
    })))
    .await
}

/// Waits until all of these were restarted once and everything runs; nothing is restarted after that.
async fn all_restarted(pod: &Pod, names: &[&str]) -> PodStatus {
    let is_once = |status: &PodStatus| {
        names
            .iter()
            .all(|name| container(status, name).restart_count == 1)
    };
    let seen = pod
        .until("it has an address", |status| status.pod_ip.is_some())
        .await;
    assert_eq!(condition(&seen, "AllContainersRestarting"), None);
    let status = pod
        .until("all were restarted", |status| {
            is_once(status) && condition(status, "Ready") == Some("True")
        })
        .await;
    assert_eq!(condition(&status, "AllContainersRestarting"), Some("False"));
    assert_eq!(
        (&status.pod_ip, &status.start_time),
        (&seen.pod_ip, &seen.start_time)
    );
    pod.pause(std::time::Duration::from_secs(300)).await;
    assert!(is_once(&pod.status().pod), "{:#?}", pod.status().pod);
    assert_eq!(pod.status().phase(), "Running");
    status
}

async fn all_by_regular() {
    let pod = start(
        json!([shell("init", "exit 0"), sidecar(steady("sidecar"))]),
        json!([once("source", "sleep 5", "sleep 600"), steady("other")]),
    )
    .await;
    let status = all_restarted(&pod, &["init", "sidecar", "source", "other"]).await;
    // In the order of a start: the init container is over before the others begin.
    assert!(ended_at(&status, "init") <= running_since(&status, "sidecar"));
    assert!(running_since(&status, "sidecar") <= running_since(&status, "source"));
}

async fn all_by_sidecar() {
    let source = with(
        once("source", "sleep 5", "sleep 600"),
        json!({"restartPolicy": "Always"}),
    );
    let pod = start(
        json!([shell("init", "exit 0"), source]),
        json!([steady("regular")]),
    )
    .await;
    all_restarted(&pod, &["init", "source", "regular"]).await;
}

async fn all_by_init() {
    let pod = start(
        json!([
            sidecar(steady("sidecar")),
            once("source", "sleep 5", "exit 0")
        ]),
        json!([steady("regular")]),
    )
    .await;
    let status = pod
        .until("all were restarted", |status| {
            condition(status, "Ready") == Some("True")
        })
        .await;
    assert_eq!(container(&status, "sidecar").restart_count, 1);
    assert_eq!(container(&status, "source").restart_count, 1);
    // The container had not been started before.
    assert_eq!(container(&status, "regular").restart_count, 0);
    assert_eq!(condition(&status, "AllContainersRestarting"), Some("False"));
}

async fn several_actions() {
    let pod = start(
        json!([shell("init", "exit 0")]),
        json!([
            once("one", "sleep 5", "sleep 600"),
            once("two", "sleep 5", "sleep 600"),
            once("three", "sleep 5", "sleep 600")
        ]),
    )
    .await;
    all_restarted(&pod, &["init", "one", "two", "three"]).await;
}
