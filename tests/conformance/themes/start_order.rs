//! The order in which init containers, sidecars and containers start: upstream's
//! `test/e2e_node/container_lifecycle_test.go`.

use serde_json::{Value, json};
use wasmpod_manifest::k8s::PodStatus;

use crate::pod::{Pod, container};
use crate::script::{Timeline, noted, noting, pod, running_since, seconds, shell, sidecar, with};
use crate::table::rows;

rows! {
    "1.28 Start-up order";
    "should run first init container to completion before starting first restartable init container" => passes init_1_before_sidecar_1;
    "should start first restartable init container before starting second init container" => passes sidecar_1_before_init_2;
    "should run first init container and first restartable init container together (code: restartableInit1 runs together with init2, starts first)" => passes sidecar_1_with_init_2;
    "should run second init container to completion before starting second restartable init container" => passes init_2_before_sidecar_2;
    "should start second restartable init container before third init container" => passes sidecar_2_before_init_3;
    "should run both restartable init containers and third init container together" => passes sidecars_with_init_3;
    "should run third init container to completion before starting regular container" => passes init_3_before_regular;
    "should run both restartable init containers and a regular container together" => passes sidecars_with_regular;
    "init container fails: pod stays Pending, init restartCount > 0, sidecar declared after it not started" => passes failing_init;
    "sidecar declared before a failing init keeps running in parallel with its retries" => passes sidecar_beside_failing_init;
    "launch restartable init containers serially, considering the startup probe of each" => passes serially_by_startup_probe;
    "preStop called and next container NOT launched if a sidecar's startup probe fails" => passes failed_startup_of_a_sidecar;
    "preStop called and next container started if a sidecar's liveness probe fails" => passes failed_liveness_of_a_sidecar;
    "completed init containers are not restarted after a kubelet restart (4 variants, also when statuses were removed)" => not_applicable "pods live and die with the process that runs them";
    "containers restart in the right order after a node reboot" => not_applicable "pods live and die with the process that runs them";
    "image update during init must not start regular containers (Always/OnFailure/Never)" => passes image_update_during_init;
}

/// Init containers and sidecars by turns, then a container.
async fn by_turns() -> Timeline {
    let pod = play_by_turns().await;
    Timeline::of(&pod.status().pod)
}

async fn play_by_turns() -> Pod {
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "initContainers": [
            noted("init-1", 1, 0),
            sidecar(noted("sidecar-1", 600, 0)),
            noted("init-2", 1, 0),
            sidecar(noted("sidecar-2", 600, 0)),
            noted("init-3", 1, 0),
        ],
        "containers": [noted("regular-1", 1, 0)],
    })))
    .await;
    pod.ends("Succeeded").await;
    pod
}

/// A sidecar that only has to run may be started at the same moment as what follows it, so the events tell the order.
async fn assert_started_in_order(one: &str, other: &str) {
    let pod = play_by_turns().await;
    let started: Vec<_> = pod
        .events()
        .into_iter()
        .filter(|event| event.reason == "Started")
        .collect();
    let place = |name: &str| {
        started
            .iter()
            .position(|event| event.container.as_deref() == Some(name))
            .unwrap()
    };
    assert!(place(one) < place(other), "{}", pod.told());
    let timeline = Timeline::of(&pod.status().pod);
    assert!(timeline.start(one) <= timeline.start(other));
}

async fn init_1_before_sidecar_1() {
    let timeline = by_turns().await;
    timeline.assert_exits_before("init-1", "sidecar-1");
}

async fn sidecar_1_before_init_2() {
    assert_started_in_order("sidecar-1", "init-2").await;
}

async fn sidecar_1_with_init_2() {
    by_turns().await.assert_run_together("sidecar-1", "init-2");
}

async fn init_2_before_sidecar_2() {
    by_turns().await.assert_exits_before("init-2", "sidecar-2");
}

async fn sidecar_2_before_init_3() {
    assert_started_in_order("sidecar-2", "init-3").await;
}

async fn sidecars_with_init_3() {
    let timeline = by_turns().await;
    timeline.assert_run_together("sidecar-1", "init-3");
    timeline.assert_run_together("sidecar-2", "init-3");
}

async fn init_3_before_regular() {
    by_turns().await.assert_exits_before("init-3", "regular-1");
}

async fn sidecars_with_regular() {
    let timeline = by_turns().await;
    timeline.assert_run_together("sidecar-1", "regular-1");
    timeline.assert_run_together("sidecar-2", "regular-1");
    assert_eq!(
        (timeline.starts("sidecar-1"), timeline.starts("sidecar-2")),
        (1, 1)
    );
}

/// Waits until `name` was restarted three times; the pod is `Pending` all the while.
async fn pending_while_restarting(pod: &Pod, name: &str) -> PodStatus {
    pod.until("restarted three times", |status| {
        assert_eq!(status.phase.as_deref(), Some("Pending"), "{status:?}");
        let statuses = status
            .init_container_statuses
            .as_deref()
            .unwrap_or_default();
        statuses
            .iter()
            .any(|found| found.name == name && found.restart_count >= 3)
    })
    .await
}

async fn failing_init() {
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Always",
        "initContainers": [noted("init-1", 1, 1), sidecar(noted("sidecar-1", 600, 0))],
        "containers": [noted("regular-1", 1, 0)],
    })))
    .await;
    let status = pending_while_restarting(&pod, "init-1").await;
    let timeline = Timeline::of(&status);
    timeline.exit("init-1");
    timeline.assert_does_not_start("sidecar-1");
    timeline.assert_does_not_start("regular-1");
}

async fn sidecar_beside_failing_init() {
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Always",
        "initContainers": [sidecar(noted("sidecar-1", 600, 0)), noted("init-1", 1, 1)],
        "containers": [noted("regular-1", 1, 0)],
    })))
    .await;
    let status = pending_while_restarting(&pod, "init-1").await;
    let timeline = Timeline::of(&status);
    timeline.assert_run_together("sidecar-1", "init-1");
    timeline.assert_does_not_start("regular-1");
    let sidecar = container(&status, "sidecar-1");
    assert_eq!(sidecar.restart_count, 0);
    assert!(sidecar.state.unwrap().running.is_some());
}

fn exec(command: &[&str], more: Value) -> Value {
    with(json!({"exec": {"command": command}}), more)
}

async fn serially_by_startup_probe() {
    let slow = |name| {
        let probe = exec(
            &["test", "-f", "/tmp/started"],
            json!({"periodSeconds": 1, "failureThreshold": 60}),
        );
        let script = "sleep 15; touch /tmp/started; sleep 600";
        sidecar(with(shell(name, script), json!({"startupProbe": probe})))
    };
    let pod = Pod::start(&pod(&json!({
        "initContainers": [slow("sidecar-1"), slow("sidecar-2")],
        "containers": [shell("regular-1", "sleep 600")],
    })))
    .await;
    let status = pod.is_ready().await;
    let [one, two, regular] =
        ["sidecar-1", "sidecar-2", "regular-1"].map(|name| running_since(&status, name));
    assert!(
        (seconds(15)..seconds(18)).contains(&(two - one)),
        "{} ns",
        two - one
    );
    assert!(
        (seconds(15)..seconds(18)).contains(&(regular - two)),
        "{} ns",
        regular - two
    );
}

/// A sidecar with a preStop hook and a probe that fails after ten seconds, and a container after it.
async fn sidecar_that_fails(probe: &str) -> Pod {
    let fails = exec(
        &["sh", "-c", "exit 1"],
        json!({"initialDelaySeconds": 10, "failureThreshold": 1}),
    );
    let hook = json!({"exec": {"command": noting("preStop", 1, 0)}});
    let more = json!({probe: fails, "lifecycle": {"preStop": hook}});
    Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "initContainers": [sidecar(with(noted("sidecar-1", 600, 0), more))],
        "containers": [noted("regular-1", 50, 0)],
    })))
    .await
}

async fn failed_startup_of_a_sidecar() {
    let pod = sidecar_that_fails("startupProbe").await;
    let status = pending_while_restarting(&pod, "sidecar-1").await;
    let timeline = Timeline::of(&status);
    timeline.assert_run_together("sidecar-1", "preStop");
    timeline.exit("preStop");
    timeline.exit("sidecar-1");
    timeline.assert_does_not_start("regular-1");
}

async fn failed_liveness_of_a_sidecar() {
    let pod = sidecar_that_fails("livenessProbe").await;
    let status = pod
        .until("the sidecar was restarted", |status| {
            container(status, "sidecar-1").restart_count > 0
        })
        .await;
    let timeline = Timeline::of(&status);
    timeline.assert_run_together("sidecar-1", "preStop");
    timeline.exit("preStop");
    timeline.exit("sidecar-1");
    timeline.assert_run_together("sidecar-1", "regular-1");
    pod.ends("Succeeded").await;
}

async fn image_update_during_init() {
    for policy in ["Always", "OnFailure", "Never"] {
        let mut pod = Pod::start(&pod(&json!({
            "restartPolicy": policy,
            "initContainers": [noted("init-1", 20, 0)],
            "containers": [shell("regular-1", "sleep 600")],
        })))
        .await;
        pod.until("init-1 runs", |status| {
            container(status, "init-1")
                .state
                .is_some_and(|state| state.running.is_some())
        })
        .await;
        pod.update(|pod| {
            let spec = pod.spec.as_mut().unwrap();
            spec.init_containers.as_mut().unwrap()[0].image = Some("alpine".to_owned());
            spec.containers[0].image = Some("alpine".to_owned());
        })
        .await;
        let status = pod.is_ready().await;
        Timeline::of(&status).assert_exits_before("init-1", "regular-1");
        let init = container(&status, "init-1");
        assert_eq!(
            (init.restart_count, init.image.as_str()),
            (0, "busybox"),
            "{policy}"
        );
        let regular = container(&status, "regular-1");
        assert_eq!(
            (regular.restart_count, regular.image.as_str()),
            (0, "alpine"),
            "{policy}"
        );
    }
}
