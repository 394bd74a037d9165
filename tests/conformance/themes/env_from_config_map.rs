//! Variables from ConfigMaps: upstream's `test/e2e/common/node/configmap.go`.

use serde_json::json;
use wasmpod_api::client::{Accept, DeleteOptions, Write};
use wasmpod_store::Kind;

use crate::env::environment;
use crate::node::Node;
use crate::objects::{config_map, data, refusal};
use crate::stored;
use crate::table::rows;

rows! {
    "1.9 Env from ConfigMap";
    "ConfigMap, from environment variables (valueFrom)" => passes value_from;
    "ConfigMap, from environment field (envFrom)" => passes env_from;
    "ConfigMap, from environment field with various prefixes" => passes various_prefixes;
    "ConfigMap, with empty-key (rejected)" => passes empty_key;
    "ConfigMap lifecycle (patch, list, watch, delete collection)" => passes lifecycle;
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

async fn lifecycle() {
    let mut node = Node::start();
    let client = node.client().await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let labelled = format!("{maps}?labelSelector=test-configmap-static%3Dtrue");
    let version = client.get(&labelled, Accept::Json).await.unwrap();
    let version = version["metadata"]["resourceVersion"].as_str().unwrap();
    let watch = format!("{labelled}&watch=true&resourceVersion={version}");
    let mut watch = client.watch(&watch, Accept::Json).await.unwrap();
    let mut next = async || watch.next().await.unwrap().unwrap();

    let mut map = config_map("m", json!({"valueName": "value"}));
    map["metadata"]["labels"] = json!({"test-configmap-static": "true"});
    client.write(Write::Create, maps, &map).await.unwrap();
    assert_eq!(next().await["type"], "ADDED");

    let labels = json!({"test-configmap": "patched"});
    let patch = json!({"metadata": {"labels": labels}, "data": {"valueName": "value1"}});
    let path = format!("{maps}/m");
    client
        .write(Write::StrategicMergePatch, &path, &patch)
        .await
        .unwrap();
    let event = next().await;
    assert_eq!(event["type"], "MODIFIED");
    let patched = client.get(&path, Accept::Json).await.unwrap();
    assert_eq!(event["object"], patched);
    assert_eq!(patched["data"], json!({"valueName": "value1"}));
    assert_eq!(patched["metadata"]["labels"]["test-configmap"], "patched");

    let everywhere = "/api/v1/configmaps?labelSelector=test-configmap-static%3Dtrue";
    let list = client.get(everywhere, Accept::Json).await.unwrap();
    assert_eq!(list["items"], json!([patched]));

    let options = DeleteOptions::default();
    client.delete(&labelled, &options).await.unwrap();
    assert_eq!(next().await["type"], "DELETED");
    let list = client.get(&labelled, Accept::Json).await.unwrap();
    assert_eq!(list["items"], json!([]));
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
