//! Services that keep their clients: plays for `services`.
//!
//! Each begins with the other affinity than the one that it is about, and changes it, as upstream's do.

use std::collections::BTreeSet;

use serde_json::json;

use super::service_types::{Taken, ask_from_machine, open_port, with_free_ports};
use crate::host::Host;
use crate::serving::{SERVICES, ask_often, create, patch, service, web_server, world};

/// How often a client asks: that three servers that are chosen by chance are never but one is a chance of 3 to the
/// -59th.
const TIMES: usize = 60;

/// Whom the client, and a program of the machine, reach.
async fn reached(host: &Host, port: Option<u16>) -> BTreeSet<String> {
    let Some(port) = port else {
        return ask_often(host, "s", TIMES).await;
    };
    let mut found = BTreeSet::new();
    for _ in 0..TIMES {
        found.insert(ask_from_machine(port).await.unwrap());
    }
    found
}

/// Plays with a service of this type whose affinity changes from `from` to `to`.
async fn changes(kind: &str, from: &str, to: &str) -> Result<(), Taken> {
    let (host, api) = world(&["pod1", "pod2", "pod3"].map(web_server)).await;
    let spec = json!({"type": kind, "sessionAffinity": from});
    create(&host, &api, SERVICES, &service("s", spec)).await;
    let port = match kind {
        "NodePort" => Some(open_port(&host, "s")?),
        _ => None,
    };
    let is_kept = |affinity: &str| affinity == "ClientIP";
    let first = reached(&host, port).await;
    assert_eq!(first.len() == 1, is_kept(from), "{from}: {first:?}");

    let path = format!("{SERVICES}/s");
    let change = json!({"spec": {"sessionAffinity": to}});
    let changed = patch(&host, &api, &path, &change).await;
    let config = json!({"clientIP": {"timeoutSeconds": 10800}});
    let expected = is_kept(to).then_some(&config);
    assert_eq!(changed["spec"].get("sessionAffinityConfig"), expected);
    let then = reached(&host, port).await;
    assert_eq!(then.len() == 1, is_kept(to), "{to}: {then:?}");
    Ok(())
}

pub(super) async fn cluster_ip_to_client_ip() {
    changes("ClusterIP", "None", "ClientIP").await.unwrap();
}

pub(super) async fn cluster_ip_to_none() {
    changes("ClusterIP", "ClientIP", "None").await.unwrap();
}

pub(super) async fn node_port_to_client_ip() {
    with_free_ports(async || changes("NodePort", "None", "ClientIP").await).await;
}

pub(super) async fn node_port_to_none() {
    with_free_ports(async || changes("NodePort", "ClientIP", "None").await).await;
}
