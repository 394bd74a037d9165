//! Probes of whole pods: the runners are tested beside them, the rules in `lifecycle`.

use super::*;

/// Fails its probe when it is run.
fn fails(text: &str) -> Script {
    Script {
        prints: text.to_owned(),
        ..Script::ends_after(0, 1)
    }
}

fn with_probe(kind: &str, probe: Value) -> Value {
    let mut spec = one("Always");
    spec["containers"][0][kind] = probe;
    spec
}

fn count(handle: &SandboxHandle, text: &str) -> usize {
    let events = events(handle);
    events.iter().filter(|event| event.contains(text)).count()
}

#[tokio::test(start_paused = true)]
async fn a_readiness_probe_over_http_makes_the_pod_ready_when_its_server_answers() {
    let world = World::new();
    let probe = json!({
        "httpGet": {"port": "web", "path": "/ready"}, "periodSeconds": 1, "timeoutSeconds": 1,
    });
    let mut spec = with_probe("readinessProbe", probe);
    spec["containers"][0]["ports"] = json!([{"name": "web", "containerPort": 8080}]);
    let handle = world.start(spec);
    until(&handle, |s| s.phase() == "Running").await;
    while count(&handle, "Readiness probe failed: Get \"http://") == 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(!handle.status().is_ready());
    let network = handle.status().network.clone().unwrap();
    let (requests, _server) = server::http(&network, 8080, |_| server::answer("200 OK", "", ""));
    running(&handle).await;
    assert!(requests.lock().unwrap()[0].starts_with("GET /ready HTTP/1.1"));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_again_and_again_publishes_no_status() {
    let world = World::new();
    let probe = json!({"exec": {"command": ["true"]}, "periodSeconds": 1});
    let handle = world.start(with_probe("readinessProbe", probe));
    running(&handle).await;
    let mut status = handle.watch();
    status.mark_unchanged();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!status.has_changed().unwrap());
    let calls = world.runtime.calls();
    let probes = calls.iter().filter(|call| call.ends_with("exec a true"));
    assert!(probes.count() >= 59, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn an_exec_liveness_probe_that_fails_restarts_its_container() {
    let world = World::new();
    world
        .runtime
        .script_exec("a", "test -f /x", fails("no such file"));
    let probe = json!({
        "exec": {"command": ["test", "-f", "/x"]}, "periodSeconds": 5, "failureThreshold": 2,
    });
    let handle = world.start(with_probe("livenessProbe", probe));
    until(&handle, |s| {
        container(s, "a").is_some_and(|c| c.restart_count == 1)
    })
    .await;
    let all = events(&handle);
    let failed = "Warning Unhealthy Liveness probe failed: no such file".to_owned();
    assert!(all.contains(&failed), "{all:?}");
    assert!(
        count(
            &handle,
            "Container a failed liveness probe, will be restarted"
        ) == 1
    );
}

#[tokio::test(start_paused = true)]
async fn an_exec_probe_that_takes_too_long_has_failed_and_leaves_nothing_behind() {
    let world = World::new();
    world
        .runtime
        .script_exec("a", "sleep 600", Script::default());
    let probe = json!({
        "exec": {"command": ["sleep", "600"]}, "periodSeconds": 10, "timeoutSeconds": 3,
    });
    let handle = world.start(with_probe("readinessProbe", probe));
    let text = "command timed out: \"sleep 600\" timed out after 3s";
    while count(&handle, text) == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    while world.runtime.containers() > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_command_that_cannot_be_started_changes_nothing() {
    let world = World::new();
    let script = Script {
        create_error: Some(crate::RuntimeError::HostLimit {
            what: "memory".to_owned(),
        }),
        ..Script::default()
    };
    world.runtime.script_exec("a", "true", script);
    let probe = json!({"exec": {"command": ["true"]}, "periodSeconds": 1, "failureThreshold": 1});
    let handle = world.start(with_probe("livenessProbe", probe));
    running(&handle).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let status = handle.status();
    assert_eq!(container(&status, "a").unwrap().restart_count, 0);
    assert!(count(&handle, "host limit reached: memory") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_elsewhere_is_a_success_with_a_warning() {
    let world = World::new();
    let probe = json!({"httpGet": {"port": 80}, "periodSeconds": 1});
    let handle = world.start(with_probe("readinessProbe", probe));
    until(&handle, |s| s.network.is_some()).await;
    let network = handle.status().network.clone().unwrap();
    let (_requests, _server) = server::http(&network, 80, |_| {
        server::answer("302 Found", "location: http://example.com/\r\n", "")
    });
    running(&handle).await;
    assert!(
        count(
            &handle,
            "Warning ProbeWarning Readiness probe warning: Probe terminated redirects"
        ) > 0
    );
}

#[tokio::test(start_paused = true)]
async fn probes_in_flight_end_with_their_pod() {
    let world = World::new();
    world.runtime.script_exec("a", "sleep", Script::default());
    let probe = json!({"exec": {"command": ["sleep"]}, "timeoutSeconds": 600});
    let handle = world.start(with_probe("readinessProbe", probe));
    while world.runtime.containers() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    handle.kill().await;
    ended(&handle).await;
    assert!(world.is_clean());
}
