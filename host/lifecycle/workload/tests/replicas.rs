//! Replica sets, replication controllers and daemon sets.

use serde_json::json;
use wasmpod_manifest::{Workload, WorkloadKind};

use super::super::{NAME_SUFFIX_LENGTH, pods};
use super::{World, keeps_running, template};

#[test]
fn a_replica_set_has_as_many_pods_as_it_wants_and_they_are_its_own() {
    let world = World::started(
        WorkloadKind::ReplicaSet,
        "web",
        keeps_running(json!({"replicas": 3})),
    );
    assert_eq!(world.active().len(), 3);
    for pod in world.pods.values() {
        let suffix = pods::name(pod).strip_prefix("web-").unwrap();
        assert_eq!(suffix.len(), NAME_SUFFIX_LENGTH);
        assert_eq!(pod.metadata.generate_name.as_deref(), Some("web-"));
        assert_eq!(pods::label(pod, "app"), Some("web"));
        let owners = serde_json::to_value(&pod.metadata.owner_references).unwrap();
        let wanted = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "uid-1",
            "controller": true, "blockOwnerDeletion": true}]);
        assert_eq!(owners, wanted);
    }
    assert_eq!(world.status()["replicas"], 3);
    assert_eq!(world.status()["readyReplicas"], 0);
}

#[test]
fn a_pod_that_ended_or_was_deleted_is_replaced() {
    let mut world = World::started(
        WorkloadKind::ReplicaSet,
        "web",
        keeps_running(json!({"replicas": 2})),
    );
    world.all_ready();
    let names = world.active();
    world.take_log();
    world.fail(&names[0], 1);
    // It stays for people to look at, and another takes its place.
    assert_eq!(world.pods.len(), 3);
    assert_eq!(world.active().len(), 2);
    world.slow_deletes = true;
    world.delete_pod(&names[1]);
    world.settle();
    assert_eq!(world.active().len(), 2);
    assert_eq!(world.status()["terminatingReplicas"], 1);
    world.gone(&names[1]);
    world.settle();
    assert_eq!(world.status()["terminatingReplicas"], 0);
    assert_eq!(world.take_log().len(), 3);
}

#[test]
fn the_pod_of_least_worth_is_deleted_first() {
    let mut world = World::started(
        WorkloadKind::ReplicaSet,
        "web",
        keeps_running(json!({"replicas": 5})),
    );
    let names = world.active();
    let cost = |world: &mut World, name: &str, cost: &str| {
        let pod = world.pods.get_mut(name).unwrap();
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert(
            "controller.kubernetes.io/pod-deletion-cost".to_owned(),
            cost.to_owned(),
        );
    };
    // 0: pending; 1: not ready; 2: cheap; 3: ready for a shorter time; 4: the rest.
    world.set(&names[1], "Running", false, None);
    world.set(&names[2], "Running", true, None);
    world.set(&names[4], "Running", true, None);
    cost(&mut world, &names[2], "-5");
    world.pass(10);
    world.set(&names[3], "Running", true, None);
    world.take_log();
    for left in (0..5).rev() {
        let Some(Workload::ReplicaSet(set)) = world.workloads.get_mut("web") else {
            panic!("the replica set is gone");
        };
        set.spec.replicas = Some(left);
        world.settle();
    }
    let order: Vec<String> = [0, 1, 2, 3, 4]
        .map(|i: usize| format!("-pod {}", names[i]))
        .to_vec();
    assert_eq!(world.take_log(), order);
}

#[test]
fn a_ready_pod_is_available_when_it_was_ready_for_min_ready_seconds() {
    let spec = keeps_running(json!({"replicas": 1, "minReadySeconds": 5}));
    let mut world = World::started(WorkloadKind::ReplicaSet, "web", spec);
    world.all_ready();
    assert_eq!(world.status()["readyReplicas"], 1);
    assert_eq!(world.status()["availableReplicas"], 0);
    assert_eq!(world.wakes_in(), Some(5));
    world.pass(5);
    assert_eq!(world.status()["availableReplicas"], 1);
    assert_eq!(world.wakes_in(), None);
}

#[test]
fn a_replication_controller_does_the_same_with_its_own_selector() {
    let spec = json!({"replicas": 2, "template": template("nginx:1", "Always")});
    let mut world = World::started(WorkloadKind::ReplicationController, "old", spec);
    world.all_ready();
    assert_eq!(world.status()["availableReplicas"], 2);
    assert_eq!(world.status()["fullyLabeledReplicas"], 2);
}

#[test]
fn a_daemon_set_has_one_pod_and_replaces_one_that_failed() {
    let mut world = World::started(WorkloadKind::DaemonSet, "agent", keeps_running(json!({})));
    assert_eq!(world.active().len(), 1);
    world.all_ready();
    let status = world.status();
    assert_eq!(status["desiredNumberScheduled"], 1);
    assert_eq!(status["numberAvailable"], 1);
    assert_eq!(status["updatedNumberScheduled"], 1);
    let name = world.active().remove(0);
    world.take_log();
    world.fail(&name, 1);
    let log = world.take_log();
    assert_eq!(
        log.first().unwrap(),
        &format!("FailedDaemonPod: Found failed daemon pod default/{name}, will try to kill it")
    );
    assert_eq!(world.active().len(), 1);
    assert_ne!(world.active(), [name]);
}

fn change_image(world: &mut World, name: &str, image: &str) {
    let template = world
        .workloads
        .get_mut(name)
        .unwrap()
        .pod_template_mut()
        .unwrap();
    template.spec.as_mut().unwrap().containers[0].image = Some(image.to_owned());
}

#[test]
fn a_daemon_set_with_a_new_template_deletes_first_or_surges_or_waits_for_the_user() {
    for (strategy, wanted) in [
        (
            json!({"type": "RollingUpdate"}),
            ["-pod", "+pod"].as_slice(),
        ),
        (
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
            &["+pod", "-pod"],
        ),
        (json!({"type": "OnDelete"}), &[]),
    ] {
        let spec = keeps_running(json!({"updateStrategy": strategy}));
        let mut world = World::started(WorkloadKind::DaemonSet, "agent", spec);
        world.all_ready();
        world.take_log();
        change_image(&mut world, "agent", "nginx:2");
        world.settle();
        world.all_ready();
        let log = world.take_log();
        let verbs: Vec<&str> = log
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(verbs, wanted, "{strategy}");
        assert_eq!(world.active().len(), 1, "{strategy}");
    }
}
