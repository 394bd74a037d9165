//! The defaults of persistent volumes and their claims.

use super::{metadata, set};
use crate::k8s::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec};

/// Fills in a claim.
pub(crate) fn persistent_volume_claim(claim: &mut PersistentVolumeClaim) {
    metadata(&mut claim.metadata);
    if let Some(spec) = &mut claim.spec {
        claim_spec(spec);
    }
}

/// Fills in the spec of a claim, which templates have too.
pub(super) fn claim_spec(spec: &mut PersistentVolumeClaimSpec) {
    set(&mut spec.volume_mode, "Filesystem");
    if let Some(resources) = &mut spec.resources
        && let Some(limits) = &resources.limits
    {
        let requests = resources.requests.get_or_insert_default();
        for (name, limit) in limits {
            requests
                .entry(name.clone())
                .or_insert_with(|| limit.clone());
        }
    }
}

/// Fills in a volume, which is of no namespace.
pub(crate) fn persistent_volume(volume: &mut PersistentVolume) {
    let Some(spec) = &mut volume.spec else { return };
    set(&mut spec.persistent_volume_reclaim_policy, "Retain");
    set(&mut spec.volume_mode, "Filesystem");
    if let Some(source) = &mut spec.host_path {
        source.type_.get_or_insert_default();
    }
}
