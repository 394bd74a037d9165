//! The rules of persistent volumes and their claims.

use super::claim::{ACCESS_MODES, claim_spec};
use super::{Findings, Path, metadata, names};
use crate::k8s::{PersistentVolume, PersistentVolumeClaim};
use crate::quantity;

/// Holds every rule of a claim.
pub(crate) fn persistent_volume_claim(claim: &PersistentVolumeClaim, findings: &mut Findings) {
    metadata::metadata(&claim.metadata, names::dns1123_subdomain, findings);
    let path = Path::root().field("spec");
    match &claim.spec {
        Some(spec) => claim_spec(spec, &path, findings),
        None => findings.required("claim/spec", &path, ""),
    }
}

/// Holds every rule of a volume.
pub(crate) fn persistent_volume(volume: &PersistentVolume, findings: &mut Findings) {
    metadata::cluster_metadata(&volume.metadata, names::dns1123_subdomain, findings);
    let path = Path::root().field("spec");
    let Some(spec) = &volume.spec else {
        findings.required("persistent-volume/spec", &path, "");
        return;
    };
    let modes_path = path.field("accessModes");
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() {
        findings.required("claim/access-modes", &modes_path, "");
    }
    for (index, mode) in modes.iter().enumerate() {
        let path = modes_path.index(index);
        findings.one_of("claim/access-modes", &path, mode, ACCESS_MODES);
    }
    let capacity_path = path.field("capacity");
    match spec.capacity.as_ref().and_then(|list| list.get("storage")) {
        None => findings.required("persistent-volume/capacity", &capacity_path, ""),
        Some(size) => {
            let path = capacity_path.key("storage");
            match quantity::parse(&size.0) {
                Err(error) => findings.invalid(
                    "persistent-volume/capacity",
                    &path,
                    &size.0,
                    error.to_string(),
                ),
                Ok(amount) if amount.milli() <= 0 => findings.invalid(
                    "persistent-volume/capacity",
                    &path,
                    &size.0,
                    "must be greater than zero",
                ),
                Ok(_) => {}
            }
        }
    }
    if let Some(policy) = spec.persistent_volume_reclaim_policy.as_deref() {
        findings.one_of(
            "persistent-volume/reclaim-policy",
            &path.field("persistentVolumeReclaimPolicy"),
            policy,
            &["Delete", "Recycle", "Retain"],
        );
    }
    if let Some(class) = spec.storage_class_name.as_deref().filter(|c| !c.is_empty()) {
        let wrong = names::dns1123_subdomain(class);
        findings.all(
            "claim/storage-class",
            &path.field("storageClassName"),
            class,
            wrong,
        );
    }
    source(spec, &path, findings);
}

fn source(spec: &crate::k8s::PersistentVolumeSpec, path: &Path, findings: &mut Findings) {
    let paths = [
        ("hostPath", spec.host_path.as_ref().map(|s| &s.path)),
        ("local", spec.local.as_ref().map(|s| &s.path)),
    ];
    let mut found = false;
    for (field, directory) in paths {
        let Some(directory) = directory else { continue };
        if found {
            findings.forbidden(
                "persistent-volume/source",
                &path.field(field),
                "may not specify more than 1 volume type",
            );
        }
        found = true;
        let path = path.field(field).field("path");
        if directory.is_empty() {
            findings.required("persistent-volume/path", &path, "");
        } else if directory.split('/').any(|part| part == "..") {
            findings.invalid(
                "persistent-volume/path",
                &path,
                directory,
                "must not contain '..'",
            );
        }
    }
    // Other kinds of volumes are refused by the table of fields, which says so better.
    if !found && !has_other_source(spec) {
        findings.required(
            "persistent-volume/source",
            path,
            "must specify a volume type",
        );
    }
}

fn has_other_source(spec: &crate::k8s::PersistentVolumeSpec) -> bool {
    spec.csi.is_some()
        || spec.nfs.is_some()
        || spec.iscsi.is_some()
        || spec.fc.is_some()
        || spec.rbd.is_some()
        || spec.cephfs.is_some()
        || spec.cinder.is_some()
        || spec.glusterfs.is_some()
        || spec.flex_volume.is_some()
        || spec.flocker.is_some()
        || spec.aws_elastic_block_store.is_some()
        || spec.azure_disk.is_some()
        || spec.azure_file.is_some()
        || spec.gce_persistent_disk.is_some()
        || spec.photon_persistent_disk.is_some()
        || spec.portworx_volume.is_some()
        || spec.quobyte.is_some()
        || spec.scale_io.is_some()
        || spec.storageos.is_some()
        || spec.vsphere_volume.is_some()
}
