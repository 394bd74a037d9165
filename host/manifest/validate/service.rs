//! The rules of a service.

use std::collections::HashMap;

use super::{Finding, Findings, Path, metadata, names, probe};
use crate::k8s::{IntOrString, Service, ServicePort, ServiceSpec};
use crate::report::ViolationKind;

/// The ports that a service may open on the host.
/// Source: the API server's default `--service-node-port-range`. Others are violations.
const NODE_PORTS: std::ops::RangeInclusive<i32> = 30000..=32767;

/// Holds every rule of a service.
pub(crate) fn service(service: &Service, findings: &mut Findings) {
    metadata::metadata(&service.metadata, names::dns1035_label, findings);
    let path = Path::root().field("spec");
    match &service.spec {
        Some(spec) => service_spec(spec, &path, findings),
        None => findings.required("service/spec", &path, ""),
    }
}

fn service_spec(spec: &ServiceSpec, path: &Path, findings: &mut Findings) {
    let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
    let supported = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    findings.one_of("service/type", &path.field("type"), kind, &supported);
    if kind == "ExternalName" {
        findings.push(
            Finding::new(
                "support/rejected",
                ViolationKind::Forbidden,
                &path.field("type"),
            )
            .detail("names outside of the pods are not served")
            .hint("remove the service; see docs/compatibility.md#service-spec"),
        );
    }
    if let Some(affinity) = spec.session_affinity.as_deref() {
        findings.one_of(
            "service/affinity",
            &path.field("sessionAffinity"),
            affinity,
            &["ClientIP", "None"],
        );
    }
    let is_headless = spec.cluster_ip.as_deref() == Some("None");
    if let Some(address) = spec
        .cluster_ip
        .as_deref()
        .filter(|a| !a.is_empty() && *a != "None")
        && let Some(detail) = names::ip(address)
    {
        findings.invalid(
            "service/cluster-ip",
            &path.field("clusterIP"),
            address,
            detail,
        );
    }
    if is_headless && matches!(kind, "NodePort" | "LoadBalancer") {
        let detail = format!("may not be set to 'None' for {kind} services");
        findings.invalid(
            "service/cluster-ip",
            &path.field("clusterIP"),
            "None",
            detail,
        );
    }
    for (key, value) in spec.selector.iter().flatten() {
        metadata::key_and_value(&path.field("selector"), key, value, findings);
    }
    let list = spec.ports.as_deref().unwrap_or_default();
    if list.is_empty() && !is_headless && kind != "ExternalName" {
        findings.required("service/ports", &path.field("ports"), "");
    }
    ports(list, kind, &path.field("ports"), findings);
}

fn ports(list: &[ServicePort], kind: &str, path: &Path, findings: &mut Findings) {
    let mut used_names: HashMap<&str, Path> = HashMap::new();
    let mut used_ports: HashMap<(i32, &str), Path> = HashMap::new();
    let mut used_node_ports: HashMap<(i32, &str), Path> = HashMap::new();
    for (index, port) in list.iter().enumerate() {
        let path = path.index(index);
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let name = port.name.as_deref().unwrap_or_default();
        let name_path = path.field("name");
        if name.is_empty() {
            if list.len() > 1 {
                findings.required("service/port-name", &name_path, "");
            }
        } else {
            findings.all(
                "service/port-name",
                &name_path,
                name,
                names::dns1123_label(name),
            );
            if let Some(first) = used_names.get(name) {
                findings.duplicate("service/port-name", &name_path, name, first);
            } else {
                used_names.insert(name, name_path);
            }
        }
        let number = path.field("port");
        if let Some(detail) = names::port_number(port.port) {
            findings.invalid_number("service/port", &number, port.port, detail);
        } else if let Some(first) = used_ports.get(&(port.port, protocol)) {
            let shown = format!("{}/{protocol}", port.port);
            findings.duplicate("service/port", &number, &shown, first);
        } else {
            used_ports.insert((port.port, protocol), number);
        }
        findings.one_of(
            "service/protocol",
            &path.field("protocol"),
            protocol,
            &["SCTP", "TCP", "UDP"],
        );
        // A target that is the port itself may be only its default.
        if let Some(target) = port
            .target_port
            .as_ref()
            .filter(|t| **t != IntOrString::Int(port.port))
        {
            probe::port(target, &path.field("targetPort"), findings);
        }
        let Some(node_port) = port.node_port.filter(|number| *number != 0) else {
            continue;
        };
        let path = path.field("nodePort");
        if kind == "ClusterIP" || kind == "ExternalName" {
            let detail = format!("may not be used when `type` is '{kind}'");
            findings.push(
                Finding::new("service/node-port-type", ViolationKind::Forbidden, &path)
                    .detail(detail)
                    .hint("add `type: NodePort` to the service's spec"),
            );
        } else if !NODE_PORTS.contains(&node_port) {
            let detail = format!(
                "provided port is not in the valid range. The range of valid ports is {}-{}",
                NODE_PORTS.start(),
                NODE_PORTS.end()
            );
            findings.invalid_number("service/node-port", &path, node_port, &detail);
        } else if let Some(first) = used_node_ports.get(&(node_port, protocol)) {
            findings.push(
                Finding::new("service/node-port", ViolationKind::Duplicate, &path)
                    .shown(node_port.to_string())
                    .first(first),
            );
        } else {
            used_node_ports.insert((node_port, protocol), path);
        }
    }
}
