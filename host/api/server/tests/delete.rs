//! DELETE: graceful, at once, guarded, of a whole list.

use super::*;
use crate::client::{DeleteOptions, Preconditions};

const WEB: &str = "/api/v1/namespaces/default/pods/web";

#[tokio::test]
async fn a_pod_is_terminating_until_its_containers_have_ended() {
    let world = World::new();
    let heedless = Script { on_stop: None, ..Script::default() };
    world.runtime.script("a", [heedless]);
    world.pod("web", &["a"]).await;
    let mut lines = world.client.watch(&format!("{WEB}?watch=true"), Accept::Json).await.unwrap();
    next(&mut lines).await;
    let deleted = world.client.delete(WEB, &DeleteOptions::default()).await.unwrap();
    assert_eq!(deleted["kind"], "Pod");
    assert!(deleted["metadata"]["deletionTimestamp"].is_string(), "{}", deleted["metadata"]);
    let table = world.client.table(WEB).await.unwrap();
    assert_eq!(table.rows[0].cells[2], "Terminating");
    loop {
        let event = next(&mut lines).await;
        assert!(event["object"]["metadata"]["deletionTimestamp"].is_string());
        if event["type"] == "DELETED" {
            break;
        }
    }
    assert_eq!(world.refused(WEB).await.code, 404);
}

#[tokio::test]
async fn other_objects_go_at_once_and_a_status_says_so() {
    let world = World::new();
    world.config_map("a", json!({}));
    let path = "/api/v1/namespaces/default/configmaps/a";
    let uid = world.get(path).await["metadata"]["uid"].clone();
    let dry = DeleteOptions { dry_run: vec!["All".to_owned()], ..DeleteOptions::default() };
    assert_eq!(world.client.delete(path, &dry).await.unwrap()["metadata"]["uid"], uid);
    let status = world.client.delete(path, &DeleteOptions::default()).await.unwrap();
    assert_eq!((&status["status"], &status["details"]["uid"]), (&json!("Success"), &uid));
    assert_eq!(status_of(&world, path, &DeleteOptions::default()).await.code, 404);
}

async fn status_of(world: &World, path: &str, options: &DeleteOptions) -> Status {
    status(bounded(world.client.delete(path, options)).await)
}

#[tokio::test]
async fn a_precondition_guards_and_wrong_options_are_refused() {
    let world = World::new();
    world.config_map("a", json!({}));
    let path = "/api/v1/namespaces/default/configmaps/a";
    let guarded = |uid: &str, version: Option<&str>| DeleteOptions {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: version.map(str::to_owned) }),
        ..DeleteOptions::default()
    };
    assert_eq!(status_of(&world, path, &guarded("other", None)).await.reason, "Conflict");
    let uid = world.get(path).await["metadata"]["uid"].as_str().unwrap().to_owned();
    assert_eq!(status_of(&world, path, &guarded(&uid, Some("1"))).await.reason, "Conflict");
    let wrong = DeleteOptions { propagation_policy: Some("Sideways".to_owned()), ..DeleteOptions::default() };
    assert_eq!(status_of(&world, path, &wrong).await.code, 422);
    assert_eq!(world.get(path).await["metadata"]["name"], "a");
}

#[tokio::test]
async fn a_selected_list_is_deleted_and_the_rest_stays() {
    let world = World::new();
    for (name, on) in [("a", "yes"), ("b", "no"), ("c", "yes")] {
        world.config_map(name, json!({"on": on}));
    }
    let path = "/api/v1/namespaces/default/configmaps";
    let deleted = world.client.delete(&format!("{path}?labelSelector=on%3Dyes"), &DeleteOptions::default()).await.unwrap();
    assert_eq!(names(&deleted), ["a", "c"]);
    assert_eq!(names(&world.get(path).await), ["b"]);
    assert_eq!(status_of(&world, "/api/v1/configmaps", &DeleteOptions::default()).await.code, 405);
}
