//! The rules of a pod's IPC: sysctls, and the annotations of our own.

use std::collections::HashMap;

use super::{Finding, Findings, Path, names};
use crate::ipc;
use crate::k8s::{ObjectMeta, PodSpec};
use crate::report::ViolationKind;

/// What is said of a parameter that is not of the pod's IPC.
const NO_KERNEL: &str =
    "a pod has no kernel whose parameters could be set, except those of its IPC";

/// Holds the rules of `spec.securityContext.sysctls`.
pub(super) fn sysctls(spec: &PodSpec, path: &Path, findings: &mut Findings) {
    let context = spec.security_context.as_ref();
    let sysctls = context.and_then(|context| context.sysctls.as_deref());
    let path = path.field("securityContext").field("sysctls");
    let mut used: HashMap<String, Path> = HashMap::new();
    for (index, sysctl) in sysctls.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        let at_name = path.field("name");
        if sysctl.name.is_empty() {
            findings.required("pod/sysctl-name", &at_name, "");
            continue;
        }
        if let Some(detail) = names::sysctl(&sysctl.name) {
            findings.invalid("pod/sysctl-name", &at_name, &sysctl.name, detail);
            continue;
        }
        let name = ipc::canonical_name(&sysctl.name);
        if let Some(first) = used.get(&name) {
            findings.duplicate("pod/sysctl-name", &at_name, &sysctl.name, first);
            continue;
        }
        used.insert(name.clone(), at_name.clone());
        if ipc::SYSCTLS.iter().all(|(known, _)| *known != name) {
            let known: Vec<_> = ipc::SYSCTLS.iter().map(|(name, _)| *name).collect();
            findings.push(
                Finding::new("support/rejected", ViolationKind::Forbidden, &at_name)
                    .detail(NO_KERNEL)
                    .hint(format!(
                        "those are {}; see docs/compatibility.md#pod-security-context",
                        known.join(", ")
                    )),
            );
        } else if let Err(detail) = ipc::sysctl_value(&name, &sysctl.value) {
            let at_value = path.field("value");
            findings.invalid("pod/sysctl-value", &at_value, &sysctl.value, detail);
        }
    }
}

/// Holds the rules of the annotations; `path` is that of the metadata.
pub(super) fn annotations(metadata: &ObjectMeta, path: &Path, findings: &mut Findings) {
    let path = path.field("annotations");
    let annotation = |name: &str| {
        let annotations = metadata.annotations.as_ref();
        annotations.and_then(|annotations| annotations.get(name))
    };
    if let Some(text) = annotation(ipc::LIMITS) {
        for detail in ipc::pairs(text).filter_map(|pair| ipc::limit(pair).err()) {
            findings.invalid("pod/ipc-limits", &path.key(ipc::LIMITS), text, detail);
        }
    }
    if let Some(text) = annotation(ipc::WAIT_FOR_OPEN)
        && let Err(detail) = ipc::wait_for_open(text)
    {
        let path = path.key(ipc::WAIT_FOR_OPEN);
        findings.invalid("pod/ipc-wait-for-open", &path, text, detail);
    }
}
