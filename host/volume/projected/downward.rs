//! Decides which files a downwardAPI volume has: fields of the pod, limits and requests of its
//! containers (`downward-api#volumes`). Only asks for the values; writes nothing.

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::DownwardAPIVolumeFile;

use super::{DEFAULT_MODE, ProjectedFile, file};
use crate::{VolumeError, VolumeSources};

/// The files of a downwardAPI volume, or of such a part of a projected one.
pub(super) fn files(
    volume: &str,
    items: &[DownwardAPIVolumeFile],
    default_mode: Option<i32>,
    sources: &dyn VolumeSources,
) -> Result<Vec<ProjectedFile>, VolumeError> {
    let mut files = BTreeMap::new();
    for item in items {
        let value = if let Some(field) = &item.field_ref {
            sources.field(field)
        } else if let Some(field) = &item.resource_field_ref {
            sources.resource_field(field)
        } else {
            Err("one of fieldRef and resourceFieldRef is required".to_owned())
        };
        let value = value.map_err(|message| VolumeError::Downward {
            volume: volume.to_owned(),
            message,
        })?;
        let mode = item.mode.or(default_mode).unwrap_or(DEFAULT_MODE);
        let made = file(volume, item.path.clone(), value.into_bytes(), mode)?;
        files.insert(made.path.clone(), made);
    }
    Ok(files.into_values().collect())
}
