//! Everything that can go wrong before and while a container runs.

use super::*;
use crate::{Exit, RuntimeError};

fn create_error() -> RuntimeError {
    RuntimeError::Create {
        container: "a".to_owned(),
        detail: "no room".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn failures_before_the_start_are_shown_with_the_kubelets_reasons_and_tried_again() {
    let missing = RuntimeError::MissingImports {
        program: "a.wasm".to_owned(),
        imports: vec!["env.x".to_owned(), "env.y".to_owned()],
    };
    for (script, program, reason, message) in [
        (
            Script {
                create_error: Some(create_error()),
                ..Script::default()
            },
            Script::default(),
            "CreateContainerError",
            "container \"a\": no room",
        ),
        (
            Script::default(),
            Script {
                prepare_error: Some(missing),
                ..Script::default()
            },
            "CreateContainerError",
            "module needs 2 imports this sandbox does not offer: env.x, env.y",
        ),
    ] {
        let world = World::new();
        world.script("a", [script]);
        world.runtime.script_program("a.wasm", program);
        let handle = world.start(two("Always"));
        until(&handle, |s| waits_for(s, "a").as_deref() == Some(reason)).await;
        let waiting = container(&handle.status(), "a")
            .unwrap()
            .state
            .unwrap()
            .waiting
            .unwrap();
        assert_eq!(waiting.message.as_deref(), Some(message));
        assert!(events(&handle).contains(&format!("Warning Failed Error: {message}")));
        assert_eq!(handle.status().phase(), "Pending");
        // The other container starts all the same.
        let started = "Normal Started Started container b".to_owned();
        while !events(&handle).contains(&started) {
            tokio::task::yield_now().await;
        }
        // Ten seconds later it is tried again: the number of failures grows.
        let failures = |h: &SandboxHandle| reasons(h).iter().filter(|r| *r == "Failed").count();
        let before = failures(&handle);
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert!(failures(&handle) > before);
        handle.kill().await;
        ended(&handle).await;
        assert!(world.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_had_backs_off_until_it_can() {
    let world = World::new();
    let failure = ImageFailure {
        reason: "ErrImagePull",
        message: "not here".to_owned(),
    };
    world
        .surroundings
        .image_failures
        .lock()
        .unwrap()
        .insert("a".to_owned(), failure);
    let handle = world.start(one("Always"));
    until(&handle, |s| {
        waits_for(s, "a").as_deref() == Some("ErrImagePull")
    })
    .await;
    until(&handle, |s| {
        waits_for(s, "a").as_deref() == Some("ImagePullBackOff")
    })
    .await;
    let expected = [
        "Warning Failed Failed to pull image \"a\": not here",
        "Warning Failed Error: ErrImagePull",
    ];
    assert_eq!(events(&handle), [expected, expected].concat());
    world.surroundings.image_failures.lock().unwrap().clear();
    running(&handle).await;
}

#[tokio::test(start_paused = true)]
async fn other_image_reasons_are_kept() {
    for reason in ["ErrImageNeverPull", "InvalidImageName"] {
        let world = World::new();
        let failure = ImageFailure {
            reason,
            message: "m".to_owned(),
        };
        world
            .surroundings
            .image_failures
            .lock()
            .unwrap()
            .insert("a".to_owned(), failure);
        let handle = world.start(one("Always"));
        until(&handle, |s| waits_for(s, "a").as_deref() == Some(reason)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_config_map_key_is_a_config_error_and_heals_when_it_appears() {
    let world = World::new();
    let reference = json!({"configMapKeyRef": {"name": "m", "key": "k"}});
    let mut spec = one("Always");
    spec["containers"][0]["env"] = json!([{"name": "X", "valueFrom": reference}]);
    let handle = world.start(spec);
    until(&handle, |s| {
        waits_for(s, "a").as_deref() == Some("CreateContainerConfigError")
    })
    .await;
    let waiting = container(&handle.status(), "a")
        .unwrap()
        .state
        .unwrap()
        .waiting
        .unwrap();
    assert_eq!(
        waiting.message.as_deref(),
        Some("configmap \"m\" not found")
    );
    let map = serde_json::from_value(json!({"data": {"k": "v"}})).unwrap();
    world
        .surroundings
        .config_maps
        .lock()
        .unwrap()
        .insert("m".to_owned(), Arc::new(map));
    running(&handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_cannot_be_made_holds_the_pod_until_it_can() {
    let world = World::new();
    let mut spec = one("Always");
    spec["volumes"] = json!([{"name": "v", "configMap": {"name": "m"}}]);
    let handle = world.start(spec);
    let failed = |h: &SandboxHandle| reasons(h).contains(&"FailedMount".to_owned());
    until(&handle, |s| waits_for(s, "a").is_some()).await;
    while !failed(&handle) {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.runtime.calls(), [""; 0]);
    assert!(
        world.is_clean(),
        "nothing is left of a pod that has no volumes"
    );
    let map = serde_json::from_value(json!({"data": {"k": "v"}})).unwrap();
    world
        .surroundings
        .config_maps
        .lock()
        .unwrap()
        .insert("m".to_owned(), Arc::new(map));
    running(&handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_port_in_use_holds_the_pod_and_releases_what_was_acquired() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new();
    world.publish.push(crate::PublishRequest {
        host: taken.local_addr().unwrap(),
        port: 80,
        protocol: wasmpod_network::Protocol::Tcp,
        proxy: None,
    });
    let handle = world.start(one("Always"));
    let mut events = handle.events().read();
    let crate::EventItem::Event(event) = events.next().await else {
        panic!("missed")
    };
    assert_eq!(event.reason, "HostPortConflict");
    assert!(world.is_clean());
    drop(taken);
    running(&handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_started_is_a_start_error() {
    let world = World::new();
    let error = RuntimeError::Start {
        container: "a".to_owned(),
        detail: "trap".to_owned(),
    };
    world.script(
        "a",
        [Script {
            start_error: Some(error),
            ..Script::default()
        }],
    );
    let handle = world.start(one("Never"));
    assert_eq!(ended(&handle).await, "Failed");
    let a = container(&handle.status(), "a")
        .unwrap()
        .state
        .unwrap()
        .terminated
        .unwrap();
    assert_eq!(
        (a.exit_code, a.reason.as_deref()),
        (128, Some("StartError"))
    );
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_failing_init_container_fails_a_never_pod_and_is_retried_otherwise() {
    let world = World::new();
    world.script("i", [Script::ends_after(1, 1), Script::ends_after(1, 0)]);
    for (policy, phase) in [("Never", "Failed"), ("OnFailure", "Succeeded")] {
        world.script("a", [Script::ends_after(1, 0)]);
        let mut spec = one(policy);
        spec["initContainers"] = json!([{"name": "i"}]);
        let handle = world.start(spec);
        assert_eq!(ended(&handle).await, phase, "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trap_is_told_in_the_status_and_in_the_log() {
    let world = World::new();
    let trap = "wasm trap: unreachable\n  at main (a.wasm+0x10)";
    let ends = Some((Duration::from_secs(1), Exit::trapped(trap)));
    world.script(
        "a",
        [Script {
            ends,
            prints: "half a line".to_owned(),
            ..Script::default()
        }],
    );
    let handle = world.start(one("Never"));
    assert_eq!(ended(&handle).await, "Failed");
    let a = container(&handle.status(), "a")
        .unwrap()
        .state
        .unwrap()
        .terminated
        .unwrap();
    assert_eq!(a.exit_code, 134);
    assert_eq!(a.message.as_deref(), Some(trap));
    let text = log(&handle, "a", LogOptions::default()).await;
    assert_eq!(text, format!("{trap}\nhalf a line"));
}

#[tokio::test(start_paused = true)]
async fn a_bug_of_the_host_ends_its_container_and_not_the_pod() {
    let world = World::new();
    world.script(
        "a",
        [Script {
            panics: true,
            ..Script::default()
        }],
    );
    world.script("b", [Script::ends_after(2, 0)]);
    let handle = world.start(two("Never"));
    assert_eq!(ended(&handle).await, "Failed");
    let a = container(&handle.status(), "a")
        .unwrap()
        .state
        .unwrap()
        .terminated
        .unwrap();
    let message = a.message.unwrap();
    assert_eq!(a.exit_code, 125);
    assert!(
        message.contains("internal error") && message.contains("scripted panic"),
        "{message}"
    );
    assert_eq!(exit_code(&handle, "b"), Some(0));
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_termination_message_is_the_file_or_else_the_end_of_the_log() {
    for (policy, file, code, expected) in [
        ("File", Some("done"), 0, Some("done")),
        ("File", None, 1, None),
        ("FallbackToLogsOnError", Some("done"), 1, Some("done")),
        ("FallbackToLogsOnError", None, 1, Some("last\n")),
        ("FallbackToLogsOnError", None, 0, None),
    ] {
        let world = World::new();
        let script = Script {
            prints: "last\n".to_owned(),
            ..Script::ends_after(5, code)
        };
        world.script("a", [script]);
        let mut spec = one("Never");
        spec["containers"][0]["terminationMessagePath"] = json!("/msg");
        spec["containers"][0]["terminationMessagePolicy"] = json!(policy);
        let handle = world.start(spec);
        running(&handle).await;
        if let Some(text) = file {
            let root = world
                .runtime
                .with_config("a", |c| c.root.preopens[0].host_path().to_owned());
            std::fs::write(root.unwrap().join("msg"), text).unwrap();
        }
        ended(&handle).await;
        let a = container(&handle.status(), "a")
            .unwrap()
            .state
            .unwrap()
            .terminated
            .unwrap();
        assert_eq!(a.message.as_deref(), expected, "{policy} {file:?} {code}");
    }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_termination_message_is_bounded_and_does_not_lead_out_of_the_root() {
    let world = World::new();
    world.script("a", [Script::ends_after(5, 1)]);
    world.script("b", [Script::ends_after(5, 1)]);
    let handle = world.start(two("Never"));
    running(&handle).await;
    let root = |name: &str| {
        let root = world
            .runtime
            .with_config(name, |c| c.root.preopens[0].host_path().to_owned());
        root.unwrap().join("dev/termination-log")
    };
    let secret = world.dir.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::remove_file(root("a")).unwrap();
    std::os::unix::fs::symlink(&secret, root("a")).unwrap();
    std::fs::write(root("b"), "x".repeat(10_000)).unwrap();
    ended(&handle).await;
    let status = handle.status();
    let message = |name| {
        container(&status, name)
            .unwrap()
            .state
            .unwrap()
            .terminated
            .unwrap()
            .message
    };
    assert_eq!(message("a"), None);
    assert_eq!(message("b").map(|m| m.len()), Some(4096));
}

#[tokio::test(start_paused = true)]
async fn a_port_clash_inside_the_pod_is_an_event() {
    let world = World::new();
    let handle = world.start(two("Always"));
    running(&handle).await;
    let address = "127.0.0.1:8080".parse().unwrap();
    let family = wasmpod_network::AddressFamily::of(std::net::IpAddr::from([127, 0, 0, 1]));
    let bind = |name: &str| {
        world.runtime.with_config(name, |config| {
            let socket = config.network.tcp_socket(family).unwrap();
            socket
                .bind(address)
                .and_then(|()| socket.listen())
                .map(|()| socket)
        })
    };
    let _holder = bind("a").unwrap().unwrap();
    assert!(bind("b").unwrap().is_err());
    let mut events = handle.events().read();
    loop {
        let crate::EventItem::Event(event) = events.next().await else {
            panic!("missed")
        };
        if event.reason == "PortInUse" {
            let expected =
                "container \"b\": bind 127.0.0.1:8080: address in use by container \"a\"";
            assert_eq!(event.message, expected);
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_stays_through_starts_that_fail_and_comes_to_an_end() {
    let world = World::new();
    let failing = Script {
        create_error: Some(create_error()),
        ..Script::default()
    };
    world.script("a", [failing]);
    let handle = world.start(one("Never"));
    let follow = LogOptions {
        follow: true,
        restarts: true,
        ..LogOptions::default()
    };
    let mut reader = handle.logs("a", follow).unwrap();
    let first = tokio::spawn(async move { reader.next().await.unwrap() });
    until(&handle, |s| {
        waits_for(s, "a").is_some_and(|r| r == "CreateContainerError")
    })
    .await;
    let prints = "here\n".to_owned();
    let healed = Script {
        prints,
        ..Script::default()
    };
    world.script("a", [healed]);
    running(&handle).await;
    let Some(LogItem::Line(line)) = first.await.unwrap() else {
        panic!("no line");
    };
    assert_eq!(line.text, b"here");
    let rest = handle.logs(
        "a",
        LogOptions {
            follow: true,
            ..LogOptions::default()
        },
    );
    let mut rest = rest.unwrap();
    handle.kill().await;
    ended(&handle).await;
    while rest.next().await.unwrap().is_some() {}
}

#[tokio::test(start_paused = true)]
async fn a_follower_of_a_container_that_never_starts_ends_with_the_pod() {
    let world = World::new();
    let failing = Script {
        create_error: Some(create_error()),
        ..Script::default()
    };
    world.script("a", [failing]);
    let handle = world.start(one("Always"));
    let follow = LogOptions {
        follow: true,
        restarts: true,
        ..LogOptions::default()
    };
    let mut reader = handle.logs("a", follow).unwrap();
    until(&handle, |s| {
        waits_for(s, "a").is_some_and(|r| r == "CreateContainerError")
    })
    .await;
    handle.kill().await;
    ended(&handle).await;
    assert_eq!(reader.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn the_previous_log_of_a_container_that_waits_is_that_of_its_last_instance() {
    let world = World::new();
    let prints = |text: &str, seconds| Script {
        prints: format!("{text}\n"),
        ..Script::ends_after(seconds, 1)
    };
    world.script(
        "a",
        [
            prints("first", 1),
            prints("second", 1),
            prints("third", 100),
        ],
    );
    let handle = world.start(one("Always"));
    let previous = || LogOptions {
        previous: true,
        ..LogOptions::default()
    };
    running(&handle).await;
    assert_eq!(log(&handle, "a", previous()).await, "");
    until(&handle, |s| {
        waits_for(s, "a").as_deref() == Some("CrashLoopBackOff")
    })
    .await;
    assert_eq!(log(&handle, "a", previous()).await, "second\n");
    running(&handle).await;
    assert_eq!(log(&handle, "a", previous()).await, "second\n");
    let now = log(&handle, "a", LogOptions::default()).await;
    assert_eq!(now, "third\n");
}
