//! Services and what is behind them.

use serde_json::Value;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{EndpointSlice, Endpoints, Service, ServiceSpec};

use super::{Head, age, joined, labels, name, or_none, text, wide};

pub(super) const SERVICE: &[Head] = &[
    text("Name"),
    text("Type"),
    text("Cluster-IP"),
    text("External-IP"),
    text("Port(s)"),
    text("Age"),
    wide("Selector"),
];

pub(super) const ENDPOINTS: &[Head] = &[text("Name"), text("Endpoints"), text("Age")];

pub(super) const ENDPOINT_SLICE: &[Head] = &[
    text("Name"),
    text("AddressType"),
    text("Ports"),
    text("Endpoints"),
    text("Age"),
];

/// How many addresses or ports are shown before `+ n more...`.
const MAX_SHOWN: usize = 3;

pub(super) fn service(service: &Service, now: Timestamp) -> Vec<Value> {
    let no_spec = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&no_spec);
    let first = spec
        .cluster_ips
        .iter()
        .flatten()
        .next()
        .or(spec.cluster_ip.as_ref());
    let ports = spec.ports.iter().flatten().map(|port| {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        match port.node_port {
            Some(node_port) if node_port > 0 => format!("{}:{node_port}/{protocol}", port.port),
            _ => format!("{}/{protocol}", port.port),
        }
    });
    vec![
        name(&service.metadata),
        spec.type_.as_deref().unwrap_or("ClusterIP").into(),
        or_none(first.map(String::as_str)).into(),
        external_ip(service, spec).into(),
        joined(ports).into(),
        age(&service.metadata, now),
        labels(spec.selector.iter().flatten()).into(),
    ]
}

fn external_ip(service: &Service, spec: &ServiceSpec) -> String {
    let own = spec.external_ips.iter().flatten();
    match spec.type_.as_deref() {
        Some("ExternalName") => or_none(spec.external_name.as_deref()).to_owned(),
        Some("LoadBalancer") => {
            let status = service
                .status
                .as_ref()
                .and_then(|status| status.load_balancer.as_ref());
            let ingress = status
                .iter()
                .flat_map(|balancer| balancer.ingress.iter().flatten());
            let ingress = ingress.filter_map(|found| found.ip.as_ref().or(found.hostname.as_ref()));
            let all: Vec<_> = ingress.chain(own).map(String::as_str).collect();
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        _ => joined(own),
    }
}

pub(super) fn endpoints(endpoints: &Endpoints, now: Timestamp) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in endpoints.subsets.iter().flatten() {
        let ports: Vec<_> = subset
            .ports
            .iter()
            .flatten()
            .map(|port| port.port)
            .collect();
        for address in subset.addresses.iter().flatten() {
            if ports.is_empty() {
                all.push(address.ip.clone());
            }
            all.extend(ports.iter().map(|port| format!("{}:{port}", address.ip)));
        }
    }
    vec![
        name(&endpoints.metadata),
        shortened(&all, NONE_YET).into(),
        age(&endpoints.metadata, now),
    ]
}

const NONE_YET: &str = "<none>";

pub(super) fn endpoint_slice(slice: &EndpointSlice, now: Timestamp) -> Vec<Value> {
    let ports = slice.ports.iter().flatten().map(|port| {
        port.port
            .map_or_else(|| "*".to_owned(), |port| port.to_string())
    });
    let addresses = slice
        .endpoints
        .iter()
        .flatten()
        .flat_map(|endpoint| &endpoint.addresses)
        .cloned();
    vec![
        name(&slice.metadata),
        slice.address_type.as_str().into(),
        shortened(&ports.collect::<Vec<_>>(), "<unset>").into(),
        shortened(&addresses.collect::<Vec<_>>(), "<unset>").into(),
        age(&slice.metadata, now),
    ]
}

/// The first few, and how many more there are.
fn shortened(all: &[String], nothing: &str) -> String {
    let shown: Vec<_> = all.iter().take(MAX_SHOWN).map(String::as_str).collect();
    match all.len().saturating_sub(MAX_SHOWN) {
        _ if all.is_empty() => nothing.to_owned(),
        0 => shown.join(","),
        more => format!("{} + {more} more...", shown.join(",")),
    }
}
