//! From NetworkPolicies, pods and namespaces to the rules that the network holds to: a pure function.
//!
//! The part of a network plugin that reads objects. Selectors become sets of pods and names of ports become numbers here;
//! what a rule means for a connection is decided in the network. A pod is known by its uid, which it has before it has an
//! address, so that its rules are there when it starts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use wasmpod_manifest::k8s::{
    IntOrString, LabelSelector, Namespace, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec, Pod,
};
use wasmpod_network::{
    NAME_SERVER_IDENTITY, PodPolicy, PolicyPeer, PolicyPort, PolicyRule, Protocol,
};
use wasmpod_store::selector::LabelSelector as Selector;

use crate::admission::publish::{named_port, protocol};

/// The label that every namespace has, with its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Where the name server of Kubernetes is, and the label by which policies select it.
const NAME_SERVER: (&str, &str, &str) = ("kube-system", "k8s-app", "kube-dns");

type Labels = BTreeMap<String, String>;

/// The objects that rules are made from.
pub(crate) struct World<'a> {
    subjects: Vec<Subject<'a>>,
    namespaces: HashMap<String, Labels>,
}

/// What a policy may select.
struct Subject<'a> {
    identity: Arc<str>,
    namespace: String,
    labels: Labels,
    /// Nothing for the name server.
    pod: Option<&'a Pod>,
}

/// A direction of a policy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

/// One rule of either direction, as it was written.
type Written<'a> = (
    Option<&'a [NetworkPolicyPeer]>,
    Option<&'a [NetworkPolicyPort]>,
);

/// The rules of every pod that some policy selects.
pub(crate) fn compile<'a>(
    policies: impl Iterator<Item = &'a NetworkPolicy>,
    pods: impl Iterator<Item = &'a Pod>,
    namespaces: impl Iterator<Item = &'a Namespace>,
) -> HashMap<Arc<str>, PodPolicy> {
    let world = World::new(pods, namespaces);
    let mut compiled: HashMap<Arc<str>, PodPolicy> = HashMap::new();
    for policy in policies {
        let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
        let no_spec = NetworkPolicySpec::default();
        let spec = policy.spec.as_ref().unwrap_or(&no_spec);
        for pod in world.selected(namespace, spec) {
            let rules = compiled.entry(Arc::clone(&pod.identity)).or_default();
            if is_of(spec, Direction::Ingress) {
                let written = spec.ingress.iter().flatten();
                let written = written.map(|rule| (rule.from.as_deref(), rule.ports.as_deref()));
                let own = rules.ingress.get_or_insert_default();
                own.extend(written.filter_map(|rule| world.ingress(namespace, pod, rule)));
            }
            if is_of(spec, Direction::Egress) {
                let written = spec.egress.iter().flatten();
                let written = written.map(|rule| (rule.to.as_deref(), rule.ports.as_deref()));
                let own = rules.egress.get_or_insert_default();
                own.extend(written.flat_map(|rule| world.egress(namespace, rule)));
            }
        }
    }
    compiled
}

/// Whether a policy is about a direction; where it does not say, the defaults of the API server.
fn is_of(spec: &NetworkPolicySpec, direction: Direction) -> bool {
    let types = spec.policy_types.as_deref().unwrap_or_default();
    match direction {
        Direction::Ingress => types.is_empty() || types.iter().any(|found| found == "Ingress"),
        Direction::Egress => {
            let has_rules = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
            (types.is_empty() && has_rules) || types.iter().any(|found| found == "Egress")
        }
    }
}

impl<'a> World<'a> {
    fn new(
        pods: impl Iterator<Item = &'a Pod>,
        namespaces: impl Iterator<Item = &'a Namespace>,
    ) -> Self {
        let (namespace, key, value) = NAME_SERVER;
        let name_server = Subject {
            identity: Arc::from(NAME_SERVER_IDENTITY),
            namespace: namespace.to_owned(),
            labels: [(key.to_owned(), value.to_owned())].into(),
            pod: None,
        };
        let pods = pods.filter_map(|pod| {
            Some(Subject {
                identity: Arc::from(pod.metadata.uid.as_deref()?),
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                labels: pod.metadata.labels.clone().unwrap_or_default(),
                pod: Some(pod),
            })
        });
        let namespaces = namespaces.map(|namespace| {
            let name = namespace.metadata.name.clone().unwrap_or_default();
            let mut labels = namespace.metadata.labels.clone().unwrap_or_default();
            labels.insert(NAMESPACE_NAME.to_owned(), name.clone());
            (name, labels)
        });
        Self {
            subjects: pods.chain([name_server]).collect(),
            namespaces: namespaces.collect(),
        }
    }

    /// The pods that a policy is about.
    fn selected(&self, namespace: &str, spec: &NetworkPolicySpec) -> Vec<&Subject<'a>> {
        // Without a selector all.
        let none = LabelSelector::default();
        let selector = Selector::from(spec.pod_selector.as_ref().unwrap_or(&none));
        let pods = self.subjects.iter().filter(|subject| {
            subject.pod.is_some()
                && subject.namespace == namespace
                && selector.matches(Some(&subject.labels))
        });
        pods.collect()
    }

    fn labels_of(&self, namespace: &str) -> Labels {
        let known = self.namespaces.get(namespace).cloned();
        known.unwrap_or_else(|| [(NAMESPACE_NAME.to_owned(), namespace.to_owned())].into())
    }

    /// What a rule lets into a pod, whose own the names of ports are; nothing when none of its ports is any.
    fn ingress(
        &self,
        namespace: &str,
        pod: &Subject<'_>,
        (peers, ports): Written<'_>,
    ) -> Option<PolicyRule> {
        let ports = match ports.unwrap_or_default() {
            [] => None,
            written => {
                let numbers = written.iter().filter_map(|port| port_of(port, pod));
                Some(numbers.collect::<Vec<_>>())
            }
        };
        let is_empty = ports.as_ref().is_some_and(Vec::is_empty);
        (!is_empty).then(|| PolicyRule {
            peers: self.peers(namespace, peers),
            ports,
        })
    }

    /// What a rule lets out: one rule for all numbers, and one for every pod that has a port of a name.
    fn egress(&self, namespace: &str, (peers, ports): Written<'_>) -> Vec<PolicyRule> {
        let peers = self.peers(namespace, peers);
        let written = ports.unwrap_or_default();
        if written.is_empty() {
            return vec![PolicyRule { peers, ports: None }];
        }
        let numbers: Vec<_> = written.iter().filter_map(numbers_of).collect();
        let mut rules = Vec::new();
        for port in written.iter().filter(|port| is_named(port)) {
            for pod in &self.subjects {
                if let Some(number) = port_of(port, pod)
                    && includes(peers.as_deref(), pod)
                {
                    let only = BTreeSet::from([Arc::clone(&pod.identity)]);
                    rules.push(PolicyRule {
                        peers: Some(vec![PolicyPeer::Pods(Arc::new(only))]),
                        ports: Some(vec![number]),
                    });
                }
            }
        }
        if !numbers.is_empty() {
            let ports = Some(numbers);
            rules.push(PolicyRule { peers, ports });
        }
        rules
    }

    /// No peers stand for everybody.
    fn peers(
        &self,
        namespace: &str,
        written: Option<&[NetworkPolicyPeer]>,
    ) -> Option<Vec<PolicyPeer>> {
        match written.unwrap_or_default() {
            [] => None,
            written => {
                let peers = written.iter().filter_map(|peer| self.peer(namespace, peer));
                Some(peers.collect())
            }
        }
    }

    fn peer(&self, namespace: &str, peer: &NetworkPolicyPeer) -> Option<PolicyPeer> {
        if let Some(block) = &peer.ip_block {
            let except = block.except.iter().flatten();
            return Some(PolicyPeer::Block {
                block: block.cidr.parse().ok()?,
                except: except.filter_map(|part| part.parse().ok()).collect(),
            });
        }
        let of_pods = peer.pod_selector.as_ref().map(Selector::from);
        let of_namespaces = peer.namespace_selector.as_ref().map(Selector::from);
        let pods = self.subjects.iter().filter(|subject| {
            // Without a selector of namespaces the policy's own is meant.
            let in_namespace = match &of_namespaces {
                Some(selector) => selector.matches(Some(&self.labels_of(&subject.namespace))),
                None => subject.namespace == namespace,
            };
            let mut of_pods = of_pods.iter();
            in_namespace && of_pods.all(|selector| selector.matches(Some(&subject.labels)))
        });
        let identities = pods.map(|subject| Arc::clone(&subject.identity));
        Some(PolicyPeer::Pods(Arc::new(identities.collect())))
    }
}

/// Whether a pod is among the peers. That it may be in a block of addresses is not known before it has one: a name of a
/// port together with a block means nothing, as for most plugins.
fn includes(peers: Option<&[PolicyPeer]>, pod: &Subject<'_>) -> bool {
    peers.is_none_or(|peers| {
        peers.iter().any(|peer| match peer {
            PolicyPeer::Pods(pods) => pods.contains(&pod.identity),
            PolicyPeer::Block { .. } => false,
        })
    })
}

fn is_named(port: &NetworkPolicyPort) -> bool {
    matches!(port.port, Some(IntOrString::String(_)))
}

/// The numbers of a port that has no name; nothing for SCTP, which no pod has.
fn numbers_of(port: &NetworkPolicyPort) -> Option<PolicyPort> {
    let number = |port: i32| u16::try_from(port).ok();
    let ports: RangeInclusive<u16> = match (&port.port, port.end_port) {
        (None, _) => 0..=u16::MAX,
        (Some(IntOrString::Int(first)), Some(end)) => number(*first)?..=number(end)?,
        (Some(IntOrString::Int(only)), None) => number(*only)?..=number(*only)?,
        (Some(IntOrString::String(_)), _) => return None,
    };
    Some(PolicyPort {
        protocol: protocol(port.protocol.as_deref())?,
        ports,
    })
}

/// The numbers of a port of this pod; nothing when it has none of the name.
fn port_of(port: &NetworkPolicyPort, of: &Subject<'_>) -> Option<PolicyPort> {
    let Some(IntOrString::String(name)) = &port.port else {
        return numbers_of(port);
    };
    let protocol = protocol(port.protocol.as_deref())?;
    let number = match of.pod {
        Some(pod) => named_port(pod, name, protocol)?,
        // The ports of Kubernetes' own name server.
        None => match (name.as_str(), protocol) {
            ("dns", Protocol::Udp) | ("dns-tcp", Protocol::Tcp) => 53,
            _ => return None,
        },
    };
    Some(PolicyPort {
        protocol,
        ports: number..=number,
    })
}

#[cfg(test)]
mod tests;
