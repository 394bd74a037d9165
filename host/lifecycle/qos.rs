//! `status.qosClass`: how a pod's requests and limits relate (`pod-qos`).
//!
//! Only cpu and memory count. A pod that sets resources for the whole of it (`spec.resources`) is judged by these
//! alone, whatever its containers say.

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::{PodSpec, Quantity, ResourceRequirements};
use wasmpod_manifest::quantity;

const COUNTED: [&str; 2] = ["cpu", "memory"];

/// `Guaranteed`, `Burstable` or `BestEffort`.
#[must_use]
pub fn class(spec: &PodSpec) -> &'static str {
    let whole = spec.resources.as_ref().filter(|whole| is_set(whole));
    let each = spec.init_containers.iter().flatten();
    let each = each.chain(&spec.containers).map(|c| c.resources.as_ref());
    let mut any = false;
    let mut all_guaranteed = true;
    let mut count = |resources: Option<&ResourceRequirements>| {
        let limits = resources.and_then(|r| r.limits.as_ref());
        let requests = resources.and_then(|r| r.requests.as_ref());
        for name in COUNTED {
            let limit = amount(limits, name);
            // Kubernetes' default: what is limited but not requested is requested in full.
            let request = amount(requests, name).or(limit);
            any |= request.is_some();
            all_guaranteed &= limit.is_some() && request == limit;
        }
    };
    match whole {
        Some(whole) => count(Some(whole)),
        None => each.for_each(count),
    }
    match (any, all_guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// True when a pod's own resources name anything that is counted.
fn is_set(whole: &ResourceRequirements) -> bool {
    let lists = [whole.limits.as_ref(), whole.requests.as_ref()];
    COUNTED
        .iter()
        .any(|name| lists.iter().flatten().any(|list| list.contains_key(*name)))
}

/// A quantity that is set and not zero.
fn amount(list: Option<&BTreeMap<String, Quantity>>, name: &str) -> Option<i128> {
    let milli = quantity::parse(&list?.get(name)?.0).ok()?.milli();
    (milli != 0).then_some(milli)
}

#[cfg(test)]
mod tests {
    use wasmpod_manifest::k8s::Container;

    use super::*;

    fn list(entries: &[(&str, &str)]) -> Option<BTreeMap<String, Quantity>> {
        let entries = entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), Quantity((*v).to_owned())));
        Some(entries.collect())
    }

    fn spec(limits: &[(&str, &str)], requests: &[(&str, &str)]) -> PodSpec {
        let resources = ResourceRequirements {
            limits: list(limits),
            requests: list(requests),
            ..ResourceRequirements::default()
        };
        let container = Container {
            resources: Some(resources),
            ..Container::default()
        };
        PodSpec {
            containers: vec![container],
            ..PodSpec::default()
        }
    }

    #[test]
    fn the_three_classes() {
        let both = [("cpu", "1"), ("memory", "1Gi")];
        assert_eq!(class(&spec(&[], &[])), "BestEffort");
        assert_eq!(class(&spec(&[("cpu", "0")], &[])), "BestEffort");
        assert_eq!(class(&spec(&both, &[])), "Guaranteed");
        assert_eq!(
            class(&spec(&both, &[("cpu", "1000m"), ("memory", "1024Mi")])),
            "Guaranteed"
        );
        assert_eq!(class(&spec(&both, &[("cpu", "500m")])), "Burstable");
        assert_eq!(class(&spec(&[], &[("memory", "1Mi")])), "Burstable");
    }

    #[test]
    fn resources_of_the_whole_pod_come_before_those_of_its_containers() {
        let both = [("cpu", "1"), ("memory", "1Gi")];
        let mut pod = spec(&[("cpu", "1")], &[]);
        pod.resources = spec(&both, &both).containers[0].resources.clone();
        assert_eq!(class(&pod), "Guaranteed");
        pod.resources = spec(&[], &both).containers[0].resources.clone();
        assert_eq!(class(&pod), "Burstable");
        pod.resources = spec(&[], &[]).containers[0].resources.clone();
        assert_eq!(class(&pod), "Burstable", "an empty one says nothing");
    }
}
