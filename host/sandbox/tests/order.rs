//! What starts when, and how pods end by themselves.

use super::*;

#[tokio::test(start_paused = true)]
async fn containers_start_in_the_manifests_order() {
    let world = World::new();
    let handle = world.start(two("Always"));
    running(&handle).await;
    let calls = world.runtime.calls();
    assert_eq!(
        calls,
        ["0 create a#0", "0 start a", "0 create b#0", "0 start b"]
    );
    assert_eq!(
        events(&handle),
        [
            "Normal Pulled Container image \"a\" already present on machine",
            "Normal Created Created container: a",
            "Normal Started Started container a",
            "Normal Pulled Container image \"b\" already present on machine",
            "Normal Created Created container: b",
            "Normal Started Started container b",
        ]
    );
    let status = handle.status();
    let a = container(&status, "a").unwrap();
    assert_eq!(a.container_id.as_deref(), Some("wasmpod://fake-1"));
    assert!(a.image_id.starts_with("sha256:"), "{}", a.image_id);
    assert!(status.pod.pod_ip.is_some());
}

#[tokio::test(start_paused = true)]
async fn init_containers_run_one_after_another_before_the_others() {
    let world = World::new();
    world.script("i1", [Script::ends_after(2, 0)]);
    world.script("i2", [Script::ends_after(3, 0)]);
    let mut spec = one("Always");
    spec["initContainers"] = json!([{"name": "i1"}, {"name": "i2"}]);
    let handle = world.start(spec);
    running(&handle).await;
    let calls = world.runtime.calls();
    let starts: Vec<_> = calls.iter().filter(|call| call.contains("start")).collect();
    assert_eq!(starts, ["0 start i1", "2 start i2", "5 start a"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_containers_succeed_has_succeeded_and_leaves_nothing() {
    let world = World::new();
    world.script("a", [Script::ends_after(1, 0)]);
    world.script("b", [Script::ends_after(2, 0)]);
    let handle = world.start(two("Never"));
    assert_eq!(ended(&handle).await, "Succeeded");
    assert!(world.is_clean());
    assert_eq!(handle.status().stop, None);
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_a_failed_container_has_failed() {
    let world = World::new();
    world.script("a", [Script::ends_after(1, 3)]);
    world.script("b", [Script::ends_after(2, 0)]);
    let handle = world.start(two("Never"));
    assert_eq!(ended(&handle).await, "Failed");
    assert_eq!(
        (exit_code(&handle, "a"), exit_code(&handle, "b")),
        (Some(3), Some(0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_crashing_container_restarts_with_the_kubelets_back_off() {
    let world = World::new();
    world.script("a", [Script::ends_after(1, 1)]);
    let handle = world.start(one("Always"));
    until(&handle, |s| {
        container(s, "a").is_some_and(|c| c.restart_count == 4)
    })
    .await;
    until(&handle, |s| {
        waits_for(s, "a").as_deref() == Some("CrashLoopBackOff")
    })
    .await;
    let calls = world.runtime.calls();
    let starts: Vec<_> = calls.iter().filter(|call| call.contains("start")).collect();
    assert_eq!(
        starts,
        [
            "0 start a",
            "1 start a",
            "12 start a",
            "33 start a",
            "74 start a"
        ]
    );
    let expected = "Warning BackOff Back-off restarting failed container a in pod p_default(u)";
    assert_eq!(
        events(&handle)
            .iter()
            .filter(|event| *event == expected)
            .count(),
        4
    );
    handle.kill().await;
    ended(&handle).await;
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn on_failure_restarts_until_success() {
    let world = World::new();
    world.script("a", [Script::ends_after(1, 1), Script::ends_after(1, 0)]);
    let handle = world.start(one("OnFailure"));
    assert_eq!(ended(&handle).await, "Succeeded");
    assert_eq!(container(&handle.status(), "a").unwrap().restart_count, 1);
}

#[tokio::test(start_paused = true)]
async fn the_config_of_a_container_holds_what_its_spec_says() {
    let world = World::new();
    let handle = world.start(json!({"hostname": "h", "containers": [{
        "name": "a", "command": ["run", "$(X)"], "workingDir": "/w",
        "env": [{"name": "X", "value": "1"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "resources": {"limits": {"memory": "8Mi"}}}, {"name": "b"}]}));
    running(&handle).await;
    let ip = handle.status().pod.pod_ip.clone().unwrap();
    world
        .runtime
        .with_config("a", |config| {
            assert_eq!(config.args, ["run", "1"]);
            assert_eq!(config.working_dir, "/w");
            assert_eq!(config.memory.limit_bytes(), 8 << 20);
            let env = |name: &str| {
                config
                    .env
                    .iter()
                    .find(|(k, _)| k == name)
                    .map(|(_, v)| v.clone())
            };
            assert_eq!(env("HOSTNAME").as_deref(), Some("h"));
            assert_eq!(env("X").as_deref(), Some("1"));
            assert_eq!(env("IP"), Some(ip.clone()));
            let root = config.root.preopens[0].host_path();
            let hosts = std::fs::read_to_string(root.join("etc/hosts")).unwrap();
            assert!(hosts.contains(&format!("{ip}\th")), "{hosts}");
            assert_eq!(
                std::fs::read_to_string(root.join("etc/hostname")).unwrap(),
                "h\n"
            );
        })
        .unwrap();
    let limit = world
        .runtime
        .with_config("b", |config| config.memory.limit_bytes());
    assert_eq!(limit, Some(crate::config::DEFAULT_MEMORY_LIMIT_BYTES));
}

#[tokio::test(start_paused = true)]
async fn logs_are_read_while_it_runs_after_a_restart_and_after_the_end() {
    let world = World::new();
    let prints = |text: &str, mut script: Script| {
        script.prints = text.to_owned();
        script
    };
    world.script(
        "a",
        [
            prints("one\n", Script::ends_after(1, 1)),
            prints("two\nend", Script::ends_after(1, 0)),
        ],
    );
    let handle = world.start(one("OnFailure"));
    let follow = LogOptions {
        follow: true,
        restarts: true,
        ..LogOptions::default()
    };
    let all = log(&handle, "a", follow).await;
    assert_eq!(all, "one\ntwo\nend");
    ended(&handle).await;
    assert_eq!(log(&handle, "a", LogOptions::default()).await, "two\nend");
    let previous = LogOptions {
        previous: true,
        ..LogOptions::default()
    };
    assert_eq!(log(&handle, "a", previous).await, "one\n");
    let tail = LogOptions {
        tail: Some(1),
        ..LogOptions::default()
    };
    assert_eq!(log(&handle, "a", tail).await, "end");
    let file = world.dir.path().join("logs/default_p_u/a/1.log");
    assert!(file.is_file());
    drop(handle);
    assert!(!file.exists(), "logs go with the last handle");
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_published_while_it_runs_and_its_port_is_free_afterwards() {
    let mut world = World::new();
    world.publish.push(crate::PublishRequest {
        host: "127.0.0.1:0".parse().unwrap(),
        port: 80,
        protocol: wasmpod_network::Protocol::Tcp,
        proxy: None,
    });
    let handle = world.start(one("Always"));
    running(&handle).await;
    let address = handle.status().published[0];
    assert!(std::net::TcpListener::bind(address).is_err());
    handle.kill().await;
    ended(&handle).await;
    assert!(std::net::TcpListener::bind(address).is_ok());
}
