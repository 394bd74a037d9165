//! The rules of volumes that show objects or the pod itself: items, modes, paths.

use std::collections::HashMap;

use super::container::descending_path;
use super::{Finding, Findings, Path, downward};
use crate::k8s::{
    DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection,
};
use crate::report::ViolationKind;

/// Holds the rules of a volume of one of these kinds; `path` is the volume's.
pub(super) fn sources(volume: &Volume, path: &Path, findings: &mut Findings) {
    if let Some(source) = &volume.config_map {
        let path = path.field("configMap");
        if source.name.is_empty() {
            findings.required("volume/config-map", &path.field("name"), "");
        }
        mode(source.default_mode, &path.field("defaultMode"), findings);
        items(source.items.as_deref(), &path, findings);
    }
    if let Some(source) = &volume.secret {
        let path = path.field("secret");
        if source.secret_name.as_deref().unwrap_or_default().is_empty() {
            findings.required("volume/secret", &path.field("secretName"), "");
        }
        mode(source.default_mode, &path.field("defaultMode"), findings);
        items(source.items.as_deref(), &path, findings);
    }
    if let Some(source) = &volume.downward_api {
        let path = path.field("downwardAPI");
        mode(source.default_mode, &path.field("defaultMode"), findings);
        files(source.items.as_deref(), &path, findings);
    }
    if let Some(source) = &volume.projected {
        projected(source, &path.field("projected"), findings);
    }
}

fn projected(source: &ProjectedVolumeSource, path: &Path, findings: &mut Findings) {
    mode(source.default_mode, &path.field("defaultMode"), findings);
    // Where each path was written first: two sources cannot have one file.
    let mut used: HashMap<&str, Path> = HashMap::new();
    for (index, part) in source.sources.iter().flatten().enumerate() {
        let path = path.field("sources").index(index);
        one_source(part, &path, findings);
        if let Some(part) = &part.config_map {
            let path = path.field("configMap");
            if part.name.is_empty() {
                findings.required("volume/config-map", &path.field("name"), "");
            }
            items(part.items.as_deref(), &path, findings);
            let paths = part.items.iter().flatten().map(|item| item.path.as_str());
            no_conflict(paths, &path, &mut used, findings);
        }
        if let Some(part) = &part.secret {
            let path = path.field("secret");
            if part.name.is_empty() {
                findings.required("volume/secret", &path.field("name"), "");
            }
            items(part.items.as_deref(), &path, findings);
            let paths = part.items.iter().flatten().map(|item| item.path.as_str());
            no_conflict(paths, &path, &mut used, findings);
        }
        if let Some(part) = &part.downward_api {
            let path = path.field("downwardAPI");
            files(part.items.as_deref(), &path, findings);
            let paths = part.items.iter().flatten().map(|file| file.path.as_str());
            no_conflict(paths, &path, &mut used, findings);
        }
    }
}

fn one_source(part: &VolumeProjection, path: &Path, findings: &mut Findings) {
    let set = [
        part.cluster_trust_bundle.is_some(),
        part.config_map.is_some(),
        part.downward_api.is_some(),
        part.pod_certificate.is_some(),
        part.secret.is_some(),
        part.service_account_token.is_some(),
    ];
    match set.iter().filter(|is_set| **is_set).count() {
        1 => {}
        0 => findings.required("volume/projection", path, "must specify a source"),
        _ => findings.forbidden(
            "volume/projection",
            path,
            "may not specify more than 1 volume type",
        ),
    }
}

fn no_conflict<'a>(
    paths: impl Iterator<Item = &'a str>,
    path: &Path,
    used: &mut HashMap<&'a str, Path>,
    findings: &mut Findings,
) {
    for (index, text) in paths.enumerate().filter(|(_, text)| !text.is_empty()) {
        let path = path.field("items").index(index).field("path");
        if let Some(first) = used.get(text) {
            findings.push(
                Finding::new("volume/projection-path", ViolationKind::Invalid, &path)
                    .quoted(text)
                    .detail("conflicting duplicate paths")
                    .first(first),
            );
        } else {
            used.insert(text, path);
        }
    }
}

fn mode(mode: Option<i32>, path: &Path, findings: &mut Findings) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        findings.invalid_number("volume/mode", path, mode, detail);
    }
}

fn items(items: Option<&[KeyToPath]>, path: &Path, findings: &mut Findings) {
    for (index, item) in items.into_iter().flatten().enumerate() {
        let path = path.field("items").index(index);
        if item.key.is_empty() {
            findings.required("volume/item-key", &path.field("key"), "");
        }
        item_path(&item.path, &path.field("path"), findings);
        mode(item.mode, &path.field("mode"), findings);
    }
}

fn files(files: Option<&[DownwardAPIVolumeFile]>, path: &Path, findings: &mut Findings) {
    for (index, file) in files.into_iter().flatten().enumerate() {
        let path = path.field("items").index(index);
        downward::file(file, &path, findings);
        item_path(&file.path, &path.field("path"), findings);
        mode(file.mode, &path.field("mode"), findings);
    }
}

fn item_path(text: &str, path: &Path, findings: &mut Findings) {
    if text.is_empty() {
        findings.required("volume/item-path", path, "");
        return;
    }
    descending_path(text, path, findings);
    if text.starts_with("..") && !text.starts_with("../") && text != ".." {
        findings.invalid("volume/item-path", path, text, "must not start with '..'");
    }
}
