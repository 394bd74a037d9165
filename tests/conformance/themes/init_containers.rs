//! Init containers: upstream's `test/e2e/common/node/init_container.go`.

use serde_json::{Value, json};
use wasmpod_manifest::k8s::PodStatus;

use crate::pod::{Pod, condition, container};
use crate::script::{ended, ended_at, pod, running_since};
use crate::table::rows;

rows! {
    "1.6 Init containers";
    "init-container-starts-app-restartnever-pod" => passes starts_app_restart_never;
    "init-container-starts-app-restartalways-pod" => passes starts_app_restart_always;
    "init-container-fails-stops-app-restartalways-pod" => passes fails_stops_app_restart_always;
    "init-container-fails-stops-app-restartnever-pod" => passes fails_stops_app_restart_never;
}

fn runs(name: &str, program: &str) -> Value {
    json!({"name": name, "image": "busybox", "command": [format!("/bin/{program}")]})
}

async fn start(policy: &str, inits: [&str; 2], main: Value) -> Pod {
    let spec = json!({
        "restartPolicy": policy,
        "initContainers": [runs("init1", inits[0]), runs("init2", inits[1])],
        "containers": [main],
    });
    Pod::start(&pod(&spec)).await
}

fn pause() -> Value {
    json!({"name": "run1", "image": "registry.k8s.io/pause:3.10"})
}

fn assert_initialized(status: &PodStatus) {
    assert_eq!(condition(status, "Initialized"), Some("True"));
    for name in ["init1", "init2"] {
        assert!(container(status, name).ready, "{name}");
        assert_eq!(ended(status, name).exit_code, 0, "{name}");
    }
    assert!(ended_at(status, "init1") <= ended_at(status, "init2"));
}

fn assert_not_initialized(status: &PodStatus, missing: &str) {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == "Initialized")
        .unwrap();
    assert_eq!(found.status, "False");
    assert_eq!(found.reason.as_deref(), Some("ContainersNotInitialized"));
    let message = format!("containers with incomplete status: [{missing}]");
    assert_eq!(found.message.as_deref(), Some(message.as_str()));
}

fn assert_never_ran(status: &PodStatus, name: &str) {
    let found = container(status, name);
    assert_eq!((found.restart_count, found.last_state), (0, None), "{name}");
    let waiting = found.state.and_then(|state| state.waiting).unwrap();
    assert_eq!(waiting.reason.as_deref(), Some("PodInitializing"), "{name}");
}

async fn starts_app_restart_never() {
    let pod = start("Never", ["true", "true"], runs("run1", "true")).await;
    let status = pod.ends("Succeeded").await;
    assert_initialized(&status);
    assert_eq!(ended(&status, "run1").exit_code, 0);
}

async fn starts_app_restart_always() {
    let pod = start("Always", ["true", "true"], pause()).await;
    let status = pod.is_ready().await;
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert_initialized(&status);
    assert!(running_since(&status, "run1") >= ended_at(&status, "init2"));
}

async fn fails_stops_app_restart_always() {
    let pod = start("Always", ["false", "true"], pause()).await;
    let status = pod
        .until("init1 was restarted three times", |status| {
            assert_eq!(status.phase.as_deref(), Some("Pending"), "{status:?}");
            container_restarts(status, "init1") >= 3
        })
        .await;
    assert_not_initialized(&status, "init1 init2");
    assert_never_ran(&status, "init2");
    assert_never_ran(&status, "run1");
}

fn container_restarts(status: &PodStatus, name: &str) -> i32 {
    container(status, name).restart_count
}

async fn fails_stops_app_restart_never() {
    let pod = start("Never", ["true", "false"], runs("run1", "true")).await;
    let status = pod.ends("Failed").await;
    assert_not_initialized(&status, "init2");
    assert_eq!(ended(&status, "init1").exit_code, 0);
    assert_eq!(ended(&status, "init2").exit_code, 1);
    assert_never_ran(&status, "run1");
}
