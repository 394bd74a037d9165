//! The defaults of a network policy.

use super::{metadata, set};
use crate::k8s::{NetworkPolicy, NetworkPolicyPort};

/// Fills in a network policy: an `egress` section makes it one for egress, and every policy that does not say otherwise is
/// one for ingress.
pub(crate) fn network_policy(policy: &mut NetworkPolicy) {
    metadata(&mut policy.metadata);
    let Some(spec) = &mut policy.spec else {
        return;
    };
    spec.pod_selector.get_or_insert_default();
    if spec.policy_types.as_deref().unwrap_or_default().is_empty() {
        let mut types = vec!["Ingress".to_owned()];
        if !spec.egress.as_deref().unwrap_or_default().is_empty() {
            types.push("Egress".to_owned());
        }
        spec.policy_types = Some(types);
    }
    for rule in spec.ingress.iter_mut().flatten() {
        rule.ports.iter_mut().flatten().for_each(port);
    }
    for rule in spec.egress.iter_mut().flatten() {
        rule.ports.iter_mut().flatten().for_each(port);
    }
}

fn port(port: &mut NetworkPolicyPort) {
    set(&mut port.protocol, "TCP");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_for_ingress_and_with_an_egress_section_for_egress_too() {
        for (spec, expected) in [
            (json!({"podSelector": {}}), vec!["Ingress"]),
            (json!({"podSelector": {}, "egress": []}), vec!["Ingress"]),
            (
                json!({"podSelector": {}, "egress": [{}]}),
                vec!["Ingress", "Egress"],
            ),
            (
                json!({"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]}),
                vec!["Egress"],
            ),
            (json!({}), vec!["Ingress"]),
        ] {
            let mut policy: NetworkPolicy = serde_json::from_value(json!({"spec": spec})).unwrap();
            network_policy(&mut policy);
            let filled = policy.spec.unwrap();
            assert_eq!(filled.policy_types.unwrap(), expected, "{spec}");
            assert!(filled.pod_selector.is_some());
        }
    }

    #[test]
    fn the_protocol_of_a_port_is_tcp_unless_it_says_another() {
        let mut policy: NetworkPolicy = serde_json::from_value(json!({"spec": {
            "ingress": [{"ports": [{"port": 80}]}],
            "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
        }}))
        .unwrap();
        network_policy(&mut policy);
        let spec = policy.spec.unwrap();
        let protocol = |ports: &Option<Vec<NetworkPolicyPort>>| {
            ports.as_ref().unwrap()[0].protocol.clone().unwrap()
        };
        assert_eq!(protocol(&spec.ingress.unwrap()[0].ports), "TCP");
        assert_eq!(protocol(&spec.egress.unwrap()[0].ports), "UDP");
    }
}
