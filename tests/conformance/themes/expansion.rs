//! References to variables: upstream's `test/e2e/common/node/expansion.go`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::env::environment;
use crate::objects::{pod, set};
use crate::pod::{Pod, container};
use crate::table::rows;

rows! {
    "1.12 $(VAR) expansion and subPathExpr";
    "Environment variables, expansion ($(A) in env, $$(A) escape)" => passes env;
    "Environment variables, command argument expansion" => passes arguments;
    "Environment variables, command expansion" => passes command;
    "VolumeSubpathEnvExpansion, subpath expansion" => passes sub_path;
    "VolumeSubpathEnvExpansion, subpath with backticks (fails)" => passes sub_path_that_goes_up;
    "VolumeSubpathEnvExpansion, subpath with absolute path (fails)" => passes absolute_sub_path;
    "VolumeSubpathEnvExpansion, subpath ready from failed state (after annotation edit)" => passes ready_after_failure;
    "VolumeSubpathEnvExpansion, subpath test writes" => passes writes;
}

async fn env() {
    let fields = json!({"env": [
        {"name": "FOO", "value": "foo-value"},
        {"name": "BAR", "value": "bar-value"},
        {"name": "FOOBAR", "value": "$(FOO);;$(BAR)"},
        {"name": "ESCAPED", "value": "$$(FOO)"},
    ]});
    let (env, _) = environment(&[], fields).await;
    env.has(&[
        "FOO=foo-value",
        "BAR=bar-value",
        "FOOBAR=foo-value;;bar-value",
        "ESCAPED=$(FOO)",
    ]);
}

/// What a container with the variable `TEST_VAR` prints.
async fn printed(fields: Value) -> String {
    let mut container = json!({
        "name": "c", "image": "busybox", "env": [{"name": "TEST_VAR", "value": "test-value"}],
    });
    set(&mut container, fields);
    let pod = Pod::start(&pod(json!({"containers": [container]})).to_string()).await;
    pod.ends("Succeeded").await;
    pod.log("c").await
}

async fn arguments() {
    let script = "TEST_VAR=wrong echo \"$(TEST_VAR)\"";
    let fields = json!({"command": ["sh", "-c"], "args": [script]});
    assert_eq!(printed(fields).await, "test-value\n");
}

async fn command() {
    let script = "TEST_VAR=wrong echo \"$(TEST_VAR)\"";
    assert_eq!(
        printed(json!({"command": ["sh", "-c", script]})).await,
        "test-value\n"
    );
}

/// A pod that mounts one emptyDir twice: all of it at `/whole`, and what the variable says at `/part`.
fn with_sub_path(variable: &Value, expression: &str, script: &str) -> Value {
    pod(json!({
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{
            "name": "c", "image": "busybox", "command": ["sh", "-c", script],
            "env": [variable, {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "volumeMounts": [
                {"name": "v", "mountPath": "/part", "subPathExpr": expression},
                {"name": "v", "mountPath": "/whole"},
            ],
        }],
    }))
}

async fn sub_path() {
    let variable = json!({"name": "DIR", "value": "foo"});
    let object = with_sub_path(&variable, "$(DIR)", "test -d /whole/foo; echo $?");
    let pod = Pod::start(&object.to_string()).await;
    pod.ends("Succeeded").await;
    assert_eq!(pod.log("c").await, "0\n");
}

/// The container is never made, however long one waits; `said` is in the reason that is told.
async fn is_refused(value: &str, said: &str) {
    let object = with_sub_path(&json!({"name": "DIR", "value": value}), "$(DIR)", "true");
    let pod = Pod::start(&object.to_string()).await;
    cannot_be_made(&pod, said).await;
}

async fn cannot_be_made(pod: &Pod, said: &str) {
    let why = |status: &_| container(status, "c").state.and_then(|state| state.waiting);
    let status = pod
        .until("CreateContainerConfigError", |status| {
            let waiting = why(status).and_then(|waiting| waiting.reason);
            waiting.as_deref() == Some("CreateContainerConfigError")
        })
        .await;
    let message = why(&status)
        .and_then(|waiting| waiting.message)
        .unwrap_or_default();
    assert!(message.contains(said), "{message}");
    pod.pause(Duration::from_secs(300)).await;
    assert_eq!(pod.status().pod.phase.as_deref(), Some("Pending"));
    assert!(why(&pod.status().pod).is_some());
}

async fn sub_path_that_goes_up() {
    is_refused("..", "must not contain '..'").await;
}

async fn absolute_sub_path() {
    is_refused("/tmp", "must not be an absolute path").await;
}

/// A pod whose sub-path is an annotation and its name.
fn with_annotation(name: &str) -> Value {
    let field = json!({"fieldRef": {"fieldPath": "metadata.annotations['mysubpath']"}});
    let variable = json!({"name": "ANNOTATION", "valueFrom": field});
    let mut object = with_sub_path(&variable, "$(ANNOTATION)/$(POD_NAME)", "exec sleep 100000");
    set(
        &mut object["metadata"],
        json!({"annotations": {name: "mypath"}}),
    );
    object
}

async fn ready_after_failure() {
    let mut pod = Pod::start(&with_annotation("notmysubpath").to_string()).await;
    cannot_be_made(&pod, "ANNOTATION").await;
    pod.update(|pod| {
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert("mysubpath".to_owned(), "mypath".to_owned());
    })
    .await;
    pod.is_ready().await;
    assert_eq!(
        pod.exec("c", &["test", "-d", "/whole/mypath/p"]).await.code,
        0
    );
}

async fn writes() {
    let mut pod = Pod::start(&with_annotation("mysubpath").to_string()).await;
    pod.is_ready().await;
    assert_eq!(
        pod.exec("c", &["touch", "/whole/mypath/p/test.log"])
            .await
            .code,
        0
    );
    assert_eq!(
        pod.exec("c", &["test", "-f", "/part/test.log"]).await.code,
        0
    );
    pod.update(|pod| {
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert("mysubpath".to_owned(), "mynewpath".to_owned());
    })
    .await;
    // The mount of a container that runs stays what it is.
    assert_eq!(
        pod.exec("c", &["test", "-f", "/part/test.log"]).await.code,
        0
    );
    assert_eq!(pod.container("c").restart_count, 0);
    pod.delete(None).await;
    pod.gone().await;
}
