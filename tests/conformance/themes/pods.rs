//! Pods as objects: upstream's `test/e2e/common/node/pods.go`, `test/e2e/node/pods.go` and `pod_generation.go`.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wasmpod_api::Address;
use wasmpod_api::client::{Accept, DeleteOptions, SessionEvent, StreamOptions};
use wasmpod_manifest::k8s::{Pod as PodObject, PodCondition, PodStatus, Toleration};
use wasmpod_store::{Kind, Object, Watch, WatchEvent};

use crate::node::Node;
use crate::pod::Pod;
use crate::script::{pod, shell, with};
use crate::table::rows;

rows! {
    "1.1 Pods / API";
    "Pods, ActiveDeadlineSeconds" => passes active_deadline;
    "Pods, lifecycle (create, watch, graceful delete)" => passes lifecycle;
    "Pods, update" => passes update;
    "Pods, service environment variables (FOOSERVICE_SERVICE_HOST ...)" => passes service_environment;
    "Pods, delete a collection" => passes delete_collection;
    "Pods, assigned hostip (status.hostIP)" => passes host_ip;
    "Pods, patching status" => passes patching_status;
    "Pods, completes the lifecycle of a Pod and the PodStatus" => passes whole_lifecycle;
    "Pods, remote command execution over websocket" => passes exec_over_websocket;
    "Pods, logs from websockets" => passes logs_over_websocket;
    "Pods, QOS (status.qosClass)" => passes qos;
    "Pods Generation, graceful delete" => passes generation_of_delete;
    "Pods Generation, 500 updates" => passes five_hundred_updates;
    "Pods Generation, updates (metadata.generation / observedGeneration)" => passes generation_of_updates;
}

fn named(name: &str, labels: &Value, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec})
}

/// A pod that runs until it is stopped.
fn sleeper(name: &str) -> Value {
    named(
        name,
        &json!({"type": "Testing"}),
        &json!({"containers": [shell("c", "sleep 10000")]}),
    )
}

fn status(pod: &PodObject) -> &PodStatus {
    pod.status.as_ref().unwrap()
}

async fn active_deadline() {
    let mut pod = Pod::start(&pod(&json!({"containers": [shell("c", "sleep 10000")]}))).await;
    pod.is_ready().await;
    pod.update(|pod| pod.spec.as_mut().unwrap().active_deadline_seconds = Some(5))
        .await;
    let status = pod.ends("Failed").await;
    assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"));
    let message = "Pod was active on the node longer than the specified deadline";
    assert_eq!(status.message.as_deref(), Some(message));
    assert!(pod.elapsed() >= Duration::from_secs(5));
}

/// The next change of a pod that is one of these.
async fn next(watch: &mut Watch, wanted: impl Fn(&WatchEvent) -> bool) -> WatchEvent {
    loop {
        let event = watch.next().await.unwrap();
        if wanted(&event) {
            return event;
        }
    }
}

fn watched(event: &WatchEvent) -> &PodObject {
    match event.object() {
        Object::Pod(pod) => pod,
        other => panic!("{other:?}"),
    }
}

async fn lifecycle() {
    let node = Node::start();
    let (_, version) = node.agent().store().list(Kind::Pod, None);
    let mut watch = node
        .agent()
        .store()
        .watch(Kind::Pod, Some("default"), version)
        .unwrap();
    node.apply(&sleeper("p")).await;
    let added = next(&mut watch, |event| event.type_name() == "ADDED").await;
    assert_eq!(watched(&added).metadata.name.as_deref(), Some("p"));
    node.is_ready("p").await;
    node.delete("p", Some(30));
    // It is marked first, and goes when its containers have ended.
    let marked = next(&mut watch, |event| {
        watched(event).metadata.deletion_timestamp.is_some()
    })
    .await;
    assert_eq!(marked.type_name(), "MODIFIED");
    assert_eq!(
        watched(&marked).metadata.deletion_grace_period_seconds,
        Some(30)
    );
    let deleted = next(&mut watch, |event| event.type_name() == "DELETED").await;
    let pod = watched(&deleted);
    assert!(pod.metadata.deletion_timestamp.is_some());
    let statuses = status(pod).container_statuses.as_deref().unwrap();
    assert!(
        statuses
            .iter()
            .all(|found| found.state.as_ref().unwrap().terminated.is_some()),
        "{statuses:?}"
    );
    assert!(node.find("p").is_none());
}

async fn update() {
    let node = Node::start();
    node.apply(&sleeper("p")).await;
    node.is_ready("p").await;
    let label = |pod: &mut PodObject| {
        pod.metadata
            .labels
            .get_or_insert_default()
            .insert("time".to_owned(), "later".to_owned());
    };
    node.update("p", label).unwrap();
    assert_eq!(
        node.pod("p").metadata.labels.as_ref().unwrap()["time"],
        "later"
    );
    let error = node.update("p", |pod| {
        pod.spec.as_mut().unwrap().containers[0].name = "other".to_owned()
    });
    assert!(
        error
            .unwrap_err()
            .contains("pod updates may not change fields other than")
    );
}

async fn service_environment() {
    let node = Node::start();
    node.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "fooservice"},
        "spec": {"ports": [{"port": 8765, "targetPort": 8080}], "selector": {"name": "server"}},
    }))
    .await;
    let service = node
        .agent()
        .store()
        .get(Kind::Service, Some("default"), "fooservice")
        .unwrap();
    let Object::Service(service) = service else {
        panic!("{service:?}")
    };
    let ip = service.spec.as_ref().unwrap().cluster_ip.clone().unwrap();
    node.apply(&sleeper("p")).await;
    node.is_ready("p").await;
    let env = node.exec("p", "c", &["env"]).await;
    for line in [
        format!("FOOSERVICE_SERVICE_HOST={ip}"),
        "FOOSERVICE_SERVICE_PORT=8765".to_owned(),
        format!("FOOSERVICE_PORT=tcp://{ip}:8765"),
        "FOOSERVICE_PORT_8765_TCP_PORT=8765".to_owned(),
        "FOOSERVICE_PORT_8765_TCP_PROTO=tcp".to_owned(),
        format!("FOOSERVICE_PORT_8765_TCP=tcp://{ip}:8765"),
        format!("FOOSERVICE_PORT_8765_TCP_ADDR={ip}"),
    ] {
        assert!(
            env.lines().any(|found| found == line),
            "{line} is not in\n{env}"
        );
    }
}

async fn delete_collection() {
    let mut node = Node::start();
    let names = ["test-pod-1", "test-pod-2", "test-pod-3"];
    for name in names {
        node.apply(&sleeper(name)).await;
    }
    node.apply(&named(
        "other",
        &json!({}),
        &json!({"containers": [shell("c", "sleep 10000")]}),
    ))
    .await;
    let client = node.client().await;
    let list = "/api/v1/namespaces/default/pods?labelSelector=type%3DTesting";
    let found = client.get(list, Accept::Json).await.unwrap();
    assert_eq!(found["items"].as_array().unwrap().len(), 3);
    client
        .delete(list, &DeleteOptions::default())
        .await
        .unwrap();
    for name in names {
        node.is_removed(name).await;
    }
    let found = client.get(list, Accept::Json).await.unwrap();
    assert_eq!(found["items"], json!([]));
    assert!(node.find("other").is_some());
}

async fn host_ip() {
    let node = Node::start();
    node.apply(&sleeper("p")).await;
    let pod = node.is_ready("p").await;
    let ip = status(&pod).host_ip.as_deref().unwrap();
    assert!(ip.parse::<std::net::IpAddr>().is_ok(), "{ip}");
}

/// Sets a condition that is nobody's.
fn set_condition(pod: &mut PodObject, value: &str) {
    let conditions = pod
        .status
        .get_or_insert_default()
        .conditions
        .get_or_insert_default();
    conditions.retain(|found| found.type_ != "StatusPatched");
    conditions.push(PodCondition {
        type_: "StatusPatched".to_owned(),
        status: value.to_owned(),
        reason: Some("Testing".to_owned()),
        ..PodCondition::default()
    });
}

fn patched(pod: &PodObject) -> Option<&str> {
    crate::pod::condition(status(pod), "StatusPatched")
}

async fn patching_status() {
    let node = Node::start();
    node.apply(&sleeper("p")).await;
    node.is_ready("p").await;
    let changed = node.update("p", |pod| set_condition(pod, "True")).unwrap();
    assert_eq!(patched(&changed), Some("True"));
    // What the node says of the pod later leaves it there.
    node.update("p", |pod| {
        pod.spec.as_mut().unwrap().active_deadline_seconds = Some(5)
    })
    .unwrap();
    let pod = node
        .until("p", "Failed", |pod| {
            status(pod).phase.as_deref() == Some("Failed")
        })
        .await;
    assert_eq!(patched(&pod), Some("True"));
}

async fn whole_lifecycle() {
    let node = Node::start();
    let (_, version) = node.agent().store().list(Kind::Pod, None);
    let mut watch = node
        .agent()
        .store()
        .watch(Kind::Pod, Some("default"), version)
        .unwrap();
    node.apply(&named(
        "p",
        &json!({"test-pod-static": "true"}),
        &json!({"containers": [shell("c", "sleep 10000")]}),
    ))
    .await;
    next(&mut watch, |event| event.type_name() == "ADDED").await;
    node.is_ready("p").await;
    node.update("p", |pod| {
        pod.metadata
            .labels
            .get_or_insert_default()
            .insert("test-pod".to_owned(), "patched".to_owned());
        let spec = pod.spec.as_mut().unwrap();
        spec.containers[0].image = Some("alpine".to_owned());
    })
    .unwrap();
    let modified = next(&mut watch, |event| {
        watched(event)
            .metadata
            .labels
            .as_ref()
            .is_some_and(|labels| labels.contains_key("test-pod"))
    })
    .await;
    assert_eq!(modified.type_name(), "MODIFIED");
    let pod = node
        .until("p", "the new image runs", |pod| {
            let found = status(pod)
                .container_statuses
                .as_ref()
                .and_then(|all| all.first());
            found.is_some_and(|found| found.image == "alpine" && found.ready)
        })
        .await;
    assert_eq!(status(&pod).phase.as_deref(), Some("Running"));
    node.update("p", |pod| set_condition(pod, "True")).unwrap();
    assert_eq!(patched(&node.pod("p")), Some("True"));
    node.delete("p", Some(1));
    next(&mut watch, |event| event.type_name() == "DELETED").await;
    assert!(node.find("p").is_none());
}

async fn exec_over_websocket() {
    let mut node = Node::start();
    node.apply(&sleeper("p")).await;
    node.is_ready("p").await;
    let client = node.client().await;
    let run = async |script: &str| {
        let streams = StreamOptions {
            stdout: true,
            stderr: true,
            ..StreamOptions::default()
        };
        let command = ["sh", "-c", script].map(str::to_owned);
        let mut session = client
            .exec("default", "p", Some("c"), &command, streams)
            .await
            .unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match session.output.next().await.unwrap().unwrap() {
                SessionEvent::Stdout(bytes) => out.extend_from_slice(&bytes),
                SessionEvent::Stderr(bytes) => err.extend_from_slice(&bytes),
                SessionEvent::End(status) => return (out, err, status.exit_code()),
            }
        }
    };
    let (out, err, code) = run("echo remote execution test").await;
    assert_eq!(
        (out.as_slice(), err.as_slice(), code),
        (&b"remote execution test\n"[..], &b""[..], Some(0))
    );
    let (out, err, code) = run("echo wrong >&2; exit 42").await;
    assert_eq!(
        (out.as_slice(), err.as_slice(), code),
        (&b""[..], &b"wrong\n"[..], Some(42))
    );
}

async fn logs_over_websocket() {
    let mut node = Node::start();
    let script = "echo container is alive; sleep 10000";
    node.apply(&named(
        "p",
        &json!({}),
        &json!({"containers": [shell("c", script)]}),
    ))
    .await;
    node.is_ready("p").await;
    let client = node.client().await;
    let Address::Unix(path) = client.address() else {
        panic!("no socket: {:?}", client.address())
    };
    let stream = tokio::net::UnixStream::connect(path).await.unwrap();
    let target = "ws://localhost/api/v1/namespaces/default/pods/p/log?container=c&follow=true";
    let mut request = target.into_client_request().unwrap();
    let protocol = "binary.k8s.io".parse().unwrap();
    let headers = request.headers_mut();
    headers.insert("Sec-WebSocket-Protocol", protocol);
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let mut log = Vec::new();
    while log != b"container is alive\n" {
        match socket.next().await.unwrap().unwrap() {
            // The first one, that says that the log is open, is empty.
            Message::Binary(bytes) => log.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
        let text = String::from_utf8_lossy(&log);
        assert!("container is alive\n".starts_with(&*text), "{text}");
    }
}

async fn qos() {
    let same = json!({"cpu": "100m", "memory": "100Mi"});
    let node = Node::start();
    for (name, resources, class) in [
        (
            "guaranteed",
            json!({"limits": same, "requests": same}),
            "Guaranteed",
        ),
        ("burstable", json!({"requests": same}), "Burstable"),
        ("best-effort", json!({}), "BestEffort"),
    ] {
        let container = with(shell("c", "sleep 10000"), json!({"resources": resources}));
        node.apply(&named(
            name,
            &json!({}),
            &json!({"containers": [container]}),
        ))
        .await;
        assert_eq!(status(&node.pod(name)).qos_class.as_deref(), Some(class));
        assert_eq!(
            status(&*node.is_ready(name).await).qos_class.as_deref(),
            Some(class)
        );
    }
}

fn generation(pod: &PodObject) -> i64 {
    pod.metadata.generation.unwrap()
}

/// Waits until the node has seen the object as it is.
async fn observed(node: &Node, wanted: i64) {
    let pod = node
        .until("p", "observed", |pod| {
            status(pod).observed_generation == Some(wanted)
        })
        .await;
    assert_eq!(generation(&pod), wanted);
    // Of the conditions that are the node's each says so as well.
    let conditions = status(&pod).conditions.as_deref().unwrap_or_default();
    assert!(
        conditions
            .iter()
            .all(|found| found.observed_generation == Some(wanted)),
        "{conditions:?}"
    );
}

async fn generation_of_delete() {
    let node = Node::start();
    let hook = json!({"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}});
    let container = with(shell("c", "sleep 10000"), hook);
    node.apply(&named("p", &json!({}), &json!({"containers": [container]})))
        .await;
    node.is_ready("p").await;
    assert_eq!(generation(&node.pod("p")), 1);
    node.delete("p", Some(30));
    let pod = node.pod("p");
    assert!(pod.metadata.deletion_timestamp.is_some());
    assert_eq!(generation(&pod), 2);
    observed(&node, 2).await;
    node.is_removed("p").await;
}

async fn five_hundred_updates() {
    let node = Node::start();
    let spec = json!({"activeDeadlineSeconds": 5000, "containers": [shell("c", "sleep 10000")]});
    node.apply(&named("p", &json!({}), &spec)).await;
    node.is_ready("p").await;
    for n in 1..=500 {
        node.update("p", |pod| {
            pod.spec.as_mut().unwrap().active_deadline_seconds = Some(5000 - n)
        })
        .unwrap();
    }
    assert_eq!(generation(&node.pod("p")), 501);
    observed(&node, 501).await;
}

async fn generation_of_updates() {
    let node = Node::start();
    node.apply(&sleeper("p")).await;
    node.is_ready("p").await;
    observed(&node, 1).await;
    let mut expected = 1;
    type Change = fn(&mut PodObject);
    let changes: [(Change, bool); 6] = [
        // Only what is wanted counts.
        (|pod| pod.metadata.labels = None, false),
        (
            |pod| pod.metadata.annotations = Some([("a".to_owned(), "b".to_owned())].into()),
            false,
        ),
        (
            |pod| pod.spec.as_mut().unwrap().active_deadline_seconds = Some(5000),
            true,
        ),
        (
            |pod| pod.spec.as_mut().unwrap().active_deadline_seconds = Some(5000),
            false,
        ),
        (
            |pod| {
                let tolerations = pod
                    .spec
                    .as_mut()
                    .unwrap()
                    .tolerations
                    .get_or_insert_default();
                tolerations.push(Toleration {
                    key: Some("foo".to_owned()),
                    operator: Some("Exists".to_owned()),
                    effect: Some("NoExecute".to_owned()),
                    ..Toleration::default()
                });
            },
            true,
        ),
        (
            |pod| pod.spec.as_mut().unwrap().containers[0].image = Some("alpine".to_owned()),
            true,
        ),
    ];
    for (change, counts) in changes {
        node.update("p", change).unwrap();
        expected += i64::from(counts);
        assert_eq!(generation(&node.pod("p")), expected);
        observed(&node, expected).await;
    }
    // Nor does what is seen, nor what is asked to be changed and may not be.
    node.update("p", |pod| set_condition(pod, "True")).unwrap();
    node.update("p", |pod| {
        pod.spec.as_mut().unwrap().hostname = Some("other".to_owned())
    })
    .unwrap_err();
    assert_eq!(generation(&node.pod("p")), expected);
}
