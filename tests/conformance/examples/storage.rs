//! `pods/storage`: projected volumes, persistent volumes and their claims.

use serde_json::Value;
use wasmpod_store::Kind;

use super::examples;
use crate::host::{CAPACITY, Host, remapped};
use crate::pod::Pod;
use crate::table::rows;

rows! {
    "Examples: pods, storage";
    "pods/storage/projected-secret-downwardapi-configmap.yaml" => passes three_sources_in_one_volume;
    "pods/storage/projected.yaml" => passes two_secrets_in_one_volume;
    "pods/storage/pv-claim.yaml" => passes a_claim_is_bound;
    "pods/storage/pv-pod-backup.yaml" => passes init_writes_beside_the_volume;
    "pods/storage/pv-pod.yaml" => passes a_page_from_a_volume;
    "pods/storage/pv-volume.yaml" => passes a_volume_is_available_then_bound;
}

async fn three_sources_in_one_volume() {
    let paths = [
        "pods/storage/projected-secret-downwardapi-configmap.yaml",
        "_companions/secrets-projected.yaml",
        "_companions/configmap-myconfigmap.yaml",
    ];
    let Some(manifest) = examples(&paths) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let read = async |file: &str| {
        let path = format!("/projected-volume/{file}");
        let read = pod.exec("container-test", &["cat", &path]).await;
        assert_eq!(read.code, 0, "{read:?}");
        read.stdout
    };
    assert_eq!(read("my-group/my-username").await, "admin");
    assert_eq!(read("my-group/my-config").await, "key=value");
    assert_eq!(read("labels").await, "");
    // There is no limit: it is what the node has.
    let cores: u32 = read("cpu_limit").await.parse().unwrap();
    assert!(cores >= 1);
    let listed = pod
        .exec("container-test", &["ls", "/projected-volume"])
        .await;
    assert_eq!(listed.stdout, "cpu_limit\nlabels\nmy-group\n");
}

async fn two_secrets_in_one_volume() {
    let paths = [
        "pods/storage/projected.yaml",
        "_companions/secrets-projected.yaml",
    ];
    let Some(manifest) = examples(&paths) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let listed = pod
        .exec("test-projected-volume", &["ls", "/projected-volume"])
        .await;
    assert_eq!(listed.stdout, "password.txt\nusername.txt\n");
}

/// A host with the volume of the documentation, on a folder with a page.
async fn with_volume() -> Option<Host> {
    let manifest = examples(&["pods/storage/pv-volume.yaml"])?;
    let host = Host::of(CAPACITY);
    let page = host.folder().join("index.html");
    std::fs::write(page, "Hello from Kubernetes storage\n").unwrap();
    host.apply(&remapped(&manifest, "/mnt/data", &host.folder()))
        .await;
    Some(host)
}

/// Waits for a phase.
async fn is_in_phase(host: &Host, kind: Kind, name: &str, phase: &str) -> Value {
    let object = host.object_until(kind, name, phase, |object| {
        object["status"]["phase"] == phase
    });
    object.await
}

/// The same with the claim, bound.
async fn with_claim() -> Option<Host> {
    let host = with_volume().await?;
    host.apply(&examples(&["pods/storage/pv-claim.yaml"])?)
        .await;
    is_in_phase(&host, Kind::PersistentVolumeClaim, "task-pv-claim", "Bound").await;
    Some(host)
}

async fn a_volume_is_available_then_bound() {
    let Some(host) = with_volume().await else {
        return;
    };
    is_in_phase(&host, Kind::PersistentVolume, "task-pv-volume", "Available").await;
    host.apply(&examples(&["pods/storage/pv-claim.yaml"]).unwrap())
        .await;
    let volume = is_in_phase(&host, Kind::PersistentVolume, "task-pv-volume", "Bound").await;
    assert_eq!(volume["spec"]["claimRef"]["name"], "task-pv-claim");
}

async fn a_claim_is_bound() {
    let Some(host) = with_claim().await else {
        return;
    };
    let claim = host.object(Kind::PersistentVolumeClaim, "task-pv-claim");
    assert_eq!(claim["spec"]["volumeName"], "task-pv-volume");
    // 3Gi are asked for, the volume has 10Gi.
    assert_eq!(claim["status"]["capacity"]["storage"], "10Gi");
}

async fn a_page_from_a_volume() {
    let Some(host) = with_claim().await else {
        return;
    };
    host.apply(&examples(&["pods/storage/pv-pod.yaml"]).unwrap())
        .await;
    host.ready_pods(1).await;
    let pod = host.first_pod().await;
    let page = pod.get("task-pv-container", "http://127.0.0.1/").await;
    assert_eq!(page, "Hello from Kubernetes storage\n");
}

async fn init_writes_beside_the_volume() {
    let Some(host) = with_claim().await else {
        return;
    };
    host.apply(&examples(&["pods/storage/pv-pod-backup.yaml"]).unwrap())
        .await;
    host.ready_pods(1).await;
    let pod = host.first_pod().await;
    assert_eq!(
        pod.log("init-volume").await,
        "Initializing the mounted volume...\n"
    );
    // The init container wrote into its own folder of this name, where no volume is mounted.
    let page = pod.get("task-pv-container", "http://127.0.0.1:80/").await;
    assert_eq!(page, "Hello from Kubernetes storage\n");
}
