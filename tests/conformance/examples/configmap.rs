//! `configmap`.

use super::{examples, parsed};
use crate::host::Host;
use crate::pod::Pod;
use crate::table::rows;

rows! {
    "Examples: configmap";
    "configmap/configmap-multikeys.yaml" => passes two_keys;
    "configmap/configmaps.yaml" => passes two_maps_of_one_file;
    "configmap/configure-pod.yaml" => passes a_pod_configured_by_a_map;
    "configmap/immutable-configmap.yaml" => passes an_immutable_map_stays_as_it_is;
}

/// The names and data of the ConfigMaps of a manifest, as text.
fn maps(manifest: &str) -> String {
    let maps = parsed(manifest).config_maps.into_iter();
    let lines = maps.map(|map| format!("{} {:?}\n", map.metadata.name.unwrap(), map.data.unwrap()));
    lines.collect()
}

async fn two_keys() {
    let Some(manifest) = examples(&["configmap/configmap-multikeys.yaml"]) else {
        return;
    };
    let expected = "special-config {\"SPECIAL_LEVEL\": \"very\", \"SPECIAL_TYPE\": \"charm\"}\n";
    assert_eq!(maps(&manifest), expected);
}

async fn two_maps_of_one_file() {
    let Some(manifest) = examples(&["configmap/configmaps.yaml"]) else {
        return;
    };
    let expected =
        "special-config {\"special.how\": \"very\"}\nenv-config {\"log_level\": \"INFO\"}\n";
    assert_eq!(maps(&manifest), expected);
}

async fn a_pod_configured_by_a_map() {
    let paths = [
        "configmap/configure-pod.yaml",
        "_companions/configmap-game-demo.yaml",
    ];
    let Some(manifest) = examples(&paths) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let printed = pod.exec(
        "demo",
        &[
            "printenv",
            "PLAYER_INITIAL_LIVES",
            "UI_PROPERTIES_FILE_NAME",
        ],
    );
    assert_eq!(printed.await.stdout, "3\nuser-interface.properties\n");
    let listed = pod.exec("demo", &["ls", "/config"]).await;
    assert_eq!(
        listed.stdout,
        "game.properties\nuser-interface.properties\n"
    );
    let read = pod.exec("demo", &["cat", "/config/game.properties"]).await;
    assert_eq!(
        read.stdout,
        "enemy.types=aliens,monsters\nplayer.maximum-lives=5\n"
    );
    let written = pod
        .exec("demo", &["sh", "-c", "echo x > /config/new"])
        .await;
    assert_ne!(written.code, 0, "{written:?}");
}

async fn an_immutable_map_stays_as_it_is() {
    let Some(manifest) = examples(&["configmap/immutable-configmap.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    host.apply(&manifest).await;
    let refused = host
        .try_apply(&manifest.replace("ACME", "Ajax"))
        .await
        .unwrap_err();
    assert!(
        refused.contains("field is immutable when `immutable` is set"),
        "{refused}"
    );
    let map = host.object(wasmpod_store::Kind::ConfigMap, "company-name-20150801");
    assert_eq!(map["data"]["company_name"], "ACME, Inc.");
    assert_eq!(map["immutable"], true);
}
