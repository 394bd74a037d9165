//! The rules of a container: its image, ports, mounts.

use std::collections::{HashMap, HashSet};

use super::volume::VolumeNames;
use super::{Finding, Findings, Path, env, hooks, names, probe, resources, restart};
use crate::k8s::{Container, ContainerPort, PodSpec, VolumeMount};
use crate::report::ViolationKind;
use crate::schema::suggest::nearest;

/// Holds every rule of one container.
pub(super) fn container(
    container: &Container,
    is_init: bool,
    pod: &PodSpec,
    path: &Path,
    volumes: &VolumeNames,
    findings: &mut Findings,
) {
    if container.name.is_empty() {
        findings.required("container/name", &path.field("name"), "");
    } else {
        let wrong = names::dns1123_label(&container.name);
        findings.all(
            "container/name",
            &path.field("name"),
            &container.name,
            wrong,
        );
    }
    image(container, path, findings);
    if let Some(policy) = container.image_pull_policy.as_deref() {
        let path = path.field("imagePullPolicy");
        findings.one_of(
            "container/pull-policy",
            &path,
            policy,
            &["Always", "IfNotPresent", "Never"],
        );
    }
    if let Some(policy) = container.termination_message_policy.as_deref() {
        let path = path.field("terminationMessagePolicy");
        findings.one_of(
            "container/termination-message",
            &path,
            policy,
            &["FallbackToLogsOnError", "File"],
        );
    }
    ports(
        container.ports.as_deref().unwrap_or_default(),
        &path.field("ports"),
        findings,
    );
    env::env(container, path, findings);
    if let Some(requirements) = &container.resources {
        let path = path.field("resources");
        resources::resources(requirements, resources::is_container_level, &path, findings);
    }
    mounts(
        container.volume_mounts.as_deref().unwrap_or_default(),
        &path.field("volumeMounts"),
        volumes,
        findings,
    );
    restart::restart(container, path, findings);
    resize(container, is_init, path, findings);
    if is_init && container.restart_policy.as_deref() != Some("Always") {
        restart::plain_init(container, path, findings);
        return;
    }
    for (kind, check) in [
        (probe::Kind::Liveness, &container.liveness_probe),
        (probe::Kind::Readiness, &container.readiness_probe),
        (probe::Kind::Startup, &container.startup_probe),
    ] {
        if let Some(check) = check {
            probe::probe(check, kind, &path.field(kind.field()), findings);
        }
    }
    if let Some(lifecycle) = &container.lifecycle {
        hooks::hooks(lifecycle, pod, &path.field("lifecycle"), findings);
    }
}

fn resize(container: &Container, is_init: bool, path: &Path, findings: &mut Findings) {
    let path = path.field("resizePolicy");
    let policies = container.resize_policy.as_deref().unwrap_or_default();
    let mut used: HashMap<&str, Path> = HashMap::new();
    if is_init && !policies.is_empty() && container.restart_policy.as_deref() != Some("Always") {
        findings.forbidden(
            "container/resize",
            &path,
            "must not be set for init containers",
        );
        return;
    }
    for (index, policy) in policies.iter().enumerate() {
        let path = path.index(index);
        let name = path.field("resourceName");
        findings.one_of(
            "container/resize",
            &name,
            &policy.resource_name,
            &["cpu", "memory"],
        );
        findings.one_of(
            "container/resize",
            &path.field("restartPolicy"),
            &policy.restart_policy,
            &["NotRequired", "RestartContainer"],
        );
        if let Some(first) = used.get(policy.resource_name.as_str()) {
            findings.duplicate("container/resize", &name, &policy.resource_name, first);
        } else {
            used.insert(&policy.resource_name, name);
        }
    }
}

fn image(container: &Container, path: &Path, findings: &mut Findings) {
    let path = path.field("image");
    match container.image.as_deref() {
        None | Some("") => findings.required("container/image", &path, ""),
        Some(image) if image.trim() != image => {
            findings.invalid(
                "container/image",
                &path,
                image,
                "must not have leading or trailing whitespace",
            );
        }
        Some(_) => {}
    }
}

fn ports(ports: &[ContainerPort], path: &Path, findings: &mut Findings) {
    let mut used: HashMap<&str, Path> = HashMap::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let number = path.field("containerPort");
        if port.container_port == 0 {
            findings.required("container/port", &number, "");
        } else if let Some(detail) = names::port_number(port.container_port) {
            findings.invalid_number("container/port", &number, port.container_port, detail);
        }
        if let Some(host_port) = port.host_port.filter(|n| *n != 0)
            && let Some(detail) = names::port_number(host_port)
        {
            findings.invalid_number(
                "container/host-port",
                &path.field("hostPort"),
                host_port,
                detail,
            );
        }
        if let Some(address) = port.host_ip.as_deref().filter(|a| !a.is_empty())
            && let Some(detail) = names::ip(address)
        {
            findings.invalid("container/host-ip", &path.field("hostIP"), address, detail);
        }
        if let Some(protocol) = port.protocol.as_deref() {
            findings.one_of(
                "container/protocol",
                &path.field("protocol"),
                protocol,
                &["SCTP", "TCP", "UDP"],
            );
        }
        if let Some(name) = port.name.as_deref().filter(|n| !n.is_empty()) {
            let path = path.field("name");
            findings.all("container/port-name", &path, name, names::port_name(name));
            if let Some(first) = used.get(name) {
                findings.duplicate("container/port-name", &path, name, first);
            } else {
                used.insert(name, path);
            }
        }
    }
}

fn mounts(mounts: &[VolumeMount], path: &Path, volumes: &VolumeNames, findings: &mut Findings) {
    let mut used: HashMap<&str, Path> = HashMap::new();
    for (index, mount) in mounts.iter().enumerate() {
        let path = path.index(index);
        mount_name(mount, &path.field("name"), volumes, findings);
        let mount_path = path.field("mountPath");
        if mount.mount_path.is_empty() {
            findings.required("mount/path", &mount_path, "");
        } else {
            if mount.mount_path.contains(':') {
                findings.invalid(
                    "mount/path",
                    &mount_path,
                    &mount.mount_path,
                    "must not contain ':'",
                );
            }
            if let Some(first) = used.get(mount.mount_path.as_str()) {
                findings.push(
                    Finding::new("mount/path", ViolationKind::Invalid, &mount_path)
                        .quoted(&mount.mount_path)
                        .detail("must be unique")
                        .first(first),
                );
            } else {
                used.insert(&mount.mount_path, mount_path);
            }
        }
        if let Some(sub_path) = mount.sub_path.as_deref().filter(|p| !p.is_empty()) {
            descending_path(sub_path, &path.field("subPath"), findings);
        }
        if let Some(expression) = mount.sub_path_expr.as_deref().filter(|e| !e.is_empty()) {
            let path = path.field("subPathExpr");
            if mount.sub_path.as_deref().is_some_and(|p| !p.is_empty()) {
                findings.invalid(
                    "mount/sub-path",
                    &path,
                    expression,
                    "subPathExpr and subPath are mutually exclusive",
                );
            }
            descending_path(expression, &path, findings);
        }
        if let Some(propagation) = mount.mount_propagation.as_deref() {
            let supported = ["Bidirectional", "HostToContainer", "None"];
            findings.one_of(
                "mount/propagation",
                &path.field("mountPropagation"),
                propagation,
                &supported,
            );
        }
    }
}

fn mount_name(mount: &VolumeMount, path: &Path, volumes: &VolumeNames, findings: &mut Findings) {
    if mount.name.is_empty() {
        findings.required("mount/name", path, "");
        return;
    }
    if volumes.contains(&mount.name) {
        return;
    }
    let finding = Finding::new("mount/volume", ViolationKind::NotFound, path).quoted(&mount.name);
    let list: Vec<String> = volumes.iter().map(|name| format!("\"{name}\"")).collect();
    let hint = match (list.is_empty(), nearest(&mount.name, volumes.iter())) {
        (true, _) => "this pod has no volumes; add one under spec.volumes".to_owned(),
        (false, Some(guess)) => format!(
            "volumes of this pod are {}; did you mean \"{guess}\"?",
            list.join(", ")
        ),
        (false, None) => format!("volumes of this pod are {}", list.join(", ")),
    };
    findings.push(finding.hint(hint));
}

/// A path that stays below where it starts.
pub(super) fn descending_path(text: &str, path: &Path, findings: &mut Findings) {
    if text.starts_with('/') {
        findings.invalid("mount/relative-path", path, text, "must be a relative path");
    }
    let parts: HashSet<&str> = text.split('/').collect();
    if parts.contains("..") {
        findings.invalid("mount/relative-path", path, text, "must not contain '..'");
    }
}
