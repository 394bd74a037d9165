//! The rules of a service.

use std::collections::HashMap;

use super::{Finding, Findings, Path, metadata, names, probe};
use crate::k8s::{IntOrString, Service, ServicePort, ServiceSpec};
use crate::report::ViolationKind;

/// The ports that a service may open on the host.
/// Source: the API server's default `--service-node-port-range`. Others are violations.
const NODE_PORTS: std::ops::RangeInclusive<i32> = 30000..=32767;

/// How long a client may keep its pod, in seconds: up to a day (`MaxClientIPServiceAffinitySeconds` of the core API).
/// Others are violations.
const AFFINITY_SECONDS: std::ops::RangeInclusive<i32> = 1..=86_400;

/// Holds every rule of a service.
pub(crate) fn service(service: &Service, findings: &mut Findings) {
    metadata::metadata(&service.metadata, names::dns1035_label, findings);
    metadata::proxy_protocol(&service.metadata, &Path::root().field("metadata"), findings);
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
        external_name(spec, path, findings);
    }
    if let Some(affinity) = spec.session_affinity.as_deref() {
        findings.one_of(
            "service/affinity",
            &path.field("sessionAffinity"),
            affinity,
            &["ClientIP", "None"],
        );
    }
    affinity_config(spec, &path.field("sessionAffinityConfig"), findings);
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

fn affinity_config(spec: &ServiceSpec, path: &Path, findings: &mut Findings) {
    let Some(config) = &spec.session_affinity_config else {
        return;
    };
    if spec.session_affinity.as_deref() != Some("ClientIP") {
        let finding = Finding::new("service/affinity", ViolationKind::Forbidden, path);
        findings.push(finding.detail("must not be set when session affinity is None"));
        return;
    }
    let timeout = config.client_ip.as_ref().and_then(|ip| ip.timeout_seconds);
    if let Some(seconds) = timeout.filter(|seconds| !AFFINITY_SECONDS.contains(seconds)) {
        let path = path.field("clientIP").field("timeoutSeconds");
        let detail = "must be greater than 0 and less than 86400";
        findings.invalid_number("service/affinity", &path, seconds, detail);
    }
}

/// A service that is another name's alias has that name, and no address.
fn external_name(spec: &ServiceSpec, path: &Path, findings: &mut Findings) {
    let name = spec.external_name.as_deref().unwrap_or_default();
    let name_path = path.field("externalName");
    if name.is_empty() {
        findings.required("service/external-name", &name_path, "");
    } else {
        // A last dot is allowed there.
        let bare = name.strip_suffix('.').unwrap_or(name);
        let details = names::dns1123_subdomain(bare);
        findings.all("service/external-name", &name_path, name, details);
    }
    if spec.cluster_ip.as_deref().is_some_and(|ip| !ip.is_empty()) {
        let finding = Finding::new(
            "service/cluster-ip",
            ViolationKind::Forbidden,
            &path.field("clusterIP"),
        );
        findings.push(finding.detail("may not be set for ExternalName services"));
    }
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
