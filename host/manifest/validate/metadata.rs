//! The metadata that all kinds share: names, labels, annotations.

use super::{Finding, Findings, Path, names};
use crate::k8s::ObjectMeta;
use crate::publishing;
use crate::report::ViolationKind;

/// The size of all annotations of an object together, keys and values, in bytes.
/// Source: apimachinery `TotalAnnotationSizeLimitB`. More is a violation.
const MAX_ANNOTATIONS_BYTES: usize = 256 * 1024;

/// Holds the rules of `metadata`; `name_rule` is that of the kind.
pub(super) fn metadata(
    metadata: &ObjectMeta,
    name_rule: fn(&str) -> Vec<String>,
    findings: &mut Findings,
) {
    let path = Path::root().field("metadata");
    let name = metadata.name.as_deref().unwrap_or_default();
    let generate_name = metadata.generate_name.as_deref().unwrap_or_default();
    if !generate_name.is_empty() {
        // The server appends letters, so a trailing hyphen is good.
        let checked = generate_name
            .strip_suffix('-')
            .map_or_else(|| generate_name.to_owned(), |s| format!("{s}a"));
        findings.all(
            "metadata/generate-name",
            &path.field("generateName"),
            generate_name,
            name_rule(&checked),
        );
    }
    if !name.is_empty() {
        findings.all("metadata/name", &path.field("name"), name, name_rule(name));
    } else if generate_name.is_empty() {
        findings.required(
            "metadata/name",
            &path.field("name"),
            "name or generateName is required",
        );
    }
    if let Some(namespace) = metadata.namespace.as_deref().filter(|n| !n.is_empty()) {
        findings.all(
            "metadata/namespace",
            &path.field("namespace"),
            namespace,
            names::dns1123_label(namespace),
        );
    }
    labels_and_annotations(metadata, &path, findings);
}

/// Holds the rules of the metadata of an object that is of no namespace.
pub(super) fn cluster_metadata(
    found: &ObjectMeta,
    name_rule: fn(&str) -> Vec<String>,
    findings: &mut Findings,
) {
    metadata(found, name_rule, findings);
    if found.namespace.as_deref().is_some_and(|n| !n.is_empty()) {
        let path = Path::root().field("metadata").field("namespace");
        findings.forbidden("metadata/namespace", &path, "not allowed on this type");
    }
}

/// Holds the rules of what templates have too; `path` is that of the metadata.
pub(super) fn labels_and_annotations(metadata: &ObjectMeta, path: &Path, findings: &mut Findings) {
    let labels = path.field("labels");
    for (key, value) in metadata.labels.iter().flatten() {
        key_and_value(&labels, key, value, findings);
    }
    annotations(&path.field("annotations"), metadata, findings);
}

/// The key of a requirement of a selector.
pub(super) fn label_key(path: &Path, key: &str, findings: &mut Findings) {
    findings.all("metadata/label-key", path, key, names::qualified_name(key));
}

/// A label or one pair of a selector.
pub(super) fn key_and_value(path: &Path, key: &str, value: &str, findings: &mut Findings) {
    for detail in names::qualified_name(key) {
        findings.push(
            Finding::new("metadata/label-key", ViolationKind::Invalid, path)
                .quoted(key)
                .detail(detail)
                .at_key(key),
        );
    }
    for detail in names::label_value(value) {
        let mut finding = Finding::new("metadata/label-value", ViolationKind::Invalid, path)
            .quoted(value)
            .detail(detail)
            .at_key(key);
        finding.on_key = false;
        findings.push(finding);
    }
}

/// The annotation by which published ports speak the PROXY protocol; `path` is that of the metadata.
pub(super) fn proxy_protocol(metadata: &ObjectMeta, path: &Path, findings: &mut Findings) {
    let annotations = metadata.annotations.as_ref();
    if let Some(text) = annotations.and_then(|all| all.get(publishing::PROXY_PROTOCOL))
        && let Err(detail) = publishing::check(text)
    {
        let path = path.field("annotations").key(publishing::PROXY_PROTOCOL);
        findings.invalid("metadata/proxy-protocol", &path, text, detail);
    }
}

fn annotations(path: &Path, metadata: &ObjectMeta, findings: &mut Findings) {
    let mut size = 0;
    for (key, value) in metadata.annotations.iter().flatten() {
        size += key.len() + value.len();
        for detail in names::qualified_name(&key.to_lowercase()) {
            findings.push(
                Finding::new("metadata/annotation-key", ViolationKind::Invalid, path)
                    .quoted(key)
                    .detail(detail)
                    .at_key(key),
            );
        }
    }
    if size > MAX_ANNOTATIONS_BYTES {
        findings.push(
            Finding::new("metadata/annotations-size", ViolationKind::TooLong, path).detail(
                format!("may not be more than {MAX_ANNOTATIONS_BYTES} bytes"),
            ),
        );
    }
}
