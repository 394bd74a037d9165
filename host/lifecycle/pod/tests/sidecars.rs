//! How sidecars end.

use serde_json::{Value, json};

use super::player::Player;
use crate::pod::{HookKind, ProbeKind};

fn sidecar(name: &str) -> Value {
    json!({"name": name, "restartPolicy": "Always"})
}

fn with_pre_stop(mut container: Value) -> Value {
    container["lifecycle"] = json!({"preStop": {"exec": {"command": ["x"]}}});
    container
}

fn three(mains: &[&str]) -> Value {
    let mains = mains.iter().map(|name| json!({"name": name}));
    json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 20,
           "initContainers": [sidecar("s1"), sidecar("s2"), sidecar("s3")],
           "containers": mains.collect::<Vec<_>>()})
}

#[test]
fn should_terminate_sidecars_in_reverse_order_after_all_main_containers_have_exited() {
    let mut play = Player::new(&three(&["a", "b"]))
        .runs("a", &[(2, 0)])
        .runs("b", &[(5, 0)])
        .term("s1", 1, 0)
        .term("s2", 2, 7)
        .term("s3", 3, 0);
    let log = play.until(60);
    assert_eq!(
        log[5..],
        [
            "2 exit a 0",
            "5 exit b 0",
            "5 term s3 20",
            "8 exit s3 0",
            "8 term s2 17",
            "10 exit s2 7",
            "10 term s1 15",
            "11 exit s1 0",
            "11 finish"
        ]
    );
    assert_eq!(play.phase(), "Succeeded", "their exit codes do not count");
}

#[test]
fn the_pod_is_running_until_its_sidecars_have_ended() {
    let mut play = Player::new(&three(&["a"]))
        .runs("a", &[(2, 0)])
        .term("s3", 10, 0);
    play.until(5);
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.shown("a"), "terminated Completed 0");
}

#[test]
fn a_deleted_pods_sidecars_outlive_its_main_containers() {
    let mut play = Player::new(&three(&["a"])).term("a", 4, 0).term("s3", 1, 0);
    play.until(1);
    play.delete(None);
    assert_eq!(
        play.until(60),
        [
            "1 term a 20",
            "5 exit a 0",
            "5 term s3 16",
            "6 exit s3 0",
            "6 term s2 15",
            "6 exit s2 143",
            "6 term s1 15",
            "6 exit s1 143",
            "6 finish"
        ]
    );
}

#[test]
fn should_terminate_sidecars_simultaneously_if_prestop_does_not_exit_and_the_grace_period_is_exhausted()
 {
    let mut spec = three(&["a"]);
    spec["terminationGracePeriodSeconds"] = json!(5);
    spec["containers"][0] = with_pre_stop(json!({"name": "a"}));
    let mut play = Player::new(&spec)
        .hook("a", HookKind::PreStop, 600, true)
        .deaf("a")
        .deaf("s1")
        .deaf("s2")
        .deaf("s3");
    play.until(1);
    play.delete(None);
    assert_eq!(
        play.until(60),
        [
            "1 preStop a",
            "6 term s1 2",
            "6 term s2 2",
            "6 term s3 2",
            "6 term a 2",
            "8 kill s1",
            "8 kill s2",
            "8 kill s3",
            "8 kill a",
            "8 exit s1 137",
            "8 exit s2 137",
            "8 exit s3 137",
            "8 exit a 137",
            "8 finish"
        ]
    );
}

#[test]
fn should_call_the_prestop_hooks_of_sidecars_simultaneously() {
    let mut spec = three(&["a"]);
    for n in 0..3 {
        spec["initContainers"][n] = with_pre_stop(spec["initContainers"][n].clone());
    }
    let mut play = Player::new(&spec).runs("a", &[(3, 0)]);
    assert_eq!(
        play.until(60)[5..],
        [
            "3 preStop s1",
            "3 preStop s2",
            "3 preStop s3",
            "3 term s3 20",
            "3 exit s3 143",
            "3 term s2 20",
            "3 exit s2 143",
            "3 term s1 20",
            "3 exit s1 143",
            "3 finish"
        ]
    );
}

#[test]
fn a_sidecars_liveness_probe_still_runs_while_it_is_in_prestop() {
    let mut first = with_pre_stop(sidecar("s"));
    first["livenessProbe"] = json!({"periodSeconds": 1, "failureThreshold": 1});
    let mut main = json!({"name": "a"});
    main["livenessProbe"] = json!({"periodSeconds": 1, "failureThreshold": 1});
    let spec = json!({"initContainers": [first], "containers": [main]});
    let mut play = Player::new(&spec)
        .hook("s", HookKind::PreStop, 4, true)
        .probe("s", ProbeKind::Liveness, &[(0, true), (7, false)])
        .term("a", 1, 0);
    play.until(4);
    play.delete(None);
    play.tries.clear();
    let log = play.until(30);
    assert_eq!(
        play.tries,
        ["5 s liveness ok", "6 s liveness ok", "7 s liveness no"]
    );
    assert!(!log.iter().any(|line| line.contains("s#1")), "{log:?}");
    assert!(
        play.notices
            .contains(&"7 Unhealthy Liveness probe failed: no".to_owned())
    );
}

#[test]
fn a_sidecar_that_crashes_while_the_pod_ends_is_not_restarted() {
    let mut play = Player::new(&three(&["a"]))
        .runs("a", &[(2, 0)])
        .runs("s1", &[(4, 1)])
        .term("s3", 5, 0);
    let log = play.until(60);
    assert_eq!(
        log[4..],
        [
            "2 exit a 0",
            "2 term s3 20",
            "4 exit s1 1",
            "7 exit s3 0",
            "7 term s2 15",
            "7 exit s2 143",
            "7 finish"
        ]
    );
}

#[test]
fn sidecars_end_when_an_init_container_has_failed_for_good() {
    let spec = json!({"restartPolicy": "Never", "initContainers": [sidecar("s"), {"name": "i"}],
                      "containers": [{"name": "a"}]});
    let mut play = Player::new(&spec).runs("i", &[(2, 1)]);
    assert_eq!(
        play.until(60),
        [
            "0 start s#0",
            "0 start i#0",
            "2 exit i 1",
            "2 term s 30",
            "2 exit s 143",
            "2 finish"
        ]
    );
    assert_eq!(play.phase(), "Failed");
}
