//! Which rules the objects make.

use serde_json::{Value, json};

use super::*;

fn objects<T: serde::de::DeserializeOwned>(values: &[Value]) -> Vec<T> {
    let values = values.iter().cloned();
    values
        .map(|value| serde_json::from_value(value).unwrap())
        .collect()
}

/// Four pods in two namespaces; `web` and `api` name their ports alike and number them differently.
fn pods() -> Vec<Pod> {
    let pod = |namespace: &str, name: &str, labels: Value, port: i32| {
        json!({
            "metadata": {"uid": name, "name": name, "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "c", "ports": [
                {"name": "http", "containerPort": port, "protocol": "TCP"},
            ]}]},
        })
    };
    objects(&[
        pod("default", "web", json!({"app": "web"}), 80),
        pod(
            "default",
            "api",
            json!({"app": "api", "tier": "back"}),
            8080,
        ),
        pod("other", "job", json!({"app": "web"}), 90),
        json!({"metadata": {"uid": "bare", "name": "bare", "namespace": "other"}, "spec": {"containers": []}}),
    ])
}

fn compiled(policies: &[Value]) -> HashMap<Arc<str>, PodPolicy> {
    let policies: Vec<NetworkPolicy> = objects(policies);
    let namespaces: Vec<Namespace> = objects(&[
        json!({"metadata": {"name": "default"}}),
        json!({"metadata": {"name": "other", "labels": {"team": "b"}}}),
    ]);
    compile(policies.iter(), pods().iter(), namespaces.iter())
}

fn policy(spec: &Value) -> Value {
    json!({"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
}

/// A rule in short: its peers, and its ports.
fn shown(rules: Option<&Vec<PolicyRule>>) -> String {
    let Some(rules) = rules else {
        return "all".to_owned();
    };
    let rules = rules.iter().map(|rule| {
        let peers = rule.peers.as_ref().map_or("any".to_owned(), |peers| {
            let peers = peers.iter().map(|peer| match peer {
                PolicyPeer::Pods(pods) => {
                    pods.iter().map(|pod| &**pod).collect::<Vec<_>>().join("+")
                }
                PolicyPeer::Block { block, except } => format!("{block}-{except:?}"),
            });
            peers.collect::<Vec<_>>().join(",")
        });
        let ports = rule.ports.as_ref().map_or("any".to_owned(), |ports| {
            let ports = ports.iter().map(|port| {
                format!(
                    "{}-{}/{}",
                    port.ports.start(),
                    port.ports.end(),
                    port.protocol
                )
            });
            ports.collect::<Vec<_>>().join(",")
        });
        format!("{peers}:{ports}")
    });
    rules.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_policy_isolates_the_pods_that_it_selects_for_what_it_is_about() {
    for (spec, isolated, ingress, egress) in [
        (json!({"podSelector": {}}), "api web", "", "all"),
        (json!({}), "api web", "", "all"),
        (
            json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]}),
            "web",
            "all",
            "",
        ),
        (
            json!({"podSelector": {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
                "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}),
            "web",
            "any:any",
            "any:any",
        ),
        (
            json!({"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{}], "egress": [{}]}),
            "api web",
            "all",
            "any:any",
        ),
        (
            json!({"podSelector": {"matchLabels": {"app": "x"}}}),
            "",
            "",
            "",
        ),
    ] {
        let compiled = compiled(&[policy(&spec)]);
        let mut pods: Vec<_> = compiled.keys().map(|pod| &**pod).collect();
        pods.sort_unstable();
        assert_eq!(pods.join(" "), isolated, "{spec}");
        for policy in compiled.values() {
            assert_eq!(shown(policy.ingress.as_ref()), ingress, "{spec}");
            assert_eq!(shown(policy.egress.as_ref()), egress, "{spec}");
        }
    }
}

#[test]
fn peers_are_pods_of_the_own_or_of_selected_namespaces_or_blocks() {
    for (from, expected) in [
        (json!([]), "any:any"),
        (json!([{"podSelector": {}}]), "api+web:any"),
        (
            json!([{"podSelector": {"matchLabels": {"app": "web"}}}]),
            "web:any",
        ),
        (
            json!([{"namespaceSelector": {"matchLabels": {"team": "b"}}}]),
            "bare+job:any",
        ),
        (
            json!([{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}]),
            "job+web:any",
        ),
        (
            json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}},
                {"podSelector": {"matchLabels": {"app": "api"}}}]),
            "bare+job,api:any",
        ),
        (
            json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]),
            "kube-dns:any",
        ),
        (
            json!([{"podSelector": {"matchLabels": {"app": "none"}}}]),
            ":any",
        ),
        (
            json!([{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]),
            "10.0.0.0/8-[10.1.0.0/16]:any",
        ),
    ] {
        let spec =
            json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": from}]});
        let compiled = compiled(&[policy(&spec)]);
        assert_eq!(shown(compiled["web"].ingress.as_ref()), expected, "{from}");
    }
}

#[test]
fn ports_are_numbers_ranges_or_names_of_the_pod_that_is_reached() {
    for (ports, ingress, egress) in [
        (json!([]), "any:any", "any:any"),
        (json!([{"port": 80}]), "any:80-80/TCP", "any:80-80/TCP"),
        (
            json!([{"port": 80, "endPort": 90}, {"port": 53, "protocol": "UDP"}]),
            "any:80-90/TCP,53-53/UDP",
            "any:80-90/TCP,53-53/UDP",
        ),
        (
            json!([{"protocol": "UDP"}]),
            "any:0-65535/UDP",
            "any:0-65535/UDP",
        ),
        (json!([{"port": 80, "protocol": "SCTP"}]), "", ""),
        (json!([{"port": "none"}]), "", ""),
        (
            json!([{"port": "http"}]),
            "any:80-80/TCP",
            "web:80-80/TCP api:8080-8080/TCP job:90-90/TCP",
        ),
        (
            json!([{"port": "http"}, {"port": 1}]),
            "any:80-80/TCP,1-1/TCP",
            "web:80-80/TCP api:8080-8080/TCP job:90-90/TCP any:1-1/TCP",
        ),
        (
            json!([{"port": "dns", "protocol": "UDP"}]),
            "",
            "kube-dns:53-53/UDP",
        ),
    ] {
        let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": ports}], "egress": [{"ports": ports}]});
        let compiled = compiled(&[policy(&spec)]);
        assert_eq!(shown(compiled["web"].ingress.as_ref()), ingress, "{ports}");
        assert_eq!(shown(compiled["web"].egress.as_ref()), egress, "{ports}");
    }
}

#[test]
fn a_named_port_to_some_pods_means_theirs() {
    let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "api"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "ports": [{"port": "http"}]}]});
    let compiled = compiled(&[policy(&spec)]);
    assert_eq!(shown(compiled["web"].egress.as_ref()), "api:8080-8080/TCP");
}

#[test]
fn the_rules_of_all_policies_add_up() {
    let rule = |number: i32| json!({"podSelector": {}, "ingress": [{"ports": [{"port": number}]}]});
    let egress_only = json!({"podSelector": {}, "policyTypes": ["Egress"]});
    let compiled = compiled(&[policy(&rule(1)), policy(&rule(2)), policy(&egress_only)]);
    assert_eq!(
        shown(compiled["web"].ingress.as_ref()),
        "any:1-1/TCP any:2-2/TCP"
    );
    assert_eq!(shown(compiled["web"].egress.as_ref()), "");
}
