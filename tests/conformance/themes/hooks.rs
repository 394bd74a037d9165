//! Hooks: upstream's `test/e2e/common/node/lifecycle_hook.go` and `test/e2e/node/pre_stop.go`.
//!
//! Upstream's hooks call a server in a pod of its own and look at its log. Here the server is a sidecar, which is there
//! before the container with the hook and after it, and what it is told to write is its termination message; only the
//! last row needs another pod, as upstream's does.

use serde_json::{Value, json};
use wasmpod_store::Kind;

use crate::host::Host;
use crate::pod::{Pod, agnhost};
use crate::script::{ended, pod, shell, sidecar, with};
use crate::table::rows;

rows! {
    "1.5 Lifecycle hooks";
    "Pod Lifecycle, post start exec hook" => passes post_start_exec;
    "Pod Lifecycle, post start http hook" => passes post_start_http;
    "Pod Lifecycle, prestop exec hook" => passes pre_stop_exec;
    "Pod Lifecycle, prestop http hook" => passes pre_stop_http;
    "Pods, prestop hook" => passes pre_stop_by_post;
}

const WRITE: &str = "/write?path=/dev/termination-log&text=";

fn server() -> Value {
    json!({
        "name": "server", "image": agnhost(), "args": ["netexec"], "ports": [{"containerPort": 8080}],
        "startupProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    })
}

fn exec(word: &str) -> Value {
    json!({"exec": {"command": ["sh", "-c", format!("wget -qO- 'http://localhost:8080{WRITE}{word}'")]}})
}

fn http(word: &str) -> Value {
    json!({"httpGet": {"path": format!("{WRITE}{word}"), "port": 8080}})
}

/// A pod whose container has this hook.
async fn hooked(hook: &str, handler: Value) -> Pod {
    let container = with(
        shell("c", "sleep 600"),
        json!({"lifecycle": {hook: handler}}),
    );
    let spec = json!({"initContainers": [sidecar(server())], "containers": [container]});
    let pod = Pod::start(&pod(&spec)).await;
    pod.is_ready().await;
    pod
}

async fn post_start(handler: Value) {
    let pod = hooked("postStart", handler).await;
    // The container counts as running when its hook is over, so it has called by now.
    let heard = pod.exec("server", &["cat", "/dev/termination-log"]).await;
    assert_eq!(heard.stdout, "poststart", "{}", pod.told());
    assert!(
        !pod.told().contains("FailedPostStartHook"),
        "{}",
        pod.told()
    );
}

async fn pre_stop(handler: Value) {
    let pod = hooked("preStop", handler).await;
    let heard = pod.exec("server", &["cat", "/dev/termination-log"]).await;
    assert_eq!(heard.stdout, "", "it is called at the end only");
    pod.delete(None).await;
    let status = pod.gone().await;
    assert_eq!(
        ended(&status, "server").message.as_deref(),
        Some("prestop"),
        "{}",
        pod.told()
    );
    assert!(!pod.told().contains("FailedPreStopHook"), "{}", pod.told());
}

async fn post_start_exec() {
    post_start(exec("poststart")).await;
}

async fn post_start_http() {
    post_start(http("poststart")).await;
}

async fn pre_stop_exec() {
    pre_stop(exec("prestop")).await;
}

async fn pre_stop_http() {
    pre_stop(http("prestop")).await;
}

async fn pre_stop_by_post() {
    let named = |name: &str, container: Value| {
        let metadata = json!({"name": name, "namespace": "default"});
        let spec = json!({"containers": [container]});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}).to_string()
    };
    let host = Host::start(&named("server", server())).await;
    let pods = host.ready_pods(1).await;
    let ip = pods[0]
        .status
        .as_ref()
        .and_then(|status| status.pod_ip.clone());
    let url = format!("http://{}:8080{WRITE}prestop", ip.unwrap());
    let hook = json!({"exec": {"command": ["wget", "-O-", "--post-data=", url]}});
    let tester = with(
        shell("c", "sleep 600"),
        json!({"lifecycle": {"preStop": hook}}),
    );
    host.apply(&named("tester", tester)).await;
    host.ready_pods(2).await;
    let heard = async || {
        let server = host.pod("server");
        server
            .exec("server", &["cat", "/dev/termination-log"])
            .await
            .stdout
    };
    assert_eq!(heard().await, "", "it is called at the end only");
    host.delete(Kind::Pod, "tester");
    host.pods_until("the server alone", |pods| pods.len() == 1)
        .await;
    assert_eq!(heard().await, "prestop");
}
