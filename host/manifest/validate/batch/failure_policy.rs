//! The rules of a job's `podFailurePolicy`.

use std::collections::{BTreeSet, HashMap};

use crate::k8s::{
    JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule,
};
use crate::report::ViolationKind;
use crate::validate::{Finding, Findings, Path, names};

/// Source: `maxPodFailurePolicyRules`.
const MAX_RULES: usize = 20;
/// Source: `maxPodFailurePolicyOnExitCodesValues`.
const MAX_EXIT_CODES: usize = 255;
/// Source: `maxPodFailurePolicyOnPodConditionsPatterns`.
const MAX_CONDITIONS: usize = 20;

const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];
const STATUSES: &[&str] = &["False", "True", "Unknown"];
const ID: &str = "job/failure-policy";

/// Holds the rules of a policy at `path`.
pub(super) fn failure_policy(
    policy: &PodFailurePolicy,
    job: &JobSpec,
    path: &Path,
    findings: &mut Findings,
) {
    let path = path.field("rules");
    findings.too_many(ID, &path, policy.rules.len(), MAX_RULES);
    let pod = job.template.spec.as_ref();
    let containers: BTreeSet<&str> = pod
        .iter()
        .flat_map(|pod| pod.init_containers.iter().flatten().chain(&pod.containers))
        .map(|container| container.name.as_str())
        .collect();
    for (index, one) in policy.rules.iter().enumerate() {
        rule(one, job, &containers, &path.index(index), findings);
    }
}

fn rule(
    rule: &PodFailurePolicyRule,
    job: &JobSpec,
    containers: &BTreeSet<&str>,
    path: &Path,
    findings: &mut Findings,
) {
    let action = path.field("action");
    match rule.action.as_str() {
        "" => findings.required(
            ID,
            &action,
            "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
        ),
        "FailIndex" if job.backoff_limit_per_index.is_none() => findings.invalid(
            ID,
            &action,
            &rule.action,
            "requires the backoffLimitPerIndex to be set",
        ),
        other => findings.one_of(ID, &action, other, ACTIONS),
    }
    let conditions = rule.on_pod_conditions.as_deref().unwrap_or_default();
    let one_of_both = match (rule.on_exit_codes.is_some(), !conditions.is_empty()) {
        (true, true) => Some("specifying both OnExitCodes and OnPodConditions is not supported"),
        (false, false) => Some("specifying one of OnExitCodes and OnPodConditions is required"),
        _ => None,
    };
    if let Some(detail) = one_of_both {
        findings.push(Finding::new(ID, ViolationKind::Invalid, path).detail(detail));
    }
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(codes, containers, &path.field("onExitCodes"), findings);
    }
    let path = path.field("onPodConditions");
    findings.too_many(ID, &path, conditions.len(), MAX_CONDITIONS);
    for (index, pattern) in conditions.iter().enumerate() {
        let path = path.index(index);
        let wrong = names::qualified_name(&pattern.type_);
        findings.all(ID, &path.field("type"), &pattern.type_, wrong);
        let status = pattern.status.as_deref().unwrap_or("True");
        findings.one_of(ID, &path.field("status"), status, STATUSES);
    }
}

fn exit_codes(
    wanted: &PodFailurePolicyOnExitCodesRequirement,
    containers: &BTreeSet<&str>,
    path: &Path,
    findings: &mut Findings,
) {
    let operator = path.field("operator");
    if wanted.operator.is_empty() {
        findings.required(ID, &operator, "valid values: [\"In\" \"NotIn\"]");
    } else {
        findings.one_of(ID, &operator, &wanted.operator, &["In", "NotIn"]);
    }
    if let Some(name) = wanted.container_name.as_deref()
        && !containers.contains(name)
    {
        findings.invalid(
            ID,
            &path.field("containerName"),
            name,
            "must be one of the container or initContainer names in the pod template",
        );
    }
    let path = path.field("values");
    if wanted.values.is_empty() {
        findings.required(ID, &path, "at least one value is required");
    }
    findings.too_many(ID, &path, wanted.values.len(), MAX_EXIT_CODES);
    let mut seen: HashMap<i32, Path> = HashMap::new();
    for (index, value) in wanted.values.iter().enumerate() {
        let path = path.index(index);
        if wanted.operator == "In" && *value == 0 {
            findings.invalid_number(ID, &path, 0, "must not be 0 for the In operator");
        }
        if let Some(first) = seen.get(value) {
            let duplicate = Finding::new(ID, ViolationKind::Duplicate, &path);
            findings.push(duplicate.shown(value.to_string()).first(first));
        } else {
            seen.insert(*value, path);
        }
    }
    if !wanted.values.is_sorted() {
        let shown: Vec<String> = wanted.values.iter().map(ToString::to_string).collect();
        findings.push(
            Finding::new(ID, ViolationKind::Invalid, &path)
                .shown(format!("[{}]", shown.join(",")))
                .detail("must be ordered"),
        );
    }
}
