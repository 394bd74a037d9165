//! The rules of a container's own restart policy, and of what only sidecars may have.

use super::{Findings, Path};
use crate::k8s::{Container, ContainerRestartRule};

/// Source: `maxContainerRestartRules` of the core validation.
const MAX_RULES: usize = 20;
/// Source: `maxContainerRestartExitCodes` of the core validation.
const MAX_EXIT_CODES: usize = 255;

const ID: &str = "container/restart-policy";

/// Holds the rules of `restartPolicy` and `restartPolicyRules`.
pub(super) fn restart(container: &Container, path: &Path, findings: &mut Findings) {
    if let Some(policy) = container.restart_policy.as_deref() {
        findings.one_of(
            ID,
            &path.field("restartPolicy"),
            policy,
            &["Always", "Never", "OnFailure"],
        );
    }
    let rules = container
        .restart_policy_rules
        .as_deref()
        .unwrap_or_default();
    if rules.is_empty() {
        return;
    }
    if container.restart_policy.is_none() {
        findings.required(
            ID,
            &path.field("restartPolicy"),
            "must specify restartPolicy when restart rules are used",
        );
    }
    let path = path.field("restartPolicyRules");
    findings.too_many(ID, &path, rules.len(), MAX_RULES);
    for (index, one) in rules.iter().enumerate() {
        rule(one, &path.index(index), findings);
    }
}

fn rule(rule: &ContainerRestartRule, path: &Path, findings: &mut Findings) {
    let action = path.field("action");
    if rule.action.is_empty() {
        findings.required(ID, &action, "");
    } else {
        let supported = &["Restart", "RestartAllContainers"];
        findings.one_of(ID, &action, &rule.action, supported);
    }
    let path = path.field("exitCodes");
    let Some(codes) = &rule.exit_codes else {
        findings.required(ID, &path, "must be specified");
        return;
    };
    let operator = path.field("operator");
    if codes.operator.is_empty() {
        findings.required(ID, &operator, "");
    } else {
        findings.one_of(ID, &operator, &codes.operator, &["In", "NotIn"]);
    }
    let path = path.field("values");
    let values = codes.values.as_deref().unwrap_or_default();
    if values.is_empty() {
        findings.required(ID, &path, "must have at least 1 value");
    }
    findings.too_many(ID, &path, values.len(), MAX_EXIT_CODES);
    for (index, value) in values.iter().enumerate() {
        if !(0..=255).contains(value) {
            let path = path.index(index);
            findings.invalid_number(ID, &path, *value, "must be between 0 and 255, inclusive");
        }
    }
}

/// Holds that an init container that runs to its end has nothing of one that stays.
pub(super) fn plain_init(container: &Container, path: &Path, findings: &mut Findings) {
    for (field, is_set) in [
        ("lifecycle", container.lifecycle.is_some()),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
    ] {
        if is_set {
            findings.forbidden(
                "container/init-probe",
                &path.field(field),
                "may not be set for init containers without restartPolicy=Always",
            );
        }
    }
}
