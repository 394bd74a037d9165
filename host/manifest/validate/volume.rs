//! The rules of volumes; what shows objects or the pod itself is in `projected.rs`.

use std::collections::{BTreeSet, HashMap};

use super::{Findings, Path, claim, names, projected};
use crate::k8s::Volume;
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
    projected::sources(volume, path, findings);
    if let Some(source) = &volume.persistent_volume_claim
        && source.claim_name.is_empty()
    {
        let path = path.field("persistentVolumeClaim").field("claimName");
        findings.required("volume/claim", &path, "");
    }
    if let Some(source) = &volume.ephemeral {
        let path = path.field("ephemeral").field("volumeClaimTemplate");
        match &source.volume_claim_template {
            None => findings.required("volume/claim-template", &path, ""),
            Some(template) => claim::claim_spec(&template.spec, &path.field("spec"), findings),
        }
    }
}
