//! Startup, liveness and readiness.

use std::time::Duration;

use serde_json::{Value, json};

use super::at;
use super::player::Player;
use crate::pod::{ContainerIndex, Event, ProbeKind, ProbeOutcome, decide};

use ProbeKind::{Liveness, Readiness, Startup};

/// A pod of one container `a` with these probes.
fn pod(policy: &str, probes: &Value) -> Value {
    let mut container = probes.clone();
    container["name"] = json!("a");
    json!({"restartPolicy": policy, "containers": [container]})
}

/// The same container as a sidecar beside a main container `m` that runs on.
fn as_sidecar(probes: &Value) -> Value {
    let mut container = probes.clone();
    container["name"] = json!("a");
    container["restartPolicy"] = json!("Always");
    json!({"initContainers": [container], "containers": [{"name": "m"}]})
}

/// The suite runs on main containers and on sidecars ("Probing restartable init container").
fn both(probes: &Value) -> [Value; 2] {
    [pod("Always", probes), as_sidecar(probes)]
}

fn every(seconds: u64, failures: u64) -> Value {
    json!({"periodSeconds": seconds, "failureThreshold": failures})
}

#[test]
fn pod_readiness_probe_with_initial_delay_is_not_ready_before_and_never_restarts() {
    for spec in both(&json!({"readinessProbe": {"initialDelaySeconds": 30}})) {
        let mut play = Player::new(&spec);
        play.until(29);
        assert!(!play.container("a").ready);
        assert_eq!(play.container("a").started, Some(true));
        assert_eq!(play.condition("Ready"), "False ContainersNotReady");
        assert_eq!(play.phase(), "Running");
        play.until(30);
        assert!(play.container("a").ready);
        assert_eq!(play.condition("Ready"), "True");
        assert_eq!(play.container("a").restart_count, 0);
    }
}

#[test]
fn pod_readiness_probe_that_fails_is_never_ready_and_never_restarts() {
    for spec in both(&json!({"readinessProbe": {"initialDelaySeconds": 10}})) {
        let mut play = Player::new(&spec).probe("a", Readiness, &[(0, false)]);
        play.until(180);
        assert!(!play.container("a").ready);
        assert_eq!(play.container("a").restart_count, 0);
        assert_eq!(play.shown("a"), "running");
        assert_eq!(play.notices[0], "10 Unhealthy Readiness probe failed: no");
    }
}

#[test]
fn pod_liveness_probe_using_local_file_restart() {
    for spec in both(&json!({"livenessProbe": {"initialDelaySeconds": 15, "failureThreshold": 1}}))
    {
        let mut play = Player::new(&spec).probe("a", Liveness, &[(0, false)]);
        play.until(20);
        assert_eq!(play.container("a").restart_count, 1);
        assert_eq!(play.shown("a"), "running");
    }
}

#[test]
fn pod_liveness_probe_using_local_file_no_restart() {
    for spec in both(&json!({"livenessProbe": {"initialDelaySeconds": 15, "failureThreshold": 1}}))
    {
        let mut play = Player::new(&spec);
        play.until(240);
        assert_eq!(play.container("a").restart_count, 0);
        assert_eq!(play.notices, [""; 0]);
    }
}

#[test]
fn pod_liveness_probe_using_http_endpoint_multiple_restarts_count_strictly_grows() {
    let probes = json!({"livenessProbe": {"initialDelaySeconds": 5, "failureThreshold": 1}});
    for spec in both(&probes) {
        let mut play = Player::new(&spec).probe("a", Liveness, &[(0, false)]);
        let mut counts = vec![0];
        for minute in 1..=5 {
            play.until(minute * 60);
            counts.push(play.container("a").restart_count);
        }
        assert!(counts.is_sorted(), "{counts:?}");
        assert!(*counts.last().unwrap() >= 5, "{counts:?}");
    }
}

#[test]
fn the_kubernetes_example_of_a_liveness_probe_fails_at_35_seconds_and_restarts_after_three() {
    let probes = json!({"livenessProbe": {"initialDelaySeconds": 5, "periodSeconds": 5}});
    let mut play = Player::new(&pod("Always", &probes))
        .probe("a", Liveness, &[(0, true), (31, false)])
        .deaf("a");
    let log = play.until(100);
    assert_eq!(
        log[..5],
        [
            "0 start a#0",
            "45 term a 30",
            "75 kill a",
            "75 exit a 137",
            "75 start a#1"
        ]
    );
    assert_eq!(
        play.notices,
        [
            "35 Unhealthy Liveness probe failed: no",
            "40 Unhealthy Liveness probe failed: no",
            "45 Unhealthy Liveness probe failed: no",
            "45 Killing Container a failed liveness probe, will be restarted",
        ]
    );
}

#[test]
fn should_override_timeoutgraceperiodseconds_when_livenessprobe_field_is_set() {
    let probe = json!({"initialDelaySeconds": 10, "failureThreshold": 1,
                       "terminationGracePeriodSeconds": 5});
    for mut spec in both(&json!({"livenessProbe": probe})) {
        spec["terminationGracePeriodSeconds"] = json!(500);
        let mut play = Player::new(&spec)
            .probe("a", Liveness, &[(0, false)])
            .deaf("a");
        let log = play.until(20);
        let tail = &log[log.len() - 4..];
        assert_eq!(
            tail,
            ["10 term a 5", "15 kill a", "15 exit a 137", "15 start a#1"]
        );
    }
}

#[test]
fn should_override_timeoutgraceperiodseconds_when_startupprobe_field_is_set() {
    let probe = json!({"initialDelaySeconds": 10, "failureThreshold": 1,
                       "terminationGracePeriodSeconds": 5});
    for mut spec in both(&json!({"startupProbe": probe})) {
        spec["terminationGracePeriodSeconds"] = json!(500);
        let mut play = Player::new(&spec)
            .probe("a", Startup, &[(0, false)])
            .deaf("a");
        assert_eq!(
            play.until(20),
            [
                "0 start a#0",
                "10 term a 5",
                "15 kill a",
                "15 exit a 137",
                "15 start a#1"
            ]
        );
    }
}

#[test]
fn should_not_be_restarted_by_liveness_probe_because_startup_probe_delays_it() {
    let probes = json!({"startupProbe": every(10, 60),
                        "livenessProbe": {"periodSeconds": 1, "failureThreshold": 1}});
    for spec in both(&probes) {
        let mut play = Player::new(&spec).probe("a", Startup, &[(0, false)]).probe(
            "a",
            Liveness,
            &[(0, false)],
        );
        play.until(240);
        assert_eq!(play.container("a").restart_count, 0);
        assert_eq!(play.container("a").started, Some(false));
        assert!(!play.tries.iter().any(|t| t.contains("liveness")));
    }
}

#[test]
fn should_be_restarted_by_liveness_probe_after_startup_probe_enables_it() {
    let probes = json!({"startupProbe": every(1, 60),
                        "livenessProbe": {"periodSeconds": 10, "failureThreshold": 1}});
    for spec in both(&probes) {
        let mut play = Player::new(&spec)
            .probe("a", Startup, &[(0, false), (20, true)])
            .probe("a", Liveness, &[(0, false)]);
        play.until(29);
        assert_eq!(play.container("a").restart_count, 0);
        play.until(30);
        assert_eq!(play.container("a").restart_count, 1);
        assert_eq!(play.container("a").started, Some(false), "asked again");
    }
}

#[test]
fn should_be_ready_immediately_after_startupprobe_succeeds() {
    let probes = json!({"startupProbe": every(1, 60), "readinessProbe": {"periodSeconds": 60}});
    for spec in both(&probes) {
        let mut play = Player::new(&spec).probe("a", Startup, &[(0, false), (7, true)]);
        play.until(6);
        assert!(!play.container("a").ready);
        play.until(7);
        assert!(play.container("a").ready);
        assert_eq!(
            play.tries[6..],
            ["6 a startup no", "7 a startup ok", "7 a readiness ok"]
        );
    }
}

#[test]
fn startup_probe_that_fails_restarts_the_container_unless_the_policy_is_never() {
    for (policy, expected) in [("Always", 1), ("OnFailure", 1), ("Never", 0)] {
        let probes = json!({"startupProbe": every(1, 3)});
        // Ends with 0 when asked: replaced all the same.
        let mut play = Player::new(&pod(policy, &probes))
            .probe("a", Startup, &[(0, false)])
            .term("a", 0, 0);
        play.until(2);
        assert_eq!(play.container("a").restart_count, expected, "{policy}");
        let last = play
            .notices
            .iter()
            .rfind(|n| n.contains("Killing"))
            .unwrap();
        let tail = if expected == 1 {
            ", will be restarted"
        } else {
            ""
        };
        assert_eq!(
            *last,
            format!("2 Killing Container a failed startup probe{tail}")
        );
        if policy == "Never" {
            assert_eq!(play.phase(), "Succeeded");
        }
    }
}

#[test]
fn a_container_that_keeps_failing_its_probe_comes_to_back_off() {
    let probes = json!({"livenessProbe": {"initialDelaySeconds": 1, "failureThreshold": 1}});
    let mut play = Player::new(&pod("Always", &probes)).probe("a", Liveness, &[(0, false)]);
    let log = play.until(60);
    let starts = log
        .iter()
        .filter(|l| l.contains("start"))
        .collect::<Vec<_>>();
    // The kubelet ends it and starts it in one go, unless the instance before ended less than the wait ago.
    assert_eq!(
        starts,
        [
            "0 start a#0",
            "1 start a#1",
            "2 start a#2",
            "13 start a#3",
            "34 start a#4"
        ]
    );
}

#[test]
fn tries_come_once_in_a_period_and_a_container_without_probes_has_no_timer() {
    let probes = json!({"livenessProbe": every(3, 3), "readinessProbe": every(2, 3)});
    let mut play = Player::new(&pod("Always", &probes));
    play.until(6);
    assert_eq!(
        play.tries,
        [
            "0 a readiness ok",
            "2 a readiness ok",
            "3 a liveness ok",
            "4 a readiness ok",
            "6 a liveness ok",
            "6 a readiness ok"
        ]
    );
    let mut plain = Player::new(&pod("Always", &json!({})));
    plain.until(6);
    assert_eq!(decide(&plain.state, plain.now).wake_at, None);
}

#[test]
fn readiness_thresholds_count_in_both_directions() {
    let probe = json!({"periodSeconds": 1, "successThreshold": 3, "failureThreshold": 2});
    let mut play = Player::new(&pod("Always", &json!({"readinessProbe": probe}))).probe(
        "a",
        Readiness,
        &[(0, true), (10, false), (11, true), (20, false)],
    );
    for (second, ready) in [
        (1, false),
        (2, true),
        (10, true),
        (19, true),
        (20, true),
        (21, false),
    ] {
        play.until(second);
        assert_eq!(play.container("a").ready, ready, "{second}");
    }
}

#[test]
fn a_try_that_could_not_be_made_changes_nothing_but_is_told() {
    let probes = json!({"livenessProbe": {"periodSeconds": 1, "failureThreshold": 1}});
    let mut play = Player::new(&pod("Always", &probes)).probe("a", Liveness, &[]);
    play.until(0);
    for second in 1..5 {
        let now = Duration::from_secs(second);
        let action = decide(&play.state, now).actions.remove(0);
        play.state.begin(&action, at(now));
        let event = Event::Probed {
            container: ContainerIndex(0),
            attempt: 0,
            probe: Liveness,
            outcome: ProbeOutcome::Unknown("no host".to_owned()),
        };
        play.state.handle(event, at(now));
    }
    assert_eq!(play.shown("a"), "running");
    let notices = play.state.take_notices();
    assert_eq!(notices.len(), 4);
    assert_eq!(
        notices[0].message,
        "Liveness probe errored and resulted in unknown state: no host"
    );
}

#[test]
fn an_answer_for_an_earlier_instance_or_a_probe_that_is_not_on_its_way_is_ignored() {
    let probes = json!({"livenessProbe": every(100, 1), "readinessProbe": every(100, 1)});
    let mut play = Player::new(&pod("Always", &probes)).runs("a", &[(5, 1), (1000, 0)]);
    play.until(10);
    let revision = play.state.revision();
    for (attempt, probe) in [(0, Liveness), (0, Readiness), (1, Liveness), (1, Readiness)] {
        play.tell(Event::Probed {
            container: ContainerIndex(0),
            attempt,
            probe,
            outcome: ProbeOutcome::Failure("late".to_owned()),
        });
    }
    assert_eq!(play.state.revision(), revision);
    assert!(play.container("a").ready);
    assert_eq!(play.log, [""; 0]);
}

#[test]
fn results_are_forgotten_at_a_restart() {
    let probes = json!({"readinessProbe": every(10, 3)});
    let mut play = Player::new(&pod("Always", &probes))
        .runs("a", &[(25, 1), (1000, 0)])
        .starts_in("a", 2);
    play.until(20);
    assert!(play.container("a").ready);
    play.until(28);
    assert!(!play.container("a").ready);
    play.until(29);
    assert!(play.container("a").ready, "asked as soon as it runs");
}

#[test]
fn a_success_that_tells_nothing_new_costs_no_revision() {
    let probes = json!({"livenessProbe": every(1, 3), "readinessProbe": every(1, 3)});
    let mut play = Player::new(&pod("Always", &probes));
    play.until(5);
    let revision = play.state.revision();
    play.until(1000);
    assert_eq!(play.state.revision(), revision);
    assert!(play.tries.len() > 1990);
}

#[test]
fn a_probe_whose_answer_never_comes_is_not_tried_a_second_time() {
    let mut play = Player::new(&pod("Always", &json!({"livenessProbe": every(1, 3)})));
    play.until(0);
    let now = Duration::from_secs(1);
    let decision = decide(&play.state, now);
    assert_eq!(decision.actions.len(), 1);
    play.state.begin(&decision.actions[0], at(now));
    let later = decide(&play.state, Duration::from_secs(1000));
    assert_eq!(later, crate::pod::Decision::default());
}

#[test]
fn readiness_is_false_while_terminating_and_liveness_is_disabled() {
    // Upstream: "mark readiness on pods to false and disable liveness probes while pod is in progress of
    // terminating"; its guest takes SIGTERM as the sign to fail its readiness probe.
    let probes = json!({"livenessProbe": every(1, 1), "readinessProbe": every(1, 1)});
    let mut play = Player::new(&pod("Always", &probes))
        .probe("a", Readiness, &[(0, true), (11, false)])
        .probe("a", Liveness, &[(0, true), (11, false)])
        .term("a", 5, 0);
    play.until(10);
    assert!(play.container("a").ready);
    play.delete(None);
    play.until(12);
    assert!(!play.container("a").ready);
    assert_eq!(play.condition("Ready"), "False ContainersNotReady");
    assert_eq!(play.shown("a"), "running");
    play.until(20);
    assert!(!play.tries.iter().any(|t| t.contains("liveness no")));
    assert_eq!(play.container("a").restart_count, 0);
}
