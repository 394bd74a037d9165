//! Services as objects of the API: plays for `services`.

use serde_json::json;
use wasmpod_api::client::{Accept, DeleteOptions, Write};
use wasmpod_store::Kind;

use crate::serving::{SERVICES, ask, create, patch, put, service, web_server, world};

pub(super) async fn lifecycle() {
    let (host, api) = world(&[]).await;
    let list = api.get(SERVICES, Accept::Json).await.unwrap();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let watch = format!("{SERVICES}?watch=true&resourceVersion={version}");
    let mut watch = api.watch(&watch, Accept::Json).await.unwrap();
    let mut next = async || watch.next().await.unwrap().unwrap();

    let mut object = service(
        "s",
        json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false}),
    );
    object["metadata"]["labels"] = json!({"test-service-static": "true"});
    create(&host, &api, SERVICES, &object).await;
    assert_eq!(next().await["type"], "ADDED");
    let everywhere = "/api/v1/services?labelSelector=test-service-static%3Dtrue";
    let list = api.get(everywhere, Accept::Json).await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    let (path, status) = (format!("{SERVICES}/s"), format!("{SERVICES}/s/status"));
    let balancer = json!({"ingress": [{"ip": "203.0.113.1"}]});
    let change = json!({
        "metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"loadBalancer": balancer},
        "spec": {"externalName": "is-not-written"},
    });
    let patched = patch(&host, &api, &status, &change).await;
    assert_eq!(
        patched["status"]["loadBalancer"]["ingress"][0]["ip"],
        "203.0.113.1"
    );
    assert_eq!(patched["metadata"]["annotations"]["patchedstatus"], "true");
    assert_eq!(patched["spec"].get("externalName"), None);
    assert_eq!(next().await["object"], patched);

    let condition = json!({
        "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test",
        "lastTransitionTime": "2026-11-21T10:00:00Z",
    });
    let mut with_condition = patched.clone();
    with_condition["status"]["conditions"] = json!([condition]);
    let updated = put(&host, &api, &status, &with_condition).await;
    assert_eq!(updated["status"]["conditions"], json!([condition]));
    assert_eq!(next().await["type"], "MODIFIED");

    // The status is not written with the rest.
    let change = json!({"metadata": {"labels": {"test-service": "patched"}}, "status": {"loadBalancer": null}});
    let patched = patch(&host, &api, &path, &change).await;
    assert_eq!(patched["metadata"]["labels"]["test-service"], "patched");
    assert_eq!(patched["status"], updated["status"]);
    assert_eq!(next().await["object"], patched);
    assert_eq!(api.get(&status, Accept::Json).await.unwrap(), patched);

    api.delete(&path, &DeleteOptions::default()).await.unwrap();
    assert_eq!(next().await["type"], "DELETED");
    let again = api.write(Write::Replace, &path, &patched).await;
    assert!(again.unwrap_err().is_not_found());
}

pub(super) async fn collection() {
    let (host, api) = world(&[web_server("pod1")]).await;
    let mut addresses = Vec::new();
    for (name, label) in [("s1", "yes"), ("s2", "yes"), ("s3", "no")] {
        let mut object = service(name, json!({}));
        object["metadata"]["labels"] = json!({"e2e": label});
        let created = create(&host, &api, SERVICES, &object).await;
        addresses.push(created["spec"]["clusterIP"].as_str().unwrap().to_owned());
    }
    for address in &addresses {
        assert_eq!(ask(&host, address).await.unwrap(), "pod1");
    }
    let some = format!("{SERVICES}?labelSelector=e2e%3Dyes");
    api.delete(&some, &DeleteOptions::default()).await.unwrap();
    host.settled().await;
    let left = host.objects(Kind::Service);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["metadata"]["name"], "s3");
    assert_eq!(host.objects(Kind::EndpointSlice).len(), 1);
    for (address, stays) in addresses.iter().zip([false, false, true]) {
        assert_eq!(ask(&host, address).await.is_ok(), stays, "{address}");
    }
}
