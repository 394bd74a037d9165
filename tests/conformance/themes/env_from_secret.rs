//! Variables from Secrets: upstream's `test/e2e/common/node/secrets.go`.

use serde_json::json;
use wasmpod_api::client::{Accept, DeleteOptions, Write};

use crate::env::environment;
use crate::node::Node;
use crate::objects::{data, refusal, secret};
use crate::table::rows;

rows! {
    "1.10 Env from Secret";
    "Secrets, pod environment field" => passes value_from;
    "Secrets, pod environment from source" => passes env_from;
    "Secrets, pod environment from source with various prefixes" => passes various_prefixes;
    "Secrets, with empty-key (rejected)" => passes empty_key;
    "Secret patching" => passes patching;
}

async fn value_from() {
    let key = json!({"secretKeyRef": {"name": "s", "key": "data-1"}});
    let fields = json!({"env": [{"name": "SECRET_DATA", "valueFrom": key}]});
    let (env, _) = environment(&[secret("s", data())], fields).await;
    env.has(&["SECRET_DATA=value-1"]);
}

async fn env_from() {
    let data = json!({"data_1": "value-1", "data_2": "value-2", "data_3": "value-3"});
    let source = json!({"name": "s"});
    let fields = json!({"envFrom": [{"secretRef": source}, {"prefix": "p_", "secretRef": source}]});
    let (env, _) = environment(&[secret("s", data)], fields).await;
    env.has(&["data_1=value-1", "data_2=value-2", "data_3=value-3"]);
    env.has(&["p_data_1=value-1", "p_data_2=value-2", "p_data_3=value-3"]);
}

async fn various_prefixes() {
    // A prefix may be of any printable ASCII but `=`, digits first or not.
    let source = json!({"name": "s"});
    let prefixes = ["p-", "1-", "$_-", "#a.b "];
    let from: Vec<_> = prefixes
        .iter()
        .map(|prefix| json!({"prefix": prefix, "secretRef": source}))
        .collect();
    let (env, _) = environment(&[secret("s", data())], json!({"envFrom": from})).await;
    for prefix in prefixes {
        for number in 1..=3 {
            env.has(&[&format!("{prefix}data-{number}=value-{number}")]);
        }
    }
}

async fn empty_key() {
    // Upstream's has its key in `data`, whose values are Base64.
    let mut secret = secret("s", json!({}));
    secret["data"] = json!({"": "dmFsdWUtMQ=="});
    let report = refusal(&[secret]);
    assert!(
        report.contains("a valid config key must consist of"),
        "{report}"
    );
}

async fn patching() {
    let mut node = Node::start();
    let client = node.client().await;
    let secrets = "/api/v1/namespaces/default/secrets";
    let mut made = secret("s", json!({}));
    made["data"] = json!({"key": "dmFsdWU="});
    made["metadata"]["labels"] = json!({"testsecret-constant": "true"});
    client.write(Write::Create, secrets, &made).await.unwrap();
    let everywhere = "/api/v1/secrets?labelSelector=testsecret-constant%3Dtrue";
    let list = client.get(everywhere, Accept::Json).await.unwrap();
    assert_eq!(list["items"][0]["metadata"]["name"], "s");

    let path = format!("{secrets}/s");
    let labels = json!({"testsecret": "true"});
    let patch = json!({"metadata": {"labels": labels}, "data": {"key": "dmFsdWUx"}});
    client
        .write(Write::StrategicMergePatch, &path, &patch)
        .await
        .unwrap();
    let patched = client.get(&path, Accept::Json).await.unwrap();
    assert_eq!(patched["data"], json!({"key": "dmFsdWUx"}));
    assert_eq!(patched["metadata"]["labels"]["testsecret"], "true");

    let selected = format!("{secrets}?labelSelector=testsecret%3Dtrue");
    let options = DeleteOptions::default();
    client.delete(&selected, &options).await.unwrap();
    let list = client.get(everywhere, Accept::Json).await.unwrap();
    assert_eq!(list["items"], json!([]));
}
