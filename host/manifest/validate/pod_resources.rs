//! The rules of a pod's own resources, which its containers share.

use super::{Findings, Path, resources};
use crate::k8s::{Container, PodSpec, Quantity};
use crate::quantity;

/// What a pod can have as a whole. Source: `IsSupportedPodLevelResource`; huge pages and process
/// numbers are accepted with the fields that have no effect.
fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "pids") || name.starts_with("hugepages-")
}

/// Holds the rules of `spec.resources`.
pub(super) fn pod_resources(spec: &PodSpec, path: &Path, findings: &mut Findings) {
    let Some(own) = &spec.resources else { return };
    let resources_path = path.field("resources");
    for (field, list) in [("limits", &own.limits), ("requests", &own.requests)] {
        for name in list.iter().flatten().map(|(name, _)| name) {
            if !is_pod_level(name) {
                let path = resources_path.field(field).key(name);
                findings.push(
                    super::Finding::new(
                        "resources/pod-level",
                        crate::report::ViolationKind::NotSupported,
                        &path,
                    )
                    .quoted(name)
                    .detail("supported values: \"cpu\", \"hugepages-\", \"memory\", \"pids\""),
                );
            }
        }
    }
    let is_standard = |name: &str| name == "pids" || resources::is_container_level(name);
    resources::resources(own, is_standard, &resources_path, findings);
    for name in ["cpu", "memory"] {
        let sum: i128 = running(spec)
            .filter_map(|one| milli(one.resources.as_ref()?.requests.as_ref()?.get(name)))
            .sum();
        let request = own.requests.as_ref().and_then(|list| list.get(name));
        if let (Some(request), Some(wanted)) = (request, milli(request))
            && wanted < sum
        {
            let detail = format!(
                "must be greater than or equal to aggregate container requests of {}",
                shown(sum)
            );
            let path = resources_path.field("requests").key(name);
            findings.invalid("resources/pod-level", &path, &request.0, detail);
        }
    }
    let lists = [
        (
            "initContainers",
            spec.init_containers.as_deref().unwrap_or_default(),
        ),
        ("containers", spec.containers.as_slice()),
    ];
    for (field, list) in lists {
        for (index, one) in list.iter().enumerate() {
            let limits = one.resources.as_ref().and_then(|r| r.limits.as_ref());
            for (name, limit) in limits.into_iter().flatten() {
                let whole = own.limits.as_ref().and_then(|list| list.get(name));
                if let (Some(limit_milli), Some(most)) = (milli(Some(limit)), milli(whole))
                    && limit_milli > most
                {
                    let path = path
                        .field(field)
                        .index(index)
                        .field("resources")
                        .field("limits")
                        .key(name);
                    let whole = whole.map_or("", |whole| whole.0.as_str());
                    let detail = format!("must be less than or equal to pod limits of {whole}");
                    findings.invalid("resources/pod-level", &path, &limit.0, detail);
                }
            }
        }
    }
}

/// The containers that run at the same time: the main ones and the sidecars.
fn running(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers
        .iter()
        .flatten()
        .filter(|one| one.restart_policy.as_deref() == Some("Always"))
        .chain(&spec.containers)
}

fn milli<'a>(text: impl Into<Option<&'a Quantity>>) -> Option<i128> {
    Some(quantity::parse(&text.into()?.0).ok()?.milli())
}

fn shown(milli: i128) -> String {
    if milli % 1000 == 0 {
        (milli / 1000).to_string()
    } else {
        format!("{milli}m")
    }
}
