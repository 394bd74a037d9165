//! The rules of volumes.

use std::collections::{BTreeSet, HashMap};

use super::container::descending_path;
use super::{Findings, Path, names};
use crate::k8s::{KeyToPath, Volume};
use crate::quantity;

/// The names of the volumes of a pod.
#[derive(Debug, Default)]
pub(super) struct VolumeNames(BTreeSet<String>);

impl VolumeNames {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Holds the rules of all volumes and returns their names.
pub(super) fn volumes(volumes: &[Volume], path: &Path, findings: &mut Findings) -> VolumeNames {
    let mut used: HashMap<&str, Path> = HashMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let name = path.field("name");
        if volume.name.is_empty() {
            findings.required("volume/name", &name, "");
        } else {
            findings.all(
                "volume/name",
                &name,
                &volume.name,
                names::dns1123_label(&volume.name),
            );
            if let Some(first) = used.get(volume.name.as_str()) {
                findings.duplicate("volume/name", &name, &volume.name, first);
            } else {
                used.insert(&volume.name, name);
            }
        }
        one_source(volume, &path, findings);
        sources(volume, &path, findings);
    }
    VolumeNames(used.into_keys().map(str::to_owned).collect())
}

/// A volume has exactly one source, whichever it is.
fn one_source(volume: &Volume, path: &Path, findings: &mut Findings) {
    // The type has a field per source; its JSON names those that are set.
    let set: Vec<String> = match serde_json::to_value(volume) {
        Ok(serde_json::Value::Object(map)) => map
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key != "name")
            .collect(),
        Ok(_) | Err(_) => return,
    };
    if set.is_empty() {
        findings.required("volume/source", path, "must specify a volume type");
    }
    for extra in set.iter().skip(1) {
        findings.forbidden(
            "volume/source",
            &path.field(extra),
            "may not specify more than 1 volume type",
        );
    }
}

fn sources(volume: &Volume, path: &Path, findings: &mut Findings) {
    if let Some(source) = &volume.empty_dir {
        let path = path.field("emptyDir");
        if let Some(medium) = source.medium.as_deref() {
            findings.one_of(
                "volume/medium",
                &path.field("medium"),
                medium,
                &["", "Memory"],
            );
        }
        if let Some(limit) = &source.size_limit
            && let Err(error) = quantity::parse_bytes(&limit.0)
        {
            findings.invalid(
                "volume/size-limit",
                &path.field("sizeLimit"),
                &limit.0,
                error.to_string(),
            );
        }
    }
    if let Some(source) = &volume.host_path {
        let path = path.field("hostPath");
        if source.path.is_empty() {
            findings.required("volume/host-path", &path.field("path"), "");
        } else if source.path.split('/').any(|part| part == "..") {
            findings.invalid(
                "volume/host-path",
                &path.field("path"),
                &source.path,
                "must not contain '..'",
            );
        }
        if let Some(kind) = source.type_.as_deref() {
            let supported = [
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ];
            findings.one_of(
                "volume/host-path-type",
                &path.field("type"),
                kind,
                &supported,
            );
        }
    }
    if let Some(source) = &volume.config_map {
        let path = path.field("configMap");
        if source.name.is_empty() {
            findings.required("volume/config-map", &path.field("name"), "");
        }
        mode(source.default_mode, &path.field("defaultMode"), findings);
        items(
            source.items.as_deref().unwrap_or_default(),
            &path.field("items"),
            findings,
        );
    }
    if let Some(source) = &volume.secret {
        let path = path.field("secret");
        if source.secret_name.as_deref().unwrap_or_default().is_empty() {
            findings.required("volume/secret", &path.field("secretName"), "");
        }
        mode(source.default_mode, &path.field("defaultMode"), findings);
        items(
            source.items.as_deref().unwrap_or_default(),
            &path.field("items"),
            findings,
        );
    }
}

fn mode(mode: Option<i32>, path: &Path, findings: &mut Findings) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        findings.invalid_number("volume/mode", path, mode, detail);
    }
}

fn items(items: &[KeyToPath], path: &Path, findings: &mut Findings) {
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        if item.key.is_empty() {
            findings.required("volume/item-key", &path.field("key"), "");
        }
        let item_path = path.field("path");
        if item.path.is_empty() {
            findings.required("volume/item-path", &item_path, "");
        } else {
            descending_path(&item.path, &item_path, findings);
            if item.path.starts_with("..") && !item.path.starts_with("../") && item.path != ".." {
                findings.invalid(
                    "volume/item-path",
                    &item_path,
                    &item.path,
                    "must not start with '..'",
                );
            }
        }
        mode(item.mode, &path.field("mode"), findings);
    }
}
