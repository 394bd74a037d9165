//! How pods are ended.

use super::*;
use crate::Exit;

#[tokio::test(start_paused = true)]
async fn a_stop_asks_every_container_and_the_status_says_who_wanted_it() {
    let world = World::new();
    let handle = world.start(two("Always"));
    running(&handle).await;
    handle.stop(None).await;
    assert_eq!(ended(&handle).await, "Failed");
    assert_eq!(
        (exit_code(&handle, "a"), exit_code(&handle, "b")),
        (Some(143), Some(143))
    );
    let stop = handle.status().stop;
    assert_eq!(stop, Some(wasmpod_lifecycle::pod::StopCause::Requested));
    let calls = world.runtime.calls();
    let stops: Vec<_> = calls.iter().filter(|call| call.contains("stop")).collect();
    assert_eq!(stops, ["0 stop a 30", "0 stop b 30"]);
    let last: Vec<_> = events(&handle).split_off(6);
    assert_eq!(
        last,
        [
            "Normal Killing Stopping container a",
            "Normal Killing Stopping container b"
        ]
    );
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_well_when_asked_makes_the_pod_succeed() {
    let world = World::new();
    let on_stop = Some((Duration::from_secs(4), Exit::with_code(0)));
    world.script(
        "a",
        [Script {
            on_stop,
            ..Script::default()
        }],
    );
    let handle = world.start(one("Always"));
    running(&handle).await;
    let before = tokio::time::Instant::now();
    handle.stop(None).await;
    assert_eq!(ended(&handle).await, "Succeeded");
    assert_eq!(before.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_does_not_heed_the_stop_is_killed_after_the_grace_period() {
    let world = World::new();
    world.script(
        "a",
        [Script {
            on_stop: None,
            ..Script::default()
        }],
    );
    let mut spec = one("Always");
    spec["terminationGracePeriodSeconds"] = json!(7);
    let handle = world.start(spec);
    running(&handle).await;
    let before = tokio::time::Instant::now();
    handle.stop(None).await;
    assert_eq!(ended(&handle).await, "Failed");
    assert_eq!(exit_code(&handle, "a"), Some(137));
    assert_eq!(before.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_shortens_the_wait_and_a_kill_ends_it() {
    let world = World::new();
    world.script(
        "a",
        [Script {
            on_stop: None,
            ..Script::default()
        }],
    );
    let handle = world.start(one("Always"));
    running(&handle).await;
    let before = tokio::time::Instant::now();
    handle.stop(Some(Duration::from_secs(100))).await;
    handle.stop(Some(Duration::from_secs(5))).await;
    tokio::time::advance(Duration::from_secs(2)).await;
    handle.kill().await;
    ended(&handle).await;
    assert_eq!(before.elapsed().as_secs(), 2);
    let killing = "Normal Killing Stopping container a".to_owned();
    assert_eq!(
        events(&handle)
            .into_iter()
            .filter(|event| *event == killing)
            .count(),
        1
    );
    // A stop of a pod that is over does nothing, and returns.
    handle.stop(None).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_up_the_preparation_of_a_program() {
    let world = World::new();
    let prepare = Duration::from_secs(600);
    world.runtime.script_program(
        "a.wasm",
        Script {
            prepare,
            ..Script::default()
        },
    );
    let handle = world.start(two("Always"));
    let mut progress = handle.progress();
    progress
        .wait_for(|all| all.contains_key("a"))
        .await
        .unwrap();
    let before = tokio::time::Instant::now();
    handle.stop(None).await;
    assert_eq!(ended(&handle).await, "Failed");
    assert_eq!(before.elapsed().as_secs(), 0);
    assert_eq!(world.runtime.calls(), ["0 prepare a.wasm"]);
    assert!(handle.progress().borrow().is_empty());
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_back_off_does_not_wait_for_it() {
    let world = World::new();
    world.script("a", [Script::ends_after(1, 1)]);
    let handle = world.start(one("Always"));
    until(&handle, |s| {
        waits_for(s, "a").as_deref() == Some("CrashLoopBackOff")
    })
    .await;
    let before = tokio::time::Instant::now();
    handle.stop(None).await;
    assert_eq!(ended(&handle).await, "Failed");
    assert_eq!(before.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_nobody_holds_is_stopped() {
    let world = World::new();
    let handle = world.start(one("Always"));
    running(&handle).await;
    let mut status = handle.watch();
    drop(handle);
    let last = status
        .wait_for(|status| status.ended)
        .await
        .unwrap()
        .clone();
    assert_eq!(last.phase(), "Failed");
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_active_for_too_long_is_stopped() {
    let world = World::new();
    let mut spec = one("Always");
    spec["activeDeadlineSeconds"] = json!(60);
    let handle = world.start(spec);
    assert_eq!(ended(&handle).await, "Failed");
    assert_eq!(
        handle.status().pod.reason.as_deref(),
        Some("DeadlineExceeded")
    );
    assert!(reasons(&handle).contains(&"DeadlineExceeded".to_owned()));
    assert_eq!(
        world.runtime.calls().get(2).map(String::as_str),
        Some("60 stop a 30")
    );
}

#[tokio::test(start_paused = true)]
async fn teardown_happens_in_reverse_and_after_the_containers() {
    let world = World::new();
    let mut spec = one("Always");
    spec["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let handle = world.start(spec);
    running(&handle).await;
    let volume = world
        .dir
        .path()
        .join("pods/u/volumes/kubernetes.io~empty-dir/v");
    assert!(volume.is_dir());
    let network = handle.status().network.clone().unwrap();
    handle.kill().await;
    ended(&handle).await;
    assert!(!volume.exists());
    let dialed = network.dial("127.0.0.1:1".parse().unwrap(), 80).await;
    assert_eq!(dialed.err(), Some(wasmpod_network::Errno::NetDown));
    assert!(world.is_clean());
}
