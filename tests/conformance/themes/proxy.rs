//! The API's proxies, and how fast a service has its endpoints: upstream's `test/e2e/network/proxy.go` and
//! `service_latency.go`.

use std::time::Duration;

use serde_json::json;

use crate::serving::{SERVICES, create, endpoints, service, web_server, world};
use crate::table::rows;

rows! {
    "1.25 Proxy";
    "Proxy, service, pod (proxy subresource)" => not_applicable "The API has no subresource `proxy`; pods and services are reached by what is published.";
    "Proxy, validate Proxy with Path" => not_applicable "The API has no subresource `proxy`.";
    "Proxy, validate Proxy without trailing path" => not_applicable "The API has no subresource `proxy`.";
    "Service endpoint latency" => passes latency;
}

/// What upstream allows half of the services.
const LATENCY: Duration = Duration::from_secs(20);

async fn latency() {
    let (host, api) = world(&[web_server("pod1")]).await;
    for number in 0..50 {
        let name = format!("latency-{number}");
        let before = host.elapsed();
        create(&host, &api, SERVICES, &service(&name, json!({}))).await;
        assert_eq!(endpoints(&host, &name).len(), 1);
        assert!(host.elapsed() - before < LATENCY);
    }
}
