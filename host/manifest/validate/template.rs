//! The rules of a pod template, whatever makes pods from it.

use super::{Findings, Path, ipc, metadata, pod};
use crate::k8s::PodTemplateSpec;

/// Holds the rules of a template at `path`.
pub(super) fn pod_template(template: &PodTemplateSpec, path: &Path, findings: &mut Findings) {
    if let Some(found) = &template.metadata {
        metadata::labels_and_annotations(found, &path.field("metadata"), findings);
        ipc::annotations(found, &path.field("metadata"), findings);
        metadata::proxy_protocol(found, &path.field("metadata"), findings);
    }
    let path = path.field("spec");
    match &template.spec {
        Some(spec) => pod::pod_spec(spec, &path, findings),
        None => findings.required("pod/containers", &path.field("containers"), ""),
    }
}

/// Holds what is true of pods that are to run for ever; `kind` is the word of the message: `Deployment`.
pub(super) fn runs_forever(
    template: &PodTemplateSpec,
    kind: &str,
    path: &Path,
    findings: &mut Findings,
) {
    let Some(spec) = &template.spec else { return };
    let path = path.field("spec");
    if let Some(policy) = spec.restart_policy.as_deref() {
        findings.one_of(
            "template/restart-policy",
            &path.field("restartPolicy"),
            policy,
            &["Always"],
        );
    }
    if spec.active_deadline_seconds.is_some() {
        findings.forbidden(
            "template/active-deadline",
            &path.field("activeDeadlineSeconds"),
            &format!("activeDeadlineSeconds in {kind} is not Supported"),
        );
    }
}
