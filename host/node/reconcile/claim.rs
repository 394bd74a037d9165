//! Claims and volumes: binding, releasing, and the end of both.

use std::sync::Arc;

use wasmpod_manifest::k8s::{PersistentVolume, PersistentVolumeClaim, Pod};
use wasmpod_sandbox::Severity;
use wasmpod_store::{Kind, Object, ObjectRef};

use super::Reconciler;
use crate::claims::{self, Binding};
use crate::events::{Component, reference};

impl Reconciler {
    pub(super) fn claim(&mut self, object: &ObjectRef) {
        let Some(found) = self.get(object) else {
            return;
        };
        let Object::PersistentVolumeClaim(claim) = &found else {
            return;
        };
        if claim.metadata.deletion_timestamp.is_some() {
            if !self.shared.is_claim_used(&found) {
                self.remove(&found);
            }
            return;
        }
        if self.collect_garbage(object) {
            return;
        }
        let phase = claim
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        match phase {
            Some("Bound" | "Lost") => self.lose(object, &found, claim),
            _ => self.bind(object, &found, claim),
        }
    }

    fn bind(&mut self, object: &ObjectRef, found: &Object, claim: &PersistentVolumeClaim) {
        let (volumes, _) = self.shared.store.list(Kind::PersistentVolume, None);
        let volumes = volumes
            .into_iter()
            .filter_map(|volume| <Arc<PersistentVolume>>::try_from(volume).ok());
        let volumes: Vec<_> = volumes.map(Arc::unwrap_or_clone).collect();
        let volume = match claims::binding(claim, &volumes) {
            Binding::To(volume) => Some(volume.clone()),
            Binding::New => self.provision(found, claim),
            Binding::Wait => None,
        };
        let Some(volume) = volume else {
            self.change(object, found.uid(), &mut |stored| {
                set_phase(stored, "Pending", None);
            });
            return;
        };
        let name = volume.metadata.name.clone().unwrap_or_default();
        let volume_ref = ObjectRef {
            kind: Kind::PersistentVolume,
            namespace: None,
            name,
        };
        let uid = volume.metadata.uid.clone().unwrap_or_default();
        let bound = self.change(&volume_ref, &uid, &mut |stored| {
            if let Object::PersistentVolume(stored) = stored {
                let stored = Arc::make_mut(stored);
                let claim_ref = reference(Kind::PersistentVolumeClaim, &claim.metadata);
                stored.spec.get_or_insert_default().claim_ref = Some(claim_ref);
                stored.status.get_or_insert_default().phase = Some("Bound".to_owned());
            }
        });
        if bound.is_some() {
            self.change(object, found.uid(), &mut |stored| {
                set_phase(stored, "Bound", Some(&volume));
            });
        }
    }

    /// Makes a volume for a claim.
    fn provision(&self, found: &Object, claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
        let folders = &self.shared.folders;
        let folder = if claims::is_ephemeral(claim) {
            &folders.ephemeral
        } else {
            &folders.volumes
        };
        let volume = claims::provisioned(claim, folder)?;
        let name = volume.metadata.name.clone().unwrap_or_default();
        let created = self.shared.store.create(volume.into()).ok()?;
        let message = format!("Successfully provisioned volume {name}");
        self.shared.recorder.record(
            found,
            Component::PersistentVolumes,
            Severity::Normal,
            "ProvisioningSucceeded",
            message,
        );
        match created {
            Object::PersistentVolume(volume) => Some(Arc::unwrap_or_clone(volume)),
            _ => None,
        }
    }

    /// Makes the claims of a pod's ephemeral volumes.
    pub(super) fn make_ephemeral(&self, pod: &Pod) {
        for claim in claims::ephemeral(pod) {
            // One that is there may be another's: then the pod has no place, and says so.
            drop(self.shared.store.create(claim.into()));
        }
    }

    /// A claim whose volume is gone has lost it for good.
    fn lose(&mut self, object: &ObjectRef, found: &Object, claim: &PersistentVolumeClaim) {
        let volume = claim
            .spec
            .as_ref()
            .and_then(|spec| spec.volume_name.as_deref());
        let is_there = volume.is_some_and(|name| {
            self.shared
                .store
                .get(Kind::PersistentVolume, None, name)
                .is_some()
        });
        if !is_there {
            self.change(object, found.uid(), &mut |stored| {
                set_phase(stored, "Lost", None);
            });
        }
    }

    /// A volume is available, or bound, or released by a claim that is gone.
    pub(super) fn volume(&mut self, object: &ObjectRef) {
        let Some(found) = self.get(object) else {
            return;
        };
        let Object::PersistentVolume(volume) = &found else {
            return;
        };
        let claim = volume
            .spec
            .as_ref()
            .and_then(|spec| spec.claim_ref.as_ref());
        let phase = match claim.and_then(|claim| Some((claim, claim.uid.as_deref()?))) {
            // A volume may be kept for a claim that does not know of it yet: then the reference has no uid.
            None => "Available",
            Some((claim, uid)) => {
                let name = claim.name.as_deref().unwrap_or_default();
                let namespace = claim.namespace.as_deref();
                let kind = Kind::PersistentVolumeClaim;
                match self.shared.get_by_uid(kind, namespace, name, uid) {
                    Some(_) => "Bound",
                    None => "Released",
                }
            }
        };
        if phase == "Released"
            && let Some(directory) = claims::to_reclaim(volume)
        {
            // Files may be many; what cannot be removed now goes with the process.
            self.jobs.spawn(async move {
                drop(tokio::task::spawn_blocking(move || std::fs::remove_dir_all(directory)).await);
            });
            return self.remove(&found);
        }
        if volume.metadata.deletion_timestamp.is_some() && phase != "Bound" {
            return self.remove(&found);
        }
        self.change(object, found.uid(), &mut |stored| {
            if let Object::PersistentVolume(volume) = stored
                && volume
                    .status
                    .as_ref()
                    .and_then(|status| status.phase.as_deref())
                    != Some(phase)
            {
                let status = Arc::make_mut(volume).status.get_or_insert_default();
                status.phase = Some(phase.to_owned());
            }
        });
    }
}

/// Says how a claim is, and with which volume.
fn set_phase(stored: &mut Object, phase: &str, volume: Option<&PersistentVolume>) {
    let Object::PersistentVolumeClaim(claim) = stored else {
        return;
    };
    let is_so = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        == Some(phase);
    if is_so && volume.is_none() {
        return;
    }
    let claim = Arc::make_mut(claim);
    let status = claim.status.get_or_insert_default();
    status.phase = Some(phase.to_owned());
    if let Some(volume) = volume {
        let of_volume = volume.spec.as_ref();
        status.access_modes = of_volume.and_then(|spec| spec.access_modes.clone());
        status.capacity = of_volume.and_then(|spec| spec.capacity.clone());
        let spec = claim.spec.get_or_insert_default();
        spec.volume_name.clone_from(&volume.metadata.name);
        if spec.storage_class_name.is_none() {
            spec.storage_class_name = of_volume.and_then(|spec| spec.storage_class_name.clone());
        }
    }
}
