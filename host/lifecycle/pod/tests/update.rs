//! Pods that are changed in place.

use serde_json::{Value, json};

use super::player::Player;
use crate::pod::ProbeKind;

fn two(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [
        {"name": "a", "image": "one", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}},
        {"name": "b", "image": "one"}]})
}

#[test]
fn image_update_restarts_only_that_container_whatever_the_policy() {
    for policy in ["Always", "OnFailure", "Never"] {
        let mut play = Player::new(&two(policy)).term("a", 0, 0);
        play.until(3);
        assert_eq!(play.container("a").image, "one");
        play.set_image("a", "two");
        assert_eq!(
            play.until(10),
            ["3 preStop a", "3 term a 30", "3 exit a 0", "3 start a#1"],
            "{policy}"
        );
        assert_eq!(play.container("a").image, "two");
        assert_eq!(play.container("a").restart_count, 1);
        assert_eq!(play.container("b").restart_count, 0);
        assert_eq!(
            play.notices,
            ["3 Killing Container a definition changed, will be restarted"]
        );
    }
}

#[test]
fn image_update_of_a_sidecar_restarts_it() {
    let mut play = Player::new(
        &json!({"restartPolicy": "Never", "containers": [{"name": "a"}],
        "initContainers": [{"name": "s", "image": "one", "restartPolicy": "Always"}]}),
    );
    play.until(1);
    play.set_image("s", "two");
    assert_eq!(
        play.until(2),
        ["1 term s 30", "1 exit s 143", "1 start s#1"]
    );
    assert_eq!(
        play.notices,
        ["1 Killing Init container s definition changed"]
    );
}

#[test]
fn image_update_during_init_must_not_start_regular_containers() {
    for policy in ["Always", "OnFailure", "Never"] {
        let mut play = Player::new(&json!({"restartPolicy": policy,
            "initContainers": [{"name": "i", "image": "one"}],
            "containers": [{"name": "a", "image": "one"}]}))
        .runs("i", &[(10, 0)]);
        play.until(1);
        play.set_image("a", "two");
        play.set_image("i", "two");
        assert_eq!(play.until(9), [""; 0], "{policy}");
        assert_eq!(play.until(20), ["10 exit i 0", "10 start a#0"]);
        assert_eq!(play.container("a").image, "two");
        assert_eq!(play.container("a").restart_count, 0);
    }
}

#[test]
fn image_update_after_failed_startup_and_liveness_probe() {
    for (field, kind) in [
        ("startupProbe", ProbeKind::Startup),
        ("livenessProbe", ProbeKind::Liveness),
    ] {
        let mut container = json!({"name": "a", "image": "one"});
        container[field] = json!({"initialDelaySeconds": 1, "failureThreshold": 1});
        let mut play = Player::new(&json!({"containers": [container]}))
            .probe("a", kind, &[(0, false)])
            .term("a", 5, 1);
        play.until(3);
        play.set_image("a", "two");
        assert_eq!(
            play.until(6),
            ["6 exit a 1", "6 start a#1"],
            "{field}: ended once, started with the new image"
        );
        assert_eq!(play.container("a").image, "two");
        // In back-off, too.
        play.until(20);
        assert_eq!(play.shown("a"), "waiting CrashLoopBackOff", "{field}");
        play.set_image("a", "three");
        play.until(28);
        assert_eq!(play.container("a").image, "three");
    }
}

#[test]
fn a_container_that_has_ended_is_not_started_again_for_its_new_image() {
    let mut play = Player::new(&two("Never")).runs("a", &[(1, 0)]);
    play.until(2);
    play.set_image("a", "two");
    assert_eq!(play.until(30), [""; 0]);
}

#[test]
fn an_image_that_changes_while_the_container_starts_is_used_as_soon_as_it_runs() {
    let mut play =
        Player::new(&json!({"containers": [{"name": "a", "image": "one"}]})).starts_in("a", 5);
    play.until(1);
    play.set_image("a", "two");
    assert_eq!(
        play.until(20),
        ["5 term a 30", "5 exit a 143", "5 start a#1"]
    );
}

#[test]
fn pods_update_of_labels_and_deadline() {
    let mut play = Player::new(&json!({"containers": [{"name": "a"}]}));
    play.until(5);
    play.update(|pod| {
        pod.metadata.labels = Some([("time".to_owned(), "value".to_owned())].into());
    });
    assert_eq!(play.until(6), [""; 0]);
    play.update(|pod| pod.spec.as_mut().unwrap().active_deadline_seconds = Some(10));
    assert_eq!(
        play.until(20),
        ["10 deadline", "10 term a 30", "10 exit a 143", "10 finish"]
    );
    assert_eq!(play.status().reason.as_deref(), Some("DeadlineExceeded"));
}

#[test]
fn the_grace_period_of_a_deletion_comes_before_that_of_the_spec() {
    let mut play = Player::new(&json!({"containers": [{"name": "a"}]})).deaf("a");
    play.until(1);
    play.update(|pod| pod.metadata.deletion_grace_period_seconds = Some(7));
    play.delete(None);
    assert_eq!(
        play.until(8),
        ["1 term a 7", "8 kill a", "8 exit a 137", "8 finish"]
    );
}

#[test]
fn pods_generation_updates_are_observed() {
    let mut play = Player::new(&json!({"containers": [{"name": "a"}]}));
    play.until(1);
    assert_eq!(play.status().observed_generation, Some(1));
    for _ in 0..500 {
        play.update(|pod| pod.spec.as_mut().unwrap().active_deadline_seconds = Some(5000));
    }
    let status = play.status();
    assert_eq!(status.observed_generation, Some(501));
    for condition in status.conditions.unwrap() {
        assert_eq!(
            condition.observed_generation,
            Some(501),
            "{}",
            condition.type_
        );
    }
}

#[test]
fn a_gated_pod_does_nothing_until_its_gates_are_gone() {
    let mut play = Player::new(&json!({"schedulingGates": [{"name": "g"}],
        "activeDeadlineSeconds": 60, "containers": [{"name": "a"}]}));
    assert_eq!(play.until(100), [""; 0]);
    let status = play.status();
    assert_eq!(status.phase.as_deref(), Some("Pending"));
    assert_eq!(status.start_time, None);
    assert_eq!(status.container_statuses, None);
    assert_eq!(play.condition("PodScheduled"), "False SchedulingGated");
    assert_eq!(play.condition("Ready"), "-");
    play.update(|pod| pod.spec.as_mut().unwrap().scheduling_gates = None);
    assert_eq!(play.until(110), ["100 start a#0"]);
    assert_eq!(play.condition("PodScheduled"), "True");
    assert_eq!(play.until(170)[0], "160 deadline", "it counts from now on");
}

#[test]
fn a_gated_pod_can_be_deleted() {
    let mut play =
        Player::new(&json!({"schedulingGates": [{"name": "g"}], "containers": [{"name": "a"}]}));
    play.until(1);
    play.delete(None);
    assert_eq!(play.until(2), ["1 finish"]);
}
