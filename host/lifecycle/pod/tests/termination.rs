//! Deletion, deadline, eviction.

use serde_json::json;

use super::player::Player;
use crate::pod::{Event, HookKind};

#[test]
fn should_respect_termination_grace_period_seconds() {
    let mut play = Player::new(&json!({"terminationGracePeriodSeconds": 5,
                                       "containers": [{"name": "a"}]}))
    .deaf("a");
    play.until(10);
    play.delete(None);
    assert_eq!(
        play.until(60),
        ["10 term a 5", "15 kill a", "15 exit a 137", "15 finish"]
    );
}

#[test]
fn pods_activedeadlineseconds() {
    let mut play = Player::new(&json!({"activeDeadlineSeconds": 5, "containers": [{"name": "a"}]}))
        .term("a", 2, 0);
    play.until(6);
    assert_eq!(play.phase(), "Running", "not final while it runs");
    assert_eq!(play.status().reason, None);
    play.until(10);
    let status = play.status();
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"));
    assert_eq!(
        status.message.as_deref(),
        Some("Pod was active on the node longer than the specified deadline")
    );
    assert_eq!(
        play.notices,
        [
            "5 DeadlineExceeded Pod was active on the node longer than the specified deadline",
            "5 Killing Stopping container a"
        ]
    );
}

#[test]
fn an_evicted_pod_has_a_second_and_fails() {
    let spec = json!({"containers": [
        {"name": "a"}, {"name": "b", "lifecycle": {"preStop": {"sleep": {"seconds": 9}}}}]});
    let mut play = Player::new(&spec)
        .deaf("a")
        .deaf("b")
        .hook("b", HookKind::PreStop, 9, true);
    play.until(3);
    let message = "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". ".to_owned();
    play.tell(Event::Evict {
        message: message.clone(),
    });
    assert_eq!(
        play.condition("DisruptionTarget"),
        "True TerminationByKubelet"
    );
    assert_eq!(
        play.until(60),
        [
            "3 term a 1",
            "3 preStop b",
            "4 kill a",
            "4 term b 2",
            "4 exit a 137",
            "6 kill b",
            "6 exit b 137",
            "6 finish"
        ]
    );
    let status = play.status();
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert_eq!(status.reason.as_deref(), Some("Evicted"));
    assert_eq!(status.message, Some(message.clone()));
    assert_eq!(play.notices[0], format!("3 Evicted {message}"));
    assert_eq!(play.condition("Ready"), "False PodFailed");
}

#[test]
fn an_eviction_of_a_pod_that_is_ending_changes_nothing() {
    let mut play = Player::new(&json!({"containers": [{"name": "a"}]})).term("a", 3, 0);
    play.until(0);
    play.delete(None);
    play.tell(Event::Evict {
        message: "too late".to_owned(),
    });
    play.until(10);
    assert_eq!(play.phase(), "Succeeded");
    assert_eq!(play.status().reason, None);
}

#[test]
fn a_deletion_during_a_liveness_kill_shortens_it_and_ends_the_pod() {
    let spec = json!({"containers": [{"name": "a", "livenessProbe":
        {"initialDelaySeconds": 1, "failureThreshold": 1, "terminationGracePeriodSeconds": 600}}]});
    let mut play = Player::new(&spec)
        .probe("a", crate::pod::ProbeKind::Liveness, &[(0, false)])
        .deaf("a");
    play.until(5);
    play.delete(Some(3));
    assert_eq!(
        play.until(60),
        ["5 term a 3", "8 kill a", "8 exit a 137", "8 finish"]
    );
    assert_eq!(
        play.notices
            .iter()
            .filter(|n| n.contains("Killing"))
            .count(),
        1
    );
}

#[test]
fn a_pod_that_is_deleted_while_it_starts_gives_the_start_up() {
    let mut play = Player::new(&json!({"containers": [{"name": "a"}]})).starts_in("a", 9);
    play.until(1);
    play.delete(None);
    assert_eq!(play.until(20), ["1 cancel a", "1 finish"]);
    assert_eq!(play.phase(), "Failed");
}
