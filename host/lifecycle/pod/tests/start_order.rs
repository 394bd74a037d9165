//! The order in which init containers, sidecars and main containers start.

use serde_json::{Value, json};

use super::player::Player;
use crate::pod::ProbeKind;

/// The pod of upstream's `container_lifecycle_test.go`: three init containers with two sidecars between them.
fn five(policy: &str) -> Value {
    json!({"restartPolicy": policy,
           "initContainers": [{"name": "i1"}, {"name": "s1", "restartPolicy": "Always"},
                              {"name": "i2"}, {"name": "s2", "restartPolicy": "Always"},
                              {"name": "i3"}],
           "containers": [{"name": "a"}]})
}

fn play_five() -> Vec<String> {
    let mut play = Player::new(&five("Never"))
        .runs("i1", &[(1, 0)])
        .runs("i2", &[(2, 0)])
        .runs("i3", &[(3, 0)])
        .runs("a", &[(4, 0)]);
    play.until(100)
}

/// The place of a line in the log.
fn place(log: &[String], line: &str) -> usize {
    let found = log.iter().position(|l| l == line);
    found.unwrap_or_else(|| panic!("no {line:?} in {log:?}"))
}

#[test]
fn the_whole_sequence_of_init_containers_sidecars_and_a_regular_container() {
    assert_eq!(
        play_five(),
        [
            "0 start i1#0",
            "1 exit i1 0",
            "1 start s1#0",
            "1 start i2#0",
            "3 exit i2 0",
            "3 start s2#0",
            "3 start i3#0",
            "6 exit i3 0",
            "6 start a#0",
            "10 exit a 0",
            "10 term s2 30",
            "10 exit s2 143",
            "10 term s1 30",
            "10 exit s1 143",
            "10 finish",
        ]
    );
}

#[test]
fn should_run_first_init_container_to_completion_before_starting_first_restartable_init_container()
{
    let log = play_five();
    assert!(place(&log, "1 exit i1 0") < place(&log, "1 start s1#0"));
}

#[test]
fn should_run_first_init_container_and_first_restartable_init_container_together() {
    // Upstream's code: the first restartable init container starts first, and runs together with init 2.
    let log = play_five();
    assert!(place(&log, "1 start s1#0") < place(&log, "1 start i2#0"));
    assert!(place(&log, "3 exit i2 0") < place(&log, "10 exit s1 143"));
}

#[test]
fn should_run_second_init_container_to_completion_before_starting_second_restartable_init_container()
 {
    let log = play_five();
    assert!(place(&log, "3 exit i2 0") < place(&log, "3 start s2#0"));
}

#[test]
fn should_start_second_restartable_init_container_before_third_init_container() {
    let log = play_five();
    assert!(place(&log, "3 start s2#0") < place(&log, "3 start i3#0"));
}

#[test]
fn should_run_both_restartable_init_containers_and_third_init_container_together() {
    let mut play = Player::new(&five("Never"))
        .runs("i1", &[(1, 0)])
        .runs("i2", &[(2, 0)]);
    play.until(4);
    for name in ["s1", "s2", "i3"] {
        assert_eq!(play.shown(name), "running", "{name}");
    }
    assert_eq!(play.phase(), "Pending");
}

#[test]
fn should_run_third_init_container_to_completion_before_starting_regular_container() {
    let log = play_five();
    assert!(place(&log, "6 exit i3 0") < place(&log, "6 start a#0"));
}

#[test]
fn should_run_both_restartable_init_containers_and_a_regular_container_together() {
    let mut play = Player::new(&five("Always"))
        .runs("i1", &[(1, 0)])
        .runs("i2", &[(2, 0)])
        .runs("i3", &[(3, 0)]);
    play.until(7);
    for name in ["s1", "s2", "a"] {
        assert_eq!(play.shown(name), "running", "{name}");
    }
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Initialized"), "True");
    assert_eq!(play.condition("Ready"), "True");
}

#[test]
fn init_container_fails_pod_stays_pending_and_the_sidecar_declared_after_it_is_not_started() {
    for policy in ["Always", "OnFailure"] {
        let mut play = Player::new(&json!({"restartPolicy": policy,
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "a"}]}))
        .runs("i", &[(1, 1)]);
        play.until(60);
        assert_eq!(play.phase(), "Pending");
        assert!(play.container("i").restart_count > 0);
        assert_eq!(play.shown("s"), "waiting PodInitializing");
        assert_eq!(play.shown("a"), "waiting PodInitializing");
        assert_eq!(
            play.condition("Initialized"),
            "False ContainersNotInitialized"
        );
    }
}

#[test]
fn sidecar_declared_before_a_failing_init_keeps_running_in_parallel_with_its_retries() {
    let mut play = Player::new(&json!({
        "initContainers": [{"name": "s", "restartPolicy": "Always"}, {"name": "i"}],
        "containers": [{"name": "a"}]}))
    .runs("i", &[(1, 1)]);
    let log = play.until(40);
    assert_eq!(
        log,
        [
            "0 start s#0",
            "0 start i#0",
            "1 exit i 1",
            "1 start i#1",
            "2 exit i 1",
            "12 start i#2",
            "13 exit i 1",
            "33 start i#3",
            "34 exit i 1"
        ]
    );
    assert_eq!(play.shown("s"), "running");
    assert_eq!(play.container("s").restart_count, 0);
    assert_eq!(play.shown("i"), "waiting CrashLoopBackOff");
    assert_eq!(
        play.container("i").state.unwrap().waiting.unwrap().message,
        Some("back-off 40s restarting failed container=i pod=p_default(u)".to_owned())
    );
}

#[test]
fn should_launch_restartable_init_containers_serially_considering_the_startup_probe() {
    let probe = json!({"periodSeconds": 1, "failureThreshold": 30});
    let mut play = Player::new(&json!({
        "initContainers": [{"name": "s1", "restartPolicy": "Always", "startupProbe": probe},
                           {"name": "s2", "restartPolicy": "Always", "startupProbe": probe}],
        "containers": [{"name": "a"}]}))
    .probe("s1", ProbeKind::Startup, &[(0, false), (5, true)])
    .probe("s2", ProbeKind::Startup, &[(0, false), (3, true)]);
    assert_eq!(
        play.until(6),
        ["0 start s1#0", "5 start s2#0"],
        "each waits for the one before it"
    );
    assert_eq!(play.container("s1").started, Some(true));
    assert_eq!(play.container("s2").started, Some(false));
    assert_eq!(
        play.condition("Initialized"),
        "False ContainersNotInitialized"
    );
    assert_eq!(play.until(20), ["8 start a#0"]);
}

#[test]
fn should_call_the_prestop_hook_and_not_launch_the_next_container_if_the_startup_probe_of_a_sidecar_fails()
 {
    let probe = json!({"periodSeconds": 1, "failureThreshold": 1});
    let mut play = Player::new(&json!({
        "initContainers": [{"name": "s", "restartPolicy": "Always", "startupProbe": probe,
                            "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}],
        "containers": [{"name": "a"}]}))
    .probe("s", ProbeKind::Startup, &[(0, true), (0, false)]);
    let log = play.until(30);
    assert_eq!(
        log[..5],
        [
            "0 start s#0",
            "0 preStop s",
            "0 term s 30",
            "0 exit s 143",
            "0 start s#1"
        ]
    );
    assert!(!log.iter().any(|line| line.contains(" a#")), "{log:?}");
    assert_eq!(play.phase(), "Pending");
    assert!(
        play.notices
            .contains(&"0 Killing Init container s failed startup probe".to_owned())
    );
}

#[test]
fn should_call_the_prestop_hook_and_start_the_next_container_if_the_liveness_probe_of_a_sidecar_fails()
 {
    let probe = json!({"periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 2});
    let mut play = Player::new(&json!({
        "initContainers": [{"name": "s", "restartPolicy": "Always", "livenessProbe": probe,
                            "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}],
        "containers": [{"name": "a"}]}))
    .probe("s", ProbeKind::Liveness, &[(0, false)]);
    let log = play.until(3);
    assert_eq!(
        log,
        [
            "0 start s#0",
            "0 start a#0",
            "2 preStop s",
            "2 term s 30",
            "2 exit s 143",
            "2 start s#1"
        ]
    );
    assert_eq!(play.shown("a"), "running");
    assert_eq!(play.container("s").restart_count, 1);
    assert_eq!(
        play.notices,
        [
            "2 Unhealthy Liveness probe failed: no",
            "2 Killing Init container s failed liveness probe"
        ]
    );
}

#[test]
fn init_container_starts_app_restartnever_pod() {
    let mut play = Player::new(&json!({"restartPolicy": "Never",
        "initContainers": [{"name": "init1"}, {"name": "init2"}], "containers": [{"name": "run1"}]}))
    .runs("init1", &[(1, 0)])
    .runs("init2", &[(1, 0)])
    .runs("run1", &[(1, 0)]);
    play.until(10);
    assert_eq!(play.phase(), "Succeeded");
    assert_eq!(play.condition("Initialized"), "True PodCompleted");
    for name in ["init1", "init2"] {
        assert!(play.container(name).ready, "{name}");
        assert_eq!(play.shown(name), "terminated Completed 0");
    }
}

#[test]
fn init_container_starts_app_restartalways_pod() {
    let mut play = Player::new(&json!({
        "initContainers": [{"name": "init1"}, {"name": "init2"}], "containers": [{"name": "run1"}]}))
    .runs("init1", &[(1, 0)])
    .runs("init2", &[(1, 0)]);
    play.until(10);
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Initialized"), "True");
    assert!(play.container("init2").ready);
}

#[test]
fn init_container_fails_stops_app_restartalways_pod() {
    let mut play = Player::new(&json!({
        "initContainers": [{"name": "init1"}, {"name": "init2"}], "containers": [{"name": "run1"}]}))
    .runs("init1", &[(0, 1)]);
    play.until(100);
    assert_eq!(play.phase(), "Pending");
    assert!(play.container("init1").restart_count >= 3);
    assert_eq!(play.shown("init2"), "waiting PodInitializing");
    assert_eq!(play.shown("run1"), "waiting PodInitializing");
    let conditions = play.status().conditions.unwrap();
    assert_eq!(
        conditions[1].message.as_deref(),
        Some("containers with incomplete status: [init1 init2]")
    );
}

#[test]
fn init_container_fails_stops_app_restartnever_pod() {
    let mut play = Player::new(&json!({"restartPolicy": "Never",
        "initContainers": [{"name": "init1"}, {"name": "init2"}], "containers": [{"name": "run1"}]}))
    .runs("init1", &[(1, 0)])
    .runs("init2", &[(1, 1)]);
    let log = play.until(100);
    assert_eq!(log.last().unwrap(), "2 finish");
    assert_eq!(play.phase(), "Failed");
    assert_eq!(play.shown("init2"), "terminated Error 1");
    assert_eq!(play.shown("run1"), "waiting PodInitializing");
}

#[test]
fn a_sidecar_that_crashes_is_restarted_beside_the_others() {
    let mut play = Player::new(&five("Always"))
        .runs("i1", &[(1, 0)])
        .runs("s1", &[(1, 1), (1000, 0)])
        .runs("i2", &[(5, 0)])
        .runs("i3", &[(1, 0)]);
    let log = play.until(20);
    assert_eq!(
        log[4..7],
        ["2 exit s1 1", "2 start s1#1", "6 exit i2 0"],
        "the sequence goes on"
    );
    assert_eq!(play.shown("a"), "running");
}
