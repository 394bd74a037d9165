//! What the network is told of NetworkPolicies.

use wasmpod_manifest::k8s::Pod;
use wasmpod_store::{Kind, Object, WatchEvent};

use super::Reconciler;
use crate::policies::compile;

impl Reconciler {
    /// Notes that rules may have changed with an object: a policy itself, or what policies select by labels.
    pub(super) fn note_policies(&mut self, event: &WatchEvent) {
        let object = event.object();
        self.policies_are_stale |= match object {
            Object::NetworkPolicy(_) | Object::Namespace(_) => true,
            Object::Pod(pod) => match event {
                WatchEvent::Modified(_) => self.has_other_labels(object, pod),
                _ => true,
            },
            _ => false,
        };
    }

    /// Whether a pod has other labels than when it was looked at last.
    pub(super) fn has_other_labels(&self, object: &Object, pod: &Pod) -> bool {
        let namespace = object.namespace().unwrap_or_default();
        let known = self.shared.known.get(namespace, object.name());
        known.is_some_and(|known| known.wanted().metadata.labels != pod.metadata.labels)
    }

    /// Tells the network the rules as they are now. Done before anything else, so that no pod starts without its rules.
    pub(super) fn set_policies(&mut self) {
        if !std::mem::take(&mut self.policies_are_stale) {
            return;
        }
        let store = &self.shared.store;
        let list = |kind| store.list(kind, None).0;
        let (policies, pods, namespaces) = (
            list(Kind::NetworkPolicy),
            list(Kind::Pod),
            list(Kind::Namespace),
        );
        let policies = policies.iter().filter_map(|object| match object {
            Object::NetworkPolicy(policy) => Some(&**policy),
            _ => None,
        });
        let pods = pods.iter().filter_map(|object| match object {
            Object::Pod(pod) => Some(&**pod),
            _ => None,
        });
        let namespaces = namespaces.iter().filter_map(|object| match object {
            Object::Namespace(namespace) => Some(&**namespace),
            _ => None,
        });
        let compiled = compile(policies, pods, namespaces);
        self.shared.network.set_policies(compiled);
    }
}
