//! The downward API: what a container may know of its own pod (`downward-api`).
//!
//! The same two functions serve variables and volumes. Which fields each of them may name is a rule of the manifest;
//! here every field that Kubernetes can extract has its value (upstream `fieldpath.ExtractFieldPathAsString`,
//! `resource.ExtractContainerResourceValue`).

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::{
    Container, Pod, Quantity, ResourceFieldSelector, ResourceRequirements,
};
use wasmpod_manifest::quantity::{self, Amount};

use super::EnvironmentError;

/// What the spec does not say and the downward API tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// `spec.nodeName`
    pub node_name: String,
    /// `status.hostIPs`
    pub host_ips: Vec<String>,
    /// `status.podIPs`
    pub pod_ips: Vec<String>,
    /// What a container without a CPU limit may use, in millicores: the node's allocatable.
    pub allocatable_cpu_millicores: u64,
    /// What a container without a memory limit may use, in bytes.
    pub allocatable_memory_bytes: u64,
    /// What a container without a limit of ephemeral storage may use, in bytes; 0 if the node does not say.
    pub allocatable_ephemeral_storage_bytes: u64,
}

/// The value of a `fieldRef`. A label or annotation that the pod does not have is the empty text; all labels or all
/// annotations are lines of `key="value"`, sorted by key.
///
/// # Errors
/// The downward API has no such field.
pub fn field_value(pod: &Pod, facts: &PodFacts, path: &str) -> Result<String, EnvironmentError> {
    let meta = &pod.metadata;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let first = |list: &[String]| list.first().cloned().unwrap_or_default();
    if let Some((path, key)) = subscript(path) {
        let map = match path {
            "metadata.labels" => &meta.labels,
            "metadata.annotations" => &meta.annotations,
            _ => {
                return Err(EnvironmentError::NoSubscript {
                    path: path.to_owned(),
                });
            }
        };
        let value = map.as_ref().and_then(|map| map.get(key));
        return Ok(value.cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => text(&meta.name),
        "metadata.namespace" => meta
            .namespace
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        "metadata.uid" => text(&meta.uid),
        "metadata.labels" => lines(meta.labels.as_ref()),
        "metadata.annotations" => lines(meta.annotations.as_ref()),
        "spec.nodeName" => facts.node_name.clone(),
        "spec.serviceAccountName" => pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.clone())
            .unwrap_or_else(|| "default".to_owned()),
        "status.hostIP" => first(&facts.host_ips),
        "status.hostIPs" => facts.host_ips.join(","),
        "status.podIP" => first(&facts.pod_ips),
        "status.podIPs" => facts.pod_ips.join(","),
        _ => {
            return Err(EnvironmentError::UnsupportedField {
                path: path.to_owned(),
            });
        }
    })
}

/// `PATH['KEY']` as its two parts.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['")
}

/// A map as the lines of a downward API volume, without a line end after the last.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let mut out = String::new();
    for (key, value) in map.into_iter().flatten() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(key);
        out.push('=');
        quote(value, &mut out);
    }
    out
}

/// Appends `text` in double quotes as Go's verb `%q` does, which is the format that readers of these files parse.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space. Rust escapes the others too; and a mark that
/// stands after a letter, as here, is printed by both.
fn is_printable(c: char) -> bool {
    let mut after_a_letter = String::from("a");
    after_a_letter.push(c);
    after_a_letter.escape_debug().count() == 2 || matches!(c, '\'')
}

/// The value of a `resourceFieldRef`: a whole number of divisors, rounded up. `container` is the one that asks, which
/// is meant when the selector names none; a volume has none.
///
/// What is not limited (or limited to 0) is limited by the pod's own `resources.limits`, and else by the node; what is
/// not requested is 0.
///
/// # Errors
/// There is no such container, or the downward API has no such resource.
pub fn resource_value(
    pod: &Pod,
    container: Option<&Container>,
    selector: &ResourceFieldSelector,
    facts: &PodFacts,
) -> Result<String, EnvironmentError> {
    let target = target(pod, container, selector)?;
    let unsupported = || EnvironmentError::UnsupportedResource {
        resource: selector.resource.clone(),
    };
    let (list, resource) = selector.resource.split_once('.').ok_or_else(unsupported)?;
    let is_huge_page = resource.starts_with("hugepages-");
    if !is_huge_page && !matches!(resource, "cpu" | "memory" | "ephemeral-storage") {
        return Err(unsupported());
    }
    let milli = match list {
        "limits" => limit(target.resources.as_ref(), resource)
            .filter(|milli| *milli != 0)
            .unwrap_or_else(|| default_limit(pod, facts, resource)),
        "requests" => amount(
            target.resources.as_ref().and_then(|r| r.requests.as_ref()),
            resource,
        )
        .unwrap_or(0),
        _ => return Err(unsupported()),
    };
    let divisor = selector
        .divisor
        .as_ref()
        .and_then(|q| quantity::parse(&q.0).ok())
        .map(Amount::milli)
        .filter(|divisor| *divisor > 0)
        .unwrap_or(1000);
    let whole = milli.div_euclid(divisor) + i128::from(milli.rem_euclid(divisor) != 0);
    Ok(whole.to_string())
}

/// The container that a selector means.
fn target<'a>(
    pod: &'a Pod,
    container: Option<&'a Container>,
    selector: &ResourceFieldSelector,
) -> Result<&'a Container, EnvironmentError> {
    let name = selector.container_name.as_deref().unwrap_or_default();
    let found = if name.is_empty() {
        container
    } else {
        let spec = pod.spec.as_ref();
        spec.into_iter()
            .flat_map(|spec| {
                spec.containers
                    .iter()
                    .chain(spec.init_containers.iter().flatten())
            })
            .find(|one| one.name == name)
    };
    found.ok_or_else(|| EnvironmentError::NoContainer {
        container: name.to_owned(),
    })
}

/// What limits a container that sets no limit itself, in thousandths.
fn default_limit(pod: &Pod, facts: &PodFacts, resource: &str) -> i128 {
    let of_node = match resource {
        "cpu" => i128::from(facts.allocatable_cpu_millicores),
        "memory" => i128::from(facts.allocatable_memory_bytes) * 1000,
        "ephemeral-storage" => i128::from(facts.allocatable_ephemeral_storage_bytes) * 1000,
        _ => 0,
    };
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    match limit(of_pod, resource) {
        // Pods have limits of their own for these two only.
        Some(limit) if matches!(resource, "cpu" | "memory") => limit.min(of_node),
        _ => of_node,
    }
}

fn limit(resources: Option<&ResourceRequirements>, resource: &str) -> Option<i128> {
    amount(resources?.limits.as_ref(), resource)
}

fn amount(list: Option<&BTreeMap<String, Quantity>>, resource: &str) -> Option<i128> {
    let quantity = list?.get(resource)?;
    quantity::parse(&quantity.0).ok().map(Amount::milli)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_go_quotes_them() {
        for (text, quoted) in [
            ("", r#""""#),
            ("plain's", r#""plain's""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("line\nend\r\ttab", r#""line\nend\r\ttab""#),
            (
                "\u{7}\u{8}\u{c}\u{b}\0\u{1b}\u{7f}",
                r#""\a\b\f\v\x00\x1b\x7f""#,
            ),
            ("grüße 你好 🦀 e\u{301}", "\"grüße 你好 🦀 e\u{301}\""),
            ("\u{a0}\u{200b}\u{e0001}", r#""\u00a0\u200b\U000e0001""#),
        ] {
            let mut out = String::new();
            quote(text, &mut out);
            assert_eq!(out, quoted, "{text:?}");
        }
    }
}
