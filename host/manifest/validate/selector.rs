//! The rules of label selectors, and whether one matches the labels of a template.

use std::collections::BTreeMap;

use super::{Findings, Path, metadata};
use crate::k8s::{LabelSelector, LabelSelectorRequirement, PodTemplateSpec};

/// Holds the rules of a selector.
pub(super) fn selector(selector: &LabelSelector, path: &Path, findings: &mut Findings) {
    let labels = path.field("matchLabels");
    for (key, value) in selector.match_labels.iter().flatten() {
        metadata::key_and_value(&labels, key, value, findings);
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let path = path.field("matchExpressions").index(index);
        expression(requirement, &path, findings);
    }
}

fn expression(requirement: &LabelSelectorRequirement, path: &Path, findings: &mut Findings) {
    let values = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => findings.required(
            "selector/values",
            &path.field("values"),
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        "Exists" | "DoesNotExist" if !values.is_empty() => findings.forbidden(
            "selector/values",
            &path.field("values"),
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => findings.invalid(
            "selector/operator",
            &path.field("operator"),
            other,
            "not a valid selector operator",
        ),
    }
    metadata::label_key(&path.field("key"), &requirement.key, findings);
}

/// Holds that a selector is there, is not empty, and selects the pods of the template.
/// `kind` is the word of the message: `deployment`.
pub(super) fn selects_template(
    chosen: &LabelSelector,
    template: &PodTemplateSpec,
    kind: &str,
    path: &Path,
    findings: &mut Findings,
) {
    let is_empty = |list: Option<usize>| list.unwrap_or_default() == 0;
    let field = path.field("selector");
    if is_empty(chosen.match_labels.as_ref().map(BTreeMap::len))
        && is_empty(chosen.match_expressions.as_ref().map(Vec::len))
    {
        // An empty one and none cannot be told apart here; both are as wrong.
        findings.required(
            "selector/required",
            &field,
            &format!("empty selector is invalid for {kind}"),
        );
        return;
    }
    selector(chosen, &field, findings);
    let labels = template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default();
    if !matches(chosen, &labels) {
        mismatch(&labels, path, findings);
    }
}

/// Says that the labels of a template are not selected.
pub(super) fn mismatch(labels: &BTreeMap<String, String>, path: &Path, findings: &mut Findings) {
    let path = path.field("template").field("metadata").field("labels");
    let shown = serde_json::to_string(labels).unwrap_or_default();
    findings.push(
        super::Finding::new(
            "selector/template",
            crate::report::ViolationKind::Invalid,
            &path,
        )
        .shown(shown)
        .detail("`selector` does not match template `labels`"),
    );
}

/// Whether labels are selected.
pub(super) fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    equal
        && selector.match_expressions.iter().flatten().all(|wanted| {
            let values = wanted.values.as_deref().unwrap_or_default();
            let value = labels.get(&wanted.key);
            match wanted.operator.as_str() {
                "In" => value.is_some_and(|value| values.contains(value)),
                "NotIn" => value.is_none_or(|value| !values.contains(value)),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::matches;

    #[test]
    fn a_selector_matches_when_all_of_it_does() {
        let labels = serde_json::from_value(json!({"app": "web", "tier": "front"})).unwrap();
        for (selector, wanted) in [
            (json!({"matchLabels": {"app": "web"}}), true),
            (
                json!({"matchLabels": {"app": "web", "tier": "back"}}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}),
                true,
            ),
            (
                json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
                false,
            ),
        ] {
            let parsed = serde_json::from_value(selector.clone()).unwrap();
            assert_eq!(matches(&parsed, &labels), wanted, "{selector}");
        }
    }
}
