//! Persistent volumes: which volume a claim gets, and which directory that is.
//!
//! A claim is bound to a volume of the manifests that has what it asks for (`persistent-volumes#binding`); when there is
//! none, it gets one of its own: the directory `STATE/volumes/NAMESPACE/CLAIM`, which outlives pods and this process. A
//! claim of the same name finds it again. Nobody removes it: deleting the claim releases the volume, and its reclaim
//! policy is `Retain`, because what is lost cannot be brought back. Only what was made for a pod's `ephemeral` volume is
//! removed with the pod, and lies in a folder that goes with the process.
//!
//! Two processes of one state directory may have claims of the same name: then their pods see the same files, as two
//! pods on one node do (`ReadWriteOnce` is about nodes). Directories are made in one step of the file system and removed
//! by none, so nothing has to be locked.

use std::fs;
use std::path::{Component, Path, PathBuf};

use wasmpod_manifest::k8s::{
    HostPathVolumeSource, ObjectMeta, OwnerReference, PersistentVolume, PersistentVolumeClaim,
    PersistentVolumeClaimSpec, PersistentVolumeSpec, PersistentVolumeStatus, Pod,
};
use wasmpod_manifest::quantity;
use wasmpod_store::selector::LabelSelector;
use wasmpod_store::{Kind, Object, Store};
use wasmpod_volume::Claim;

/// `storageClassName` of volumes that were made for a claim without one.
pub(crate) const OWN_CLASS: &str = "wasmpod";

/// Marks volumes that were made here (`pv.kubernetes.io/provisioned-by`).
pub(crate) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// The names of the claims that a pod uses, those of its ephemeral volumes included.
pub(crate) fn names(pod: &Pod) -> impl Iterator<Item = String> {
    let own = ephemeral(pod).filter_map(|claim| claim.metadata.name);
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    let named = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
    named.map(|source| source.claim_name.clone()).chain(own)
}

/// The claims that are made for a pod's ephemeral volumes (`ephemeral-volumes#lifecycle-and-persistentvolumeclaim`).
pub(crate) fn ephemeral(pod: &Pod) -> impl Iterator<Item = PersistentVolumeClaim> {
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| {
        let template = volume.ephemeral.as_ref()?.volume_claim_template.as_ref()?;
        let (name, of_template) = (pod.metadata.name.as_deref()?, template.metadata.as_ref());
        Some(PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(format!("{name}-{}", volume.name)),
                namespace: pod.metadata.namespace.clone(),
                labels: of_template.and_then(|metadata| metadata.labels.clone()),
                annotations: of_template.and_then(|metadata| metadata.annotations.clone()),
                owner_references: Some(vec![OwnerReference {
                    api_version: "v1".to_owned(),
                    kind: "Pod".to_owned(),
                    name: name.to_owned(),
                    uid: pod.metadata.uid.clone().unwrap_or_default(),
                    controller: Some(true),
                    block_owner_deletion: Some(true),
                }]),
                ..ObjectMeta::default()
            },
            spec: Some(template.spec.clone()),
            status: None,
        })
    })
}

/// Was it made for a pod's ephemeral volume?
pub(crate) fn is_ephemeral(claim: &PersistentVolumeClaim) -> bool {
    let mut owners = claim.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.kind == "Pod" && owner.controller == Some(true))
}

/// The directory of a volume that is to be removed with its claim.
pub(crate) fn to_reclaim(volume: &PersistentVolume) -> Option<PathBuf> {
    let spec = volume.spec.as_ref()?;
    let annotations = volume.metadata.annotations.as_ref()?;
    let is_ours = annotations.contains_key(PROVISIONED_BY)
        && spec.persistent_volume_reclaim_policy.as_deref() == Some("Delete");
    let path = &spec.host_path.as_ref()?.path;
    is_ours.then(|| PathBuf::from(path))
}

/// Which volume a claim is to be bound to.
#[derive(Debug)]
pub(crate) enum Binding<'a> {
    /// This one.
    To(&'a PersistentVolume),
    /// One that has to be made for it.
    New,
    /// It asks for something that is not there (yet).
    Wait,
}

/// Decides to which of the volumes a claim is bound.
pub(crate) fn binding<'a>(
    claim: &PersistentVolumeClaim,
    volumes: &'a [PersistentVolume],
) -> Binding<'a> {
    let none = PersistentVolumeClaimSpec::default();
    let spec = claim.spec.as_ref().unwrap_or(&none);
    let free = volumes.iter().filter(|volume| is_free(volume, claim));
    if let Some(name) = spec.volume_name.as_deref().filter(|name| !name.is_empty()) {
        let mut named = free.filter(|volume| volume.metadata.name.as_deref() == Some(name));
        return named.next().map_or(Binding::Wait, Binding::To);
    }
    let fitting = free.filter(|volume| satisfies(volume, spec));
    match fitting.min_by_key(|volume| capacity(volume)) {
        Some(volume) => Binding::To(volume),
        // The empty class means: none that would be made.
        None if spec.storage_class_name.as_deref() == Some("") || spec.selector.is_some() => {
            Binding::Wait
        }
        None => Binding::New,
    }
}

/// Is it free, or kept for this very claim?
fn is_free(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let wanted_by = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.claim_ref.as_ref());
    let phase = volume
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let is_released = matches!(phase, Some("Released" | "Failed"));
    let is_deleted = volume.metadata.deletion_timestamp.is_some();
    let is_ours = wanted_by.is_none_or(|wanted| {
        wanted.name == claim.metadata.name
            && wanted.namespace == claim.metadata.namespace
            && wanted
                .uid
                .as_ref()
                .is_none_or(|uid| Some(uid) == claim.metadata.uid.as_ref())
    });
    is_ours && !is_released && !is_deleted
}

fn satisfies(volume: &PersistentVolume, wanted: &PersistentVolumeClaimSpec) -> bool {
    let Some(spec) = &volume.spec else {
        return false;
    };
    let class = |class: &Option<String>| class.clone().unwrap_or_default();
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    let mut wanted_modes = wanted.access_modes.iter().flatten();
    let selector = wanted.selector.as_ref().map(LabelSelector::from);
    let filesystem = |mode: &Option<String>| mode.as_deref() != Some("Block");
    class(&spec.storage_class_name) == class(&wanted.storage_class_name)
        && wanted_modes.all(|mode| modes.contains(mode))
        && capacity(volume) >= requested(wanted)
        && selector.is_none_or(|selector| selector.matches(volume.metadata.labels.as_ref()))
        && filesystem(&spec.volume_mode) == filesystem(&wanted.volume_mode)
}

fn capacity(volume: &PersistentVolume) -> u64 {
    let capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref());
    let storage = capacity.and_then(|capacity| capacity.get("storage"));
    storage
        .and_then(|text| quantity::parse_bytes(&text.0).ok())
        .unwrap_or(0)
}

fn requested(spec: &PersistentVolumeClaimSpec) -> u64 {
    let requests = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref());
    let storage = requests.and_then(|requests| requests.get("storage"));
    storage
        .and_then(|text| quantity::parse_bytes(&text.0).ok())
        .unwrap_or(0)
}

/// The volume that is made for a claim, with its directory under `volumes`.
pub(crate) fn provisioned(
    claim: &PersistentVolumeClaim,
    volumes: &Path,
) -> Option<PersistentVolume> {
    let (namespace, name) = (
        claim.metadata.namespace.as_deref()?,
        claim.metadata.name.as_deref()?,
    );
    let path = volumes.join(one_folder(namespace)?).join(one_folder(name)?);
    let spec = claim.spec.clone().unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    let reclaim = if is_ephemeral(claim) {
        "Delete"
    } else {
        "Retain"
    };
    let by = (PROVISIONED_BY.to_owned(), OWN_CLASS.to_owned());
    Some(PersistentVolume {
        metadata: ObjectMeta {
            name: Some(format!("pvc-{}", claim.metadata.uid.as_deref()?)),
            annotations: Some([by].into()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            capacity: requests,
            access_modes: spec.access_modes,
            storage_class_name: spec
                .storage_class_name
                .or_else(|| Some(OWN_CLASS.to_owned())),
            volume_mode: Some("Filesystem".to_owned()),
            persistent_volume_reclaim_policy: Some(reclaim.to_owned()),
            host_path: Some(HostPathVolumeSource {
                path: path.to_string_lossy().into_owned(),
                type_: Some("DirectoryOrCreate".to_owned()),
            }),
            ..PersistentVolumeSpec::default()
        }),
        status: Some(PersistentVolumeStatus {
            phase: Some("Available".to_owned()),
            ..PersistentVolumeStatus::default()
        }),
    })
}

/// A name that is one folder and no way out.
fn one_folder(name: &str) -> Option<&Path> {
    let path = Path::new(name);
    let mut components = path.components();
    let is_one =
        matches!(components.next(), Some(Component::Normal(_))) && components.next().is_none();
    is_one.then_some(path)
}

/// The directory behind a bound claim, made if its volume says so; nothing when the claim is not bound, or the
/// directory may not be reached.
pub(crate) fn directory(
    store: &Store,
    namespace: &str,
    name: &str,
    allowed: &[PathBuf],
) -> Option<Claim> {
    let Object::PersistentVolumeClaim(claim) =
        store.get(Kind::PersistentVolumeClaim, Some(namespace), name)?
    else {
        return None;
    };
    if claim.status.as_ref()?.phase.as_deref() != Some("Bound") {
        return None;
    }
    let volume = claim.spec.as_ref()?.volume_name.as_deref()?;
    let Object::PersistentVolume(volume) = store.get(Kind::PersistentVolume, None, volume)? else {
        return None;
    };
    let spec = volume.spec.as_ref()?;
    let annotations = volume.metadata.annotations.as_ref();
    let is_own = annotations.is_some_and(|all| all.contains_key(PROVISIONED_BY));
    let (path, creates) = match (&spec.host_path, &spec.local) {
        (Some(found), _) => {
            let creates = matches!(
                found.type_.as_deref(),
                None | Some("" | "DirectoryOrCreate")
            );
            (PathBuf::from(&found.path), creates)
        }
        (None, Some(found)) => (PathBuf::from(&found.path), false),
        (None, None) => return None,
    };
    let path = reachable(&path, creates, (!is_own).then_some(allowed))?;
    let modes = spec.access_modes.iter().flatten();
    let mut modes = modes.peekable();
    let read_only = modes.peek().is_some() && modes.all(|mode| mode == "ReadOnlyMany");
    Some(Claim { path, read_only })
}

/// The directory at `path` with all links resolved, made if it may be; nothing when it is outside of what is allowed.
fn reachable(path: &Path, creates: bool, allowed: Option<&[PathBuf]>) -> Option<PathBuf> {
    let is_allowed = |path: &Path| {
        allowed.is_none_or(|allowed| {
            let mut prefixes = allowed
                .iter()
                .filter_map(|prefix| prefix.canonicalize().ok());
            prefixes.any(|prefix| path.starts_with(prefix))
        })
    };
    if creates && !path.exists() {
        // Nothing is made outside: what is there of the path already must be inside, and nothing after it leads up.
        let leads_up = path.components().any(|part| part == Component::ParentDir);
        let there = path
            .ancestors()
            .find_map(|parent| parent.canonicalize().ok())?;
        if leads_up || !is_allowed(&there) {
            return None;
        }
        fs::create_dir_all(path).ok()?;
    }
    let resolved = path.canonicalize().ok()?;
    (resolved.is_dir() && is_allowed(&resolved)).then_some(resolved)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn volume(name: &str, storage: &str, spec: &Value) -> PersistentVolume {
        let mut all = json!({
            "capacity": {"storage": storage}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"},
        });
        let fields = spec.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(fields);
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": all})).unwrap()
    }

    fn claim(storage: &str, spec: &Value) -> PersistentVolumeClaim {
        let mut all = json!({
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}},
        });
        let fields = spec.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(fields);
        let metadata = json!({"name": "c", "namespace": "default", "uid": "u"});
        serde_json::from_value(json!({"metadata": metadata, "spec": all})).unwrap()
    }

    fn bound(claim: &PersistentVolumeClaim, volumes: &[PersistentVolume]) -> String {
        match binding(claim, volumes) {
            Binding::To(volume) => volume.metadata.name.clone().unwrap(),
            Binding::New => "<new>".to_owned(),
            Binding::Wait => "<wait>".to_owned(),
        }
    }

    #[test]
    fn a_claim_gets_the_smallest_volume_that_has_what_it_asks_for() {
        let manual = json!({"storageClassName": "manual"});
        let volumes = [
            volume("large", "10Gi", &manual),
            volume("small", "2Gi", &manual),
            volume("tiny", "1Gi", &manual),
            volume(
                "other",
                "2Gi",
                &json!({"accessModes": ["ReadOnlyMany"], "storageClassName": "manual"}),
            ),
        ];
        assert_eq!(bound(&claim("2Gi", &manual), &volumes), "small");
        assert_eq!(bound(&claim("3Gi", &manual), &volumes), "large");
        assert_eq!(bound(&claim("11Gi", &manual), &volumes), "<new>");
        assert_eq!(bound(&claim("1Gi", &json!({})), &volumes), "<new>");
        assert_eq!(
            bound(&claim("1Gi", &json!({"storageClassName": ""})), &volumes),
            "<wait>"
        );
        let many = json!({"storageClassName": "manual", "accessModes": ["ReadOnlyMany"]});
        assert_eq!(bound(&claim("1Gi", &many), &volumes), "other");
        let named = json!({"storageClassName": "manual", "volumeName": "large"});
        assert_eq!(bound(&claim("1Gi", &named), &volumes), "large");
        let missing = json!({"storageClassName": "manual", "volumeName": "none"});
        assert_eq!(bound(&claim("1Gi", &missing), &volumes), "<wait>");
    }

    #[test]
    fn a_volume_that_is_kept_for_another_claim_is_not_free() {
        let kept = |name: &str| json!({"claimRef": {"name": name, "namespace": "default"}});
        assert_eq!(
            bound(&claim("1Gi", &json!({})), &[volume("v", "1Gi", &kept("d"))]),
            "<new>"
        );
        assert_eq!(
            bound(&claim("1Gi", &json!({})), &[volume("v", "1Gi", &kept("c"))]),
            "v"
        );
    }

    #[test]
    fn a_directory_outside_of_what_is_allowed_is_neither_made_nor_reached() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir(&inside).unwrap();
        let allowed = [inside.clone()];
        assert!(reachable(&inside.join("a/b"), true, Some(&allowed)).is_some());
        assert!(inside.join("a/b").is_dir());
        assert_eq!(reachable(&outside.join("a"), true, Some(&allowed)), None);
        assert_eq!(
            reachable(&inside.join("../out"), true, Some(&allowed)),
            None
        );
        assert!(!outside.exists());
        assert_eq!(reachable(&inside.join("c"), false, Some(&allowed)), None);
    }
}
