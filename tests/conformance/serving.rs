//! Pods that serve, a pod that asks them, and the services between them.
//!
//! Servers are upstream's `agnhost netexec`, which tell their names. They are ready when they answer, so that who waits
//! for ready pods may ask at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wasmpod_api::client::{Client, Write};
use wasmpod_store::Kind;

use crate::host::Host;
use crate::objects::manifest;
use crate::pod::{Pod, agnhost};

/// The path of services.
pub(crate) const SERVICES: &str = "/api/v1/namespaces/default/services";

/// The container of the client that has a shell.
const SHELL: &str = "shell";

/// A container that answers HTTP on this port.
pub(crate) fn web(name: &str, port: u16) -> Value {
    let probe = json!({"httpGet": {"path": "/hostname", "port": port}, "periodSeconds": 1});
    json!({
        "name": name, "image": agnhost(), "args": ["netexec", format!("--http-port={port}")], "readinessProbe": probe,
    })
}

/// A container that answers datagrams on this port.
pub(crate) fn datagrams(name: &str, port: u16) -> Value {
    json!({"name": name, "image": agnhost(), "args": ["netexec", format!("--udp-port={port}")]})
}

/// A pod with these containers, which the selector of [`service`] finds.
pub(crate) fn server(name: &str, containers: &[Value]) -> Value {
    let metadata = json!({"name": name, "namespace": "default", "labels": {"app": "server"}});
    let spec = json!({"containers": containers, "terminationGracePeriodSeconds": 0});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// A pod that answers HTTP on port 80.
pub(crate) fn web_server(name: &str) -> Value {
    server(name, &[web("c", 80)])
}

/// A pod `client` that asks: a shell, and a server that dials.
fn client() -> Value {
    let shell = json!({"name": SHELL, "image": "busybox", "command": ["sleep", "100000"]});
    let mut pod = server("client", &[shell, web("dialer", 8080)]);
    pod["metadata"]["labels"] = json!({"app": "client"});
    pod
}

/// A service of these servers.
pub(crate) fn service(name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "default"});
    let common = json!({"selector": {"app": "server"}, "ports": [{"port": 80}]});
    let spec = crate::script::with(common, spec);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

/// A host with a client and these pods, all ready, and its API.
pub(crate) async fn world(pods: &[Value]) -> (Host, Client) {
    let mut host = Host::of(crate::host::CAPACITY);
    let api = host.client().await;
    host.apply(&manifest(&[&[client()], pods].concat())).await;
    host.ready_pods(pods.len() + 1).await;
    host.settled().await;
    (host, api)
}

/// Creates an object through the API, and waits until all that follows at once is done.
pub(crate) async fn create(host: &Host, api: &Client, path: &str, object: &Value) -> Value {
    let created = api.write(Write::Create, path, object).await;
    host.settled().await;
    created.unwrap_or_else(|why| panic!("{why:?}\n{object}"))
}

/// Changes an object through the API by a strategic merge patch, and waits as well.
pub(crate) async fn patch(host: &Host, api: &Client, path: &str, change: &Value) -> Value {
    let patched = api.write(Write::StrategicMergePatch, path, change).await;
    host.settled().await;
    patched.unwrap_or_else(|why| panic!("{why:?}\n{change}"))
}

/// Replaces an object through the API, and waits as well.
pub(crate) async fn put(host: &Host, api: &Client, path: &str, object: &Value) -> Value {
    let written = api.write(Write::Replace, path, object).await;
    host.settled().await;
    written.unwrap_or_else(|why| panic!("{why:?}\n{object}"))
}

/// What the client gets at `ADDRESS/hostname`: the name of a server, or why there is none.
pub(crate) async fn ask(host: &Host, address: &str) -> Result<String, String> {
    get(&host.pod("client"), &format!("http://{address}/hostname")).await
}

async fn get(client: &Pod, url: &str) -> Result<String, String> {
    let got = client.exec(SHELL, &["wget", "-qO-", url]).await;
    if got.code == 0 {
        Ok(got.stdout)
    } else {
        Err(got.stderr)
    }
}

/// Which servers answer when the client asks this many times.
pub(crate) async fn ask_often(host: &Host, address: &str, times: usize) -> BTreeSet<String> {
    let script = format!(
        "i=0; while [ $i -lt {times} ]; do wget -qO- http://{address}/hostname || exit 1; echo; i=$((i+1)); done"
    );
    let got = host.pod("client").exec(SHELL, &["sh", "-c", &script]).await;
    assert_eq!(got.code, 0, "{got:?}");
    got.stdout.lines().map(str::to_owned).collect()
}

/// What a server answers to a datagram `hostname` of the client.
pub(crate) async fn ask_by_datagram(
    host: &Host,
    address: &str,
    port: u16,
) -> Result<String, String> {
    let query = format!("host={address}&port={port}&protocol=udp&request=hostname");
    let url = format!("http://localhost:8080/dial?{query}");
    get(&host.pod("client"), &url).await
}

/// The IP of a pod.
pub(crate) fn ip_of(host: &Host, pod: &str) -> String {
    let ip = host.object(Kind::Pod, pod)["status"]["podIP"].clone();
    ip.as_str()
        .unwrap_or_else(|| panic!("{pod} has no IP"))
        .to_owned()
}

/// The slices of a service.
pub(crate) fn slices(host: &Host, service: &str) -> Vec<Value> {
    let mut slices = host.objects(Kind::EndpointSlice);
    slices.retain(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
    slices
}

/// The ready endpoints of a service, `IP` and the sorted `PORT/PROTOCOL`s there. Its Endpoints say the same as its
/// slices.
pub(crate) fn endpoints(host: &Host, service: &str) -> BTreeMap<String, Vec<String>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found: [BTreeMap<String, Vec<String>>; 2] = Default::default();
    let mut note = |at: usize, ip: String, ports: &Value| {
        let shown = list(ports)
            .iter()
            .map(|port| format!("{}/{}", port["port"], text(&port["protocol"])))
            .collect::<Vec<_>>();
        let all = found[at].entry(ip).or_default();
        all.extend(shown);
        all.sort();
    };
    for slice in slices(host, service) {
        for endpoint in list(&slice["endpoints"]) {
            if endpoint["conditions"]["ready"] == true {
                note(0, text(&endpoint["addresses"][0]), &slice["ports"]);
            }
        }
    }
    for subset in list(&host.object(Kind::Endpoints, service)["subsets"]) {
        for address in list(&subset["addresses"]) {
            note(1, text(&address["ip"]), &subset["ports"]);
        }
    }
    let [slices, endpoints] = found;
    assert_eq!(slices, endpoints, "slices and Endpoints of {service}");
    slices
}
