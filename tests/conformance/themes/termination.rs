//! How pods and containers are ended: upstream's `test/e2e_node/container_lifecycle_test.go`, and the grace periods of
//! probes in `test/e2e/common/node/container_probe.go`.
//!
//! Upstream's containers linger after SIGTERM by a trap. What is to linger here has a hook that takes its time, or a
//! `stopSignal` that programs ignore; traps have tests of their own (`signals`).

use std::time::Duration;

use serde_json::{Value, json};

use crate::pod::{Pod, container};
use crate::script::{
    Timeline, ended, ended_at, noted, noting, pod, running_since, seconds, shell, sidecar, with,
};
use crate::table::rows;

rows! {
    "1.28 Termination";
    "respect terminationGracePeriodSeconds" => passes grace_period;
    "respect terminationGracePeriodSeconds with a long-running preStop hook (grace period includes preStop time)" => passes grace_period_includes_pre_stop;
    "preStop is called and terminated if the startup probe fails" => passes pre_stop_after_startup_probe;
    "preStop is called and terminated if the liveness probe fails" => passes pre_stop_after_liveness_probe;
    "readiness probe still runs while in preStop; liveness probe does not" => passes probes_during_pre_stop;
    "sidecar's liveness probe still runs while it is in preStop" => passes probes_of_sidecars_during_pre_stop;
    "sidecars terminated in reverse order after all main containers have exited" => passes sidecars_in_reverse_order;
    "sidecars terminated simultaneously when the grace period was exhausted (preStop does not exit)" => passes sidecars_when_time_is_over;
    "override of the grace period by livenessProbe `terminationGracePeriodSeconds`" => passes grace_period_of_liveness_probe;
    "override of the grace period by startupProbe `terminationGracePeriodSeconds`" => passes grace_period_of_startup_probe;
}

/// The shortest time that SIGTERM gives, whatever hooks have used up.
const MINIMUM: Duration = Duration::from_secs(2);

fn exec(command: &Value, more: Value) -> Value {
    with(json!({"exec": {"command": command}}), more)
}

fn pre_stop(command: &Value) -> Value {
    json!({"lifecycle": {"preStop": {"exec": {"command": command}}}})
}

/// A container that ignores the signal that it gets.
fn stubborn(name: &str) -> Value {
    with(
        shell(name, "sleep 10000"),
        json!({"lifecycle": {"stopSignal": "SIGWINCH"}}),
    )
}

/// Deletes the pod, and tells how long its end took.
async fn deletion(pod: &Pod) -> Duration {
    pod.is_ready().await;
    let begun = pod.elapsed();
    pod.delete(None).await;
    pod.gone().await;
    pod.elapsed() - begun
}

async fn grace_period() {
    let grace = Duration::from_secs(30);
    let spec = |container| json!({"os": {"name": "linux"}, "terminationGracePeriodSeconds": 30, "containers": [container]});
    // SIGTERM is enough for most.
    let willing = Pod::start(&pod(&spec(shell("c", "sleep 10000")))).await;
    assert!(deletion(&willing).await < grace);
    assert_eq!(ended(&willing.status().pod, "c").exit_code, 143);
    // Who ignores it is ended when the time is over, not before and not after.
    let unwilling = Pod::start(&pod(&spec(stubborn("c")))).await;
    let took = deletion(&unwilling).await;
    assert!(
        took >= grace && took < grace + Duration::from_millis(100),
        "{took:?}"
    );
    assert_eq!(ended(&unwilling.status().pod, "c").exit_code, 137);
}

async fn grace_period_includes_pre_stop() {
    let pod = Pod::start(&pod(&json!({
        "terminationGracePeriodSeconds": 30,
        "containers": [with(shell("c", "sleep 10000"), pre_stop(&json!(["sleep", "10000"])))],
    })))
    .await;
    let took = deletion(&pod).await;
    let grace = Duration::from_secs(30);
    assert!(
        took >= grace && took < grace + MINIMUM + Duration::from_millis(100),
        "{took:?}"
    );
}

/// A pod that is never restarted, whose probe fails after ten seconds, and that has a preStop hook.
async fn ended_by_probe(probe: &str) {
    let fails = exec(
        &json!(["sh", "-c", "exit 1"]),
        json!({"initialDelaySeconds": 10, "failureThreshold": 1}),
    );
    let more = with(pre_stop(&noting("preStop", 1, 0)), json!({probe: fails}));
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "containers": [with(noted("regular-1", 100, 0), more)],
    })))
    .await;
    let status = pod.ends("Failed").await;
    let timeline = Timeline::of(&status);
    timeline.assert_run_together("regular-1", "preStop");
    assert!(timeline.exit("preStop") <= timeline.exit("regular-1"));
    assert!(timeline.exit("regular-1") - timeline.start("regular-1") < seconds(15));
    assert_eq!(container(&status, "regular-1").restart_count, 0);
}

async fn pre_stop_after_startup_probe() {
    ended_by_probe("startupProbe").await;
}

async fn pre_stop_after_liveness_probe() {
    ended_by_probe("livenessProbe").await;
}

/// A container that is ended by its liveness probe after ten seconds, and needs so many seconds for its hook.
fn unhealthy(hook_seconds: u64) -> Value {
    let fails = exec(
        &noting("liveness", 0, 1),
        json!({"initialDelaySeconds": 10, "periodSeconds": 1, "failureThreshold": 1}),
    );
    let hook = pre_stop(&noting("preStop", hook_seconds, 0));
    with(
        noted("regular-1", 100, 0),
        with(hook, json!({"livenessProbe": fails})),
    )
}

async fn probes_during_pre_stop() {
    let readiness = exec(
        &noting("readiness", 0, 0),
        json!({"initialDelaySeconds": 1, "periodSeconds": 1}),
    );
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 100,
        "containers": [with(unhealthy(10), json!({"readinessProbe": readiness}))],
    })))
    .await;
    let timeline = Timeline::of(&pod.ends("Failed").await);
    // Once a second, before and during the hook.
    assert!(timeline.starts("readiness") >= 18, "{timeline:#?}");
    assert_eq!(timeline.starts("liveness"), 1, "{timeline:#?}");
    assert!(timeline.exit("liveness") <= timeline.start("preStop"));
}

async fn probes_of_sidecars_during_pre_stop() {
    // The sidecar's own probe fails after 15 seconds, when the container is in its hook for 5 seconds.
    let fails = exec(
        &json!(["false"]),
        json!({"initialDelaySeconds": 15, "periodSeconds": 1, "failureThreshold": 1}),
    );
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 100,
        "initContainers": [sidecar(with(noted("sidecar-1", 100, 0), json!({"livenessProbe": fails})))],
        "containers": [unhealthy(40)],
    })))
    .await;
    let status = pod
        .until("the sidecar was restarted", |status| {
            container(status, "sidecar-1").restart_count > 0
        })
        .await;
    assert!(
        container(&status, "regular-1")
            .state
            .unwrap()
            .running
            .is_some(),
        "in its hook"
    );
    let status = pod.ends("Failed").await;
    let hook = Timeline::of(&status);
    let first_end = container(&status, "sidecar-1")
        .last_state
        .unwrap()
        .terminated
        .unwrap()
        .finished_at
        .unwrap();
    assert!(hook.start("preStop") < first_end.0.as_nanosecond());
    // And while a sidecar is in its own hook, in a pod that ends.
    let asked = exec(&noting("liveness", 0, 0), json!({"periodSeconds": 1}));
    let more = with(
        pre_stop(&noting("preStop", 10, 0)),
        json!({"livenessProbe": asked}),
    );
    let pod = Pod::start(&pod_of_sidecar(with(noted("sidecar-1", 100, 0), more))).await;
    let status = pod.ends("Succeeded").await;
    let timeline = Timeline::of(&status);
    let (from, to) = (timeline.start("preStop"), timeline.exit("preStop"));
    let during = timeline.starts_between("liveness", from, to);
    assert!(during >= 8, "{timeline:#?}");
}

fn pod_of_sidecar(container: Value) -> String {
    pod(&json!({
        "restartPolicy": "Never",
        "initContainers": [sidecar(container)],
        "containers": [noted("regular-1", 5, 0)],
    }))
}

async fn sidecars_in_reverse_order() {
    // Hooks begin together; a sidecar that is done with its own waits for those that started after it.
    let sidecars = json!([
        sidecar(noted("sidecar-1", 600, 0)),
        sidecar(with(
            noted("sidecar-2", 600, 0),
            pre_stop(&noting("preStop-2", 10, 0))
        )),
        sidecar(with(
            noted("sidecar-3", 600, 0),
            pre_stop(&noting("preStop-3", 5, 0))
        )),
    ]);
    let of_itself = Pod::start(&pod(&json!({
        "restartPolicy": "Never", "initContainers": sidecars, "containers": [noted("regular-1", 1, 0)],
    })))
    .await;
    assert_reverse_order(&of_itself.ends("Succeeded").await);
    // A container that is deleted has its own hook first.
    let regular = with(
        noted("regular-1", 600, 0),
        pre_stop(&noting("preStop", 7, 0)),
    );
    let deleted = Pod::start(&pod(
        &json!({"initContainers": sidecars, "containers": [regular]}),
    ))
    .await;
    assert!(deletion(&deleted).await >= Duration::from_secs(10));
    let status = deleted.gone().await;
    assert_reverse_order(&status);
    assert!(ended_at(&status, "sidecar-3") >= ended_at(&status, "regular-1"));
}

fn assert_reverse_order(status: &wasmpod_manifest::k8s::PodStatus) {
    let [regular, one, two, three] =
        ["regular-1", "sidecar-1", "sidecar-2", "sidecar-3"].map(|name| ended_at(status, name));
    assert!(
        regular <= three && three < two && two <= one,
        "{regular} {three} {two} {one}"
    );
    let timeline = Timeline::of(status);
    assert!(timeline.exit("preStop-2") <= two && timeline.exit("preStop-3") <= three);
    for name in ["sidecar-1", "sidecar-2", "sidecar-3"] {
        assert_eq!(container(status, name).restart_count, 0, "{name}");
    }
}

async fn sidecars_when_time_is_over() {
    let endless = |name: &str| {
        sidecar(with(
            noted(name, 600, 0),
            pre_stop(&json!(["sleep", "10000"])),
        ))
    };
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 5,
        "initContainers": [endless("sidecar-1"), endless("sidecar-2"), endless("sidecar-3")],
        "containers": [noted("regular-1", 1, 0)],
    })))
    .await;
    let status = pod.ends("Succeeded").await;
    let regular = ended_at(&status, "regular-1");
    for name in ["sidecar-1", "sidecar-2", "sidecar-3"] {
        let took = ended_at(&status, name) - regular;
        assert!(
            (seconds(5)..seconds(8)).contains(&took),
            "{name}: {took} ns"
        );
    }
}

/// A container that does not end by itself is ended by a probe, which gives it less time than its pod would.
async fn grace_period_of(probe: &str) {
    let fails = exec(
        &json!(["false"]),
        json!({"initialDelaySeconds": 10, "failureThreshold": 1, "terminationGracePeriodSeconds": 5}),
    );
    let pod = Pod::start(&pod(&json!({
        "os": {"name": "linux"},
        "terminationGracePeriodSeconds": 500,
        "containers": [with(stubborn("c"), json!({probe: fails}))],
    })))
    .await;
    let status = pod
        .until("restarted", |status| {
            container(status, "c").restart_count == 1
        })
        .await;
    let timeline = Timeline::of(&status);
    let lived = timeline.exit("c") - timeline.start("c");
    assert!((seconds(15)..seconds(16)).contains(&lived), "{lived} ns");
    assert_eq!(ended(&status, "c").exit_code, 137);
    pod.until("it runs again", |status| {
        container(status, "c")
            .state
            .is_some_and(|state| state.running.is_some())
    })
    .await;
    assert!(running_since(&pod.status().pod, "c") >= timeline.exit("c"));
}

async fn grace_period_of_liveness_probe() {
    grace_period_of("livenessProbe").await;
}

async fn grace_period_of_startup_probe() {
    grace_period_of("startupProbe").await;
}
