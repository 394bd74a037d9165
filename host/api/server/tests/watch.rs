//! WATCH: order, selectors, bookmarks, expiry.

use super::*;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

impl World {
    async fn watch(&self, query: &str) -> Lines {
        let target = format!("{MAPS}?watch=true&{query}");
        bounded(self.client.watch(&target, Accept::Json)).await.unwrap()
    }

    fn version(&self) -> u64 {
        self.agent.store().resource_version()
    }
}

/// `TYPE name` of the next event.
async fn told(lines: &mut Lines) -> String {
    let event = next(lines).await;
    let name = event["object"]["metadata"]["name"].as_str().unwrap_or("-").to_owned();
    format!("{} {name}", event["type"].as_str().unwrap())
}

#[tokio::test]
async fn a_watch_without_version_begins_with_what_there_is() {
    let world = World::new();
    world.config_map("a", json!({}));
    let mut lines = world.watch("").await;
    assert_eq!(told(&mut lines).await, "ADDED a");
    world.config_map("b", json!({}));
    world.label("a", json!({"x": "y"}));
    world.agent.store().delete(Kind::ConfigMap, Some("default"), "a").unwrap();
    for expected in ["ADDED b", "MODIFIED a", "DELETED a"] {
        assert_eq!(told(&mut lines).await, expected);
    }
}

#[tokio::test]
async fn a_watch_from_a_version_tells_what_came_after_it() {
    let world = World::new();
    world.config_map("a", json!({}));
    let version = world.version();
    world.config_map("b", json!({}));
    let mut lines = world.watch(&format!("resourceVersion={version}")).await;
    assert_eq!(told(&mut lines).await, "ADDED b");
}

#[tokio::test]
async fn a_selector_turns_changes_into_coming_and_going() {
    let world = World::new();
    world.config_map("a", json!({"on": "no"}));
    let version = world.version();
    world.label("a", json!({"on": "yes"}));
    world.label("a", json!({"on": "yes", "more": "x"}));
    world.label("a", json!({"on": "no"}));
    world.label("a", json!({"on": "never"}));
    world.label("a", json!({"on": "yes"}));
    world.agent.store().delete(Kind::ConfigMap, Some("default"), "a").unwrap();
    let mut lines = world.watch(&format!("resourceVersion={version}&labelSelector=on%3Dyes")).await;
    for expected in ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"] {
        assert_eq!(told(&mut lines).await, expected);
    }
}

#[tokio::test]
async fn a_watch_list_says_when_it_told_all_there_was() {
    let world = World::new();
    world.config_map("a", json!({}));
    world.config_map("b", json!({}));
    let asks = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut lines = world.watch(asks).await;
    assert_eq!([told(&mut lines).await, told(&mut lines).await], ["ADDED a", "ADDED b"]);
    let bookmark = next(&mut lines).await;
    assert_eq!(bookmark["type"], "BOOKMARK");
    let metadata = &bookmark["object"]["metadata"];
    assert_eq!(metadata["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(metadata["resourceVersion"], world.version().to_string());
    world.config_map("c", json!({}));
    assert_eq!(told(&mut lines).await, "ADDED c");
    let refused = world.refused(&format!("{MAPS}?watch=true&sendInitialEvents=true")).await;
    assert_eq!(refused.code, 422, "else the client would wait without end");
}

#[tokio::test]
async fn a_version_that_is_not_known_any_more_is_expired() {
    let world = World::new();
    world.config_map("a", json!({}));
    let version = world.version();
    for round in 0..=wasmpod_store::HISTORY_LENGTH {
        world.label("a", json!({"round": round.to_string()}));
    }
    let mut lines = world.watch(&format!("resourceVersion={version}")).await;
    let error = next(&mut lines).await;
    assert_eq!((&error["type"], &error["object"]["code"], &error["object"]["reason"]), (&json!("ERROR"), &json!(410), &json!("Expired")));
    assert!(bounded(lines.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_watcher_that_does_not_read_expires_and_holds_nobody_up() {
    let world = World::new();
    world.config_map("a", json!({}));
    let mut slow = world.watch("").await;
    let mut quick = world.watch("").await;
    let filler = "x".repeat(60_000);
    for round in 0..3 * wasmpod_store::HISTORY_LENGTH {
        let annotations = json!({"n": round.to_string(), "filler": filler});
        let annotations: std::collections::BTreeMap<String, String> = serde_json::from_value(annotations).unwrap();
        let change = &mut |object: &mut Object| {
            object.metadata_mut().annotations = Some(annotations.clone());
            Ok(())
        };
        world.agent.store().update(Kind::ConfigMap, Some("default"), "a", change).unwrap();
        next(&mut quick).await;
    }
    let mut last = Value::Null;
    while let Some(event) = bounded(slow.next()).await.unwrap() {
        last = event;
    }
    assert_eq!(last["object"]["reason"], "Expired");
}

#[tokio::test]
async fn a_watch_as_a_table_tells_its_columns_once() {
    let world = World::new();
    world.config_map("a", json!({}));
    let mut lines = world.client.watch(&format!("{MAPS}?watch=true"), Accept::Table).await.unwrap();
    let first = next(&mut lines).await;
    assert_eq!(first["object"]["columnDefinitions"][0]["name"], "Name");
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    world.config_map("b", json!({}));
    let second = next(&mut lines).await;
    assert_eq!(second["object"]["columnDefinitions"], json!([]));
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
}

#[tokio::test]
async fn a_watch_ends_when_its_time_is_over() {
    let world = World::new();
    let mut lines = world.watch("timeoutSeconds=1").await;
    assert!(bounded(lines.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn watching_one_object_is_watching_a_list_of_it() {
    let world = World::new();
    world.config_map("a", json!({}));
    world.config_map("b", json!({}));
    let mut lines = world.client.watch(&format!("{MAPS}/b?watch=true"), Accept::Json).await.unwrap();
    assert_eq!(told(&mut lines).await, "ADDED b");
}
