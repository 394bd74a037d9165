//! Stateful sets.

use serde_json::json;
use wasmpod_manifest::{Workload, WorkloadKind};

use super::super::pods;
use super::{World, keeps_running};

fn database(extra: serde_json::Value) -> World {
    let mut spec = keeps_running(json!({
        "serviceName": "db", "replicas": 3,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
    }));
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    World::started(WorkloadKind::StatefulSet, "db", spec)
}

fn scale(world: &mut World, replicas: i32) {
    let Some(Workload::StatefulSet(set)) = world.workloads.get_mut("db") else {
        panic!("the stateful set is gone");
    };
    set.spec.replicas = Some(replicas);
    world.settle();
}

#[test]
fn each_pod_waits_until_the_one_before_it_is_ready() {
    let mut world = database(json!({}));
    for count in 1..=3 {
        let last = format!("db-{}", count - 1);
        assert_eq!(world.active().len(), count);
        // Running alone is not enough.
        world.set(&last, "Running", false, None);
        world.settle();
        assert_eq!(world.active().len(), count);
        world.ready(&last);
    }
    assert_eq!(world.active(), ["db-0", "db-1", "db-2"]);
    assert_eq!(world.claims, ["data-db-0", "data-db-1", "data-db-2"]);
    let status = world.status();
    assert_eq!(status["availableReplicas"], 3);
    assert_eq!(status["currentRevision"], status["updateRevision"]);
}

#[test]
fn a_pod_has_its_name_its_number_and_its_claim() {
    let world = database(json!({}));
    let pod = &world.pods["db-0"];
    for (label, value) in [
        ("statefulset.kubernetes.io/pod-name", "db-0"),
        ("apps.kubernetes.io/pod-index", "0"),
        ("app", "web"),
    ] {
        assert_eq!(pods::label(pod, label), Some(value));
    }
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.hostname.as_deref(), Some("db-0"));
    assert_eq!(spec.subdomain.as_deref(), Some("db"));
    let volume = &spec.volumes.as_ref().unwrap()[0];
    assert_eq!(volume.name, "data");
    assert_eq!(
        volume.persistent_volume_claim.as_ref().unwrap().claim_name,
        "data-db-0"
    );
}

#[test]
fn parallel_pods_wait_for_nobody() {
    let world = database(json!({"podManagementPolicy": "Parallel", "ordinals": {"start": 5}}));
    assert_eq!(world.active(), ["db-5", "db-6", "db-7"]);
}

#[test]
fn the_last_goes_first_and_the_next_only_when_it_is_gone() {
    let mut world =
        database(json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}));
    for name in ["db-0", "db-1", "db-2"] {
        world.ready(name);
    }
    world.slow_deletes = true;
    world.take_log();
    scale(&mut world, 1);
    assert_eq!(world.take_log(), ["-pod db-2"]);
    world.gone("db-2");
    world.settle();
    assert_eq!(world.take_log(), ["-pod db-1"]);
    world.gone("db-1");
    world.settle();
    assert_eq!(world.active(), ["db-0"]);
    assert_eq!(world.claims, ["data-db-0"]);
}

#[test]
fn a_pod_that_failed_comes_back_under_its_name() {
    let mut world = database(json!({}));
    world.ready("db-0");
    world.take_log();
    world.fail("db-0", 1);
    assert_eq!(
        world.take_log(),
        [
            "RecreatingFailedPod: StatefulSet default/db is recreating failed Pod db-0",
            "-pod db-0",
            "+pod db-0"
        ]
    );
}

#[test]
fn a_new_template_replaces_the_pods_from_the_last_one_down_to_the_partition() {
    let mut world = database(json!({"updateStrategy": {"rollingUpdate": {"partition": 1}}}));
    for name in ["db-0", "db-1", "db-2"] {
        world.ready(name);
    }
    world.take_log();
    let template = world
        .workloads
        .get_mut("db")
        .unwrap()
        .pod_template_mut()
        .unwrap();
    template.spec.as_mut().unwrap().containers[0].image = Some("nginx:2".to_owned());
    world.settle();
    assert_eq!(world.take_log(), ["-pod db-2", "+pod db-2"]);
    world.ready("db-2");
    assert_eq!(world.take_log(), ["-pod db-1", "+pod db-1"]);
    world.ready("db-1");
    assert_eq!(world.take_log(), Vec::<String>::new());
    let status = world.status();
    assert_eq!(status["updatedReplicas"], 2);
    assert_ne!(status["currentRevision"], status["updateRevision"]);
}
