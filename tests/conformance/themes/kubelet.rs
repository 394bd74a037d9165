//! Logs, failures and `/etc/hosts`: upstream's `test/e2e/common/node/kubelet.go` and `kubelet_etc_hosts.go`.

use serde_json::json;

use crate::pod::Pod;
use crate::script::{ended, pod, shell, with};
use crate::table::rows;

rows! {
    "1.7 Kubelet: logs, failure, /etc/hosts";
    "Kubelet, log output, default" => passes log_output;
    "Kubelet, failed pod, terminated reason" => passes failed_pod_has_a_reason;
    "Kubelet, failed pod, delete" => passes failed_pod_can_be_deleted;
    "Kubelet, hostAliases" => passes host_aliases;
    "Kubelet, pod with read only root file system" => passes read_only_root;
    "Kubelet, managed etc hosts" => passes managed_etc_hosts;
}

async fn log_output() {
    let container = shell("c", "echo 'Hello World' ; sleep 240");
    let pod = Pod::start(&pod(&json!({"containers": [container]}))).await;
    assert_eq!(
        pod.log_until("c", |log| !log.is_empty()).await,
        "Hello World\n"
    );
}

/// A pod that always fails.
async fn failing() -> Pod {
    let container = json!({"name": "c", "image": "busybox", "command": ["/bin/false"]});
    Pod::start(&pod(&json!({"containers": [container]}))).await
}

async fn failed_pod_has_a_reason() {
    let pod = failing().await;
    let status = pod
        .until("it has ended", |status| {
            let found = status
                .container_statuses
                .as_ref()
                .and_then(|all| all.first());
            let is_ended = |state: &Option<wasmpod_manifest::k8s::ContainerState>| {
                state
                    .as_ref()
                    .is_some_and(|state| state.terminated.is_some())
            };
            found.is_some_and(|found| is_ended(&found.state) || is_ended(&found.last_state))
        })
        .await;
    let ended = ended(&status, "c");
    assert_eq!(
        (ended.exit_code, ended.reason.as_deref()),
        (1, Some("Error"))
    );
}

async fn failed_pod_can_be_deleted() {
    let pod = failing().await;
    pod.until("it was restarted", |status| {
        status
            .container_statuses
            .iter()
            .flatten()
            .any(|found| found.restart_count > 0)
    })
    .await;
    pod.delete(None).await;
    pod.gone().await;
}

async fn host_aliases() {
    let pod = Pod::start(&pod(&json!({
        "restartPolicy": "Never",
        "hostAliases": [{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}],
        "containers": [shell("c", "cat /etc/hosts; getent hosts foo")],
    })))
    .await;
    pod.ends("Succeeded").await;
    let log = pod.log("c").await;
    assert!(log.contains("123.45.67.89\tfoo\tbar"), "{log}");
    assert_eq!(
        log.lines()
            .filter(|line| line.starts_with("123.45.67.89"))
            .count(),
        2,
        "{log}"
    );
}

async fn read_only_root() {
    let more = json!({"securityContext": {"readOnlyRootFilesystem": true}});
    let container = with(shell("c", "echo test > /file; sleep 240"), more);
    let pod = Pod::start(&pod(&json!({"containers": [container]}))).await;
    // Upstream's kernel says EROFS and the engine EPERM; that it fails is what conformance asks for.
    let log = pod.log_until("c", |log| !log.is_empty()).await;
    assert!(
        log.starts_with("sh: ") && log.contains("create /file: "),
        "{log}"
    );
    assert_eq!(pod.exec("c", &["test", "-e", "/file"]).await.code, 1);
}

async fn managed_etc_hosts() {
    // The container that mounts a file of its own over it keeps that one.
    let own =
        json!({"volumeMounts": [{"name": "hosts", "mountPath": "/etc/hosts", "subPath": "hosts"}]});
    let pod = Pod::start(&format!(
        "{}\n---\n{}\n",
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}, "data": {"hosts": "127.0.0.9 own\n"}}),
        pod(&json!({
            "containers": [shell("busybox-1", "sleep 900"), shell("busybox-2", "sleep 900"),
                with(shell("busybox-3", "sleep 900"), own)],
            "volumes": [{"name": "hosts", "configMap": {"name": "own"}}],
        }))
    ))
    .await;
    let status = pod.is_ready().await;
    for name in ["busybox-1", "busybox-2"] {
        let hosts = pod.exec(name, &["cat", "/etc/hosts"]).await.stdout;
        assert!(
            hosts.starts_with("# Kubernetes-managed hosts file."),
            "{hosts}"
        );
        let own = format!("{}\tp", status.pod_ip.as_deref().unwrap());
        assert!(hosts.lines().any(|line| line == own), "{hosts}");
    }
    let hosts = pod.exec("busybox-3", &["cat", "/etc/hosts"]).await.stdout;
    assert_eq!(hosts, "127.0.0.9 own\n");
}
