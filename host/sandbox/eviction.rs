//! The limits of a pod's local storage, and what is said when it uses more: the kubelet's local storage eviction.
//!
//! Three limits, looked at in this order: `sizeLimit` of each emptyDir, the `ephemeral-storage` limits of all containers
//! together against all that the pod keeps on disk, the limit of each container against its own root directory and its
//! logs. Whether the pod is over a limit is a pure question here ([`Limits::exceeded`]); measuring walks directories and
//! is done elsewhere than on the pod's worker. A pod without such limits is never measured.
//! (`manage-resources-containers#local-ephemeral-storage`, `eviction_manager.go` `localStorageEviction`.)

use std::time::Duration;

use wasmpod_manifest::k8s::{Container, Pod, PodSpec};
use wasmpod_manifest::quantity;
use wasmpod_volume::VolumeUsage;

/// How often a pod with limits is measured; the kubelet's `evictionMonitoringPeriod`.
pub(crate) const CHECK_PERIOD: Duration = Duration::from_secs(10);

/// A pod's limits.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Volume and the quantity as written.
    empty_dirs: Vec<(String, String)>,
    containers: Vec<(String, Limit)>,
    total: Option<Limit>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Limit {
    bytes: u64,
    /// As a quantity.
    text: String,
}

/// What a pod uses.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) volumes: Vec<VolumeUsage>,
    /// Each container's root directory and logs, in bytes.
    pub(crate) containers: Vec<(String, u64)>,
}

impl Limits {
    /// The limits of a pod; `None` if it has none.
    pub(crate) fn of(pod: &Pod) -> Option<Self> {
        let spec = pod.spec.as_ref()?;
        let empty_dirs = spec.volumes.iter().flatten().filter_map(|volume| {
            let limit = &volume.empty_dir.as_ref()?.size_limit.as_ref()?.0;
            let bytes = quantity::parse_bytes(limit).ok()?;
            (bytes > 0).then(|| (volume.name.clone(), limit.clone()))
        });
        let named = |c: &Container| Some((c.name.clone(), limit(c)?));
        let init = spec.init_containers.iter().flatten();
        let limits = Self {
            empty_dirs: empty_dirs.collect(),
            containers: init.chain(&spec.containers).filter_map(named).collect(),
            total: total(spec),
        };
        (limits != Self::default()).then_some(limits)
    }

    /// The kubelet's message if the pod uses more than it may.
    pub(crate) fn exceeded(&self, usage: &Usage) -> Option<String> {
        for (name, text) in &self.empty_dirs {
            let used = usage.volumes.iter().find(|volume| volume.volume == *name);
            if used.is_some_and(|used| used.limit_bytes.is_some_and(|limit| used.bytes > limit)) {
                return Some(format!(
                    "Usage of EmptyDir volume {name:?} exceeds the limit {text:?}. "
                ));
            }
        }
        if let Some(total) = &self.total {
            let on_disk = usage.volumes.iter().filter(|volume| !volume.is_memory);
            let volumes: u64 = on_disk.map(|volume| volume.bytes).sum();
            let containers: u64 = usage.containers.iter().map(|(_, bytes)| bytes).sum();
            if volumes.saturating_add(containers) > total.bytes {
                return Some(format!(
                    "Pod ephemeral local storage usage exceeds the total limit of containers {}. ",
                    total.text
                ));
            }
        }
        for (name, limit) in &self.containers {
            let used = usage.containers.iter().find(|(used, _)| used == name);
            if used.is_some_and(|(_, bytes)| *bytes > limit.bytes) {
                return Some(format!(
                    "Container {name} exceeded its local ephemeral storage limit {:?}. ",
                    limit.text
                ));
            }
        }
        None
    }
}

fn limit(container: &Container) -> Option<Limit> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    let text = &limits.get("ephemeral-storage")?.0;
    Some(Limit {
        bytes: quantity::parse_bytes(text).ok()?,
        text: text.clone(),
    })
}

/// The limit of the whole pod: main containers and sidecars together, or one init container if that may use more
/// (`PodLimits` of `k8s.io/component-helpers`).
fn total(spec: &PodSpec) -> Option<Limit> {
    let is_sidecar = |c: &&Container| c.restart_policy.as_deref() == Some("Always");
    let init = || spec.init_containers.iter().flatten();
    let together = sum(spec.containers.iter().chain(init().filter(is_sidecar)));
    let single = init()
        .filter(|c| !is_sidecar(c))
        .filter_map(limit)
        .max_by_key(|limit| limit.bytes);
    [together, single]
        .into_iter()
        .flatten()
        .max_by_key(|limit| limit.bytes)
}

fn sum<'a>(containers: impl Iterator<Item = &'a Container>) -> Option<Limit> {
    containers.filter_map(limit).reduce(|all, one| {
        let bytes = all.bytes.saturating_add(one.bytes);
        let text = quantity_of(bytes);
        Limit { bytes, text }
    })
}

/// Bytes with the largest binary suffix that leaves a whole number.
fn quantity_of(bytes: u64) -> String {
    let mut value = bytes;
    let mut suffix = "";
    for next in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
        if value == 0 || !value.is_multiple_of(1024) {
            break;
        }
        value /= 1024;
        suffix = next;
    }
    format!("{value}{suffix}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn limits(spec: &Value) -> Option<Limits> {
        Limits::of(&serde_json::from_value(json!({"spec": spec})).unwrap())
    }

    fn container(name: &str, limit: &str) -> Value {
        json!({"name": name, "resources": {"limits": {"ephemeral-storage": limit}}})
    }

    fn volume(name: &str, bytes: u64, limit_bytes: Option<u64>, is_memory: bool) -> VolumeUsage {
        VolumeUsage {
            volume: name.to_owned(),
            bytes,
            limit_bytes,
            is_memory,
        }
    }

    #[test]
    fn a_pod_without_limits_has_none() {
        let volumes =
            json!([{"name": "v", "emptyDir": {}}, {"name": "z", "emptyDir": {"sizeLimit": "0"}}]);
        assert_eq!(
            limits(&json!({"containers": [{"name": "a"}], "volumes": volumes})),
            None
        );
    }

    #[test]
    fn an_empty_dir_over_its_size_limit_is_told_of_first() {
        let volumes = json!([{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]);
        let limits = limits(&json!({"containers": [container("a", "1Ki")], "volumes": volumes}));
        let limits = limits.unwrap();
        let mut usage = Usage {
            volumes: vec![volume("v", 1 << 20, Some(1 << 20), true)],
            containers: vec![("a".to_owned(), 1024)],
        };
        assert_eq!(limits.exceeded(&usage), None, "as much as is allowed");
        usage.volumes[0].bytes += 1;
        assert_eq!(
            limits.exceeded(&usage).unwrap(),
            "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". "
        );
    }

    #[test]
    fn a_container_is_held_to_its_own_limit_and_the_pod_to_all_of_them() {
        let limits = limits(&json!({
            "containers": [container("a", "1Mi"), container("b", "2Mi"), {"name": "c"}],
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory"}}],
        }));
        let limits = limits.unwrap();
        let usage = |a, v, m| Usage {
            volumes: vec![volume("v", v, None, false), volume("m", m, None, true)],
            containers: vec![("a".to_owned(), a), ("c".to_owned(), 1)],
        };
        assert_eq!(limits.exceeded(&usage(1 << 20, 0, 9 << 20)), None);
        assert_eq!(
            limits.exceeded(&usage((1 << 20) + 1, 0, 0)).unwrap(),
            "Container a exceeded its local ephemeral storage limit \"1Mi\". "
        );
        assert_eq!(
            limits.exceeded(&usage(0, 3 << 20, 0)).unwrap(),
            "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. "
        );
    }

    #[test]
    fn an_init_container_may_raise_the_pods_limit() {
        let spec = json!({
            "initContainers": [container("i", "8Mi")],
            "containers": [container("a", "1Mi")],
        });
        assert_eq!(limits(&spec).unwrap().total.unwrap().text, "8Mi");
    }
}
