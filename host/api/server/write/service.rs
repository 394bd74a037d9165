//! What a service lets go of when somebody changes its type.
//!
//! Standard: `dropTypeDependentFields` of the API server. A client that says `type: ExternalName` and nothing else still
//! sends the cluster IP and the ports of the machine that the service was given; if they are as they were, it does not
//! mean them. What it did change stays, and is validated.

use serde_json::{Map, Value};
use wasmpod_store::Object;

/// What only services have that the machine's ports lead to.
const OF_NODE_PORTS: &[&str] = &["externalTrafficPolicy"];
/// What only services of the type LoadBalancer have.
const OF_BALANCERS: &[&str] = &[
    "allocateLoadBalancerNodePorts",
    "loadBalancerClass",
    "healthCheckNodePort",
];
/// What services have that are reached by an address.
const OF_ADDRESSES: &[&str] = &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];

/// Takes from `new` what it has of `stored` and its type has no use for. Nothing for other kinds.
pub(super) fn let_go(stored: &Object, new: &mut Value) {
    let Object::Service(stored) = stored else {
        return;
    };
    let old = serde_json::to_value(&stored.spec).unwrap_or_default();
    let (Some(old), Some(Value::Object(new))) = (old.as_object(), new.get_mut("spec")) else {
        return;
    };
    let (before, after) = (type_of(old), type_of(new));
    let loses = |has: fn(&str) -> bool| has(&before) && !has(&after);
    if loses(|kind| kind != "ExternalName") {
        drop_same(old, new, OF_ADDRESSES);
    }
    if loses(has_node_ports) {
        drop_same(old, new, OF_NODE_PORTS);
        drop_node_ports(old, new);
    }
    if loses(|kind| kind == "LoadBalancer") {
        drop_same(old, new, OF_BALANCERS);
    }
    // The time-out is a part of what was switched off.
    if new.get("sessionAffinity").and_then(Value::as_str) == Some("None") {
        drop_same(old, new, &["sessionAffinityConfig"]);
    }
}

fn type_of(spec: &Map<String, Value>) -> String {
    let kind = spec.get("type").and_then(Value::as_str);
    kind.filter(|kind| !kind.is_empty())
        .unwrap_or("ClusterIP")
        .to_owned()
}

fn has_node_ports(kind: &str) -> bool {
    matches!(kind, "NodePort" | "LoadBalancer")
}

fn drop_same(old: &Map<String, Value>, new: &mut Map<String, Value>, fields: &[&str]) {
    for field in fields {
        if new.get(*field) == old.get(*field) {
            new.remove(*field);
        }
    }
}

/// If the numbers are all as they were.
fn drop_node_ports(old: &Map<String, Value>, new: &mut Map<String, Value>) {
    let numbers = |spec: &Map<String, Value>| {
        let ports = spec.get("ports").and_then(Value::as_array);
        let numbers = ports
            .into_iter()
            .flatten()
            .filter_map(|port| port.get("nodePort")?.as_i64());
        let mut numbers: Vec<_> = numbers.filter(|number| *number != 0).collect();
        numbers.sort_unstable();
        numbers
    };
    if numbers(old) != numbers(new) {
        return;
    }
    let ports = new.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wasmpod_store::Kind;

    use super::*;

    #[test]
    fn what_was_given_goes_with_the_type_that_needs_it_and_what_was_asked_for_stays() {
        let old = json!({
            "type": "NodePort", "clusterIP": "10.96.0.20", "clusterIPs": ["10.96.0.20"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "externalTrafficPolicy": "Cluster", "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}],
        });
        let stored = json!({"metadata": {"name": "s"}, "spec": old});
        let stored = Object::from_json(Kind::Service, stored).unwrap();
        let given = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];
        let port = json!([{"port": 80, "protocol": "TCP"}]);
        let cases = [
            (json!({}), vec![], old["ports"].clone()),
            (
                json!({"type": "ClusterIP"}),
                vec!["externalTrafficPolicy"],
                port.clone(),
            ),
            (
                json!({"type": "LoadBalancer"}),
                vec![],
                old["ports"].clone(),
            ),
            (
                json!({"type": "ExternalName", "externalName": "x"}),
                [given.as_slice(), &["externalTrafficPolicy"]].concat(),
                port,
            ),
            (
                json!({"type": "ExternalName", "clusterIP": "10.96.0.21"}),
                [&given[1..], &["externalTrafficPolicy"]].concat(),
                json!([{"port": 80, "protocol": "TCP"}]),
            ),
            (
                json!({"sessionAffinity": "None"}),
                vec!["sessionAffinityConfig"],
                old["ports"].clone(),
            ),
        ];
        for (change, gone, ports) in cases {
            let mut spec = old.clone();
            spec.as_object_mut()
                .unwrap()
                .extend(change.as_object().unwrap().clone());
            let mut expected = spec.clone();
            expected["ports"] = ports;
            for field in gone {
                expected.as_object_mut().unwrap().remove(field);
            }
            let mut new = json!({"spec": spec});
            let_go(&stored, &mut new);
            assert_eq!(new["spec"], expected, "{change}");
        }
    }

    #[test]
    fn ports_of_the_machine_that_were_changed_stay_to_be_refused() {
        let stored = json!({"metadata": {"name": "s"}, "spec": {
            "type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}],
        }});
        let stored = Object::from_json(Kind::Service, stored).unwrap();
        let mut new =
            json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 30081}]}});
        let sent = new.clone();
        let_go(&stored, &mut new);
        assert_eq!(new, sent);
    }
}
