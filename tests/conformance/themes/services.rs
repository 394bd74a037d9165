//! Services and what they lead to: upstream's `test/e2e/network/service.go`.
//!
//! How a service changes its type, keeps its clients, and is an object is in `service_types`, `service_affinity` and
//! `service_objects`.

use serde_json::json;

use super::service_affinity::{
    cluster_ip_to_client_ip, cluster_ip_to_none, node_port_to_client_ip, node_port_to_none,
};
use super::service_objects::{collection, lifecycle};
use super::service_types::{
    cluster_ip_to_external_name, external_name_to_cluster_ip, external_name_to_node_port,
    node_port, node_port_to_external_name,
};
use wasmpod_store::Kind;

use crate::host::Host;
use crate::script::with;
use crate::serving::{
    SERVICES, ask, ask_by_datagram, create, datagrams, endpoints, ip_of, put, server, service, web,
    web_server, world,
};
use crate::table::rows;

rows! {
    "1.23 Services";
    "Kubernetes Service (default/kubernetes exists)" => differs "There is no Service `kubernetes`: no API server is within the reach of pods.";
    "Service, endpoints" => passes endpoints_of_pods;
    "Service, endpoints with multiple ports" => passes several_ports;
    "Services, same port with different protocols" => passes two_protocols;
    "Service, NodePort Service" => passes node_port;
    "Service, change type, ExternalName to ClusterIP" => passes external_name_to_cluster_ip;
    "Service, change type, ExternalName to NodePort" => passes external_name_to_node_port;
    "Service, change type, ClusterIP to ExternalName" => passes cluster_ip_to_external_name;
    "Service, change type, NodePort to ExternalName" => passes node_port_to_external_name;
    "Service, ClusterIP type, session affinity to ClientIP" => passes cluster_ip_to_client_ip;
    "Service, ClusterIP type, session affinity to None" => passes cluster_ip_to_none;
    "Service, NodePort type, session affinity to ClientIP" => passes node_port_to_client_ip;
    "Service, NodePort type, session affinity to None" => passes node_port_to_none;
    "Find Kubernetes Service in default Namespace" => differs "There is no Service `kubernetes`: no API server is within the reach of pods.";
    "Service, lifecycle and ServiceStatus" => passes lifecycle;
    "Services, delete a collection" => passes collection;
}

/// The endpoints of a service as `POD PORT/PROTOCOL...`.
fn shown(host: &Host, service: &str, pods: &[&str]) -> Vec<String> {
    let all = endpoints(host, service).into_iter().map(|(ip, ports)| {
        let pod = pods.iter().find(|pod| ip_of(host, pod) == ip);
        format!("{} {}", pod.copied().unwrap_or(&ip), ports.join(" "))
    });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

async fn remove(host: &Host, pod: &str, left: usize) {
    host.delete(Kind::Pod, pod);
    host.pods_until("one pod less", |pods| pods.len() == left)
        .await;
    host.settled().await;
}

async fn endpoints_of_pods() {
    let (host, api) = world(&[]).await;
    create(&host, &api, SERVICES, &service("s", json!({}))).await;
    assert_eq!(shown(&host, "s", &[]), Vec::<String>::new());
    let refused = ask(&host, "s").await.unwrap_err();
    assert!(refused.contains("Connection refused"), "{refused}");

    let mut pods = Vec::new();
    for name in ["pod1", "pod2"] {
        host.apply(&web_server(name).to_string()).await;
        pods.push(name);
        host.ready_pods(pods.len() + 1).await;
        host.settled().await;
        let expected: Vec<_> = pods.iter().map(|pod| format!("{pod} 80/TCP")).collect();
        assert_eq!(shown(&host, "s", &pods), expected);
        assert!(ask(&host, "s").await.is_ok());
    }
    remove(&host, "pod1", 2).await;
    assert_eq!(shown(&host, "s", &["pod2"]), ["pod2 80/TCP"]);
    for _ in 0..10 {
        assert_eq!(ask(&host, "s").await.unwrap(), "pod2");
    }
    remove(&host, "pod2", 1).await;
    assert_eq!(shown(&host, "s", &[]), Vec::<String>::new());
    assert!(ask(&host, "s").await.is_err());
}

async fn several_ports() {
    let of = |name, port_name, port| {
        let ports = json!({"ports": [{"name": port_name, "containerPort": port}]});
        server(name, &[with(web("c", port), ports)])
    };
    let pods = [of("pod1", "first", 100), of("pod2", "second", 101)];
    let (host, api) = world(&pods).await;
    let ports = json!([
        {"name": "portname1", "port": 80, "targetPort": "first"},
        {"name": "portname2", "port": 81, "targetPort": "second"},
    ]);
    create(
        &host,
        &api,
        SERVICES,
        &service("s", json!({"ports": ports})),
    )
    .await;
    let pods = ["pod1", "pod2"];
    assert_eq!(shown(&host, "s", &pods), ["pod1 100/TCP", "pod2 101/TCP"]);
    assert_eq!(ask(&host, "s:80").await.unwrap(), "pod1");
    assert_eq!(ask(&host, "s:81").await.unwrap(), "pod2");
    remove(&host, "pod1", 2).await;
    assert_eq!(shown(&host, "s", &pods[1..]), ["pod2 101/TCP"]);
    assert!(ask(&host, "s:80").await.is_err());
    assert_eq!(ask(&host, "s:81").await.unwrap(), "pod2");
}

async fn two_protocols() {
    let (host, api) = world(&[server("pod1", &[web("tcp", 80), datagrams("udp", 80)])]).await;
    let tcp = json!({"name": "tcp", "port": 80, "protocol": "TCP"});
    let udp = json!({"name": "udp", "port": 80, "protocol": "UDP"});
    let both = service("s", json!({"ports": [tcp, udp]}));
    create(&host, &api, SERVICES, &both).await;
    assert_eq!(shown(&host, "s", &["pod1"]), ["pod1 80/TCP 80/UDP"]);
    assert_eq!(ask(&host, "s").await.unwrap(), "pod1");
    assert_eq!(ask_by_datagram(&host, "s", 80).await.unwrap(), "pod1");

    let path = format!("{SERVICES}/s");
    put(&host, &api, &path, &service("s", json!({"ports": [tcp]}))).await;
    assert_eq!(shown(&host, "s", &["pod1"]), ["pod1 80/TCP"]);
    assert_eq!(ask(&host, "s").await.unwrap(), "pod1");
    assert!(ask_by_datagram(&host, "s", 80).await.is_err());

    put(&host, &api, &path, &service("s", json!({"ports": [udp]}))).await;
    assert_eq!(shown(&host, "s", &["pod1"]), ["pod1 80/UDP"]);
    assert!(ask(&host, "s").await.is_err());
    assert_eq!(ask_by_datagram(&host, "s", 80).await.unwrap(), "pod1");
}
