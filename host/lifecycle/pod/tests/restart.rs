//! Restart policies of pods and containers, rules on exit codes.

use serde_json::{Value, json};

use super::player::Player;

/// A container with one rule.
fn ruled(name: &str, policy: &str, action: &str, codes: &[i32]) -> Value {
    json!({"name": name, "restartPolicy": policy, "restartPolicyRules": [
        {"action": action, "exitCodes": {"operator": "In", "values": codes}}]})
}

fn restarts(pod_policy: &str, container: &Value, code: i32) -> i32 {
    let spec = json!({"restartPolicy": pod_policy, "containers": [container]});
    let mut play = Player::new(&spec).runs("a", &[(1, code), (1000, 0)]);
    play.until(10);
    play.container("a").restart_count
}

#[test]
fn should_restart_container_on_rule_match() {
    let container = ruled("a", "Never", "Restart", &[42]);
    assert_eq!(restarts("Never", &container, 42), 1);
}

#[test]
fn should_not_restart_container_on_rule_mismatch_container_restart_policy_never() {
    let container = ruled("a", "Never", "Restart", &[42]);
    assert_eq!(restarts("Always", &container, 1), 0);
}

#[test]
fn should_restart_container_on_container_level_restart_policy_always() {
    let container = json!({"name": "a", "restartPolicy": "Always"});
    assert_eq!(restarts("Never", &container, 0), 1);
    let container = json!({"name": "a", "restartPolicy": "OnFailure"});
    assert_eq!(restarts("Never", &container, 0), 0);
    assert_eq!(restarts("Never", &container, 1), 1);
}

#[test]
fn should_not_restart_container_on_container_level_restart_policy_never() {
    let container = json!({"name": "a", "restartPolicy": "Never"});
    assert_eq!(restarts("Always", &container, 1), 0);
}

#[test]
fn should_fall_back_to_the_pod_level_restart_policy() {
    let container = json!({"name": "a"});
    for (policy, code, expected) in [
        ("Always", 0, 1),
        ("OnFailure", 0, 0),
        ("OnFailure", 1, 1),
        ("Never", 1, 0),
    ] {
        assert_eq!(
            restarts(policy, &container, code),
            expected,
            "{policy} {code}"
        );
    }
}

#[test]
fn container_runtime_restart_policy_pod_phases() {
    for (policy, code, phase, restarts) in [
        ("Always", 1, "Running", true),
        ("OnFailure", 0, "Succeeded", false),
        ("OnFailure", 1, "Running", true),
        ("Never", 1, "Failed", false),
    ] {
        let spec = json!({"restartPolicy": policy, "containers": [{"name": "a"}]});
        let mut play = Player::new(&spec).runs("a", &[(1, code), (1, code), (1000, 0)]);
        play.until(20);
        assert_eq!(play.phase(), phase, "{policy} {code}");
        assert_eq!(play.container("a").restart_count > 0, restarts, "{policy}");
    }
}

#[test]
fn a_pod_with_container_level_policies_ends_when_no_container_is_restarted() {
    let spec = json!({"restartPolicy": "Always", "containers": [
        {"name": "a", "restartPolicy": "Never"}, {"name": "b", "restartPolicy": "OnFailure"}]});
    let mut play = Player::new(&spec).runs("a", &[(1, 3)]).runs("b", &[(2, 0)]);
    assert_eq!(play.until(10).last().unwrap(), "2 finish");
    assert_eq!(play.phase(), "Failed");
}

#[test]
fn the_message_of_a_back_off_counts_minutes_as_go_does() {
    let spec = json!({"containers": [{"name": "a"}]});
    let mut play = Player::new(&spec).runs("a", &[(0, 1)]);
    play.until(70 + 81);
    let waiting = play.container("a").state.unwrap().waiting.unwrap();
    assert_eq!(
        waiting.message.as_deref(),
        Some("back-off 2m40s restarting failed container=a pod=p_default(u)")
    );
    assert_eq!(
        play.notices[0],
        "0 BackOff Back-off restarting failed container a in pod p_default(u)"
    );
}

fn watched(watcher: &Value, mains: &Value) -> Value {
    json!({"restartPolicy": "Never",
           "initContainers": [{"name": "i"}, watcher], "containers": mains})
}

#[test]
fn should_restart_all_containers_on_exit_of_a_sidecar_container() {
    // The example of the Kubernetes documentation: restart-all-containers.yaml.
    let watcher = ruled("w", "Always", "RestartAllContainers", &[88]);
    let mains = json!([{"name": "a", "lifecycle": {"preStop": {"sleep": {"seconds": 9}}}}]);
    let mut play = Player::new(&watched(&watcher, &mains))
        .runs("i", &[(1, 0)])
        .runs("w", &[(60, 88), (1000, 0)])
        .term("a", 1, 0);
    assert_eq!(
        play.until(10),
        ["0 start i#0", "1 exit i 0", "1 start w#0", "1 start a#0"]
    );
    play.until(61);
    assert_eq!(
        play.condition("AllContainersRestarting"),
        "True ContainerExited"
    );
    let log = play.until(100);
    assert_eq!(
        log,
        [
            "62 exit a 0",
            "62 start i#1",
            "63 exit i 0",
            "63 start w#1",
            "63 start a#1"
        ]
    );
    for name in ["i", "w", "a"] {
        assert_eq!(play.container(name).restart_count, 1, "{name}");
        assert!(play.container(name).last_state.is_some(), "{name}");
    }
    assert_eq!(play.condition("AllContainersRestarting"), "False");
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Ready"), "True");
}

#[test]
fn should_restart_all_containers_on_exit_of_a_regular_container() {
    let mains = json!([ruled("a", "Never", "RestartAllContainers", &[42]), {"name": "b"}]);
    let mut play = Player::new(
        &json!({"restartPolicy": "Never", "initContainers": [{"name": "i"}],
                                       "containers": mains}),
    )
    .runs("i", &[(1, 0)])
    .runs("a", &[(5, 42), (1000, 0)])
    .runs("b", &[(2, 0), (1000, 0)]);
    assert_eq!(
        play.until(60)[2..],
        [
            "1 start a#0",
            "1 start b#0",
            "3 exit b 0",
            "6 exit a 42",
            "6 start i#1",
            "7 exit i 0",
            "7 start a#1",
            "7 start b#1"
        ]
    );
}

#[test]
fn should_restart_all_containers_on_exit_of_an_init_container() {
    let spec = json!({"restartPolicy": "Never", "initContainers": [
        {"name": "i1"}, ruled("i2", "Never", "RestartAllContainers", &[42])],
        "containers": [{"name": "a"}]});
    let mut play = Player::new(&spec)
        .runs("i1", &[(1, 0)])
        .runs("i2", &[(1, 42), (1, 0)]);
    assert_eq!(
        play.until(60),
        [
            "0 start i1#0",
            "1 exit i1 0",
            "1 start i2#0",
            "2 exit i2 42",
            "2 start i1#1",
            "3 exit i1 0",
            "3 start i2#1",
            "4 exit i2 0",
            "4 start a#0"
        ]
    );
    assert_eq!(play.container("a").restart_count, 0);
    assert_eq!(play.phase(), "Running");
}

#[test]
fn multiple_restart_all_actions_do_not_loop() {
    // Both ask for it with the codes that the restart itself makes them end with.
    let codes = [42, 137, 143];
    let mains = json!([
        ruled("a", "Never", "RestartAllContainers", &codes),
        ruled("b", "Never", "RestartAllContainers", &codes)
    ]);
    let mut play = Player::new(&json!({"restartPolicy": "Never", "containers": mains}))
        .runs("a", &[(5, 42), (1000, 0)])
        .runs("b", &[(5, 42), (1000, 0)]);
    play.until(600);
    for name in ["a", "b"] {
        assert_eq!(play.container(name).restart_count, 1, "{name}");
        assert_eq!(play.shown(name), "running");
    }
}

#[test]
fn a_pod_that_asks_for_a_restart_of_all_again_and_again_backs_off() {
    let mains = json!([ruled("a", "Never", "RestartAllContainers", &[42]), {"name": "b"}]);
    let mut play =
        Player::new(&json!({"restartPolicy": "Never", "containers": mains})).runs("a", &[(1, 42)]);
    let log = play.until(40);
    let starts = log
        .iter()
        .filter(|l| l.contains("start a"))
        .collect::<Vec<_>>();
    assert_eq!(
        starts,
        ["0 start a#0", "1 start a#1", "12 start a#2", "33 start a#3"]
    );
    assert_eq!(play.shown("a"), "waiting CrashLoopBackOff");
}

#[test]
fn a_restart_of_all_kills_what_does_not_end_in_two_seconds() {
    let mains = json!([ruled("a", "Never", "RestartAllContainers", &[42]), {"name": "b"}]);
    let mut play = Player::new(&json!({"restartPolicy": "Never", "containers": mains}))
        .runs("a", &[(1, 42), (1000, 0)])
        .deaf("b");
    assert_eq!(
        play.until(10)[2..],
        [
            "1 exit a 42",
            "1 term b 2",
            "3 kill b",
            "3 exit b 137",
            "3 start a#1",
            "3 start b#1"
        ]
    );
}

#[test]
fn a_deletion_ends_a_restart_of_all() {
    let mains = json!([ruled("a", "Never", "RestartAllContainers", &[42]), {"name": "b"}]);
    let mut play = Player::new(&json!({"restartPolicy": "Never", "containers": mains}))
        .runs("a", &[(1, 42)])
        .term("b", 1, 0);
    play.until(1);
    play.delete(None);
    assert_eq!(play.until(10), ["2 exit b 0", "2 finish"]);
    assert_eq!(play.phase(), "Failed");
}
