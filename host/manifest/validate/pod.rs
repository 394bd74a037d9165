//! The rules of a pod.

use std::collections::{BTreeMap, HashMap};

use super::{
    Finding, Findings, Path, container, dns, gates, http, ipc, metadata, names, pod_resources,
    volume,
};
use crate::k8s::{Pod, PodSpec};
use crate::report::ViolationKind;

/// Holds every rule of a pod.
pub(crate) fn pod(pod: &Pod, findings: &mut Findings) {
    metadata::metadata(&pod.metadata, names::dns1123_subdomain, findings);
    let metadata = Path::root().field("metadata");
    ipc::annotations(&pod.metadata, &metadata, findings);
    http::annotations(&pod.metadata, &metadata, findings);
    metadata::proxy_protocol(&pod.metadata, &metadata, findings);
    let path = Path::root().field("spec");
    match &pod.spec {
        Some(spec) => pod_spec(spec, &path, findings),
        None => findings.required("pod/spec", &path, ""),
    }
}

/// Holds every rule of the spec of a pod or of a template.
pub(super) fn pod_spec(spec: &PodSpec, path: &Path, findings: &mut Findings) {
    let volumes = volume::volumes(
        spec.volumes.as_deref().unwrap_or_default(),
        &path.field("volumes"),
        findings,
    );
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let init_path = path.field("initContainers");
    let containers_path = path.field("containers");
    let mut used_names: HashMap<&str, Path> = HashMap::new();
    let mut host_ports: BTreeMap<(String, i32, String), Path> = BTreeMap::new();
    for (is_init, list, path) in [
        (true, init, &init_path),
        (false, &spec.containers, &containers_path),
    ] {
        for (index, one) in list.iter().enumerate() {
            let path = path.index(index);
            container::container(one, is_init, spec, &path, &volumes, findings);
            if !one.name.is_empty() {
                let name = path.field("name");
                if let Some(first) = used_names.get(one.name.as_str()) {
                    findings.duplicate("pod/container-name", &name, &one.name, first);
                } else {
                    used_names.insert(&one.name, name);
                }
            }
            if !is_init {
                host_ports_of(one, &path, &mut host_ports, findings);
            }
        }
    }
    if spec.containers.is_empty() {
        findings.push(
            Finding::new("pod/containers", ViolationKind::Required, &containers_path)
                .hint("a pod needs at least one container with a name and an image"),
        );
    }
    if let Some(policy) = spec.restart_policy.as_deref() {
        findings.one_of(
            "pod/restart-policy",
            &path.field("restartPolicy"),
            policy,
            &["Always", "Never", "OnFailure"],
        );
    }
    dns::dns(spec, path, findings);
    gates::gates(spec, path, findings);
    ipc::sysctls(spec, path, findings);
    pod_resources::pod_resources(spec, path, findings);
    if let Some(seconds) = spec
        .active_deadline_seconds
        .filter(|s| !(1..=i64::from(i32::MAX)).contains(s))
    {
        let path = path.field("activeDeadlineSeconds");
        findings.invalid_number(
            "pod/active-deadline",
            &path,
            seconds,
            "must be between 1 and 2147483647, inclusive",
        );
    }
    if let Some(seconds) = spec.termination_grace_period_seconds.filter(|s| *s < 0) {
        let path = path.field("terminationGracePeriodSeconds");
        findings.invalid_number(
            "pod/grace-period",
            &path,
            seconds,
            "must be greater than or equal to 0",
        );
    }
    names_and_aliases(spec, path, findings);
}

fn names_and_aliases(spec: &PodSpec, path: &Path, findings: &mut Findings) {
    for (field, value) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
            findings.all(
                "pod/hostname",
                &path.field(field),
                value,
                names::dns1123_label(value),
            );
        }
    }
    if let Some(os) = &spec.os {
        let path = path.field("os").field("name");
        if os.name.is_empty() {
            findings.required("pod/os", &path, "");
        } else {
            findings.one_of("pod/os", &path, &os.name, &["linux", "windows"]);
        }
    }
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        let path = path.field("hostAliases").index(index);
        if let Some(detail) = names::ip(&alias.ip) {
            findings.invalid("pod/host-alias-ip", &path.field("ip"), &alias.ip, detail);
        }
        for (index, hostname) in alias.hostnames.iter().flatten().enumerate() {
            let path = path.field("hostnames").index(index);
            findings.all(
                "pod/host-alias-name",
                &path,
                hostname,
                names::dns1123_subdomain(hostname),
            );
        }
    }
}

fn host_ports_of(
    container: &crate::k8s::Container,
    path: &Path,
    used: &mut BTreeMap<(String, i32, String), Path>,
    findings: &mut Findings,
) {
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let Some(number) = port.host_port.filter(|number| *number != 0) else {
            continue;
        };
        let path = path.field("ports").index(index).field("hostPort");
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        let address = port.host_ip.clone().unwrap_or_default();
        let key = (address, number, protocol);
        if let Some(first) = used.get(&key) {
            let (address, number, protocol) = &key;
            let shown = format!("{address}/{number}/{protocol}");
            findings.push(
                Finding::new("pod/host-port", ViolationKind::Duplicate, &path)
                    .quoted(shown.trim_start_matches('/'))
                    .first(first),
            );
        } else {
            used.insert(key, path);
        }
    }
}
