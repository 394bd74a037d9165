//! Network policies.

use serde_json::Value;
use wasmpod_manifest::k8s::NetworkPolicy;
use wasmpod_manifest::k8s::jiff::Timestamp;

use super::workload::selector;
use super::{Head, age, name, text};

pub(super) const HEADS: &[Head] = &[text("Name"), text("Pod-Selector"), text("Age")];

pub(super) fn cells(policy: &NetworkPolicy, now: Timestamp) -> Vec<Value> {
    let spec = policy.spec.as_ref();
    vec![
        name(&policy.metadata),
        selector(spec.and_then(|spec| spec.pod_selector.as_ref())).into(),
        age(&policy.metadata, now),
    ]
}
