//! Claims: bound, provisioned, waited for, kept.

use wasmpod_store::Kind;

use super::{World, pod};
use crate::DeleteOptions;

const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec:\n  accessModes: \
                     [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n---\n";

fn user(name: &str) -> String {
    pod(
        name,
        "volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]",
        "volumeMounts: [{name: v, mountPath: /data}]",
    )
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_its_claim_whose_directory_outlives_everything() {
    let world = World::new();
    world.start(&user("p")).await.unwrap();
    assert_eq!(
        world.not_scheduled("p"),
        "Unschedulable 0/1 nodes are available: persistentvolumeclaim \"data\" not found. preemption: 0/1 nodes are \
         available: 1 Preemption is not helpful for scheduling."
    );
    world.start(CLAIM).await.unwrap();
    world.phase("p", "Running").await;
    let claim = world.get(Kind::PersistentVolumeClaim, "data");
    assert_eq!(claim["status"]["phase"], "Bound");
    assert_eq!(claim["status"]["capacity"]["storage"], "1Gi");
    let name = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    assert_eq!(
        world.get(Kind::PersistentVolume, &name)["status"]["phase"],
        "Bound"
    );
    let file = world.state("volumes/default/data/file");
    std::fs::write(&file, "kept").unwrap();

    // A claim stays while a pod uses it.
    world.delete(
        Kind::PersistentVolumeClaim,
        "data",
        &DeleteOptions::default(),
    );
    world.agent.settled().await;
    assert!(!world.get(Kind::PersistentVolumeClaim, "data").is_null());
    world.delete(Kind::Pod, "p", &DeleteOptions::default());
    world
        .until("the claim goes", |world| {
            world.get(Kind::PersistentVolumeClaim, "data").is_null()
        })
        .await;
    world
        .until("released", |world| {
            world.get(Kind::PersistentVolume, &name)["status"]["phase"] == "Released"
        })
        .await;
    world.agent.shutdown().await.unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "kept");
}

#[tokio::test(start_paused = true)]
async fn a_claim_for_a_volume_that_is_not_there_keeps_its_pod_waiting() {
    let world = World::new();
    let claim = CLAIM.replace("spec:\n", "spec:\n  storageClassName: \"\"\n");
    world.start(&format!("{claim}{}", user("p"))).await.unwrap();
    assert!(
        world
            .not_scheduled("p")
            .contains("pod has unbound immediate PersistentVolumeClaims"),
        "{}",
        world.not_scheduled("p")
    );
    assert_eq!(
        world.get(Kind::PersistentVolumeClaim, "data")["status"]["phase"],
        "Pending"
    );
}
