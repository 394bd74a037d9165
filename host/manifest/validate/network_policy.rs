//! The rules of a network policy (`pkg/apis/networking/validation`).

use ipnet::IpNet;

use super::{Finding, Findings, Path, metadata, names, selector};
use crate::k8s::{
    IPBlock, IntOrString, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use crate::report::ViolationKind;

const TYPES: [&str; 2] = ["Egress", "Ingress"];

const NO_CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// Holds every rule of a network policy.
pub(crate) fn network_policy(policy: &NetworkPolicy, findings: &mut Findings) {
    metadata::metadata(&policy.metadata, names::dns1123_subdomain, findings);
    // Without one it selects every pod of its namespace, and lets nothing in.
    if let Some(found) = &policy.spec {
        spec(found, &Path::root().field("spec"), findings);
    }
}

fn spec(spec: &NetworkPolicySpec, path: &Path, findings: &mut Findings) {
    if let Some(chosen) = &spec.pod_selector {
        selector::selector(chosen, &path.field("podSelector"), findings);
    }
    for (index, rule) in spec.ingress.iter().flatten().enumerate() {
        let path = path.field("ingress").index(index);
        ports(rule.ports.as_deref(), &path.field("ports"), findings);
        peers(rule.from.as_deref(), &path.field("from"), findings);
    }
    for (index, rule) in spec.egress.iter().flatten().enumerate() {
        let path = path.field("egress").index(index);
        ports(rule.ports.as_deref(), &path.field("ports"), findings);
        peers(rule.to.as_deref(), &path.field("to"), findings);
    }
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let path = path.field("policyTypes");
    if types.len() > TYPES.len() {
        let shown = serde_json::to_string(types).unwrap_or_default();
        findings.push(
            Finding::new("network-policy/types", ViolationKind::Invalid, &path)
                .shown(shown)
                .detail("may not specify more than two policyTypes"),
        );
        return;
    }
    for (index, found) in types.iter().enumerate() {
        findings.one_of("network-policy/types", &path.index(index), found, &TYPES);
    }
}

fn ports(ports: Option<&[NetworkPolicyPort]>, path: &Path, findings: &mut Findings) {
    for (index, found) in ports.unwrap_or_default().iter().enumerate() {
        port(found, &path.index(index), findings);
    }
}

fn port(port: &NetworkPolicyPort, path: &Path, findings: &mut Findings) {
    if let Some(protocol) = &port.protocol {
        findings.one_of(
            "network-policy/protocol",
            &path.field("protocol"),
            protocol,
            &["SCTP", "TCP", "UDP"],
        );
    }
    let end_path = path.field("endPort");
    let mut bad_end = |end: i32, detail: &str| {
        findings.invalid_number("network-policy/end-port", &end_path, end, detail);
    };
    match (&port.port, port.end_port) {
        (None, Some(end)) => bad_end(end, "may not be specified when `port` is not specified"),
        (Some(IntOrString::String(_)), Some(end)) => {
            bad_end(end, "may not be specified when `port` is non-numeric");
        }
        (Some(IntOrString::Int(first)), Some(end)) => {
            if end < *first {
                bad_end(end, "must be greater than or equal to `port`");
            }
            if let Some(detail) = names::port_number(end) {
                bad_end(end, detail);
            }
        }
        (_, None) => {}
    }
    let path = path.field("port");
    match &port.port {
        Some(IntOrString::Int(number)) => {
            if let Some(detail) = names::port_number(*number) {
                findings.invalid_number("network-policy/port", &path, *number, detail);
            }
        }
        Some(IntOrString::String(name)) => {
            findings.all("network-policy/port", &path, name, names::port_name(name));
        }
        None => {}
    }
}

fn peers(peers: Option<&[NetworkPolicyPeer]>, path: &Path, findings: &mut Findings) {
    for (index, found) in peers.unwrap_or_default().iter().enumerate() {
        peer(found, &path.index(index), findings);
    }
}

fn peer(peer: &NetworkPolicyPeer, path: &Path, findings: &mut Findings) {
    for (name, chosen) in [
        ("podSelector", &peer.pod_selector),
        ("namespaceSelector", &peer.namespace_selector),
    ] {
        if let Some(chosen) = chosen {
            selector::selector(chosen, &path.field(name), findings);
        }
    }
    let has_selector = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
    match &peer.ip_block {
        Some(block) => {
            ip_block(block, &path.field("ipBlock"), findings);
            if has_selector {
                findings.forbidden(
                    "network-policy/peer",
                    path,
                    "may not specify both ipBlock and another peer",
                );
            }
        }
        None if !has_selector => {
            findings.required("network-policy/peer", path, "must specify a peer");
        }
        None => {}
    }
}

fn ip_block(block: &IPBlock, path: &Path, findings: &mut Findings) {
    let field = path.field("cidr");
    if block.cidr.is_empty() {
        return findings.required("network-policy/cidr", &field, "");
    }
    let Ok(whole) = block.cidr.parse::<IpNet>() else {
        return findings.invalid("network-policy/cidr", &field, &block.cidr, NO_CIDR);
    };
    for (index, text) in block.except.iter().flatten().enumerate() {
        let field = path.field("except").index(index);
        let detail = match text.parse::<IpNet>() {
            Err(_) => NO_CIDR,
            Ok(part) if whole.contains(&part) && part.prefix_len() > whole.prefix_len() => continue,
            Ok(_) => "must be a strict subset of `cidr`",
        };
        findings.invalid("network-policy/except", &field, text, detail);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn messages(spec: &Value) -> Vec<String> {
        let policy = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec}));
        let mut findings = Findings::default();
        network_policy(&policy.unwrap(), &mut findings);
        findings.0.iter().map(Finding::message).collect()
    }

    #[test]
    fn what_kubernetes_accepts_is_accepted() {
        for spec in [
            json!({}),
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
            json!({"podSelector": {}, "ingress": [{}], "egress": [{"to": [], "ports": []}]}),
            json!({"ingress": [{"from": [
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
                {"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}},
                {"namespaceSelector": {}, "podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
            ], "ports": [{"port": "http"}, {"port": 1, "endPort": 65535, "protocol": "UDP"}, {"protocol": "SCTP"}]}]}),
        ] {
            assert_eq!(messages(&spec), Vec::<String>::new(), "{spec}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_api_server() {
        let port = |port: Value| json!({"ingress": [{"ports": [port]}]});
        let peer = |peer: Value| json!({"egress": [{"to": [peer]}]});
        let block = |block: Value| peer(json!({"ipBlock": block}));
        for (spec, expected) in [
            (
                port(json!({"port": 0})),
                "spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            ),
            (
                port(json!({"port": 8, "endPort": 7})),
                "spec.ingress[0].ports[0].endPort: Invalid value: 7: must be greater than or equal to `port`",
            ),
            (
                port(json!({"endPort": 7})),
                "spec.ingress[0].ports[0].endPort: Invalid value: 7: may not be specified when `port` is not specified",
            ),
            (
                port(json!({"port": "http", "endPort": 7})),
                "spec.ingress[0].ports[0].endPort: Invalid value: 7: may not be specified when `port` is non-numeric",
            ),
            (
                port(json!({"port": 1, "protocol": "ICMP"})),
                "spec.ingress[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
            ),
            (
                peer(json!({})),
                "spec.egress[0].to[0]: Required value: must specify a peer",
            ),
            (
                peer(json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}})),
                "spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer",
            ),
            (
                block(json!({"cidr": ""})),
                "spec.egress[0].to[0].ipBlock.cidr: Required value",
            ),
            (
                block(json!({"cidr": "10.0.0.0"})),
                "spec.egress[0].to[0].ipBlock.cidr: Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ),
            (
                block(json!({"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]})),
                "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`",
            ),
            (
                block(json!({"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]})),
                "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
            ),
            (
                json!({"policyTypes": ["Both"]}),
                "spec.policyTypes[0]: Unsupported value: \"Both\": supported values: \"Egress\", \"Ingress\"",
            ),
            (
                json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
                "spec.podSelector.matchExpressions[0].operator: Invalid value: \"Like\": not a valid selector operator",
            ),
        ] {
            assert_eq!(messages(&spec), [expected], "{spec}");
        }
        let three = json!({"policyTypes": ["Ingress", "Ingress", "Egress"]});
        assert_eq!(messages(&three).len(), 1);
    }
}
