//! A pod that is changed, refreshed and measured while it lives.

use super::*;

fn config_map(world: &World, value: &str) {
    let map = serde_json::from_value(json!({"data": {"k": value}})).unwrap();
    let mut maps = world.surroundings.config_maps.lock().unwrap();
    maps.insert("m".to_owned(), Arc::new(map));
}

fn read(world: &World, path: &str) -> Option<String> {
    std::fs::read_to_string(world.dir.path().join("pods/u/volumes").join(path)).ok()
}

#[tokio::test(start_paused = true)]
async fn volumes_show_what_a_config_map_says_after_a_refresh() {
    let world = World::new();
    config_map(&world, "old");
    let mut spec = one("Always");
    spec["volumes"] = json!([{"name": "v", "configMap": {"name": "m"}}]);
    let handle = world.start(spec);
    running(&handle).await;
    let file = "kubernetes.io~configmap/v/k";
    assert_eq!(read(&world, file).as_deref(), Some("old"));
    config_map(&world, "new");
    // Two at a time: both come back, and the last one counts.
    tokio::join!(handle.refresh(), handle.refresh());
    assert_eq!(read(&world, file).as_deref(), Some("new"));
    world.surroundings.config_maps.lock().unwrap().clear();
    handle.refresh().await;
    assert_eq!(read(&world, file).as_deref(), Some("new"));
    let last = events(&handle).pop().unwrap();
    assert!(last.starts_with("Warning FailedMount"), "{last}");
    handle.kill().await;
    ended(&handle).await;
    handle.refresh().await;
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_changed_label_reaches_the_downward_api() {
    let world = World::new();
    let mut spec = one("Always");
    let items = json!([{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]);
    spec["volumes"] = json!([{"name": "v", "downwardAPI": {"items": items}}]);
    World::name_images(&mut spec);
    let handle = world.start(spec.clone());
    running(&handle).await;
    let mut pod = World::pod(&spec);
    let labels = [("app".to_owned(), "web".to_owned())];
    pod.metadata.labels = Some(labels.into_iter().collect());
    handle.update(Arc::new(pod)).await;
    // It is taken up in order: after the update's own.
    handle.refresh().await;
    let shown = read(&world, "kubernetes.io~downward-api/v/labels");
    assert_eq!(shown.as_deref(), Some("app=\"web\""));
}

#[tokio::test(start_paused = true)]
async fn another_image_replaces_the_container_that_has_it_and_no_other() {
    let world = World::new();
    let mut spec = two("Never");
    World::name_images(&mut spec);
    let handle = world.start(spec.clone());
    running(&handle).await;
    spec["containers"][1]["image"] = json!("next");
    handle.update(Arc::new(World::pod(&spec))).await;
    until(&handle, |s| {
        container(s, "b").is_some_and(|c| c.restart_count == 1 && c.ready)
    })
    .await;
    let status = handle.status();
    assert_eq!(container(&status, "a").unwrap().restart_count, 0);
    let program = world
        .runtime
        .with_config("b", |config| config.program.name.clone());
    assert_eq!(program.as_deref(), Some("next.wasm"));
    assert!(
        events(&handle)
            .iter()
            .any(|e| e.contains("Container b definition changed"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_volume_over_its_size_limit_puts_the_pod_out() {
    let world = World::new();
    let mut spec = one("Always");
    spec["volumes"] = json!([{"name": "v", "emptyDir": {"sizeLimit": "64Ki"}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let handle = world.start(spec);
    running(&handle).await;
    let volume = world
        .dir
        .path()
        .join("pods/u/volumes/kubernetes.io~empty-dir/v");
    std::fs::write(volume.join("little"), vec![1; 1024]).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(handle.status().is_ready());
    std::fs::write(volume.join("much"), vec![1; 256 * 1024]).unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(ended(&handle).await, "Failed");
    assert!(before.elapsed() <= Duration::from_secs(11));
    let status = handle.status();
    assert_eq!(status.pod.reason.as_deref(), Some("Evicted"));
    let text = "Usage of EmptyDir volume \"v\" exceeds the limit \"64Ki\". ";
    assert_eq!(status.pod.message.as_deref(), Some(text));
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_a_container_prints_counts_as_its_storage() {
    let world = World::new();
    world.script(
        "a",
        [Script {
            prints: "x".repeat(32 * 1024),
            ..Script::default()
        }],
    );
    let mut spec = two("Always");
    for container in 0..2 {
        let limit = json!({"limits": {"ephemeral-storage": "16Ki"}});
        spec["containers"][container]["resources"] = limit;
    }
    // Together they may use as much as one of them does.
    spec["initContainers"] = json!([{
        "name": "i", "restartPolicy": "Always",
        "resources": {"limits": {"ephemeral-storage": "1Mi"}},
    }]);
    let handle = world.start(spec);
    assert_eq!(ended(&handle).await, "Failed");
    let text = "Container a exceeded its local ephemeral storage limit \"16Ki\". ";
    assert_eq!(handle.status().pod.message.as_deref(), Some(text));
}

#[tokio::test(start_paused = true)]
async fn sub_path_expressions_are_expanded_from_the_containers_environment() {
    let world = World::new();
    let mut spec = one("Always");
    spec["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    spec["containers"][0]["env"] = json!([{"name": "NAME", "value": "sub"}]);
    spec["containers"][0]["volumeMounts"] =
        json!([{"name": "v", "mountPath": "/v", "subPathExpr": "$(NAME)/dir"}]);
    let handle = world.start(spec.clone());
    running(&handle).await;
    let volume = world
        .dir
        .path()
        .join("pods/u/volumes/kubernetes.io~empty-dir/v");
    assert!(volume.join("sub/dir").is_dir());
    handle.kill().await;
    ended(&handle).await;
    spec["containers"][0]["volumeMounts"][0]["subPathExpr"] = json!("$(MISSING)");
    let handle = world.start(spec);
    until(&handle, |s| {
        waits_for(s, "a").as_deref() == Some("CreateContainerConfigError")
    })
    .await;
}
