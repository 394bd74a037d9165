//! ConfigMaps, Secrets, volumes and claims.

use serde_json::Value;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{
    ConfigMap, ObjectMeta, PersistentVolume, PersistentVolumeClaim, Secret,
};

use super::{Head, UNSET, age, name, number, text, wide};

pub(super) const CONFIG_MAP: &[Head] = &[text("Name"), number("Data"), text("Age")];

pub(super) const SECRET: &[Head] = &[text("Name"), text("Type"), number("Data"), text("Age")];

pub(super) const VOLUME: &[Head] = &[
    text("Name"),
    text("Capacity"),
    text("Access Modes"),
    text("Reclaim Policy"),
    text("Status"),
    text("Claim"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    text("Reason"),
    text("Age"),
    wide("VolumeMode"),
];

pub(super) const CLAIM: &[Head] = &[
    text("Name"),
    text("Status"),
    text("Volume"),
    text("Capacity"),
    text("Access Modes"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    text("Age"),
    wide("VolumeMode"),
];

pub(super) fn config_map(map: &ConfigMap, now: Timestamp) -> Vec<Value> {
    let count = map.data.iter().flatten().count() + map.binary_data.iter().flatten().count();
    vec![name(&map.metadata), count.into(), age(&map.metadata, now)]
}

pub(super) fn secret(secret: &Secret, now: Timestamp) -> Vec<Value> {
    vec![
        name(&secret.metadata),
        secret.type_.as_deref().unwrap_or("Opaque").into(),
        secret.data.iter().flatten().count().into(),
        age(&secret.metadata, now),
    ]
}

pub(super) fn volume(volume: &PersistentVolume, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (volume.spec.as_ref(), volume.status.as_ref());
    let capacity = spec.and_then(|spec| spec.capacity.as_ref()?.get("storage"));
    let claim = spec.and_then(|spec| spec.claim_ref.as_ref()).map(|claim| {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{}/{}", part(&claim.namespace), part(&claim.name))
    });
    let text = |text: Option<&String>| Value::from(text.map_or("", String::as_str));
    let modes = spec.and_then(|spec| spec.access_modes.as_deref());
    vec![
        name(&volume.metadata),
        capacity.map_or("", |found| found.0.as_str()).into(),
        access_modes(modes.unwrap_or_default()).into(),
        text(spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_ref())),
        phase(
            &volume.metadata,
            status.and_then(|status| status.phase.as_deref()),
        )
        .into(),
        claim.unwrap_or_default().into(),
        text(spec.and_then(|spec| spec.storage_class_name.as_ref())),
        spec.and_then(|spec| spec.volume_attributes_class_name.as_deref())
            .unwrap_or(UNSET)
            .into(),
        text(status.and_then(|status| status.reason.as_ref())),
        age(&volume.metadata, now),
        spec.and_then(|spec| spec.volume_mode.as_deref())
            .unwrap_or(UNSET)
            .into(),
    ]
}

pub(super) fn claim(claim: &PersistentVolumeClaim, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (claim.spec.as_ref(), claim.status.as_ref());
    let volume = spec
        .and_then(|spec| spec.volume_name.as_deref())
        .unwrap_or_default();
    // What a claim has is known when it is bound.
    let bound = status.filter(|_| !volume.is_empty());
    let capacity = bound.and_then(|status| status.capacity.as_ref()?.get("storage"));
    let modes = bound.and_then(|status| status.access_modes.as_deref());
    vec![
        name(&claim.metadata),
        phase(
            &claim.metadata,
            status.and_then(|status| status.phase.as_deref()),
        )
        .into(),
        volume.into(),
        capacity.map_or("", |found| found.0.as_str()).into(),
        access_modes(modes.unwrap_or_default()).into(),
        spec.and_then(|spec| spec.storage_class_name.as_deref())
            .unwrap_or_default()
            .into(),
        spec.and_then(|spec| spec.volume_attributes_class_name.as_deref())
            .unwrap_or(UNSET)
            .into(),
        age(&claim.metadata, now),
        spec.and_then(|spec| spec.volume_mode.as_deref())
            .unwrap_or(UNSET)
            .into(),
    ]
}

fn phase(metadata: &ObjectMeta, phase: Option<&str>) -> String {
    match &metadata.deletion_timestamp {
        Some(_) => "Terminating".to_owned(),
        None => phase.unwrap_or_default().to_owned(),
    }
}

/// Each mode once, in the order of Kubernetes.
fn access_modes(modes: &[String]) -> String {
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let short = known
        .into_iter()
        .filter(|(long, _)| modes.iter().any(|mode| mode == long));
    short.map(|(_, short)| short).collect::<Vec<_>>().join(",")
}
