//! The defaults of a pod's own resources: what is limited but not requested.

use std::collections::BTreeMap;

use crate::k8s::{PodSpec, Quantity};
use crate::quantity;

/// What a pod can request as a whole. Source: `resourcehelper.SupportedPodLevelResources`, of which
/// huge pages are not offered here.
const POD_LEVEL: [&str; 2] = ["cpu", "memory"];

/// Completes the requests of a pod that has resources of its own: the sum of what its containers
/// request, else its limit.
pub(super) fn pod_resources(spec: &mut PodSpec) {
    let sums: BTreeMap<&str, Quantity> = POD_LEVEL
        .into_iter()
        .filter_map(|name| Some((name, requested(spec, name)?)))
        .collect();
    let Some(resources) = &mut spec.resources else {
        return;
    };
    if resources.limits.is_none() && resources.requests.is_none() {
        return;
    }
    let requests = resources.requests.get_or_insert_default();
    for (name, sum) in sums {
        requests.entry(name.to_owned()).or_insert(sum);
    }
    // Process numbers are limited and never requested.
    let limits = resources.limits.iter().flatten();
    for (name, limit) in limits.filter(|(name, _)| *name != "pids") {
        requests
            .entry(name.clone())
            .or_insert_with(|| limit.clone());
    }
}

/// The sum of the requests of the containers that run together; `None` when there are none.
fn requested(spec: &PodSpec, name: &str) -> Option<Quantity> {
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|one| one.restart_policy.as_deref() == Some("Always"));
    let milli: i128 = sidecars
        .chain(&spec.containers)
        .filter_map(|one| one.resources.as_ref()?.requests.as_ref()?.get(name))
        .filter_map(|request| Some(quantity::parse(&request.0).ok()?.milli()))
        .sum();
    (milli > 0).then(|| {
        Quantity(match (name, milli % 1000) {
            (_, 0) => (milli / 1000).to_string(),
            _ => format!("{milli}m"),
        })
    })
}
