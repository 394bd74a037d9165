//! Variables from ConfigMaps: upstream's `test/e2e/common/node/configmap.go`.

use serde_json::json;
use wasmpod_store::Kind;

use crate::env::environment;
use crate::objects::{config_map, data, refusal};
use crate::stored;
use crate::table::rows;

rows! {
    "1.9 Env from ConfigMap";
    "ConfigMap, from environment variables (valueFrom)" => passes value_from;
    "ConfigMap, from environment field (envFrom)" => passes env_from;
    "ConfigMap, from environment field with various prefixes" => passes various_prefixes;
    "ConfigMap, with empty-key (rejected)" => passes empty_key;
    "ConfigMap lifecycle (patch, list, watch, delete collection)" => differs "comes with writes of the API";
    "ConfigMap, update" => passes update;
}

async fn value_from() {
    let key = json!({"configMapKeyRef": {"name": "m", "key": "data-1"}});
    let fields = json!({"env": [{"name": "CONFIG_DATA_1", "valueFrom": key}]});
    let (env, _) = environment(&[config_map("m", data())], fields).await;
    env.has(&["CONFIG_DATA_1=value-1"]);
}

async fn env_from() {
    let data = json!({"data_1": "value-1", "data_2": "value-2", "data_3": "value-3"});
    let map = json!({"name": "m"});
    let fields = json!({"envFrom": [{"configMapRef": map}, {"prefix": "p_", "configMapRef": map}]});
    let (env, _) = environment(&[config_map("m", data)], fields).await;
    env.has(&["data_1=value-1", "data_2=value-2", "data_3=value-3"]);
    env.has(&["p_data_1=value-1", "p_data_2=value-2", "p_data_3=value-3"]);
}

async fn various_prefixes() {
    // A prefix may be of any printable ASCII but `=`, digits first or not.
    let map = json!({"name": "m"});
    let prefixes = ["p-", "1-", "$_-", "#a.b "];
    let from: Vec<_> = prefixes
        .iter()
        .map(|prefix| json!({"prefix": prefix, "configMapRef": map}))
        .collect();
    let (env, _) = environment(&[config_map("m", data())], json!({"envFrom": from})).await;
    for prefix in prefixes {
        for number in 1..=3 {
            env.has(&[&format!("{prefix}data-{number}=value-{number}")]);
        }
    }
}

async fn empty_key() {
    let report = refusal(&[config_map("m", json!({"": "value-1"}))]);
    assert!(
        report.contains("a valid config key must consist of"),
        "{report}"
    );
}

async fn update() {
    let node = stored::node(&[config_map("m", data())]).await;
    let before = stored::get(&node, Kind::ConfigMap, "m");
    let changed = stored::update(&node, Kind::ConfigMap, "m", |map| {
        map["data"] = json!({"data": "value"})
    });
    changed.unwrap();
    let after = stored::get(&node, Kind::ConfigMap, "m");
    assert_eq!(after["data"], json!({"data": "value"}));
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_ne!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
}
