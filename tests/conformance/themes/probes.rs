//! Probes: upstream's `test/e2e/common/node/container_probe.go`, for containers and for sidecars.

use std::time::Duration;

use serde_json::{Value, json};

use crate::pod::{Pod, condition};
use crate::pod::{agnhost, container};
use crate::script::{pod, running_since, seconds, shell, sidecar, with};
use crate::table::rows;

rows! {
    "1.8 Probes";
    "Pod liveness probe, using local file, restart" => passes file_restart;
    "Pod liveness probe, using local file, no restart" => passes file_no_restart;
    "Pod liveness probe, using http endpoint, restart" => passes http_restart;
    "Pod liveness probe, using http endpoint, no restart (/healthz fine)" => passes http_no_restart;
    "Pod liveness probe, using http endpoint, multiple restarts (slow; restartCount strictly grows)" => passes http_multiple_restarts;
    "Pod liveness probe, using tcp socket, no restart" => passes tcp_no_restart;
    "Pod liveness probe, using grpc call, success" => passes grpc_success;
    "Pod liveness probe, using grpc call, failure" => passes grpc_failure;
    "Pod readiness probe, with initial delay (not ready before, never restarts)" => passes readiness_after_delay;
    "Pod readiness probe, failure (never ready, never restarts)" => passes readiness_failure;
}

/// Whose probes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Main,
    Sidecar,
}

/// How long upstream watches what must not happen.
pub(super) const WATCHED: Duration = Duration::from_secs(4 * 60);

/// A pod whose container `c` is this one, as a container or as a sidecar.
pub(super) async fn start(whose: Whose, container: Value) -> Pod {
    start_with(whose, container, json!({})).await
}

/// The same with more fields of the pod's spec.
pub(super) async fn start_with(whose: Whose, container: Value, more: Value) -> Pod {
    let spec = match whose {
        Whose::Main => json!({"containers": [container]}),
        Whose::Sidecar => json!({
            "initContainers": [sidecar(container)],
            "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}],
        }),
    };
    Pod::start(&pod(&with(spec, more))).await
}

/// Waits for so many restarts of `c`; the count only grows.
pub(super) async fn restarts(pod: &Pod, wanted: i32) {
    for count in 1..=wanted {
        let status = pod
            .until(&format!("{count} restarts"), |status| {
                container(status, "c").restart_count >= count
            })
            .await;
        assert_eq!(
            container(&status, "c").restart_count,
            count,
            "{}",
            pod.told()
        );
    }
}

/// Nothing restarts `c`, nor what is beside it.
pub(super) async fn stays(pod: &Pod) {
    pod.until("it runs", |status| {
        container(status, "c").started == Some(true)
    })
    .await;
    pod.pause(WATCHED).await;
    let found = pod.container("c");
    assert_eq!(found.restart_count, 0, "{}", pod.told());
    assert!(found.state.unwrap().running.is_some(), "{}", pod.told());
    let status = pod.status();
    let mut beside = status.pod.container_statuses.iter().flatten();
    assert!(beside.all(|one| one.restart_count == 0), "{}", pod.told());
}

pub(super) fn agnhost_container(args: &[&str]) -> Value {
    json!({"name": "c", "image": agnhost(), "args": args})
}

fn liveness(handler: Value, initial_delay: u32) -> Value {
    let fields = json!({"initialDelaySeconds": initial_delay, "failureThreshold": 1});
    json!({"livenessProbe": with(handler, fields)})
}

fn file() -> Value {
    json!({"exec": {"command": ["cat", "/tmp/health"]}})
}

fn http(path: &str, port: u16) -> Value {
    json!({"httpGet": {"path": path, "port": port}})
}

pub(super) async fn file_restart_of(whose: Whose) {
    let script = "echo ok >/tmp/health; sleep 10; rm -rf /tmp/health; sleep 600";
    let pod = start(whose, with(shell("c", script), liveness(file(), 15))).await;
    restarts(&pod, 1).await;
    assert!(
        pod.told()
            .contains("Unhealthy: Liveness probe failed: cat:"),
        "{}",
        pod.told()
    );
}

pub(super) async fn file_no_restart_of(whose: Whose) {
    let script = "echo ok >/tmp/health; sleep 600";
    stays(&start(whose, with(shell("c", script), liveness(file(), 15))).await).await;
}

pub(super) async fn http_restart_of(whose: Whose) {
    let container = agnhost_container(&["liveness"]);
    restarts(
        &start(whose, with(container, liveness(http("/healthz", 8080), 15))).await,
        1,
    )
    .await;
}

pub(super) async fn http_no_restart_of(whose: Whose) {
    let container = agnhost_container(&["netexec"]);
    stays(&start(whose, with(container, liveness(http("/healthz", 8080), 15))).await).await;
}

pub(super) async fn http_multiple_restarts_of(whose: Whose) {
    let container = agnhost_container(&["liveness"]);
    let probe = with(
        http("/healthz", 8080),
        json!({"initialDelaySeconds": 5, "periodSeconds": 3, "failureThreshold": 1}),
    );
    let pod = start(whose, with(container, json!({"livenessProbe": probe}))).await;
    restarts(&pod, 5).await;
}

pub(super) async fn tcp_no_restart_of(whose: Whose) {
    let container = agnhost_container(&["netexec"]);
    stays(
        &start(
            whose,
            with(
                container,
                liveness(json!({"tcpSocket": {"port": 8080}}), 15),
            ),
        )
        .await,
    )
    .await;
}

pub(super) async fn grpc_success_of(whose: Whose) {
    let container = agnhost_container(&["grpc-health-checking"]);
    stays(
        &start(
            whose,
            with(container, liveness(json!({"grpc": {"port": 5000}}), 15)),
        )
        .await,
    )
    .await;
}

pub(super) async fn grpc_failure_of(whose: Whose) {
    // Nobody listens there.
    let container = agnhost_container(&["grpc-health-checking"]);
    restarts(
        &start(
            whose,
            with(container, liveness(json!({"grpc": {"port": 2333}}), 15)),
        )
        .await,
        1,
    )
    .await;
    // Somebody does, who says that it is not well after a while.
    let container = agnhost_container(&["grpc-health-checking", "--delay-unhealthy-sec=20"]);
    let pod = start(
        whose,
        with(container, liveness(json!({"grpc": {"port": 5000}}), 15)),
    )
    .await;
    restarts(&pod, 1).await;
    assert!(pod.told().contains("NOT_SERVING"), "{}", pod.told());
}

pub(super) async fn readiness_after_delay_of(whose: Whose) {
    let probe = with(http("/healthz", 8080), json!({"initialDelaySeconds": 30}));
    let pod = start(
        whose,
        with(
            agnhost_container(&["netexec"]),
            json!({"readinessProbe": probe}),
        ),
    )
    .await;
    let status = pod.is_ready().await;
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let ready = conditions
        .iter()
        .find(|condition| condition.type_ == "Ready")
        .unwrap();
    let since = ready
        .last_transition_time
        .as_ref()
        .unwrap()
        .0
        .as_nanosecond();
    let took = since - running_since(&status, "c");
    assert!(
        (seconds(30)..seconds(40)).contains(&took),
        "{took} ns after its start\n{}",
        pod.told()
    );
    stays(&pod).await;
}

pub(super) async fn readiness_failure_of(whose: Whose) {
    let probe = with(http("/healthz", 81), json!({"initialDelaySeconds": 5}));
    let pod = start(
        whose,
        with(
            agnhost_container(&["netexec"]),
            json!({"readinessProbe": probe}),
        ),
    )
    .await;
    for _ in 0..WATCHED.as_secs() {
        pod.pause(Duration::from_secs(1)).await;
        assert_eq!(condition(&pod.status().pod, "Ready"), Some("False"));
    }
    assert!(!pod.container("c").ready);
    stays(&pod).await;
}

macro_rules! of_main {
    ($($test:ident => $of:ident;)*) => {
        $(async fn $test() {
            $of(Whose::Main).await;
        })*
    };
}

of_main! {
    file_restart => file_restart_of;
    file_no_restart => file_no_restart_of;
    http_restart => http_restart_of;
    http_no_restart => http_no_restart_of;
    http_multiple_restarts => http_multiple_restarts_of;
    tcp_no_restart => tcp_no_restart_of;
    grpc_success => grpc_success_of;
    grpc_failure => grpc_failure_of;
    readiness_after_delay => readiness_after_delay_of;
    readiness_failure => readiness_failure_of;
}
