//! Puts the sources of a projected volume together: of two with one path the later one holds, as
//! for the kubelet (paths that the manifest itself repeats are refused there).

use std::collections::{BTreeMap, BTreeSet};

use wasmpod_manifest::k8s::{ConfigMapVolumeSource, ProjectedVolumeSource, SecretVolumeSource};

use super::{ProjectedFile, downward, payload};
use crate::{VolumeError, VolumeSources};

/// The files of a projected volume.
pub(super) fn files(
    volume: &str,
    source: &ProjectedVolumeSource,
    sources: &dyn VolumeSources,
) -> Result<Vec<ProjectedFile>, VolumeError> {
    let default_mode = source.default_mode;
    let mut merged = BTreeMap::new();
    for part in source.sources.iter().flatten() {
        let files = if let Some(part) = &part.config_map {
            let part = ConfigMapVolumeSource {
                name: part.name.clone(),
                items: part.items.clone(),
                optional: part.optional,
                default_mode,
                ..ConfigMapVolumeSource::default()
            };
            payload::config_map(volume, &part, sources)?
        } else if let Some(part) = &part.secret {
            let part = SecretVolumeSource {
                secret_name: Some(part.name.clone()),
                items: part.items.clone(),
                optional: part.optional,
                default_mode,
                ..SecretVolumeSource::default()
            };
            payload::secret(volume, &part, sources)?
        } else if let Some(part) = &part.downward_api {
            let items = part.items.as_deref().unwrap_or_default();
            downward::files(volume, items, default_mode, sources)?
        } else {
            let source_kind = if part.service_account_token.is_some() {
                "projected.sources.serviceAccountToken"
            } else if part.cluster_trust_bundle.is_some() {
                "projected.sources.clusterTrustBundle"
            } else if part.pod_certificate.is_some() {
                "projected.sources.podCertificate"
            } else {
                continue;
            };
            return Err(VolumeError::UnsupportedSource {
                volume: volume.to_owned(),
                source_kind,
            });
        };
        merged.extend(files.into_iter().map(|file| (file.path.clone(), file)));
    }
    Ok(merged.into_values().collect())
}

/// Refuses files that others would need as directories.
pub(super) fn checked(
    volume: &str,
    files: Vec<ProjectedFile>,
) -> Result<Vec<ProjectedFile>, VolumeError> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let below = paths.iter().find_map(|path| {
        let outer = path
            .match_indices('/')
            .filter_map(|(end, _)| path.get(..end))
            .find(|outer| paths.contains(outer))?;
        Some((path, outer))
    });
    match below {
        None => Ok(files),
        Some((path, outer)) => Err(VolumeError::PathBelowFile {
            volume: volume.to_owned(),
            path: (*path).to_owned(),
            file: outer.to_owned(),
        }),
    }
}
