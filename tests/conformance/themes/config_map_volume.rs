//! Volumes of ConfigMaps: upstream's `test/e2e/common/storage/configmap_volume.go`.

use serde_json::json;

use crate::files::{Keys, MOUNT};
use crate::objects::{config_map, data, manifest, pod, set};
use crate::pod::Pod;
use crate::stored::is_immutable_once_it_says_so;
use crate::table::rows;

rows! {
    "1.16 ConfigMap volume";
    "ConfigMap Volume, without mapping" => passes without_mapping;
    "ConfigMap Volume, without mapping, non-root user" => passes without_mapping_non_root;
    "ConfigMap Volume, without mapping, volume mode set (0400)" => passes without_mapping_with_mode;
    "ConfigMap Volume, with mapping" => passes with_mapping;
    "ConfigMap Volume, with mapping, volume mode set" => passes with_mapping_and_mode;
    "ConfigMap Volume, with mapping, non-root user" => passes with_mapping_non_root;
    "ConfigMap Volume, update (live update seen in container)" => passes update;
    "ConfigMap Volume, text data, binary data" => passes binary_data;
    "ConfigMap Volume, create, update and delete (optional)" => passes create_update_and_delete;
    "ConfigMap Volume, multiple volume maps in one pod" => passes multiple_volumes;
    "ConfigMap Volume, immutability" => passes immutability;
}

async fn without_mapping() {
    Keys::ConfigMap.shows_keys().await;
}

async fn without_mapping_non_root() {
    Keys::ConfigMap.shows_keys_to_others_than_root().await;
}

async fn without_mapping_with_mode() {
    Keys::ConfigMap.keeps_the_default_mode(0o400).await;
}

async fn with_mapping() {
    Keys::ConfigMap.maps_keys().await;
}

async fn with_mapping_and_mode() {
    Keys::ConfigMap.maps_keys_with_their_mode().await;
}

async fn with_mapping_non_root() {
    Keys::ConfigMap.maps_keys_for_others_than_root().await;
}

async fn update() {
    Keys::ConfigMap.shows_updates().await;
}

async fn binary_data() {
    let mut map = config_map("m", data());
    set(
        &mut map,
        json!({"binaryData": {"dump.bin": "3sr+utD+/w=="}}),
    );
    let object = pod(json!({
        "volumes": [{"name": "v", "configMap": {"name": "m"}}],
        "containers": [{
            "name": "c", "image": "busybox", "volumeMounts": [{"name": "v", "mountPath": MOUNT}],
            "command": ["sh", "-c", format!("cat {MOUNT}/data-1; echo; base64 {MOUNT}/dump.bin")],
        }],
    }));
    let pod = Pod::start(&manifest(&[map, object])).await;
    pod.ends("Succeeded").await;
    assert_eq!(pod.log("c").await, "value-1\n3sr+utD+/w==\n");
}

async fn create_update_and_delete() {
    Keys::ConfigMap
        .shows_optional_objects_as_they_come_and_go()
        .await;
}

async fn multiple_volumes() {
    Keys::ConfigMap.shows_one_object_in_two_volumes().await;
}

async fn immutability() {
    is_immutable_once_it_says_so(config_map("o", data())).await;
}
