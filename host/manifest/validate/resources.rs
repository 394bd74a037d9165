//! The rules of resource requests and limits.

use super::{Finding, Findings, Path, names};
use crate::k8s::ResourceRequirements;
use crate::quantity::{self, Amount};
use crate::report::ViolationKind;

/// What a container can have by a name without a domain. Source: `IsStandardContainerResourceName`.
pub(super) fn is_container_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-")
}

/// Holds the rules of `resources`; `is_standard` says which names need no domain there.
pub(super) fn resources(
    resources: &ResourceRequirements,
    is_standard: fn(&str) -> bool,
    path: &Path,
    findings: &mut Findings,
) {
    let limits_path = path.field("limits");
    let requests_path = path.field("requests");
    for (name, limit) in resources.limits.iter().flatten() {
        amount(
            name,
            &limit.0,
            is_standard,
            &limits_path.key(name),
            findings,
        );
    }
    for (name, request) in resources.requests.iter().flatten() {
        let limit = resources
            .limits
            .as_ref()
            .and_then(|limits| limits.get(name));
        if limit == Some(request) {
            // Equal, and maybe only a default: what is wrong with it was said of the limit.
            continue;
        }
        let path = requests_path.key(name);
        let Some(wanted) = amount(name, &request.0, is_standard, &path, findings) else {
            continue;
        };
        let Some(limit) = limit else { continue };
        if quantity::parse(&limit.0).is_ok_and(|limit| wanted > limit) {
            let mut finding =
                Finding::new("resources/request", ViolationKind::Invalid, &requests_path)
                    .quoted(&request.0)
                    .detail(format!(
                        "must be less than or equal to {name} limit of {}",
                        limit.0
                    ))
                    .at_key(name);
            finding.on_key = false;
            findings.push(finding);
        }
    }
}

fn amount(
    name: &str,
    text: &str,
    is_standard: fn(&str) -> bool,
    path: &Path,
    findings: &mut Findings,
) -> Option<Amount> {
    if !is_standard(name) {
        findings.all("resources/name", path, name, names::qualified_name(name));
        if !name.contains('/') {
            let detail = "must be a standard resource type or fully qualified";
            findings.invalid("resources/name", path, name, detail);
        }
    }
    match quantity::parse(text) {
        Err(error) => {
            findings.invalid("resources/quantity", path, text, error.to_string());
            None
        }
        Ok(amount) if amount.milli() < 0 => {
            findings.invalid(
                "resources/quantity",
                path,
                text,
                "must be greater than or equal to 0",
            );
            None
        }
        Ok(amount) => Some(amount),
    }
}
