//! Volumes with several sources: upstream's `test/e2e/common/storage/projected_combined.go`, `projected_configmap.go`,
//! `projected_downwardapi.go` and `projected_secret.go`.

use serde_json::json;

use crate::downward::Downward;
use crate::files::Keys;
use crate::objects::{config_map, manifest, pod, secret};
use crate::pod::Pod;
use crate::table::rows;

rows! {
    "1.19 Projected volume";
    "Projected Volume, multiple projections" => passes multiple_projections;
    "Projected Volume, ConfigMap, volume mode default" => passes config_map_default;
    "Projected Volume, ConfigMap, volume mode 0400" => passes config_map_with_mode;
    "Projected Volume, ConfigMap, non-root user" => passes config_map_non_root;
    "Projected Volume, ConfigMap, mapped" => passes config_map_mapped;
    "Projected Volume, ConfigMap, mapped, volume mode 0400" => passes config_map_mapped_with_mode;
    "Projected Volume, ConfigMap, mapped, non-root user" => passes config_map_mapped_non_root;
    "Projected Volume, ConfigMap, update" => passes config_map_update;
    "Projected Volume, ConfigMap, create, update and delete" => passes config_map_create_update_and_delete;
    "Projected Volume, ConfigMap, multiple volume paths" => passes config_map_multiple_volumes;
    "Projected Volume, DownwardAPI, pod name" => passes pod_name;
    "Projected Volume, DownwardAPI, volume mode 0400 (DefaultMode)" => passes default_mode;
    "Projected Volume, DownwardAPI, item mode 0400" => passes item_mode;
    "Projected Volume, DownwardAPI, update labels" => passes update_labels;
    "Projected Volume, DownwardAPI, update annotation" => passes update_annotation;
    "Projected Volume, DownwardAPI, CPU limits" => passes cpu_limit;
    "Projected Volume, DownwardAPI, memory limits" => passes memory_limit;
    "Projected Volume, DownwardAPI, CPU request" => passes cpu_request;
    "Projected Volume, DownwardAPI, memory request" => passes memory_request;
    "Projected Volume, DownwardAPI, CPU limit, node allocatable" => passes cpu_of_the_node;
    "Projected Volume, DownwardAPI, memory limit, node allocatable" => passes memory_of_the_node;
    "Projected Volume, Secrets, volume mode default" => passes secret_default;
    "Projected Volume, Secrets, volume mode 0400" => passes secret_with_mode;
    "Projected Volume, Secrets, non-root, custom fsGroup" => not_applicable "guests have no users and no groups";
    "Projected Volume, Secrets, mapped" => passes secret_mapped;
    "Projected Volume, Secrets, mapped, volume mode 0400" => passes secret_mapped_with_mode;
    "Projected Volume, Secrets, mapped, multiple paths" => passes secret_multiple_volumes;
    "Projected Volume, Secrets, create, update and delete" => passes secret_create_update_and_delete;
}

const KIND: Downward = Downward::Projected;

async fn multiple_projections() {
    let name = json!({"path": "podname", "fieldRef": {"fieldPath": "metadata.name"}});
    let sources = json!([
        {"downwardAPI": {"items": [name]}},
        {"secret": {"name": "s", "items": [{"key": "data", "path": "secret-data"}]}},
        {"configMap": {"name": "m", "items": [{"key": "data", "path": "configmap-data"}]}},
    ]);
    let read = "cat /all/podname && cat /all/secret-data && cat /all/configmap-data";
    let object = pod(json!({
        "volumes": [{"name": "v", "projected": {"sources": sources}}],
        "containers": [{
            "name": "c", "image": "busybox", "command": ["sh", "-c", read],
            "volumeMounts": [{"name": "v", "mountPath": "/all"}],
        }],
    }));
    let objects = [
        config_map("m", json!({"data": "configmap-value-1\n"})),
        secret("s", json!({"data": "secret-value-1\n"})),
        object,
    ];
    let pod = Pod::start(&manifest(&objects)).await;
    pod.ends("Succeeded").await;
    assert_eq!(pod.log("c").await, "psecret-value-1\nconfigmap-value-1\n");
}

async fn config_map_default() {
    Keys::ProjectedConfigMap.shows_keys().await;
}

async fn config_map_with_mode() {
    Keys::ProjectedConfigMap.keeps_the_default_mode(0o400).await;
}

async fn config_map_non_root() {
    Keys::ProjectedConfigMap
        .shows_keys_to_others_than_root()
        .await;
}

async fn config_map_mapped() {
    Keys::ProjectedConfigMap.maps_keys().await;
}

async fn config_map_mapped_with_mode() {
    Keys::ProjectedConfigMap.maps_keys_with_their_mode().await;
}

async fn config_map_mapped_non_root() {
    Keys::ProjectedConfigMap
        .maps_keys_for_others_than_root()
        .await;
}

async fn config_map_update() {
    Keys::ProjectedConfigMap.shows_updates().await;
}

async fn config_map_create_update_and_delete() {
    Keys::ProjectedConfigMap
        .shows_optional_objects_as_they_come_and_go()
        .await;
}

async fn config_map_multiple_volumes() {
    Keys::ProjectedConfigMap
        .shows_one_object_in_two_volumes()
        .await;
}

async fn pod_name() {
    KIND.shows_the_name().await;
}

async fn default_mode() {
    KIND.keeps_the_default_mode().await;
}

async fn item_mode() {
    KIND.keeps_an_items_mode().await;
}

async fn update_labels() {
    KIND.shows_updated_labels().await;
}

async fn update_annotation() {
    KIND.shows_updated_annotations().await;
}

async fn cpu_limit() {
    KIND.shows("limits.cpu", "2").await;
}

async fn memory_limit() {
    KIND.shows("limits.memory", "67108864").await;
}

async fn cpu_request() {
    KIND.shows("requests.cpu", "1").await;
}

async fn memory_request() {
    KIND.shows("requests.memory", "33554432").await;
}

async fn cpu_of_the_node() {
    KIND.shows_what_the_node_has("limits.cpu").await;
}

async fn memory_of_the_node() {
    KIND.shows_what_the_node_has("limits.memory").await;
}

async fn secret_default() {
    Keys::ProjectedSecret.shows_keys().await;
}

async fn secret_with_mode() {
    Keys::ProjectedSecret.keeps_the_default_mode(0o400).await;
}

async fn secret_mapped() {
    Keys::ProjectedSecret.maps_keys().await;
}

async fn secret_mapped_with_mode() {
    Keys::ProjectedSecret.maps_keys_with_their_mode().await;
}

async fn secret_multiple_volumes() {
    Keys::ProjectedSecret
        .shows_one_object_in_two_volumes()
        .await;
}

async fn secret_create_update_and_delete() {
    Keys::ProjectedSecret
        .shows_optional_objects_as_they_come_and_go()
        .await;
}
