//! Probes beside each other, at the end, and of sidecars: the rest of `test/e2e/common/node/container_probe.go`.

use std::time::Duration;

use serde_json::{Value, json};

use super::probes::{self, Whose, agnhost_container, restarts, start, start_with, stays};
use crate::pod::{Pod, condition, container};
use crate::script::{shell, with};
use crate::table::rows;

rows! {
    "1.28 Probes";
    "startup probe delays liveness" => passes startup_delays_liveness;
    "liveness starts after startup succeeds" => passes liveness_after_startup;
    "ready immediately after startupProbe succeeds" => passes ready_after_startup;
    "readiness false while terminating" => passes readiness_while_terminating;
    "liveness disabled while terminating" => passes liveness_while_terminating;
    "exec probe timeout honoured" => passes exec_timeout;
    "the whole suite is repeated as \"Probing restartable init container\" (probes on sidecars)" => passes sidecars;
}

fn exec(command: &[&str], more: Value) -> Value {
    with(json!({"exec": {"command": command}}), more)
}

async fn startup_delays_liveness_of(whose: Whose) {
    let probes = json!({
        "livenessProbe": exec(&["/bin/false"], json!({"initialDelaySeconds": 15, "failureThreshold": 1})),
        "startupProbe": exec(&["/bin/false"], json!({"initialDelaySeconds": 15, "failureThreshold": 60})),
    });
    let pod = start(whose, with(shell("c", "sleep 600"), probes)).await;
    pod.pause(probes::WATCHED).await;
    let found = pod.container("c");
    assert_eq!(
        (found.restart_count, found.started),
        (0, Some(false)),
        "{}",
        pod.told()
    );
    assert!(!pod.told().contains("Liveness"), "{}", pod.told());
}

async fn liveness_after_startup_of(whose: Whose) {
    let probes = json!({
        "livenessProbe": exec(&["/bin/false"], json!({"initialDelaySeconds": 5, "failureThreshold": 1})),
        "startupProbe": exec(&["cat", "/tmp/startup"], json!({"initialDelaySeconds": 5, "failureThreshold": 60})),
    });
    let script = "sleep 30; echo ok >/tmp/startup; sleep 600";
    let pod = start(whose, with(shell("c", script), probes)).await;
    restarts(&pod, 1).await;
    assert!(
        pod.elapsed() >= Duration::from_secs(30),
        "{:?}",
        pod.elapsed()
    );
    assert!(
        pod.told().contains("Liveness probe failed"),
        "{}",
        pod.told()
    );
}

async fn ready_after_startup_of(whose: Whose) {
    let probes = json!({
        "readinessProbe": exec(&["cat", "/tmp/health"], json!({"periodSeconds": 60})),
        "startupProbe": exec(&["cat", "/tmp/startup"], json!({"periodSeconds": 5, "failureThreshold": 120})),
    });
    let script = "echo ok >/tmp/health; sleep 10; echo ok >/tmp/startup; sleep 600";
    let pod = start(whose, with(shell("c", script), probes)).await;
    pod.until("started", |status| {
        container(status, "c").started == Some(true)
    })
    .await;
    let at = pod.elapsed();
    pod.is_ready().await;
    assert!(
        pod.elapsed() - at < Duration::from_secs(1),
        "{:?} after {at:?}\n{}",
        pod.elapsed(),
        pod.told()
    );
    assert!((10..=16).contains(&at.as_secs()), "{at:?}");
}

/// A pod that needs half a minute for its end, which begins by taking a file away.
async fn ending(whose: Whose, probes: Value) -> Pod {
    let hook = json!({"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "rm /tmp/well; sleep 30"]}}}});
    let container = with(with(shell("c", "touch /tmp/well; sleep 600"), probes), hook);
    let pod = start_with(
        whose,
        container,
        json!({"terminationGracePeriodSeconds": 60}),
    )
    .await;
    pod.is_ready().await;
    pod.pause(Duration::from_secs(5)).await;
    pod.delete(None).await;
    pod
}

async fn readiness_while_terminating_of(whose: Whose) {
    let probe = exec(
        &["cat", "/tmp/well"],
        json!({"periodSeconds": 5, "failureThreshold": 1}),
    );
    let pod = ending(whose, json!({"readinessProbe": probe})).await;
    let begun = pod.elapsed();
    let status = pod
        .until("not ready", |status| !container(status, "c").ready)
        .await;
    assert!(
        container(&status, "c").state.unwrap().running.is_some(),
        "before its end"
    );
    assert_eq!(condition(&status, "Ready"), Some("False"));
    assert!(
        pod.elapsed() - begun <= Duration::from_secs(6),
        "{:?}",
        pod.elapsed() - begun
    );
    pod.gone().await;
}

async fn liveness_while_terminating_of(whose: Whose) {
    let fields = || json!({"initialDelaySeconds": 2, "periodSeconds": 1, "failureThreshold": 1});
    let probe = || exec(&["cat", "/tmp/well"], fields());
    let pod = ending(
        whose,
        json!({"livenessProbe": probe(), "startupProbe": probe()}),
    )
    .await;
    let begun = pod.elapsed();
    let status = pod.gone().await;
    assert!(
        pod.elapsed() - begun >= Duration::from_secs(30),
        "the hook is waited for"
    );
    assert_eq!(container(&status, "c").restart_count, 0);
    assert!(!pod.told().contains("Unhealthy"), "{}", pod.told());
}

async fn exec_timeout_of(whose: Whose) {
    let slow = |more| {
        exec(
            &["/bin/sh", "-c", "sleep 10"],
            with(json!({"timeoutSeconds": 1}), more),
        )
    };
    let liveness = slow(json!({"initialDelaySeconds": 15, "failureThreshold": 1}));
    let pod = start(
        whose,
        with(shell("c", "sleep 600"), json!({"livenessProbe": liveness})),
    )
    .await;
    restarts(&pod, 1).await;
    assert!(pod.told().contains("timed out after 1s"), "{}", pod.told());
    let readiness = slow(json!({"initialDelaySeconds": 15, "failureThreshold": 1}));
    let pod = start(
        whose,
        with(
            shell("c", "sleep 600"),
            json!({"readinessProbe": readiness}),
        ),
    )
    .await;
    stays(&pod).await;
    assert!(!pod.container("c").ready);
    // Time enough is enough.
    let liveness = with(
        slow(json!({})),
        json!({"timeoutSeconds": 20, "initialDelaySeconds": 15, "failureThreshold": 1}),
    );
    stays(
        &start(
            whose,
            with(shell("c", "sleep 600"), json!({"livenessProbe": liveness})),
        )
        .await,
    )
    .await;
}

async fn startup_failure_of(whose: Whose) {
    let probe = exec(
        &["/bin/false"],
        json!({"initialDelaySeconds": 15, "failureThreshold": 3}),
    );
    let pod = start(
        whose,
        with(shell("c", "sleep 600"), json!({"startupProbe": probe})),
    )
    .await;
    restarts(&pod, 1).await;
    // The third try is 35 seconds after the start.
    assert!(
        pod.elapsed() >= Duration::from_secs(35),
        "{:?}",
        pod.elapsed()
    );
}

async fn redirects_of(whose: Whose) {
    let probe = json!({"httpGet": {"path": "/echo?code=302&msg=", "port": 8080}, "initialDelaySeconds": 5, "failureThreshold": 1});
    stays(
        &start(
            whose,
            with(
                agnhost_container(&["netexec"]),
                json!({"livenessProbe": probe}),
            ),
        )
        .await,
    )
    .await;
}

async fn startup_delays_liveness() {
    startup_delays_liveness_of(Whose::Main).await;
    startup_failure_of(Whose::Main).await;
}

async fn liveness_after_startup() {
    liveness_after_startup_of(Whose::Main).await;
}

async fn ready_after_startup() {
    ready_after_startup_of(Whose::Main).await;
}

async fn readiness_while_terminating() {
    readiness_while_terminating_of(Whose::Main).await;
}

async fn liveness_while_terminating() {
    liveness_while_terminating_of(Whose::Main).await;
}

async fn exec_timeout() {
    exec_timeout_of(Whose::Main).await;
}

async fn sidecars() {
    let whose = Whose::Sidecar;
    probes::file_restart_of(whose).await;
    probes::file_no_restart_of(whose).await;
    probes::http_restart_of(whose).await;
    probes::http_no_restart_of(whose).await;
    probes::http_multiple_restarts_of(whose).await;
    probes::tcp_no_restart_of(whose).await;
    probes::grpc_success_of(whose).await;
    probes::grpc_failure_of(whose).await;
    probes::readiness_after_delay_of(whose).await;
    probes::readiness_failure_of(whose).await;
    startup_delays_liveness_of(whose).await;
    startup_failure_of(whose).await;
    liveness_after_startup_of(whose).await;
    ready_after_startup_of(whose).await;
    readiness_while_terminating_of(whose).await;
    exec_timeout_of(whose).await;
    redirects_of(whose).await;
}
