//! Hooks of whole pods: when they run is tested in `lifecycle`, what they do here.

use super::*;

fn with_hook(hook: &str, handler: &Value) -> Value {
    let mut spec = one("Always");
    spec["containers"][0]["lifecycle"] = json!({hook: handler});
    spec
}

fn takes(seconds: u64) -> Script {
    Script::ends_after(seconds, 0)
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_ready_when_its_post_start_hook_is_done() {
    let world = World::new();
    world.runtime.script_exec("a", "setup", takes(7));
    let hook = json!({"exec": {"command": ["setup"]}});
    let handle = world.start(with_hook("postStart", &hook));
    let before = tokio::time::Instant::now();
    running(&handle).await;
    assert_eq!(before.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_post_start_hook_that_fails_ends_its_container() {
    let world = World::new();
    world
        .runtime
        .script_exec("a", "setup", Script::ends_after(0, 1));
    let hook = json!({"exec": {"command": ["setup"]}});
    let handle = world.start(with_hook("postStart", &hook));
    until(&handle, |s| {
        container(s, "a").is_some_and(|c| c.restart_count > 0)
    })
    .await;
    assert!(reasons(&handle).contains(&"FailedPostStartHook".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_pre_stop_hook_runs_before_the_container_is_asked_to_end() {
    let world = World::new();
    world.runtime.script_exec("a", "drain", takes(5));
    let handle = world.start(with_hook(
        "preStop",
        &json!({"exec": {"command": ["drain"]}}),
    ));
    running(&handle).await;
    handle.stop(None).await;
    ended(&handle).await;
    let calls = world.runtime.calls();
    let tail: Vec<_> = calls.iter().skip(2).map(String::as_str).collect();
    assert_eq!(
        tail,
        [
            "0 exec a drain",
            "0 start a",
            "5 remove a",
            "5 stop a 25",
            "5 remove a"
        ]
    );
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_pre_stop_hook_that_takes_too_long_is_given_up() {
    let world = World::new();
    world.runtime.script_exec("a", "drain", Script::default());
    let mut spec = with_hook("preStop", &json!({"exec": {"command": ["drain"]}}));
    spec["terminationGracePeriodSeconds"] = json!(10);
    let handle = world.start(spec);
    running(&handle).await;
    let before = tokio::time::Instant::now();
    handle.stop(None).await;
    ended(&handle).await;
    // The kubelet gives a container two more seconds after a hook that used up its time.
    assert!((10..=12).contains(&before.elapsed().as_secs()));
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_sleep_takes_its_time() {
    let world = World::new();
    let handle = world.start(with_hook("preStop", &json!({"sleep": {"seconds": 4}})));
    running(&handle).await;
    let before = tokio::time::Instant::now();
    handle.stop(None).await;
    ended(&handle).await;
    assert_eq!(before.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_http_hook_wants_an_answer_whatever_it_is() {
    let world = World::new();
    let hook = json!({"httpGet": {"port": 8080, "path": "/bye"}});
    let handle = world.start(with_hook("preStop", &hook));
    running(&handle).await;
    let network = handle.status().network.clone().unwrap();
    let (requests, _server) = server::http(&network, 8080, |_| server::answer("500 Oops", "", ""));
    handle.stop(None).await;
    ended(&handle).await;
    let requests = requests.lock().unwrap();
    assert!(requests[0].contains("User-Agent: kube-lifecycle/1.37"));
    assert!(!reasons(&handle).contains(&"FailedPreStopHook".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_nobody_answers_or_that_is_none_has_failed() {
    for handler in [
        json!({"httpGet": {"port": 8080}}),
        json!({"httpGet": {"port": "nameless"}}),
        json!({"tcpSocket": {"port": 80}}),
    ] {
        let world = World::new();
        let handle = world.start(with_hook("preStop", &handler));
        running(&handle).await;
        handle.stop(None).await;
        ended(&handle).await;
        assert!(reasons(&handle).contains(&"FailedPreStopHook".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_over_tls_is_asked_again_without_it_where_the_server_has_none() {
    for (has_tls, fell_back) in [(true, false), (false, true)] {
        let world = World::new();
        let hook = json!({"httpGet": {"port": 8443, "scheme": "HTTPS"}});
        let handle = world.start(with_hook("preStop", &hook));
        running(&handle).await;
        let network = handle.status().network.clone().unwrap();
        let ok = |_: &str| server::answer("200 OK", "", "");
        let (_, _server) = if has_tls {
            server::https(&network, 8443, ok)
        } else {
            // What is no request at all gets an answer too.
            server::http(&network, 8443, ok)
        };
        handle.stop(None).await;
        ended(&handle).await;
        let reasons = reasons(&handle);
        assert!(!reasons.contains(&"FailedPreStopHook".to_owned()));
        assert_eq!(
            reasons.contains(&"LifecycleHTTPFallback".to_owned()),
            fell_back
        );
    }
}
