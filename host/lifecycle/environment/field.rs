//! The downward API: what a container may know of its own pod (`downward-api`).

use wasmpod_manifest::k8s::{Container, Pod, ResourceFieldSelector};
use wasmpod_manifest::quantity;

use super::EnvironmentError;

/// What the spec does not say and the downward API tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// `spec.nodeName`
    pub node_name: String,
    /// `status.hostIPs`
    pub host_ips: Vec<String>,
    /// `status.podIPs`
    pub pod_ips: Vec<String>,
    /// What a container without a CPU limit may use, in millicores: the node's allocatable.
    pub allocatable_cpu_millicores: u64,
    /// What a container without a memory limit may use, in bytes.
    pub allocatable_memory_bytes: u64,
}

/// The value of a `fieldRef`.
pub(super) fn value(pod: &Pod, facts: &PodFacts, path: &str) -> Result<String, EnvironmentError> {
    let meta = &pod.metadata;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let first = |list: &[String]| list.first().cloned().unwrap_or_default();
    Ok(match path {
        "metadata.name" => text(&meta.name),
        "metadata.namespace" => meta
            .namespace
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        "metadata.uid" => text(&meta.uid),
        "spec.nodeName" => facts.node_name.clone(),
        "spec.serviceAccountName" => pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.clone())
            .unwrap_or_else(|| "default".to_owned()),
        "status.hostIP" => first(&facts.host_ips),
        "status.hostIPs" => facts.host_ips.join(","),
        "status.podIP" => first(&facts.pod_ips),
        "status.podIPs" => facts.pod_ips.join(","),
        _ => {
            let (map, key) = if let Some(key) = subscript(path, "metadata.labels") {
                (&meta.labels, key)
            } else if let Some(key) = subscript(path, "metadata.annotations") {
                (&meta.annotations, key)
            } else {
                return Err(EnvironmentError::UnsupportedField {
                    path: path.to_owned(),
                });
            };
            // A label that the pod does not have is the empty text.
            map.as_ref()
                .and_then(|map| map.get(key))
                .cloned()
                .unwrap_or_default()
        }
    })
}

/// The key of `PATH['KEY']`.
fn subscript<'a>(path: &'a str, of: &str) -> Option<&'a str> {
    path.strip_prefix(of)?
        .strip_prefix("['")?
        .strip_suffix("']")
}

/// The value of a `resourceFieldRef`: a whole number of divisors, rounded up.
pub(super) fn resource(
    pod: &Pod,
    container: &Container,
    facts: &PodFacts,
    selector: &ResourceFieldSelector,
) -> Result<String, EnvironmentError> {
    let target = match selector
        .container_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        None => container,
        Some(name) => {
            let spec = pod.spec.as_ref();
            let containers = spec.into_iter().flat_map(|spec| {
                spec.init_containers
                    .iter()
                    .flatten()
                    .chain(&spec.containers)
            });
            containers
                .into_iter()
                .find(|c| c.name == name)
                .ok_or_else(|| EnvironmentError::NoContainer {
                    container: name.to_owned(),
                })?
        }
    };
    let unsupported = || EnvironmentError::UnsupportedResource {
        resource: selector.resource.clone(),
    };
    let (list, resource) = selector.resource.split_once('.').ok_or_else(unsupported)?;
    let resources = target.resources.as_ref();
    let quantities = match list {
        "limits" => resources.and_then(|r| r.limits.as_ref()),
        "requests" => resources.and_then(|r| r.requests.as_ref()),
        _ => return Err(unsupported()),
    };
    let set = quantities
        .and_then(|q| q.get(resource))
        .and_then(|q| quantity::parse(&q.0).ok());
    // What is not limited is limited by the node; what is not requested is 0.
    let milli = match (set, list, resource) {
        (Some(amount), _, "cpu" | "memory" | "ephemeral-storage") => amount.milli(),
        (None, "limits", "cpu") => i128::from(facts.allocatable_cpu_millicores),
        (None, "limits", "memory") => i128::from(facts.allocatable_memory_bytes) * 1000,
        (None, _, "cpu" | "memory" | "ephemeral-storage") => 0,
        _ => return Err(unsupported()),
    };
    let divisor = selector
        .divisor
        .as_ref()
        .and_then(|q| quantity::parse(&q.0).ok());
    let divisor = divisor
        .map(quantity::Amount::milli)
        .filter(|d| *d > 0)
        .unwrap_or(1000);
    let whole = milli.div_euclid(divisor) + i128::from(milli.rem_euclid(divisor) != 0);
    Ok(whole.to_string())
}
