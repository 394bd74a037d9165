//! The rules of what a claim asks for, in a claim of its own or in the template of a volume.

use super::{Findings, Path, names};
use crate::k8s::PersistentVolumeClaimSpec;
use crate::quantity;

/// Source: `supportedAccessModes` of the core validation.
pub(super) const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// Holds the rules of a claim's spec.
pub(super) fn claim_spec(spec: &PersistentVolumeClaimSpec, path: &Path, findings: &mut Findings) {
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    let modes_path = path.field("accessModes");
    if modes.is_empty() {
        findings.required(
            "claim/access-modes",
            &modes_path,
            "at least 1 access mode is required",
        );
    }
    for (index, mode) in modes.iter().enumerate() {
        let path = modes_path.index(index);
        findings.one_of("claim/access-modes", &path, mode, ACCESS_MODES);
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        findings.forbidden(
            "claim/access-modes",
            &modes_path,
            "may not use ReadWriteOncePod with other access modes",
        );
    }
    if let Some(class) = spec.storage_class_name.as_deref().filter(|c| !c.is_empty()) {
        let path = path.field("storageClassName");
        let wrong = names::dns1123_subdomain(class);
        findings.all("claim/storage-class", &path, class, wrong);
    }
    if let Some(mode) = spec.volume_mode.as_deref() {
        let path = path.field("volumeMode");
        findings.one_of("claim/volume-mode", &path, mode, &["Block", "Filesystem"]);
    }
    let requests = spec.resources.as_ref().and_then(|r| r.requests.as_ref());
    let storage = path.field("resources").field("requests").key("storage");
    match requests.and_then(|requests| requests.get("storage")) {
        None => findings.required("claim/storage", &path.field("resources").key("storage"), ""),
        Some(size) => match quantity::parse(&size.0) {
            Err(error) => findings.invalid("claim/storage", &storage, &size.0, error.to_string()),
            Ok(amount) if amount.milli() <= 0 => findings.invalid(
                "claim/storage",
                &storage,
                &size.0,
                "must be greater than zero",
            ),
            Ok(_) => {}
        },
    }
}
