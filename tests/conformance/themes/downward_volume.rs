//! Volumes that tell of the pod: upstream's `test/e2e/common/storage/downwardapi_volume.go`.

use serde_json::json;

use crate::downward::{Downward, is_positive, resources};
use crate::table::rows;

rows! {
    "1.18 Downward API volume";
    "DownwardAPI volume, pod name" => passes pod_name;
    "DownwardAPI volume, volume mode 0400" => passes default_mode;
    "DownwardAPI volume, file mode 0400" => passes item_mode;
    "DownwardAPI volume, update label" => passes update_label;
    "DownwardAPI volume, update annotations" => passes update_annotations;
    "DownwardAPI volume, CPU limits" => passes cpu_limit;
    "DownwardAPI volume, memory limits" => passes memory_limit;
    "DownwardAPI volume, CPU request" => passes cpu_request;
    "DownwardAPI volume, memory request" => passes memory_request;
    "DownwardAPI volume, CPU limit, default node allocatable" => passes cpu_of_the_node;
    "DownwardAPI volume, memory limit, default node allocatable" => passes memory_of_the_node;
}

const KIND: Downward = Downward::Alone;

async fn pod_name() {
    KIND.shows_the_name().await;
}

async fn default_mode() {
    KIND.keeps_the_default_mode().await;
}

async fn item_mode() {
    KIND.keeps_an_items_mode().await;
}

async fn update_label() {
    KIND.shows_updates_of("labels", ("key1", "value1"), ("key3", "value3"))
        .await;
}

async fn update_annotations() {
    KIND.shows_updates_of("annotations", ("builder", "bar"), ("builder", "foo"))
        .await;
}

async fn cpu_limit() {
    assert_eq!(KIND.resource("limits.cpu", resources()).await, "2");
}

async fn memory_limit() {
    assert_eq!(
        KIND.resource("limits.memory", resources()).await,
        "67108864"
    );
}

async fn cpu_request() {
    assert_eq!(KIND.resource("requests.cpu", resources()).await, "1");
}

async fn memory_request() {
    assert_eq!(
        KIND.resource("requests.memory", resources()).await,
        "33554432"
    );
}

async fn cpu_of_the_node() {
    assert!(is_positive(&KIND.resource("limits.cpu", json!({})).await));
}

async fn memory_of_the_node() {
    assert!(is_positive(
        &KIND.resource("limits.memory", json!({})).await
    ));
}
