//! Images that change while a pod runs: upstream's `test/e2e_node/container_lifecycle_test.go`.

use serde_json::{Value, json};

use crate::pod::{Pod, container};
use crate::script::{pod, shell, with};
use crate::table::rows;

rows! {
    "1.28 Update and restart of the agent itself";
    "image update restarts only that container (Always / OnFailure / Never)" => passes only_that_container;
    "image update after failed startup probe (2)" => passes after_failed_startup_probe;
    "image update after failed liveness probe (2)" => passes after_failed_liveness_probe;
    "handle a pod update that arrives during node reboot / kubelet restart" => not_applicable "pods live and die with the process that runs them";
    "pod status unaffected by a kubelet restart with: no probe / startup / readiness / both" => not_applicable "pods live and die with the process that runs them";
}

async fn set_image(pod: &mut Pod, index: usize, image: &str) {
    pod.update(|pod| {
        pod.spec.as_mut().unwrap().containers[index].image = Some(image.to_owned());
    })
    .await;
}

async fn only_that_container() {
    for policy in ["Always", "OnFailure", "Never"] {
        let mut pod = Pod::start(&pod(&json!({
            "restartPolicy": policy,
            "initContainers": [shell("init-1", "exit 0")],
            "containers": [shell("regular-1", "sleep 600"), shell("regular-2", "sleep 600")],
        })))
        .await;
        let before = pod.is_ready().await;
        set_image(&mut pod, 0, "alpine").await;
        let status = pod
            .until("the container was replaced", |status| {
                let found = container(status, "regular-1");
                found.restart_count == 1 && found.image == "alpine" && found.ready
            })
            .await;
        assert_eq!(
            container(&status, "init-1"),
            container(&before, "init-1"),
            "{policy}"
        );
        assert_eq!(
            container(&status, "regular-2"),
            container(&before, "regular-2"),
            "{policy}"
        );
        assert_eq!(status.phase.as_deref(), Some("Running"), "{policy}");
        let told = pod.told();
        assert!(
            told.contains("Container regular-1 definition changed, will be restarted"),
            "{told}"
        );
    }
}

/// A pod whose container is well with the image nginx and not with busybox, by this probe.
async fn unwell(probe: &str, policy: &str) -> Pod {
    let well = json!({
        "exec": {"command": ["test", "-f", "/usr/share/nginx/html/index.html"]},
        "initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 1,
    });
    let container = with(shell("c", "sleep 600"), json!({probe: well}));
    Pod::start(&pod(
        &json!({"restartPolicy": policy, "containers": [container]}),
    ))
    .await
}

fn is_waiting(status: &Value) -> bool {
    status.pointer("/state/waiting/reason") == Some(&json!("CrashLoopBackOff"))
}

/// The new image is taken when the container is restarted, be it in its back-off or alive.
async fn after_failed(probe: &str) {
    for policy in ["Always", "OnFailure"] {
        for wants_back_off in [true, false] {
            let mut pod = unwell(probe, policy).await;
            pod.until("it fails", |status| {
                let found = container(status, "c");
                let value = serde_json::to_value(&found).unwrap();
                found.restart_count >= 1 && is_waiting(&value) == wants_back_off
            })
            .await;
            set_image(&mut pod, 0, "nginx").await;
            let status = pod
                .until("the new image runs", |status| {
                    let found = container(status, "c");
                    found.image == "nginx" && found.started == Some(true)
                })
                .await;
            let restarts = container(&status, "c").restart_count;
            pod.pause(std::time::Duration::from_secs(60)).await;
            let found = pod.container("c");
            assert_eq!(
                (found.restart_count, found.ready),
                (restarts, true),
                "{policy}\n{}",
                pod.told()
            );
        }
    }
}

async fn after_failed_startup_probe() {
    after_failed("startupProbe").await;
}

async fn after_failed_liveness_probe() {
    after_failed("livenessProbe").await;
}
