//! Deployments.

use serde_json::json;
use wasmpod_manifest::{Workload, WorkloadKind};

use super::{World, keeps_running};

fn change_image(world: &mut World, image: &str) {
    let template = world
        .workloads
        .get_mut("web")
        .unwrap()
        .pod_template_mut()
        .unwrap();
    template.spec.as_mut().unwrap().containers[0].image = Some(image.to_owned());
    world.settle();
}

/// The replica sets: how many pods each wants, by revision.
fn sets(world: &World) -> Vec<i32> {
    let mut sets: Vec<(String, i32)> = world
        .workloads
        .values()
        .filter_map(|workload| match workload {
            Workload::ReplicaSet(set) => {
                let annotations = set.metadata.annotations.as_ref().unwrap();
                let revision = annotations["deployment.kubernetes.io/revision"].clone();
                Some((revision, set.spec.replicas.unwrap()))
            }
            _ => None,
        })
        .collect();
    sets.sort();
    sets.into_iter().map(|(_, replicas)| replicas).collect()
}

#[test]
fn a_deployment_makes_its_pods_through_a_replica_set_of_its_template() {
    let mut world = World::started(
        WorkloadKind::Deployment,
        "web",
        keeps_running(json!({"replicas": 3})),
    );
    let log = world.take_log();
    let name = log[0].strip_prefix("+ReplicaSet ").unwrap().to_owned();
    let hash = name.strip_prefix("web-").unwrap();
    assert_eq!(
        log[1],
        format!("ScalingReplicaSet: Scaled up replica set {name} from 0 to 3")
    );
    for pod in world.pods.values() {
        assert_eq!(
            pod.metadata.labels.as_ref().unwrap()["pod-template-hash"],
            hash
        );
        assert!(
            pod.metadata
                .name
                .as_ref()
                .unwrap()
                .starts_with(&format!("{name}-"))
        );
    }
    assert_eq!(
        world.condition("Available").unwrap(),
        "False MinimumReplicasUnavailable"
    );
    assert_eq!(
        world.condition("Progressing").unwrap(),
        "True ReplicaSetUpdated"
    );
    world.all_ready();
    let status = world.status();
    assert_eq!(
        (&status["replicas"], &status["updatedReplicas"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        (&status["readyReplicas"], &status["availableReplicas"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(status.get("unavailableReplicas"), None);
    assert_eq!(
        world.condition("Available").unwrap(),
        "True MinimumReplicasAvailable"
    );
    assert_eq!(
        world.condition("Progressing").unwrap(),
        "True NewReplicaSetAvailable"
    );
}

#[test]
fn a_deployment_without_progress_says_so_after_its_deadline() {
    let spec = keeps_running(json!({"progressDeadlineSeconds": 60}));
    let mut world = World::started(WorkloadKind::Deployment, "web", spec);
    assert_eq!(world.wakes_in(), Some(60));
    world.pass(60);
    assert_eq!(
        world.condition("Progressing").unwrap(),
        "False ProgressDeadlineExceeded"
    );
    // It goes on trying, and success is success.
    world.all_ready();
    assert_eq!(
        world.condition("Progressing").unwrap(),
        "True NewReplicaSetAvailable"
    );
}

#[test]
fn a_rolling_update_never_has_fewer_available_pods_nor_more_pods_than_it_may() {
    let mut world = World::started(
        WorkloadKind::Deployment,
        "web",
        keeps_running(json!({"replicas": 4})),
    );
    world.all_ready();
    change_image(&mut world, "nginx:2");
    // 25% of four: one too many, one too few.
    assert_eq!(sets(&world), [3, 2]);
    let mut rounds = 0;
    while sets(&world) != [0, 4]
        || world.condition("Progressing").unwrap() != "True NewReplicaSetAvailable"
    {
        let status = world.status();
        assert!(world.active().len() <= 5, "{status}");
        assert!(
            status["availableReplicas"].as_i64().unwrap() >= 3,
            "{status}"
        );
        let next = world
            .active()
            .into_iter()
            .find(|name| world.pods[name].status.is_none());
        world.ready(&next.expect("a new pod to become ready"));
        rounds += 1;
        assert!(rounds < 20, "does not end");
    }
    assert_eq!(world.active().len(), 4);
}

#[test]
fn recreate_waits_until_the_last_old_pod_is_gone() {
    let spec = keeps_running(json!({"replicas": 2, "strategy": {"type": "Recreate"}}));
    let mut world = World::started(WorkloadKind::Deployment, "web", spec);
    world.all_ready();
    let old = world.active();
    world.slow_deletes = true;
    change_image(&mut world, "nginx:2");
    assert_eq!(sets(&world), [0]);
    for (name, wanted) in old.iter().zip([vec![0], vec![0, 2]]) {
        world.gone(name);
        world.settle();
        assert_eq!(sets(&world), wanted);
    }
    assert_eq!(world.active().len(), 2);
}

#[test]
fn going_back_uses_the_replica_set_of_before_and_old_ones_are_kept_to_the_limit() {
    let spec = keeps_running(json!({"replicas": 1, "revisionHistoryLimit": 1}));
    let mut world = World::started(WorkloadKind::Deployment, "web", spec);
    for image in ["nginx:2", "nginx:3", "nginx:4"] {
        world.all_ready();
        change_image(&mut world, image);
        world.all_ready();
    }
    world.all_ready();
    assert_eq!(sets(&world), [0, 1]);
    change_image(&mut world, "nginx:3");
    world.all_ready();
    assert_eq!(sets(&world), [1, 0]);
}

#[test]
fn a_paused_deployment_keeps_its_number_of_pods_and_rolls_nothing_out() {
    let mut world = World::started(
        WorkloadKind::Deployment,
        "web",
        keeps_running(json!({"replicas": 2})),
    );
    world.all_ready();
    let Some(Workload::Deployment(deployment)) = world.workloads.get_mut("web") else {
        panic!("the deployment is gone");
    };
    deployment.spec.paused = Some(true);
    deployment.spec.replicas = Some(3);
    change_image(&mut world, "nginx:2");
    assert_eq!(sets(&world), [3]);
    assert_eq!(
        world.condition("Progressing").unwrap(),
        "Unknown DeploymentPaused"
    );
}
