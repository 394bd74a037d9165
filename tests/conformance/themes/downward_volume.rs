//! Volumes that tell of the pod: upstream's `test/e2e/common/storage/downwardapi_volume.go`.

use crate::downward::Downward;
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
    KIND.shows_updated_labels().await;
}

async fn update_annotations() {
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
