//! What a pod's status shows.

use serde_json::json;

use wasmpod_manifest::k8s;

use super::player::Player;
use crate::pod::keep_foreign_conditions;

#[test]
fn readiness_gates_keep_a_pod_from_being_ready_until_others_say_so() {
    let spec = json!({"containers": [{"name": "a"}],
                      "readinessGates": [{"conditionType": "example.com/one"},
                                         {"conditionType": "example.com/two"}]});
    let mut play = Player::new(&spec);
    play.until(1);
    assert_eq!(play.condition("ContainersReady"), "True");
    assert_eq!(play.condition("Ready"), "False ReadinessGatesNotReady");
    let set = |one: &str, two: &str| {
        let status = json!({"conditions": [
            {"type": "example.com/one", "status": one}, {"type": "example.com/two", "status": two},
            {"type": "Ready", "status": "True"}]});
        serde_json::from_value(status).unwrap()
    };
    let message = |play: &mut Player, status| {
        play.update(|pod| pod.status = Some(status));
        let all = play.status().conditions.unwrap();
        all.into_iter()
            .find(|c| c.type_ == "Ready")
            .unwrap()
            .message
    };
    assert_eq!(
        message(
            &mut play,
            json!({}).as_object().map(|_| Default::default()).unwrap()
        )
        .unwrap(),
        "corresponding condition of pod readiness gate \"example.com/one\" does not exist., \
         corresponding condition of pod readiness gate \"example.com/two\" does not exist."
    );
    assert_eq!(
        message(&mut play, set("True", "False")).unwrap(),
        "the status of pod readiness gate \"example.com/two\" is not \"True\", but False"
    );
    assert_eq!(message(&mut play, set("True", "True")), None);
    assert_eq!(play.condition("Ready"), "True");
    assert_eq!(play.condition("example.com/two"), "True", "shown as given");
}

#[test]
fn a_disruption_that_someone_else_announces_is_shown() {
    let mut play = Player::new(&json!({"containers": [{"name": "a"}]}));
    play.until(1);
    let status = json!({"conditions": [
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]});
    let status = serde_json::from_value(status).unwrap();
    play.update(|pod| pod.status = Some(status));
    assert_eq!(
        play.condition("DisruptionTarget"),
        "True EvictionByEvictionAPI"
    );
}

#[test]
fn pods_qos_and_resources_are_shown() {
    let resources = json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}});
    let mut play = Player::new(&json!({"containers": [{"name": "a", "resources": resources}]}));
    play.until(1);
    assert_eq!(play.status().qos_class.as_deref(), Some("Burstable"));
    let shown = play.container("a");
    assert_eq!(shown.allocated_resources.unwrap()["cpu"].0, "100m");
    assert_eq!(shown.resources.unwrap().limits.unwrap()["cpu"].0, "1");
}

#[test]
fn pods_completes_the_lifecycle_of_a_pod_and_the_podstatus() {
    let mut play = Player::new(&json!({"restartPolicy": "Never", "containers": [{"name": "a"}]}))
        .runs("a", &[(3, 0)]);
    assert_eq!(play.condition("PodReadyToStartContainers"), "False");
    assert_eq!(play.condition("PodScheduled"), "True");
    assert_eq!(play.phase(), "Pending");
    play.until(1);
    assert_eq!(play.condition("PodReadyToStartContainers"), "True");
    let status = play.status();
    assert_eq!(status.pod_ip.as_deref(), Some("10.88.0.2"));
    assert!(status.start_time.is_some());
    let shown = play.container("a");
    assert_eq!((shown.ready, shown.started), (true, Some(true)));
    assert_eq!(shown.container_id.as_deref(), Some("wasmpod://a-0"));
    play.until(10);
    let status = play.status();
    assert_eq!(status.phase.as_deref(), Some("Succeeded"));
    assert_eq!(status.pod_ip.as_deref(), Some("10.88.0.2"));
    assert_eq!(play.condition("PodReadyToStartContainers"), "False");
    assert_eq!(play.condition("ContainersReady"), "False PodCompleted");
    let shown = play.container("a");
    assert_eq!((shown.ready, shown.started), (false, Some(false)));
}

#[test]
fn a_sidecar_that_is_not_ready_keeps_the_pod_from_being_ready() {
    let probe = json!({"periodSeconds": 1});
    let mut play = Player::new(&json!({"containers": [{"name": "a"}], "initContainers": [
        {"name": "s", "restartPolicy": "Always", "readinessProbe": probe}]}))
    .probe(
        "s",
        crate::pod::ProbeKind::Readiness,
        &[(0, false), (5, true)],
    );
    play.until(3);
    let conditions = play.status().conditions.unwrap();
    assert_eq!(
        conditions[2].message.as_deref(),
        Some("containers with unready status: [s]")
    );
    assert_eq!(play.shown("a"), "running", "but nobody waits for it");
    play.until(5);
    assert_eq!(play.condition("Ready"), "True");
}

#[test]
fn what_was_initialized_stays_so_while_a_sidecar_restarts() {
    let mut play = Player::new(&json!({"containers": [{"name": "a"}],
        "initContainers": [{"name": "s", "restartPolicy": "Always"}]}))
    .runs("s", &[(1, 1)]);
    play.until(5);
    assert_eq!(play.shown("s"), "waiting CrashLoopBackOff");
    assert_eq!(play.condition("Initialized"), "True");
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Ready"), "False ContainersNotReady");
}

#[test]
fn every_change_of_the_status_has_its_revision() {
    let probe = json!({"periodSeconds": 1, "failureThreshold": 2});
    let spec = json!({"initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always",
                          "startupProbe": probe}],
                      "containers": [{"name": "a", "readinessProbe": probe, "livenessProbe": probe},
                                     {"name": "b"}]});
    let mut play = Player::new(&spec)
        .runs("i", &[(1, 1), (2, 0)])
        .runs("b", &[(7, 3)])
        .probe(
            "a",
            crate::pod::ProbeKind::Readiness,
            &[(0, false), (4, true)],
        )
        .probe(
            "a",
            crate::pod::ProbeKind::Liveness,
            &[(0, true), (9, false)],
        );
    let mut seen = (play.state.revision(), play.status());
    for second in 0..90 {
        if second == 60 {
            play.delete(None);
        }
        play.until(second);
        let now = (play.state.revision(), play.status());
        assert!(now.0 != seen.0 || now.1 == seen.1, "second {second}");
        seen = now;
    }
    assert_eq!(play.phase(), "Failed");
}

#[test]
fn what_others_say_of_a_pod_is_kept_whatever_the_kubelet_says_of_it() {
    let condition = |kind: &str, status: &str| k8s::PodCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        ..k8s::PodCondition::default()
    };
    let status = |conditions| k8s::PodStatus {
        conditions: Some(conditions),
        ..k8s::PodStatus::default()
    };
    let object = k8s::Pod {
        status: Some(status(vec![
            condition("Ready", "False"),
            condition("example.com/theirs", "True"),
        ])),
        ..k8s::Pod::default()
    };
    let mut new = status(vec![
        condition("Ready", "True"),
        condition("example.com/theirs", "False"),
        condition("example.com/removed", "True"),
    ]);
    keep_foreign_conditions(&mut new, &object);
    let expected = vec![
        condition("Ready", "True"),
        condition("example.com/theirs", "True"),
    ];
    assert_eq!(new.conditions, Some(expected));
}
