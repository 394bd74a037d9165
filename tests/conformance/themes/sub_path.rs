//! Parts of volumes: upstream's `test/e2e/storage/subpath.go`.

use serde_json::{Value, json};

use crate::objects::{config_map, manifest, pod, secret};
use crate::pod::{Pod, agnhost};
use crate::table::rows;

rows! {
    "1.20 subPath";
    "SubPath: reading content from a secret volume" => passes secret_volume;
    "SubPath: reading content from a configmap volume" => passes config_map_volume;
    "SubPath: reading content from a configmap volume, mountPath over an existing file" => passes over_an_existing_file;
    "SubPath: reading content from a downwardAPI volume" => passes downward_volume;
    "SubPath: reading content from a projected volume" => passes projected_volume;
}

/// A container with a part of the volume at `mount` reads it, while another has the whole volume as well.
async fn reads(objects: &[Value], mut volume: Value, part: &str, mount: &str, content: &str) {
    volume["name"] = json!("v");
    let mount_of_part = json!({"name": "v", "mountPath": mount, "subPath": part});
    let object = pod(json!({
        "volumes": [volume],
        "containers": [
            {
                "name": "c", "image": agnhost(), "volumeMounts": [mount_of_part],
                "args": ["mounttest", format!("--file_content={mount}")],
            },
            {
                "name": "whole", "image": agnhost(),
                "volumeMounts": [mount_of_part, {"name": "v", "mountPath": "/probe-volume"}],
                "args": ["mounttest", format!("--file_content=/probe-volume/{part}")],
            },
        ],
    }));
    let mut all = objects.to_vec();
    all.push(object);
    let pod = Pod::start(&manifest(&all)).await;
    pod.ends("Succeeded").await;
    assert_eq!(
        pod.log("c").await,
        format!("content of file \"{mount}\": {content}\n")
    );
    assert_eq!(
        pod.log("whole").await,
        format!("content of file \"/probe-volume/{part}\": {content}\n")
    );
}

const MOUNT: &str = "/test-volume";

async fn secret_volume() {
    let objects = [secret("s", json!({"secret-key": "secret-value"}))];
    let volume = json!({"secret": {"secretName": "s"}});
    reads(&objects, volume, "secret-key", MOUNT, "secret-value").await;
}

async fn config_map_volume() {
    let objects = [config_map("m", json!({"configmap-key": "configmap-value"}))];
    let volume = json!({"configMap": {"name": "m"}});
    reads(&objects, volume, "configmap-key", MOUNT, "configmap-value").await;
}

async fn over_an_existing_file() {
    let objects = [config_map("m", json!({"configmap-key": "configmap-value"}))];
    let volume = json!({"configMap": {"name": "m"}});
    reads(
        &objects,
        volume,
        "configmap-key",
        "/etc/resolv.conf",
        "configmap-value",
    )
    .await;
}

async fn downward_volume() {
    let item = json!({"path": "downward/podname", "fieldRef": {"fieldPath": "metadata.name"}});
    let volume = json!({"downwardAPI": {"items": [item]}});
    reads(&[], volume, "downward/podname", MOUNT, "p").await;
}

async fn projected_volume() {
    let objects = [config_map("m", json!({"configmap-key": "configmap-value"}))];
    let item = json!({"key": "configmap-key", "path": "projected/configmap-key"});
    let volume = json!({"projected": {"sources": [{"configMap": {"name": "m", "items": [item]}}]}});
    reads(
        &objects,
        volume,
        "projected/configmap-key",
        MOUNT,
        "configmap-value",
    )
    .await;
}
