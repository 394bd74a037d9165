//! What a container is told of its pod in variables: upstream's `test/e2e/common/node/downwardapi.go`.

use serde_json::{Value, json};

use crate::downward::{is_positive, resources};
use crate::env::environment;
use crate::objects::set;
use crate::table::rows;

rows! {
    "1.11 Downward API as env";
    "DownwardAPI, environment for name, namespace and ip" => passes name_namespace_and_ip;
    "DownwardAPI, environment for host ip" => passes host_ip;
    "DownwardAPI, environment for hostIPs" => passes host_ips;
    "DownwardAPI, environment for CPU and memory limits and requests" => passes limits_and_requests;
    "DownwardAPI, environment for default CPU and memory limits and requests" => passes default_limits_and_requests;
    "DownwardAPI, environment for Pod UID" => passes pod_uid;
}

/// The variable with a field of the pod.
fn field(name: &str, path: &str) -> Value {
    json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
}

/// The variables with a container's resources.
fn resource_variables() -> Value {
    let variable = |name: &str, resource: &str| json!({"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource}}});
    json!({"env": [
        variable("CPU_LIMIT", "limits.cpu"),
        variable("MEMORY_LIMIT", "limits.memory"),
        variable("CPU_REQUEST", "requests.cpu"),
        variable("MEMORY_REQUEST", "requests.memory"),
    ]})
}

async fn name_namespace_and_ip() {
    let fields = json!({"env": [
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("POD_IP", "status.podIP"),
    ]});
    let (env, status) = environment(&[], fields).await;
    env.has(&["POD_NAME=p", "POD_NAMESPACE=default"]);
    assert_eq!(Some(env.get("POD_IP")), status.pod_ip.as_deref());
    assert!(env.get("POD_IP").parse::<std::net::IpAddr>().is_ok());
}

async fn host_ip() {
    let fields = json!({"env": [field("HOST_IP", "status.hostIP")]});
    let (env, status) = environment(&[], fields).await;
    assert_eq!(Some(env.get("HOST_IP")), status.host_ip.as_deref());
    assert!(env.get("HOST_IP").parse::<std::net::IpAddr>().is_ok());
}

async fn host_ips() {
    let fields = json!({"env": [field("HOST_IPS", "status.hostIPs")]});
    let (env, status) = environment(&[], fields).await;
    let ips: Vec<_> = status
        .host_ips
        .unwrap()
        .into_iter()
        .map(|host| host.ip)
        .collect();
    assert!(!ips.is_empty());
    assert_eq!(env.get("HOST_IPS"), ips.join(","));
}

async fn limits_and_requests() {
    let mut fields = resource_variables();
    set(&mut fields, json!({"resources": resources()}));
    let (env, _) = environment(&[], fields).await;
    env.has(&[
        "CPU_LIMIT=2",
        "MEMORY_LIMIT=67108864",
        "CPU_REQUEST=1",
        "MEMORY_REQUEST=33554432",
    ]);
}

async fn default_limits_and_requests() {
    let (env, _) = environment(&[], resource_variables()).await;
    assert!(is_positive(env.get("CPU_LIMIT")), "{env:?}");
    assert!(is_positive(env.get("MEMORY_LIMIT")), "{env:?}");
    env.has(&["CPU_REQUEST=0", "MEMORY_REQUEST=0"]);
}

async fn pod_uid() {
    let fields = json!({"env": [field("POD_UID", "metadata.uid")]});
    let (env, _) = environment(&[], fields).await;
    let uid = env.get("POD_UID");
    let is_uid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(uid.len() == 36 && uid.chars().all(is_uid), "{uid}");
}
