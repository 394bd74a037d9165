//! EndpointSlices that somebody writes: plays for `endpoints`.

use serde_json::{Value, json};
use wasmpod_api::client::{Accept, DeleteOptions};
use wasmpod_store::Kind;

use crate::host::Host;
use crate::serving::{
    SERVICES, ask, ask_often, create, ip_of, patch, put, server, service, slices, web, world,
};

const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

/// A slice of the service `s`.
fn slice(name: &str, addresses: &[String], ports: &Value) -> Value {
    let labels = json!({"kubernetes.io/service-name": "s", "test": "yes"});
    let endpoints: Vec<_> = addresses
        .iter()
        .map(|ip| json!({"addresses": [ip]}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": name, "labels": labels},
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    })
}

pub(super) async fn api() {
    let (host, api) = world(&[]).await;
    let list = api.get(SLICES, Accept::Json).await.unwrap();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let watch = format!("{SLICES}?watch=true&resourceVersion={version}");
    let mut watch = api.watch(&watch, Accept::Json).await.unwrap();
    let mut next = async || watch.next().await.unwrap().unwrap();

    let ports = json!([{"name": "http", "port": 80}]);
    for name in ["e1", "e2", "e3"] {
        let object = slice(name, &["10.0.0.1".to_owned()], &ports);
        let created = create(&host, &api, SLICES, &object).await;
        assert_eq!(created["ports"][0]["protocol"], "TCP");
        assert_eq!(next().await["type"], "ADDED");
    }
    let everywhere = "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=test%3Dyes";
    let list = api.get(everywhere, Accept::Json).await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 3);

    let path = format!("{SLICES}/e1");
    let change = json!({"metadata": {"annotations": {"patched": "true"}}});
    let patched = patch(&host, &api, &path, &change).await;
    assert_eq!(next().await["object"], patched);
    let mut updated = patched.clone();
    updated["endpoints"][0]["conditions"] = json!({"ready": false});
    let updated = put(&host, &api, &path, &updated).await;
    assert_eq!(updated["endpoints"][0]["conditions"]["ready"], false);
    assert_eq!(updated["metadata"]["annotations"]["patched"], "true");
    assert_eq!(next().await["object"], updated);

    api.delete(&path, &DeleteOptions::default()).await.unwrap();
    assert_eq!(next().await["type"], "DELETED");
    let all = format!("{SLICES}?labelSelector=test%3Dyes");
    api.delete(&all, &DeleteOptions::default()).await.unwrap();
    assert_eq!(host.objects(Kind::EndpointSlice), Vec::<Value>::new());
}

/// Servers `pod1` and `pod2`, which answer on 100 and 101, and a service `s` without selector.
async fn bare() -> (Host, wasmpod_api::client::Client) {
    let pods = ["pod1", "pod2"].map(|name| server(name, &[web("a", 100), web("b", 101)]));
    let (host, api) = world(&pods).await;
    let ports = json!([{"name": "portname1", "port": 80}, {"name": "portname2", "port": 81}]);
    let object = service("s", json!({"selector": null, "ports": ports}));
    create(&host, &api, SERVICES, &object).await;
    assert_eq!(slices(&host, "s"), Vec::<Value>::new());
    (host, api)
}

pub(super) async fn several_ports() {
    let (host, api) = bare().await;
    let ports = json!([{"name": "portname1", "port": 100}, {"name": "portname2", "port": 101}]);
    let one = slice("one", &[ip_of(&host, "pod1")], &ports);
    create(&host, &api, SLICES, &one).await;
    for address in ["s:80", "s:81"] {
        assert_eq!(ask(&host, address).await.unwrap(), "pod1", "{address}");
    }
}

pub(super) async fn several_addresses() {
    let (host, api) = bare().await;
    // Each port of the service is in a slice of its own, with another pod.
    for (name, port, pod) in [("portname1", 100, "pod1"), ("portname2", 101, "pod2")] {
        let ports = json!([{"name": name, "port": port}]);
        let object = slice(name, &[ip_of(&host, pod)], &ports);
        create(&host, &api, SLICES, &object).await;
    }
    assert_eq!(ask(&host, "s:80").await.unwrap(), "pod1");
    assert_eq!(ask(&host, "s:81").await.unwrap(), "pod2");
    // And one slice has both.
    let both = [ip_of(&host, "pod1"), ip_of(&host, "pod2")];
    let ports = json!([{"name": "portname1", "port": 100}]);
    put(
        &host,
        &api,
        &format!("{SLICES}/portname1"),
        &slice("portname1", &both, &ports),
    )
    .await;
    assert_eq!(ask_often(&host, "s:80", 60).await.len(), 2);
    assert_eq!(ask_often(&host, "s:81", 60).await.len(), 1);
}
