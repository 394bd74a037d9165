//! Volumes that show objects or the pod itself: configMap, secret, downwardAPI, projected. Which
//! files they have, and how these are laid out so that they can change all at once.

#[cfg(unix)]
mod atomic_writer;
mod downward;
mod immutable;
mod merge;
mod payload;
#[cfg(not(unix))]
mod plain_writer;

use wasmpod_manifest::k8s::Volume as VolumeSpec;

#[cfg(unix)]
pub(crate) use atomic_writer::write;
pub(crate) use immutable::Immutable;
#[cfg(not(unix))]
pub(crate) use plain_writer::write;

use crate::{VolumeError, VolumeSources};

/// `defaultMode` where the manifest gives none: the API's default for all four kinds.
const DEFAULT_MODE: i32 = 0o644;

/// One file of such a volume.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProjectedFile {
    /// Path within the volume: relative, without `..`.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// Permission bits, at most `0o777`.
    pub(crate) mode: u32,
}

/// The four kinds, by the kubelet's plugins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plugin {
    ConfigMap,
    Secret,
    DownwardApi,
    Projected,
}

impl Plugin {
    /// The directory that holds the volumes of this plugin; the kubelet's name.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::ConfigMap => "kubernetes.io~configmap",
            Self::Secret => "kubernetes.io~secret",
            Self::DownwardApi => "kubernetes.io~downward-api",
            Self::Projected => "kubernetes.io~projected",
        }
    }

    /// Whether the kubelet keeps such volumes off the disk.
    pub(crate) fn is_in_memory(self) -> bool {
        self != Self::ConfigMap
    }
}

/// The plugin of a volume, if it is one of these kinds.
pub(crate) fn plugin(volume: &VolumeSpec) -> Option<Plugin> {
    if volume.config_map.is_some() {
        Some(Plugin::ConfigMap)
    } else if volume.secret.is_some() {
        Some(Plugin::Secret)
    } else if volume.downward_api.is_some() {
        Some(Plugin::DownwardApi)
    } else if volume.projected.is_some() {
        Some(Plugin::Projected)
    } else {
        None
    }
}

/// The files that a volume of one of these kinds has by what `sources` say now.
pub(crate) fn files(
    volume: &VolumeSpec,
    sources: &dyn VolumeSources,
) -> Result<Vec<ProjectedFile>, VolumeError> {
    let name = &volume.name;
    let files = if let Some(source) = &volume.config_map {
        payload::config_map(name, source, sources)?
    } else if let Some(source) = &volume.secret {
        payload::secret(name, source, sources)?
    } else if let Some(source) = &volume.downward_api {
        let items = source.items.as_deref().unwrap_or_default();
        downward::files(name, items, source.default_mode, sources)?
    } else if let Some(source) = &volume.projected {
        merge::files(name, source, sources)?
    } else {
        Vec::new()
    };
    merge::checked(name, files)
}

/// Checks a path and a mode of the manifest.
fn file(
    volume: &str,
    path: String,
    bytes: Vec<u8>,
    mode: i32,
) -> Result<ProjectedFile, VolumeError> {
    if let Some(rule) = broken_path_rule(&path) {
        return Err(VolumeError::BadItemPath {
            volume: volume.to_owned(),
            path,
            rule,
        });
    }
    let mode = u32::try_from(mode)
        .ok()
        .filter(|bits| *bits <= 0o777)
        .ok_or_else(|| VolumeError::BadMode {
            volume: volume.to_owned(),
            mode,
        })?;
    Ok(ProjectedFile { path, bytes, mode })
}

/// The rule of the kubelet's atomic writer that a path breaks, if any.
fn broken_path_rule(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("must not be empty")
    } else if path.starts_with('/') || (cfg!(windows) && path.contains([':', '\\'])) {
        Some("must be a relative path")
    } else if path.split('/').any(|component| component == "..") {
        Some("must not contain '..'")
    } else if path.starts_with("..") {
        Some("must not start with '..'")
    } else if path
        .split('/')
        .any(|component| component.is_empty() || component == ".")
    {
        Some("must be a clean path")
    } else {
        None
    }
}
