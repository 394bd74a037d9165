//! The rules of the downward API: which field of the pod, which resource of a container.

use super::{Findings, Path, names};
use crate::k8s::{DownwardAPIVolumeFile, ObjectFieldSelector, ResourceFieldSelector};
use crate::quantity;

/// The pod fields that a variable may take its value from.
/// Source: `validEnvDownwardAPIFieldPathExpressions` of the core validation.
pub(super) const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Those that a file may show.
/// Source: `validVolumeDownwardAPIFieldPathExpressions` of the core validation.
const VOLUME_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

/// Source: `validContainerResourceFieldPathExpressions` of the core validation.
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Source: `validContainerResourceDivisorForMemory` of the core validation.
const BYTE_DIVISORS: &[&str] = &[
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Source: `validContainerResourceDivisorForCPU` of the core validation.
const CPU_DIVISORS: &[&str] = &["1m", "1"];

/// Holds the rules of a `fieldRef`; `supported` are the fields that have no subscript.
pub(super) fn field_ref(
    reference: &ObjectFieldSelector,
    path: &Path,
    supported: &[&str],
    findings: &mut Findings,
) {
    if let Some(version) = reference.api_version.as_deref().filter(|v| *v != "v1") {
        findings.invalid(
            "downward/api-version",
            &path.field("apiVersion"),
            version,
            "the fields are those of \"v1\"",
        );
    }
    let text = &reference.field_path;
    let path = path.field("fieldPath");
    if text.is_empty() {
        findings.required("env/field-path", &path, "");
    } else if let Some((map, key)) = text
        .strip_suffix("']")
        .and_then(|text| text.split_once("['"))
    {
        let wrong = match map {
            "metadata.labels" => names::qualified_name(key),
            // The names of annotations are checked in lower case, so that each may be written.
            "metadata.annotations" => names::qualified_name(&key.to_lowercase()),
            _ => {
                findings.invalid("env/field-path", &path, map, "does not support subscript");
                return;
            }
        };
        findings.all("env/field-path", &path, text, wrong);
    } else {
        findings.one_of("env/field-path", &path, text, supported);
    }
}

/// Holds the rules of a `resourceFieldRef`; a volume belongs to no container and must name one.
pub(super) fn resource_field_ref(
    reference: &ResourceFieldSelector,
    path: &Path,
    is_volume: bool,
    findings: &mut Findings,
) {
    let name = reference.container_name.as_deref().unwrap_or_default();
    let resource = reference.resource.as_str();
    if is_volume && name.is_empty() {
        findings.required("downward/container", &path.field("containerName"), "");
    } else if resource.is_empty() {
        findings.required("downward/resource", &path.field("resource"), "");
    } else if !is_huge_pages(resource) {
        let path = path.field("resource");
        findings.one_of("downward/resource", &path, resource, RESOURCES);
    }
    divisor(reference, &path.field("divisor"), findings);
}

fn is_huge_pages(resource: &str) -> bool {
    resource.split_once('.').is_some_and(|(list, name)| {
        matches!(list, "limits" | "requests") && name.starts_with("hugepages-")
    })
}

fn divisor(reference: &ResourceFieldSelector, path: &Path, findings: &mut Findings) {
    let Some(text) = reference.divisor.as_ref().map(|divisor| divisor.0.as_str()) else {
        return;
    };
    let amount = match quantity::parse(text) {
        Ok(amount) if amount.milli() == 0 => return,
        Ok(amount) => amount,
        Err(error) => {
            findings.invalid("downward/divisor", path, text, error.to_string());
            return;
        }
    };
    let (supported, resource) = match reference.resource.split_once('.') {
        Some((_, "cpu")) => (CPU_DIVISORS, "cpu"),
        Some((_, "memory")) => (BYTE_DIVISORS, "memory"),
        Some((_, "ephemeral-storage")) => (BYTE_DIVISORS, "local ephemeral storage"),
        Some((_, name)) if name.starts_with("hugepages-") => (BYTE_DIVISORS, "hugepages"),
        _ => return,
    };
    let is_supported = supported
        .iter()
        .any(|one| quantity::parse(one).is_ok_and(|one| one == amount));
    if !is_supported {
        let list = match supported.split_last() {
            Some((last, [first])) => format!("{first} and {last}"),
            _ => supported.join(", "),
        };
        findings.invalid(
            "downward/divisor",
            path,
            text,
            format!("only divisor's values {list} are supported with the {resource} resource"),
        );
    }
}

/// Holds the rules of one file of a downwardAPI volume but its path, which all volumes share.
pub(super) fn file(file: &DownwardAPIVolumeFile, path: &Path, findings: &mut Findings) {
    match (&file.field_ref, &file.resource_field_ref) {
        (None, None) => findings.required(
            "downward/source",
            path,
            "one of fieldRef and resourceFieldRef is required",
        ),
        (Some(_), Some(_)) => findings.invalid(
            "downward/source",
            path,
            "resource",
            "fieldRef and resourceFieldRef can not be specified simultaneously",
        ),
        (Some(field), None) => {
            field_ref(field, &path.field("fieldRef"), VOLUME_FIELDS, findings);
        }
        (None, Some(resource)) => {
            resource_field_ref(resource, &path.field("resourceFieldRef"), true, findings);
        }
    }
}
