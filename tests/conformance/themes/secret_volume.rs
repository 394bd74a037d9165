//! Volumes of Secrets: upstream's `test/e2e/common/storage/secrets_volume.go`.

use serde_json::json;

use crate::files::{Keys, MOUNT, reader};
use crate::objects::{data, secret, set};
use crate::stored::{is_immutable_once_it_says_so, log_of_success, node};
use crate::table::rows;

rows! {
    "1.17 Secret volume";
    "Secrets Volume, default" => passes default;
    "Secrets Volume, volume mode 0400" => passes with_mode;
    "Secrets Volume, volume mode 0440, fsGroup 1001 and uid 1000" => not_applicable "guests have no users and no groups";
    "Secrets Volume, mapping" => passes mapping;
    "Secrets Volume, mapping, volume mode 0400" => passes mapping_with_mode;
    "Secrets Volume, volume mode default, secret with same name in different namespace" => passes same_name_in_another_namespace;
    "Secrets Volume, mapping multiple volume paths" => passes multiple_volumes;
    "Secrets Volume, create, update and delete (optional)" => passes create_update_and_delete;
    "Secret Volume, immutability" => passes immutability;
}

async fn default() {
    Keys::Secret.shows_keys().await;
}

async fn with_mode() {
    Keys::Secret.keeps_the_default_mode(0o400).await;
}

async fn mapping() {
    Keys::Secret.maps_keys().await;
}

async fn mapping_with_mode() {
    Keys::Secret.maps_keys_with_their_mode().await;
}

async fn same_name_in_another_namespace() {
    let there = json!({"namespace": "there"});
    let file = format!("{MOUNT}/data-1");
    let here_pod = reader(&[Keys::Secret.volume("v", "o", json!({}))], &[MOUNT], &file);
    let mut there_pod = here_pod.clone();
    set(&mut there_pod["metadata"], there.clone());
    let mut there_secret = secret("o", json!({"data-1": "value-there"}));
    set(&mut there_secret["metadata"], there);
    let node = node(&[secret("o", data()), there_secret, here_pod, there_pod]).await;
    for (namespace, value) in [("default", "value-1"), ("there", "value-there")] {
        let expected = format!("content of file \"{file}\": {value}\n");
        assert_eq!(
            log_of_success(&node, namespace, "p").await,
            expected,
            "{namespace}"
        );
    }
}

async fn multiple_volumes() {
    Keys::Secret.shows_one_object_in_two_volumes().await;
}

async fn create_update_and_delete() {
    Keys::Secret
        .shows_optional_objects_as_they_come_and_go()
        .await;
}

async fn immutability() {
    is_immutable_once_it_says_so(secret("o", data())).await;
}
