//! An ingress, with the endpoints of its services, as kubectl's `IngressDescriber` has it.

use serde_json::Value;

use super::fields::{at, head, items, metadata};
use crate::runs::text;
use crate::tabs::Tabs;

/// `slices` are the EndpointSlices of the namespace.
pub(super) fn describe(out: &mut Tabs, ingress: &Value, slices: &[Value]) {
    head(out, &metadata(ingress));
    let points = items(ingress, "/status/loadBalancer/ingress").iter();
    let addresses: Vec<_> = points
        .filter_map(|point| at(point, "/ip").or_else(|| at(point, "/hostname")))
        .collect();
    out.field(0, "Address", addresses.join(","));
    let class = at(ingress, "/spec/ingressClassName");
    out.field(
        0,
        "Ingress Class",
        class.unwrap_or_else(|| "<none>".to_owned()),
    );
    let default = ingress.pointer("/spec/defaultBackend");
    let default = default.map_or_else(|| "<default>".to_owned(), |found| backend(found, slices));
    out.field(0, "Default backend", default);
    let tls = items(ingress, "/spec/tls");
    if !tls.is_empty() {
        out.line(0, "TLS:");
        for one in tls {
            let hosts: Vec<_> = items(one, "/hosts")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            let hosts = hosts.join(",");
            out.line(
                1,
                match at(one, "/secretName") {
                    Some(secret) => format!("{secret} terminates {hosts}"),
                    None => format!("SNI routes {hosts}"),
                },
            );
        }
    }
    out.line(0, "Rules:");
    out.line(1, "Host\tPath\tBackends");
    out.line(1, "----\t----\t--------");
    let rules = items(ingress, "/spec/rules");
    for rule in rules {
        let host = at(rule, "/host").filter(|host| !host.is_empty());
        out.line(1, format!("{}\t", host.unwrap_or_else(|| "*".to_owned())));
        for path in items(rule, "/http/paths") {
            let found = path.pointer("/backend").map(|found| backend(found, slices));
            let (path, found) = (
                at(path, "/path").unwrap_or_default(),
                found.unwrap_or_default(),
            );
            out.line(1, format!("\t{path} \t{found}"));
        }
    }
    if rules.is_empty() {
        out.line(1, format!("*\t*\t{}", default_of(ingress, slices)));
    }
}

fn default_of(ingress: &Value, slices: &[Value]) -> String {
    let default = ingress.pointer("/spec/defaultBackend");
    default.map_or_else(|| "<default>".to_owned(), |found| backend(found, slices))
}

/// `SERVICE:PORT (ENDPOINTS)`
fn backend(backend: &Value, slices: &[Value]) -> String {
    let name = at(backend, "/service/name").unwrap_or_default();
    let port_name = at(backend, "/service/port/name");
    let port = port_name
        .clone()
        .or_else(|| at(backend, "/service/port/number"))
        .unwrap_or_default();
    let of_service = |slice: &&Value| {
        let label = slice.pointer("/metadata/labels/kubernetes.io~1service-name");
        label.and_then(Value::as_str) == Some(&name)
    };
    let mut endpoints = Vec::new();
    for slice in slices.iter().filter(of_service) {
        let ports = items(slice, "/ports").iter();
        let numbers = ports
            .filter(|port| port_name.is_none() || at(port, "/name") == port_name)
            .map(|port| text(port, "/port"));
        for number in numbers {
            let ready = items(slice, "/endpoints").iter().filter(|endpoint| {
                endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false))
            });
            let addresses = ready.flat_map(|endpoint| items(endpoint, "/addresses"));
            let addresses = addresses.filter_map(Value::as_str);
            endpoints.extend(addresses.map(|ip| format!("{ip}:{number}")));
        }
    }
    format!("{name}:{port} ({})", endpoints.join(","))
}
