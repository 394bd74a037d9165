//! Endpoints, and the EndpointSlices that the host writes: upstream's `test/e2e/network/endpointslice.go`,
//! `endpointslicemirroring.go` and parts of `service.go`. Slices that somebody writes are in `endpoint_slices`.

use serde_json::{Value, json};
use wasmpod_api::client::{Accept, DeleteOptions};
use wasmpod_store::Kind;

use super::endpoint_slices::{api, several_addresses, several_ports};
use crate::serving::{
    SERVICES, ask, create, endpoints, ip_of, patch, put, server, service, slices, web, web_server,
    world,
};
use crate::table::rows;

rows! {
    "1.24 Endpoints and EndpointSlice";
    "EndpointSlice API" => passes api;
    "EndpointSlice, creation and deletion for Service" => passes slices_for_service;
    "EndpointSlice, \"empty\" Service" => passes slices_of_empty_service;
    "EndpointSlice, single IP, multiple ports" => passes several_ports;
    "EndpointSlice, multiple IPs, multiple ports" => passes several_addresses;
    "EndpointSlice mirroring" => passes mirroring;
    "Endpoint resource lifecycle" => passes lifecycle;
    "Endpoints, creation and deletion for Service" => passes endpoints_for_service;
    "Endpoints, \"empty\" Service" => passes endpoints_of_empty_service;
    "kubernetes.default endpoints / EndpointSlices of the API server" => differs "There is no Service `kubernetes`: no API server is within the reach of pods.";
}

const ENDPOINTS: &str = "/api/v1/namespaces/default/endpoints";

async fn slices_for_service() {
    let (host, api) = world(&[web_server("pod1")]).await;
    let created = create(&host, &api, SERVICES, &service("s", json!({}))).await;
    let found = slices(&host, "s");
    assert_eq!(found.len(), 1, "{found:?}");
    let (metadata, uid) = (&found[0]["metadata"], &created["metadata"]["uid"]);
    assert_eq!(metadata["ownerReferences"][0]["uid"], *uid);
    assert_eq!(metadata["ownerReferences"][0]["controller"], true);
    assert_eq!(
        metadata["labels"]["endpointslice.kubernetes.io/managed-by"],
        "endpointslice-controller.k8s.io"
    );
    let endpoint = &found[0]["endpoints"][0];
    assert_eq!(endpoint["addresses"], json!([ip_of(&host, "pod1")]));
    let pod = host.object(Kind::Pod, "pod1");
    assert_eq!(endpoint["targetRef"]["uid"], pod["metadata"]["uid"]);
    assert_eq!(endpoint["nodeName"], "node");
    assert_eq!(
        found[0]["ports"],
        json!([{"name": "", "port": 80, "protocol": "TCP"}])
    );
    let path = format!("{SERVICES}/s");
    api.delete(&path, &DeleteOptions::default()).await.unwrap();
    host.settled().await;
    assert_eq!(slices(&host, "s"), Vec::<Value>::new());
}

async fn slices_of_empty_service() {
    let (host, api) = world(&[]).await;
    create(&host, &api, SERVICES, &service("s", json!({}))).await;
    let found = slices(&host, "s");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["endpoints"], json!([]));
}

async fn endpoints_for_service() {
    let (host, api) = world(&[server("pod1", &[web("a", 80), web("b", 81)])]).await;
    let ports = json!([{"name": "a", "port": 80}, {"name": "b", "port": 8081, "targetPort": 81}]);
    create(
        &host,
        &api,
        SERVICES,
        &service("s", json!({"ports": ports})),
    )
    .await;
    let found = host.object(Kind::Endpoints, "s");
    let subset = &found["subsets"][0];
    assert_eq!(subset["addresses"][0]["ip"], ip_of(&host, "pod1").as_str());
    assert_eq!(subset["addresses"][0]["targetRef"]["name"], "pod1");
    let named = |name, port| json!({"name": name, "port": port, "protocol": "TCP"});
    assert_eq!(subset["ports"], json!([named("a", 80), named("b", 81)]));
    let path = format!("{SERVICES}/s");
    api.delete(&path, &DeleteOptions::default()).await.unwrap();
    host.settled().await;
    assert_eq!(host.object(Kind::Endpoints, "s"), Value::Null);
}

async fn endpoints_of_empty_service() {
    let (host, api) = world(&[]).await;
    create(&host, &api, SERVICES, &service("s", json!({}))).await;
    let found = host.object(Kind::Endpoints, "s");
    assert_eq!(found["metadata"]["name"], "s");
    assert_eq!(found.get("subsets"), None);
}

/// Endpoints of that address and port.
fn written(name: &str, ip: &str, port: u16) -> Value {
    let subset = json!({"addresses": [{"ip": ip}], "ports": [{"name": "http", "port": port}]});
    let metadata = json!({"name": name, "namespace": "default", "labels": {"test": "yes"}});
    json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]})
}

async fn mirroring() {
    let pods = [web_server("pod1"), server("pod2", &[web("c", 81)])];
    let (host, api) = world(&pods).await;
    let ports = json!([{"name": "http", "port": 80}]);
    let bare = service("s", json!({"selector": null, "ports": ports}));
    create(&host, &api, SERVICES, &bare).await;
    assert_eq!(slices(&host, "s"), Vec::<Value>::new());

    let first = written("s", &ip_of(&host, "pod1"), 80);
    create(&host, &api, ENDPOINTS, &first).await;
    let found = slices(&host, "s");
    assert_eq!(found.len(), 1, "{found:?}");
    let labels = &found[0]["metadata"]["labels"];
    assert_eq!(
        labels["endpointslice.kubernetes.io/managed-by"],
        "endpointslicemirroring-controller.k8s.io"
    );
    assert_eq!(labels["test"], "yes");
    assert_eq!(endpoints(&host, "s").len(), 1);
    assert_eq!(ask(&host, "s").await.unwrap(), "pod1");

    let path = format!("{ENDPOINTS}/s");
    put(&host, &api, &path, &written("s", &ip_of(&host, "pod2"), 81)).await;
    assert_eq!(slices(&host, "s")[0]["ports"][0]["port"], 81);
    assert_eq!(ask(&host, "s").await.unwrap(), "pod2");

    api.delete(&path, &DeleteOptions::default()).await.unwrap();
    host.settled().await;
    assert_eq!(slices(&host, "s"), Vec::<Value>::new());
    assert!(ask(&host, "s").await.is_err());
}

async fn lifecycle() {
    let (host, api) = world(&[]).await;
    let list = api.get(ENDPOINTS, Accept::Json).await.unwrap();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let watch = format!("{ENDPOINTS}?watch=true&resourceVersion={version}");
    let mut watch = api.watch(&watch, Accept::Json).await.unwrap();
    let mut next = async || watch.next().await.unwrap().unwrap();

    let path = format!("{ENDPOINTS}/e");
    create(&host, &api, ENDPOINTS, &written("e", "10.0.0.24", 80)).await;
    assert_eq!(next().await["type"], "ADDED");
    let everywhere = "/api/v1/endpoints?labelSelector=test%3Dyes";
    let list = api.get(everywhere, Accept::Json).await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    put(&host, &api, &path, &written("e", "10.0.0.25", 80)).await;
    assert_eq!(next().await["type"], "MODIFIED");
    let change = json!({
        "metadata": {"labels": {"test-service": "patched"}},
        "subsets": [{"addresses": [{"ip": "10.0.0.26"}], "ports": [{"name": "http-test", "port": 8080}]}],
    });
    let patched = patch(&host, &api, &path, &change).await;
    assert_eq!(next().await["object"], patched);
    assert_eq!(patched["metadata"]["labels"]["test-service"], "patched");
    let subset = &patched["subsets"][0];
    assert_eq!(subset["addresses"][0]["ip"], "10.0.0.26");
    let port = json!({"name": "http-test", "port": 8080, "protocol": "TCP"});
    assert_eq!(subset["ports"], json!([port]));

    let all = format!("{ENDPOINTS}?labelSelector=test-service%3Dpatched");
    api.delete(&all, &DeleteOptions::default()).await.unwrap();
    assert_eq!(next().await["type"], "DELETED");
    assert_eq!(host.objects(Kind::Endpoints), Vec::<Value>::new());
}
