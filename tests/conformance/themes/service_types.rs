//! Services that change their type, and NodePort ones: plays for `services`.
//!
//! A node port is given out of 30000-32767, and another process of this machine, perhaps another test, may have it. The
//! service then says so in an event, and the play begins anew with another host.

use std::io::{Read, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use wasmpod_api::client::Client;
use wasmpod_store::Kind;

use crate::host::Host;
use crate::serving::{SERVICES, ask, create, endpoints, patch, service, web_server, world};

/// How often a play begins anew before its test fails.
const MAX_PLAYS: usize = 20;

/// The node port of a service, or its service's address, is somebody else's on this machine.
#[derive(Debug)]
pub(super) struct Taken;

/// Plays until the node ports that were given out were free.
pub(super) async fn with_free_ports(play: impl AsyncFn() -> Result<(), Taken>) {
    for _ in 0..MAX_PLAYS {
        if play().await.is_ok() {
            return;
        }
    }
    panic!("no node port is free on this machine");
}

/// The node port of a service, if it is open.
pub(super) fn open_port(host: &Host, service: &str) -> Result<u16, Taken> {
    let is_taken = host.objects(Kind::Event).iter().any(|event| {
        event["reason"] == "FailedToPublishNodePort" && event["involvedObject"]["name"] == service
    });
    if is_taken {
        return Err(Taken);
    }
    let port = host.object(Kind::Service, service)["spec"]["ports"][0]["nodePort"].clone();
    let port = port
        .as_u64()
        .unwrap_or_else(|| panic!("{service} has no node port: {port}"));
    Ok(u16::try_from(port).unwrap())
}

/// What a program of this machine gets at `/hostname` of a node port.
pub(super) async fn ask_from_machine(port: u16) -> std::io::Result<String> {
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET /hostname HTTP/1.0\r\nHost: node\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        Ok(body.to_owned())
    });
    asking.await.unwrap()
}

pub(super) async fn node_port() {
    with_free_ports(async || {
        let (host, api) = world(&[web_server("pod1")]).await;
        let wanted = service("s", json!({"type": "NodePort"}));
        create(&host, &api, SERVICES, &wanted).await;
        let port = open_port(&host, "s")?;
        assert!((30000..=32767).contains(&port), "{port}");
        assert_eq!(ask(&host, "s").await.unwrap(), "pod1");
        assert_eq!(ask_from_machine(port).await.unwrap(), "pod1");
        Ok(())
    })
    .await;
}

/// An ExternalName service `s`.
async fn external(host: &Host, api: &Client) {
    let object = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": "ExternalName", "externalName": "foo.example.com"},
    });
    let created = create(host, api, SERVICES, &object).await;
    assert_eq!(created["spec"].get("clusterIP"), None);
    assert!(ask(host, "s").await.is_err(), "no way out");
}

pub(super) async fn external_name_to_cluster_ip() {
    let (host, api) = world(&[web_server("pod1")]).await;
    external(&host, &api).await;
    let change = json!({"spec": {
        "type": "ClusterIP", "externalName": null, "selector": {"app": "server"},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    }});
    let spec = patch(&host, &api, &path(), &change).await["spec"].clone();
    let ip = spec["clusterIP"].as_str().unwrap().to_owned();
    assert_eq!(spec["clusterIPs"], json!([ip]));
    assert_eq!(spec["ports"][0].get("nodePort"), None);
    for address in ["s", &ip] {
        assert_eq!(ask(&host, address).await.unwrap(), "pod1", "{address}");
    }
}

pub(super) async fn external_name_to_node_port() {
    with_free_ports(async || {
        let (host, api) = world(&[web_server("pod1")]).await;
        external(&host, &api).await;
        let change = json!({"spec": {
            "type": "NodePort", "externalName": null, "selector": {"app": "server"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        }});
        let spec = patch(&host, &api, &path(), &change).await["spec"].clone();
        assert!(spec["clusterIP"].is_string(), "{spec}");
        assert_eq!(spec["externalTrafficPolicy"], "Cluster");
        let port = open_port(&host, "s")?;
        assert_eq!(ask(&host, "s").await.unwrap(), "pod1");
        assert_eq!(ask_from_machine(port).await.unwrap(), "pod1");
        Ok(())
    })
    .await;
}

fn path() -> String {
    format!("{SERVICES}/s")
}

/// What turns a service into another name of the service `other`.
fn alias() -> Value {
    let name = "other.default.svc.cluster.local";
    json!({"spec": {"type": "ExternalName", "externalName": name}})
}

/// The alias `s` has nothing more of its own, and `other` answers for it.
async fn is_alias(host: &Host, api: &Client, before: &Value, after: &Value) {
    for field in [
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "externalTrafficPolicy",
    ] {
        assert_eq!(after["spec"].get(field), None, "{field}");
    }
    assert_eq!(after["spec"]["ports"][0].get("nodePort"), None);
    assert_eq!(ask(host, "s").await.unwrap(), "pod1");
    let ip = before["spec"]["clusterIP"].as_str().unwrap();
    assert!(ask(host, ip).await.is_err(), "nobody is at the address");
    // The address is free for another one.
    create(
        host,
        api,
        SERVICES,
        &service("next", json!({"clusterIP": ip})),
    )
    .await;
    assert_eq!(ask(host, ip).await.unwrap(), "pod1");
}

pub(super) async fn cluster_ip_to_external_name() {
    let (host, api) = world(&[web_server("pod1")]).await;
    create(&host, &api, SERVICES, &service("other", json!({}))).await;
    let before = create(&host, &api, SERVICES, &service("s", json!({}))).await;
    assert_eq!(endpoints(&host, "s").len(), 1);
    let after = patch(&host, &api, &path(), &alias()).await;
    is_alias(&host, &api, &before, &after).await;
}

pub(super) async fn node_port_to_external_name() {
    with_free_ports(async || {
        let (host, api) = world(&[web_server("pod1")]).await;
        create(&host, &api, SERVICES, &service("other", json!({}))).await;
        let wanted = service("s", json!({"type": "NodePort"}));
        let before = create(&host, &api, SERVICES, &wanted).await;
        let port = open_port(&host, "s")?;
        assert_eq!(ask_from_machine(port).await.unwrap(), "pod1");
        let after = patch(&host, &api, &path(), &alias()).await;
        is_alias(&host, &api, &before, &after).await;
        // The task that listened ends at its next turn, and the port is free for another service.
        let ports = json!([{"port": 80, "nodePort": port}]);
        let next = service("third", json!({"type": "NodePort", "ports": ports}));
        create(&host, &api, SERVICES, &next).await;
        open_port(&host, "third")?;
        assert_eq!(ask_from_machine(port).await.unwrap(), "pod1");
        Ok(())
    })
    .await;
}
