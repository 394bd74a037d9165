//! postStart and preStop.

use serde_json::{Value, json};

use super::player::Player;
use crate::pod::{HookKind, ProbeKind};

use HookKind::{PostStart, PreStop};

fn hooked(name: &str, hooks: &[&str]) -> Value {
    let hooks = hooks
        .iter()
        .map(|hook| ((*hook).to_owned(), json!({"exec": {"command": ["x"]}})));
    json!({"name": name, "lifecycle": Value::Object(hooks.collect())})
}

#[test]
fn pod_lifecycle_post_start_exec_hook_and_http_hook() {
    let spec = json!({"containers": [hooked("a", &["postStart"]), {"name": "b"}]});
    let mut play = Player::new(&spec).hook("a", PostStart, 4, true);
    assert_eq!(play.until(3), ["0 start a#0", "0 postStart a"]);
    // The container's status is not set to running until the handler has completed.
    assert_eq!(play.shown("a"), "waiting ContainerCreating");
    assert_eq!(play.container("a").started, Some(false));
    assert_eq!(play.phase(), "Pending");
    assert_eq!(
        play.until(5),
        ["4 start b#0"],
        "the next container waits for it"
    );
    assert_eq!(play.shown("a"), "running");
    assert_eq!(play.container("a").started, Some(true));
    let started = play.container("a").state.unwrap().running.unwrap();
    assert_eq!(
        started.started_at.unwrap(),
        super::at(std::time::Duration::ZERO).time(),
        "it runs since before the hook"
    );
}

#[test]
fn a_poststart_hook_that_fails_kills_the_container_and_the_restart_policy_applies() {
    for (policy, restarts) in [("Always", 1), ("OnFailure", 1), ("Never", 0)] {
        let spec = json!({"restartPolicy": policy,
                          "containers": [hooked("a", &["postStart", "preStop"])]});
        let mut play = Player::new(&spec).hook("a", PostStart, 1, false);
        let log = play.until(1);
        assert_eq!(
            log[..5],
            [
                "0 start a#0",
                "0 postStart a",
                "1 preStop a",
                "1 term a 30",
                "1 exit a 143"
            ]
        );
        assert_eq!(
            play.notices[..2],
            [
                "1 FailedPostStartHook PostStartHook failed",
                "1 Killing FailedPostStartHook"
            ]
        );
        assert_eq!(play.container("a").restart_count, restarts, "{policy}");
        if restarts == 0 {
            assert_eq!(play.phase(), "Failed");
        }
    }
}

#[test]
fn probes_wait_for_the_poststart_hook() {
    let mut container = hooked("a", &["postStart"]);
    container["startupProbe"] = json!({"periodSeconds": 1});
    let mut play = Player::new(&json!({"containers": [container]})).hook("a", PostStart, 5, true);
    play.until(6);
    assert_eq!(play.tries, ["5 a startup ok"]);
}

#[test]
fn pod_lifecycle_prestop_exec_hook_and_http_hook() {
    let mut play = Player::new(&json!({"containers": [hooked("a", &["preStop"])]}))
        .hook("a", PreStop, 3, true)
        .term("a", 1, 0);
    play.until(10);
    play.delete(None);
    assert_eq!(
        play.until(60),
        ["10 preStop a", "13 term a 27", "14 exit a 0", "14 finish"]
    );
    assert_eq!(play.notices, ["10 Killing Stopping container a"]);
}

#[test]
fn a_prestop_hook_that_fails_is_told_and_the_container_ends_all_the_same() {
    let mut play = Player::new(&json!({"containers": [hooked("a", &["preStop"])]}))
        .hook("a", PreStop, 1, false);
    play.until(0);
    play.delete(None);
    assert_eq!(
        play.until(10),
        ["0 preStop a", "1 term a 29", "1 exit a 143", "1 finish"]
    );
    assert_eq!(
        play.notices,
        [
            "0 Killing Stopping container a",
            "1 FailedPreStopHook PreStopHook failed"
        ]
    );
}

#[test]
fn should_respect_termination_grace_period_seconds_with_long_running_prestop_hook() {
    // The grace period includes the hook's time; what is left for SIGTERM is never less than two seconds.
    let mut spec = json!({"containers": [hooked("a", &["preStop"])]});
    spec["terminationGracePeriodSeconds"] = json!(10);
    let mut play = Player::new(&spec).hook("a", PreStop, 600, true).deaf("a");
    play.until(5);
    play.delete(None);
    assert_eq!(
        play.until(60),
        [
            "5 preStop a",
            "15 term a 2",
            "17 kill a",
            "17 exit a 137",
            "17 finish"
        ]
    );
    assert_eq!(
        play.notices,
        ["5 Killing Stopping container a"],
        "a hook that was given up has not failed"
    );
}

#[test]
fn no_prestop_hook_for_a_container_that_has_ended_or_a_pod_without_grace() {
    let spec = json!({"restartPolicy": "Never",
                      "containers": [hooked("a", &["preStop"]), hooked("b", &["preStop"])]});
    let mut play = Player::new(&spec).runs("a", &[(1, 0)]);
    play.until(2);
    play.delete(Some(0));
    assert_eq!(play.until(3), ["2 kill b", "2 exit b 137", "2 finish"]);
}

#[test]
fn a_shorter_grace_period_gives_up_the_hook_sooner() {
    let mut play = Player::new(&json!({"containers": [hooked("a", &["preStop"])]}))
        .hook("a", PreStop, 25, true)
        .deaf("a");
    play.until(0);
    play.delete(None);
    play.until(1);
    play.delete(Some(4));
    assert_eq!(
        play.until(20),
        ["5 term a 2", "7 kill a", "7 exit a 137", "7 finish"]
    );

    let mut play = Player::new(&json!({"containers": [hooked("a", &["preStop"])]}))
        .hook("a", PreStop, 25, true)
        .deaf("a");
    play.until(0);
    play.delete(None);
    play.until(1);
    play.delete(Some(0));
    assert_eq!(play.until(2), ["1 kill a", "1 exit a 137", "1 finish"]);
}

#[test]
fn prestop_is_called_and_terminated_if_the_liveness_or_the_startup_probe_fails() {
    for (field, kind) in [
        ("livenessProbe", ProbeKind::Liveness),
        ("startupProbe", ProbeKind::Startup),
    ] {
        let mut container = hooked("a", &["preStop"]);
        container[field] = json!({"initialDelaySeconds": 1, "failureThreshold": 1});
        let mut play = Player::new(&json!({"containers": [container]}))
            .probe("a", kind, &[(0, false)])
            .hook("a", PreStop, 2, true);
        assert_eq!(
            play.until(3),
            [
                "0 start a#0",
                "1 preStop a",
                "3 term a 28",
                "3 exit a 143",
                "3 start a#1"
            ],
            "{field}"
        );
    }
}

#[test]
fn readiness_probe_still_runs_while_in_prestop_and_the_liveness_probe_does_not() {
    let mut container = hooked("a", &["preStop"]);
    container["readinessProbe"] = json!({"periodSeconds": 1, "failureThreshold": 1});
    container["livenessProbe"] = json!({"periodSeconds": 1, "failureThreshold": 1});
    let mut play = Player::new(&json!({"containers": [container]})).hook("a", PreStop, 3, true);
    play.until(5);
    play.delete(None);
    play.tries.clear();
    play.until(30);
    assert_eq!(
        play.tries,
        ["6 a readiness ok", "7 a readiness ok", "8 a readiness ok"]
    );
}

#[test]
fn a_hook_that_outlives_its_container_changes_nothing() {
    let mut play = Player::new(&json!({"containers": [hooked("a", &["postStart"])]}))
        .hook("a", PostStart, 5, false)
        .runs("a", &[(1, 1), (1000, 0)]);
    let log = play.until(4);
    assert_eq!(
        log,
        [
            "0 start a#0",
            "0 postStart a",
            "1 exit a 1",
            "1 start a#1",
            "1 postStart a"
        ]
    );
    play.until(5);
    assert_eq!(
        play.notices, [""; 0],
        "the first instance's answer came too late"
    );
}

#[test]
fn a_deletion_while_the_poststart_hook_runs_does_not_wait_for_it() {
    let mut play = Player::new(&json!({"containers": [hooked("a", &["postStart"])]}))
        .hook("a", PostStart, 100, true);
    play.until(1);
    play.delete(None);
    assert_eq!(play.until(10), ["1 term a 30", "1 exit a 143", "1 finish"]);
}
