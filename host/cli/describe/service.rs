//! A service, with the endpoints that its EndpointSlices have.

use serde_json::Value;

use super::fields::{NONE, at, at_or_none, head, items, map, metadata};
use crate::tabs::Tabs;

/// How many endpoints of a port are listed (kubectl's `formatEndpointSlices`).
const MAX_ENDPOINTS: usize = 3;

pub(super) fn describe(out: &mut Tabs, service: &Value, slices: &[Value]) {
    head(out, &metadata(service));
    let selector: Vec<_> = map(service, "/spec/selector")
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let selector = if selector.is_empty() {
        NONE.to_owned()
    } else {
        selector.join(",")
    };
    out.field(0, "Selector", selector);
    let kind = at(service, "/spec/type").unwrap_or_else(|| "ClusterIP".to_owned());
    out.field(0, "Type", &kind);
    if let Some(policy) = at(service, "/spec/ipFamilyPolicy") {
        out.field(0, "IP Family Policy", policy);
    }
    let list = |pointer: &str| {
        let texts: Vec<_> = items(service, pointer)
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if texts.is_empty() {
            NONE.to_owned()
        } else {
            texts.join(",")
        }
    };
    out.field(0, "IP Families", list("/spec/ipFamilies"));
    out.field(0, "IP", at(service, "/spec/clusterIP").unwrap_or_default());
    out.field(0, "IPs", list("/spec/clusterIPs"));
    if !items(service, "/spec/externalIPs").is_empty() {
        out.field(0, "External IPs", list("/spec/externalIPs"));
    }
    if let Some(name) = at(service, "/spec/externalName") {
        out.field(0, "External Name", name);
    }
    for port in items(service, "/spec/ports") {
        let name = at(port, "/name").unwrap_or_else(|| "<unset>".to_owned());
        let protocol = at(port, "/protocol").unwrap_or_else(|| "TCP".to_owned());
        let number = at_or_none(port, "/port");
        out.field(0, "Port", format_args!("{name}\t{number}/{protocol}"));
        let target = at(port, "/targetPort").unwrap_or(number);
        out.field(0, "TargetPort", format_args!("{target}/{protocol}"));
        if let Some(node_port) = at(port, "/nodePort").filter(|port| port != "0") {
            out.field(
                0,
                "NodePort",
                format_args!("{name}\t{node_port}/{protocol}"),
            );
        }
        out.field(
            0,
            "Endpoints",
            endpoints(slices, at(port, "/name").as_deref()),
        );
    }
    let affinity = at(service, "/spec/sessionAffinity").unwrap_or_else(|| "None".to_owned());
    out.field(0, "Session Affinity", affinity);
    for (name, pointer) in [
        ("External Traffic Policy", "/spec/externalTrafficPolicy"),
        ("Internal Traffic Policy", "/spec/internalTrafficPolicy"),
    ] {
        if let Some(policy) = at(service, pointer) {
            out.field(0, name, policy);
        }
    }
}

fn endpoints(slices: &[Value], port_name: Option<&str>) -> String {
    let mut all = Vec::new();
    for slice in slices {
        let ports = items(slice, "/ports").iter();
        let ports = ports.filter(|port| at(port, "/name").as_deref() == port_name);
        for port in ports {
            let number = at_or_none(port, "/port");
            for endpoint in items(slice, "/endpoints") {
                let is_ready = endpoint.pointer("/conditions/ready");
                if is_ready.and_then(Value::as_bool) == Some(false) {
                    continue;
                }
                let addresses = items(endpoint, "/addresses").iter();
                all.extend(addresses.filter_map(Value::as_str).map(|ip| {
                    if ip.contains(':') {
                        format!("[{ip}]:{number}")
                    } else {
                        format!("{ip}:{number}")
                    }
                }));
            }
        }
    }
    let more = all.len().saturating_sub(MAX_ENDPOINTS);
    all.truncate(MAX_ENDPOINTS);
    match (all.is_empty(), more) {
        // kubectl writes nothing here, so that is what scripts look for.
        (true, _) => String::new(),
        (false, 0) => all.join(","),
        (false, more) => format!("{} + {more} more...", all.join(",")),
    }
}
