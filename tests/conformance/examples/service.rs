//! `service`: what Services select, and pods that say something about the network.

use std::time::Duration;

use wasmpod_store::Kind;

use super::examples;
use crate::host::{Host, name_of};
use crate::pod::Pod;
use crate::table::rows;

rows! {
    "Examples: service";
    "service/access/frontend-nginx.conf" => not_applicable "Not a manifest but a file for an image of a page; its upstream `backend` is a Service that no example makes.";
    "service/access/hello-application.yaml" => passes two_hello_pods;
    "service/explore-graceful-termination-nginx.yaml" => passes a_service_selects_a_deployment;
    "service/networking/curlpod.yaml" => passes a_pod_waits_for_its_secret;
    "service/networking/custom-dns.yaml" => passes resolv_conf_is_as_written;
    "service/nginx-service.yaml" => passes a_service_leads_to_the_pods_of_a_deployment;
    "service/pod-with-graceful-termination.yaml" => passes serving_until_the_grace_period_is_over;
}

async fn two_hello_pods() {
    let Some(manifest) = examples(&["service/access/hello-application.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    for pod in host.ready_pods(2).await {
        let name = name_of(&pod);
        assert!(name.starts_with("hello-world-"), "{name}");
        let answer = host
            .pod(&name)
            .get("hello-world", "http://127.0.0.1:8080/")
            .await;
        assert_eq!(
            answer,
            format!("Hello, world!\nVersion: 2.0.0\nHostname: {name}\n")
        );
    }
}

/// Waits until the one slice of `nginx-service` has so many endpoints that are ready.
async fn endpoints(host: &Host, count: usize) -> Vec<serde_json::Value> {
    let what = format!("{count} endpoints");
    host.pods_until(&what, |_| {
        let endpoints = slice(host);
        let ready = endpoints
            .iter()
            .filter(|endpoint| endpoint["conditions"]["ready"] == true);
        ready.count() == count
    })
    .await;
    slice(host)
}

/// The endpoints of the slices there are.
fn slice(host: &Host) -> Vec<serde_json::Value> {
    let slices = host.objects(Kind::EndpointSlice).into_iter();
    let endpoints = slices.filter_map(|slice| slice["endpoints"].as_array().cloned());
    endpoints.flatten().collect()
}

async fn a_service_selects_a_deployment() {
    let paths = [
        "service/explore-graceful-termination-nginx.yaml",
        "controllers/nginx-deployment.yaml",
    ];
    let Some(manifest) = examples(&paths) else {
        return;
    };
    let host = Host::start(&manifest).await;
    host.ready_pods(3).await;
    let endpoints = endpoints(&host, 3).await;
    let mut addresses: Vec<_> = endpoints
        .iter()
        .map(|endpoint| endpoint["addresses"][0].as_str().unwrap().to_owned())
        .collect();
    let pods = host.pods().into_iter();
    let mut ips: Vec<_> = pods
        .map(|pod| pod.status.unwrap().pod_ip.unwrap())
        .collect();
    addresses.sort();
    ips.sort();
    assert_eq!(addresses, ips);
}

async fn a_pod_waits_for_its_secret() {
    let Some(manifest) = examples(&["service/networking/curlpod.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    let pod = host.first_pod().await;
    pod.until("ContainerCreating", |status| {
        let containers = status.container_statuses.iter().flatten();
        let mut waiting =
            containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
        waiting.any(|waiting| waiting.reason.as_deref() == Some("ContainerCreating"))
    })
    .await;
    pod.pause(Duration::from_secs(60)).await;
    let told = pod.told();
    assert!(
        told.contains("FailedMount") && told.contains("\"nginxsecret\" not found"),
        "{told}"
    );

    host.apply(&examples(&["_companions/secret-nginxsecret.yaml"]).unwrap())
        .await;
    pod.is_ready().await;
    let listed = pod.exec("curlpod", &["ls", "/etc/nginx/ssl"]).await;
    assert_eq!(listed.stdout, "tls.crt\ntls.key\n");
}

async fn resolv_conf_is_as_written() {
    let Some(manifest) = examples(&["service/networking/custom-dns.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let file = pod.exec("test", &["cat", "/etc/resolv.conf"]).await;
    // The order of the lines has no meaning; runtimes write them in different ones.
    let mut lines: Vec<_> = file.stdout.lines().collect();
    lines.sort_unstable();
    let expected = [
        "nameserver 192.0.2.1",
        "options ndots:2 edns0",
        "search ns1.svc.cluster-domain.example my.dns.search.suffix",
    ];
    assert_eq!(lines, expected);
}

async fn a_service_leads_to_the_pods_of_a_deployment() {
    let paths = [
        "service/nginx-service.yaml",
        "controllers/nginx-deployment.yaml",
    ];
    let Some(manifest) = examples(&paths) else {
        return;
    };
    let host = Host::start(&manifest).await;
    let pods = host.ready_pods(3).await;
    endpoints(&host, 3).await;
    let port = host.objects(Kind::EndpointSlice)[0]["ports"][0].clone();
    assert_eq!(port["port"], 80, "{port}");
    let service = host.object(Kind::Service, "nginx-service");
    // Without a readiness probe a pod is ready before its server listens, and a Service may choose any of the three.
    for pod in &pods {
        let pod = host.pod(&name_of(pod));
        pod.get("nginx", "http://127.0.0.1:80/").await;
    }
    let pod = host.pod(&name_of(&pods[0]));
    let command = [
        "printenv",
        "NGINX_SERVICE_SERVICE_HOST",
        "NGINX_SERVICE_SERVICE_PORT",
    ];
    let printed = pod.exec("nginx", &command).await.stdout;
    let ip = service["spec"]["clusterIP"].as_str().unwrap();
    assert_eq!(printed, format!("{ip}\n8000\n"));

    host.apply(CLIENT).await;
    host.ready_pods(4).await;
    let client = host.pod("client");
    for of in [
        ip,
        "nginx-service",
        "nginx-service.default.svc.cluster.local",
    ] {
        let url = format!("http://{of}:8000/");
        let got = client.exec("c", &["wget", "-qO-", &url]).await;
        assert!(got.stdout.contains("Welcome to nginx!"), "{url}: {got:?}");
    }
    let wrong_port = format!("http://{ip}:80/");
    let refused = client.exec("c", &["wget", "-qO-", &wrong_port]).await;
    assert!(refused.stderr.contains("Connection refused"), "{refused:?}");

    // Nobody behind it: refused, too.
    host.delete(Kind::Deployment, "nginx-deployment");
    host.pods_until("the client alone", |pods| pods.len() == 1)
        .await;
    let url = format!("http://{ip}:8000/");
    let refused = client.exec("c", &["wget", "-qO-", &url]).await;
    assert!(refused.stderr.contains("Connection refused"), "{refused:?}");
}

const CLIENT: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers:
  - {name: c, image: busybox, command: [sleep, '3600']}
";

async fn serving_until_the_grace_period_is_over() {
    let Some(manifest) = examples(&["service/pod-with-graceful-termination.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    host.ready_pods(1).await;
    endpoints(&host, 1).await;
    let pod = host.first_pod().await;
    let deleted = host.elapsed();
    host.delete(Kind::Deployment, "nginx-deployment");
    host.pods_until("terminating", |pods| {
        pods.iter()
            .all(|pod| pod.metadata.deletion_timestamp.is_some())
    })
    .await;
    endpoints(&host, 0).await;
    let conditions = slice(&host)[0]["conditions"].clone();
    let expected = serde_json::json!({"ready": false, "serving": true, "terminating": true});
    assert_eq!(conditions, expected);
    pod.pause(Duration::from_secs(100)).await;
    let page = pod.get("nginx", "http://127.0.0.1:80/").await;
    assert!(page.contains("Welcome to nginx!"), "{page}");
    host.pods_until("no pod", <[_]>::is_empty).await;
    let took = (host.elapsed() - deleted).as_secs();
    // The hook wants 180 s; the container is killed when the grace period is over.
    assert!((119..=123).contains(&took), "{took} s");
}
