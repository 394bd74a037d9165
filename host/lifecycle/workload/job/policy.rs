//! `podFailurePolicy` and `successPolicy`: what a job's user says about the ends of its pods.

use wasmpod_manifest::k8s::{
    ContainerStatus, Pod, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, SuccessPolicy,
};

use super::indexes::Indexes;

/// What a policy says of a failed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts; also what is said when no rule matches.
    Count,
    /// It does not count.
    Ignore,
    /// Its index has failed, and is not tried again.
    FailIndex,
    /// The job has failed, with this message.
    FailJob(String),
}

/// The first rule that matches a failed pod decides.
pub(super) fn verdict(policy: Option<&PodFailurePolicy>, pod: &Pod) -> Verdict {
    for (index, rule) in policy.iter().flat_map(|policy| &policy.rules).enumerate() {
        let pod_name = || {
            let metadata = &pod.metadata;
            let namespace = metadata.namespace.as_deref().unwrap_or_default();
            format!(
                "{namespace}/{}",
                metadata.name.as_deref().unwrap_or_default()
            )
        };
        let action = &rule.action;
        let matched = if let Some(wanted) = &rule.on_exit_codes {
            matching_container(pod, wanted).map(|(name, code)| {
                format!(
                    "Container {name} for pod {} failed with exit code {code} matching {action} rule at index {index}",
                    pod_name()
                )
            })
        } else {
            matching_condition(pod, rule.on_pod_conditions.as_deref().unwrap_or_default()).map(
                |condition| {
                    format!(
                        "Pod {} has condition {condition} matching {action} rule at index {index}",
                        pod_name()
                    )
                },
            )
        };
        let Some(message) = matched else { continue };
        match action.as_str() {
            "Ignore" => return Verdict::Ignore,
            "Count" => return Verdict::Count,
            "FailIndex" => return Verdict::FailIndex,
            "FailJob" => return Verdict::FailJob(message),
            _ => {}
        }
    }
    Verdict::Count
}

/// The first container that ended with a code that is meant.
fn matching_container<'a>(
    pod: &'a Pod,
    wanted: &PodFailurePolicyOnExitCodesRequirement,
) -> Option<(&'a str, i32)> {
    let status = pod.status.as_ref()?;
    let main = status.container_statuses.iter().flatten();
    let init = status.init_container_statuses.iter().flatten();
    main.chain(init).find_map(|container: &ContainerStatus| {
        let code = container.state.as_ref()?.terminated.as_ref()?.exit_code;
        let named = wanted.container_name.as_ref();
        let is_meant = code != 0
            && named.is_none_or(|name| *name == container.name)
            && match wanted.operator.as_str() {
                "In" => wanted.values.contains(&code),
                "NotIn" => !wanted.values.contains(&code),
                _ => false,
            };
        is_meant.then_some((container.name.as_str(), code))
    })
}

fn matching_condition<'a>(
    pod: &'a Pod,
    patterns: &[wasmpod_manifest::k8s::PodFailurePolicyOnPodConditionsPattern],
) -> Option<&'a str> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|condition| {
        patterns.iter().any(|pattern| {
            pattern.type_ == condition.type_
                && pattern.status.as_deref().unwrap_or("True") == condition.status
        })
    })?;
    Some(&found.type_)
}

/// The message of the first rule of success that is met.
pub(super) fn success(
    policy: Option<&SuccessPolicy>,
    completions: i32,
    succeeded: &Indexes,
) -> Option<String> {
    if succeeded.total() == 0 {
        return None;
    }
    let rules = &policy?.rules;
    let met = rules.iter().position(|rule| {
        let Some(text) = &rule.succeeded_indexes else {
            return rule
                .succeeded_count
                .is_some_and(|count| succeeded.total() >= count);
        };
        let wanted = Indexes::parse(text, completions);
        let common = wanted.common(succeeded);
        wanted.total() > 0
            && (common == wanted.total()
                || rule.succeeded_count.is_some_and(|count| common >= count))
    })?;
    Some(format!("Matched rules at index {met}"))
}
