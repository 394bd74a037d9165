//! Last words of a container, and the phases that restart policies lead to: upstream's
//! `test/e2e/common/node/runtime.go`.

use serde_json::{Value, json};

use crate::pod::{Pod, container};
use crate::script::{ended, pod, shell, with};
use crate::table::rows;

rows! {
    "1.4 terminationMessage and restart phases";
    "Container Runtime, TerminationMessage, from log output of succeeding container (must be empty)" => passes empty_from_the_log_of_a_success;
    "Container Runtime, TerminationMessage, from file of succeeding container" => passes from_the_file_of_a_success;
    "Container Runtime, TerminationMessage, from container's log output of failing container (FallbackToLogsOnError)" => passes from_the_log_of_a_failure;
    "Container Runtime, TerminationMessagePath, non-root user and non-default path" => passes from_another_path;
    "Container Runtime, Restart Policy, Pod Phases" => passes phases;
}

/// The termination message of a container that runs `script` once.
async fn message(script: &str, more: Value, phase: &str) -> Option<String> {
    let container = with(shell("c", script), more);
    let pod = Pod::start(&pod(
        &json!({"restartPolicy": "Never", "containers": [container]}),
    ))
    .await;
    let status = pod.ends(phase).await;
    ended(&status, "c").message
}

async fn empty_from_the_log_of_a_success() {
    let policy = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let message = message("echo -n DONE; exit 0", policy, "Succeeded").await;
    assert_eq!(message.unwrap_or_default(), "");
}

async fn from_the_file_of_a_success() {
    let policy = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let message = message(
        "echo -n OK > /dev/termination-log; exit 0",
        policy,
        "Succeeded",
    )
    .await;
    assert_eq!(message.as_deref(), Some("OK"));
}

async fn from_the_log_of_a_failure() {
    let policy = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let message = message("echo -n DONE; exit 1", policy, "Failed").await;
    assert_eq!(message.as_deref(), Some("DONE"));
}

async fn from_another_path() {
    let path = "/dev/termination-custom-log";
    let more = json!({"terminationMessagePath": path, "securityContext": {"runAsUser": 1000}});
    let message = message(&format!("echo -n DONE > {path}"), more, "Succeeded").await;
    assert_eq!(message.as_deref(), Some("DONE"));
}

async fn phases() {
    // The first instance fails, the second succeeds, the third runs on.
    let script = "f=/restart-count/count; echo hello >> $f; count=$(wc -l < $f); \
        if [ $count -eq 1 ]; then exit 1; fi; if [ $count -eq 2 ]; then exit 0; fi; while true; do sleep 1; done";
    for (policy, phase, restarts, is_ready, code) in [
        ("Always", "Running", 2, true, None),
        ("OnFailure", "Succeeded", 1, false, Some(0)),
        ("Never", "Failed", 0, false, Some(1)),
    ] {
        let mount = json!({"volumeMounts": [{"name": "count", "mountPath": "/restart-count"}]});
        let pod = Pod::start(&pod(&json!({
            "restartPolicy": policy,
            "containers": [with(shell("c", script), mount)],
            "volumes": [{"name": "count", "emptyDir": {}}],
        })))
        .await;
        let status = pod
            .until(policy, |status| {
                let found = status
                    .container_statuses
                    .as_ref()
                    .and_then(|all| all.first());
                status.phase.as_deref() == Some(phase)
                    && found.is_some_and(|found| {
                        found.restart_count == restarts && found.ready == is_ready
                    })
            })
            .await;
        let state = container(&status, "c").state.unwrap();
        assert_eq!(state.running.is_some(), code.is_none(), "{policy}");
        assert_eq!(
            state.terminated.map(|ended| ended.exit_code),
            code,
            "{policy}"
        );
    }
}
