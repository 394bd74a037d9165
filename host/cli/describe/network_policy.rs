//! A network policy: whom it selects, and what it lets in and out.

use serde_json::Value;
use wasmpod::k8s::{
    IntOrString, LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};

use super::fields::{annotations, labels, selector};
use crate::tabs::Tabs;

/// How far the rules are set in (kubectl writes two levels).
const RULES: usize = 2;

pub(super) fn describe(out: &mut Tabs, object: &Value) -> anyhow::Result<()> {
    let policy: NetworkPolicy = serde_json::from_value(object.clone())?;
    let metadata = &policy.metadata;
    out.field(0, "Name", metadata.name.as_deref().unwrap_or_default());
    out.field(
        0,
        "Namespace",
        metadata.namespace.as_deref().unwrap_or_default(),
    );
    let created = metadata.creation_timestamp.as_ref();
    let created = created.map(|time| time.0.to_string()).unwrap_or_default();
    out.field(0, "Created on", created);
    labels(out, "Labels", metadata.labels.as_ref());
    annotations(out, metadata.annotations.as_ref());
    spec(out, &policy.spec.unwrap_or_default());
    Ok(())
}

fn spec(out: &mut Tabs, spec: &NetworkPolicySpec) {
    out.line(0, "Spec:");
    let chosen = spec
        .pod_selector
        .as_ref()
        .filter(|chosen| !is_empty(chosen));
    let chosen = match chosen {
        Some(chosen) => selector(Some(chosen)),
        None => "<none> (Allowing the specific traffic to all pods in this namespace)".to_owned(),
    };
    out.line(1, format!("PodSelector:     {chosen}"));
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let is_of = |kind: &str| types.iter().any(|found| found == kind);
    if is_of("Ingress") {
        out.line(1, "Allowing ingress traffic:");
        let rules = spec.ingress.iter().flatten();
        let rules: Vec<_> = rules.map(|rule| (&rule.ports, &rule.from)).collect();
        rules_of(out, &rules, "ingress", "From", "source");
    } else {
        out.line(1, "Not affecting ingress traffic");
    }
    if is_of("Egress") {
        out.line(1, "Allowing egress traffic:");
        let rules = spec.egress.iter().flatten();
        let rules: Vec<_> = rules.map(|rule| (&rule.ports, &rule.to)).collect();
        rules_of(out, &rules, "egress", "To", "destination");
    } else {
        out.line(1, "Not affecting egress traffic");
    }
    out.line(1, format!("Policy Types: {}", types.join(", ")));
}

fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.iter().flatten().next().is_none()
        && selector.match_expressions.iter().flatten().next().is_none()
}

type Rule<'a> = (
    &'a Option<Vec<NetworkPolicyPort>>,
    &'a Option<Vec<NetworkPolicyPeer>>,
);

fn rules_of(out: &mut Tabs, rules: &[Rule<'_>], direction: &str, word: &str, end: &str) {
    if rules.is_empty() {
        let line = format!("<none> (Selected pods are isolated for {direction} connectivity)");
        return out.line(RULES, line);
    }
    for (index, (ports, peers)) in rules.iter().enumerate() {
        if index > 0 {
            out.line(RULES, "----------");
        }
        let ports = ports.as_deref().unwrap_or_default();
        if ports.is_empty() {
            out.line(RULES, "To Port: <any> (traffic allowed to all ports)");
        }
        for port in ports {
            out.line(RULES, port_line(port));
        }
        let peers = peers.as_deref().unwrap_or_default();
        if peers.is_empty() {
            out.line(
                RULES,
                format!("{word}: <any> (traffic not restricted by {end})"),
            );
        }
        for peer in peers {
            out.line(RULES, format!("{word}:"));
            peer_lines(out, peer);
        }
    }
}

fn port_line(port: &NetworkPolicyPort) -> String {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let number = match &port.port {
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(name)) => name.clone(),
        None => "<any>".to_owned(),
    };
    match port.end_port {
        Some(end) => format!("To Port Range: {number}-{end}/{protocol}"),
        None => format!("To Port: {number}/{protocol}"),
    }
}

fn peer_lines(out: &mut Tabs, peer: &NetworkPolicyPeer) {
    let of = |chosen: &LabelSelector| selector(Some(chosen));
    if let Some(chosen) = &peer.namespace_selector {
        out.line(RULES + 1, format!("NamespaceSelector: {}", of(chosen)));
    }
    if let Some(chosen) = &peer.pod_selector {
        out.line(RULES + 1, format!("PodSelector: {}", of(chosen)));
    }
    if let Some(block) = &peer.ip_block {
        out.line(RULES + 1, "IPBlock:");
        out.line(RULES + 2, format!("CIDR: {}", block.cidr));
        let except = block.except.as_deref().unwrap_or_default().join(", ");
        out.line(RULES + 2, format!("Except: {except}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_described_rule_by_rule() {
        let policy = json!({
            "metadata": {"name": "db", "namespace": "default"},
            "spec": {
                "podSelector": {"matchLabels": {"role": "db"}},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {"ports": [{"port": 6379, "protocol": "TCP"}, {"port": 1, "endPort": 9, "protocol": "UDP"}],
                     "from": [
                        {"ipBlock": {"cidr": "172.17.0.0/16", "except": ["172.17.1.0/24"]}},
                        {"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}},
                     ]},
                    {},
                ],
            },
        });
        let mut out = Tabs::for_description();
        describe(&mut out, &policy).unwrap();
        assert_eq!(
            out.finish(),
            "Name:         db\n\
             Namespace:    default\n\
             Created on:   \n\
             Labels:       <none>\n\
             Annotations:  <none>\n\
             Spec:\n\
             \x20 PodSelector:     role=db\n\
             \x20 Allowing ingress traffic:\n\
             \x20   To Port: 6379/TCP\n\
             \x20   To Port Range: 1-9/UDP\n\
             \x20   From:\n\
             \x20     IPBlock:\n\
             \x20       CIDR: 172.17.0.0/16\n\
             \x20       Except: 172.17.1.0/24\n\
             \x20   From:\n\
             \x20     NamespaceSelector: a=b\n\
             \x20     PodSelector: <none>\n\
             \x20   ----------\n\
             \x20   To Port: <any> (traffic allowed to all ports)\n\
             \x20   From: <any> (traffic not restricted by source)\n\
             \x20 Allowing egress traffic:\n\
             \x20   <none> (Selected pods are isolated for egress connectivity)\n\
             \x20 Policy Types: Ingress, Egress\n"
        );
    }
}
