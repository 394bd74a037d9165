//! Decides which files a configMap or secret volume has: keys, items, modes, optional.
//!
//! Follows the kubelet: an object or key that is missing is an error unless the volume is
//! optional; with `items` only the named keys are there, at their paths. Writes nothing.

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::{ConfigMapVolumeSource, KeyToPath, SecretVolumeSource};

use super::{DEFAULT_MODE, ProjectedFile, file};
use crate::{VolumeError, VolumeSources};

/// The files of a configMap volume.
pub(crate) fn config_map(
    volume: &str,
    source: &ConfigMapVolumeSource,
    sources: &dyn VolumeSources,
) -> Result<Vec<ProjectedFile>, VolumeError> {
    let is_optional = source.optional == Some(true);
    let mut values = BTreeMap::new();
    match sources.config_map(&source.name) {
        Some(object) => {
            for (key, text) in object.data.iter().flatten() {
                values.insert(key.clone(), text.clone().into_bytes());
            }
            for (key, bytes) in object.binary_data.iter().flatten() {
                values.insert(key.clone(), bytes.0.clone());
            }
        }
        None if is_optional => return Ok(Vec::new()),
        None => return Err(not_found(volume, "configmap", &source.name)),
    }
    let request = Request {
        volume,
        items: source.items.as_deref(),
        default_mode: source.default_mode,
        is_optional,
        missing: "configmap references non-existent config key",
    };
    request.select(values)
}

/// The files of a secret volume.
pub(crate) fn secret(
    volume: &str,
    source: &SecretVolumeSource,
    sources: &dyn VolumeSources,
) -> Result<Vec<ProjectedFile>, VolumeError> {
    let is_optional = source.optional == Some(true);
    let name = source.secret_name.as_deref().unwrap_or_default();
    let mut values = BTreeMap::new();
    match sources.secret(name) {
        Some(object) => {
            for (key, bytes) in object.data.iter().flatten() {
                values.insert(key.clone(), bytes.0.clone());
            }
            // The API server merges `stringData` over `data`; a manifest may not have passed one.
            for (key, text) in object.string_data.iter().flatten() {
                values.insert(key.clone(), text.clone().into_bytes());
            }
        }
        None if is_optional => return Ok(Vec::new()),
        None => return Err(not_found(volume, "secret", name)),
    }
    let request = Request {
        volume,
        items: source.items.as_deref(),
        default_mode: source.default_mode,
        is_optional,
        missing: "references non-existent secret key",
    };
    request.select(values)
}

fn not_found(volume: &str, kind: &'static str, name: &str) -> VolumeError {
    VolumeError::NotFound {
        volume: volume.to_owned(),
        kind,
        name: name.to_owned(),
    }
}

/// What both kinds of volume ask for.
struct Request<'a> {
    volume: &'a str,
    items: Option<&'a [KeyToPath]>,
    default_mode: Option<i32>,
    is_optional: bool,
    missing: &'static str,
}

impl Request<'_> {
    fn select(&self, values: BTreeMap<String, Vec<u8>>) -> Result<Vec<ProjectedFile>, VolumeError> {
        let default_mode = self.default_mode.unwrap_or(DEFAULT_MODE);
        let Some(items) = self.items.filter(|items| !items.is_empty()) else {
            return values
                .into_iter()
                .map(|(key, bytes)| file(self.volume, key, bytes, default_mode))
                .collect();
        };
        // By path, so that of two items with one path the last holds, as for the kubelet.
        let mut files = BTreeMap::new();
        for item in items {
            let Some(bytes) = values.get(&item.key) else {
                if self.is_optional {
                    continue;
                }
                return Err(VolumeError::MissingKey {
                    volume: self.volume.to_owned(),
                    rule: self.missing,
                    key: item.key.clone(),
                });
            };
            let mode = item.mode.unwrap_or(default_mode);
            let made = file(self.volume, item.path.clone(), bytes.clone(), mode)?;
            files.insert(made.path.clone(), made);
        }
        Ok(files.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmpod_manifest::k8s::{
        ByteString, ConfigMap, ObjectFieldSelector, ResourceFieldSelector, Secret,
    };

    use super::*;
    use crate::Claim;

    struct Objects;

    impl VolumeSources for Objects {
        fn field(&self, field: &ObjectFieldSelector) -> Result<String, String> {
            Err(field.field_path.clone())
        }

        fn resource_field(&self, field: &ResourceFieldSelector) -> Result<String, String> {
            Err(field.resource.clone())
        }

        fn claim(&self, _: &str) -> Option<Claim> {
            None
        }

        fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
            (name == "cfg").then(|| {
                Arc::new(ConfigMap {
                    data: Some(BTreeMap::from([
                        ("a".to_owned(), "text".to_owned()),
                        ("b".to_owned(), String::new()),
                    ])),
                    binary_data: Some(BTreeMap::from([(
                        "bin".to_owned(),
                        ByteString(vec![0xff, 0]),
                    )])),
                    ..ConfigMap::default()
                })
            })
        }

        fn secret(&self, name: &str) -> Option<Arc<Secret>> {
            (name == "sec").then(|| {
                Arc::new(Secret {
                    data: Some(BTreeMap::from([(
                        "k".to_owned(),
                        ByteString(b"old".to_vec()),
                    )])),
                    string_data: Some(BTreeMap::from([("k".to_owned(), "new".to_owned())])),
                    ..Secret::default()
                })
            })
        }
    }

    fn item(key: &str, path: &str, mode: Option<i32>) -> KeyToPath {
        KeyToPath {
            key: key.to_owned(),
            path: path.to_owned(),
            mode,
            ..KeyToPath::default()
        }
    }

    fn config(items: Vec<KeyToPath>) -> ConfigMapVolumeSource {
        ConfigMapVolumeSource {
            name: "cfg".to_owned(),
            items: Some(items),
            ..ConfigMapVolumeSource::default()
        }
    }

    fn refusal(source: &ConfigMapVolumeSource) -> String {
        config_map("v", source, &Objects).unwrap_err().to_string()
    }

    #[test]
    fn all_keys_are_files_with_the_default_mode() {
        let files = config_map("v", &config(Vec::new()), &Objects).unwrap();
        let paths: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.mode))
            .collect();
        assert_eq!(paths, [("a", 0o644), ("b", 0o644), ("bin", 0o644)]);
        assert_eq!(files[2].bytes, [0xff, 0]);
    }

    #[test]
    fn items_choose_keys_paths_and_modes() {
        let mut source = config(vec![item("a", "x/y", Some(0o400)), item("b", "z", None)]);
        source.default_mode = Some(0o600);
        let files = config_map("v", &source, &Objects).unwrap();
        let got: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.mode))
            .collect();
        assert_eq!(got, [("x/y", 0o400), ("z", 0o600)]);
    }

    #[test]
    fn missing_objects_and_keys_are_refused_in_the_kubelets_words() {
        assert_eq!(
            refusal(&config(vec![item("k", "k", None)])),
            "MountVolume.SetUp failed for volume \"v\" : configmap references non-existent config key: k"
        );
        let mut source = config(Vec::new());
        source.name = "x".to_owned();
        let error = config_map("v", &source, &Objects).unwrap_err();
        assert_eq!(
            error.to_string(),
            "MountVolume.SetUp failed for volume \"v\" : configmap \"x\" not found"
        );
        assert_eq!(error.reason(), "FailedMount");
        let source = SecretVolumeSource {
            secret_name: Some("sec".to_owned()),
            items: Some(vec![item("z", "z", None)]),
            ..SecretVolumeSource::default()
        };
        assert!(
            secret("v", &source, &Objects)
                .unwrap_err()
                .to_string()
                .ends_with("references non-existent secret key: z")
        );
    }

    #[test]
    fn optional_leaves_out_what_is_missing() {
        let mut source = config(vec![item("k", "k", None), item("a", "a", None)]);
        source.optional = Some(true);
        assert_eq!(config_map("v", &source, &Objects).unwrap().len(), 1);
        source.name = "x".to_owned();
        assert!(config_map("v", &source, &Objects).unwrap().is_empty());
    }

    #[test]
    fn string_data_replaces_data() {
        let source = SecretVolumeSource {
            secret_name: Some("sec".to_owned()),
            ..SecretVolumeSource::default()
        };
        assert_eq!(secret("v", &source, &Objects).unwrap()[0].bytes, b"new");
    }

    #[test]
    fn paths_that_leave_the_volume_or_hide_its_links_are_refused() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "..data",
            "..",
            "a//b",
            "./a",
            "a/",
        ] {
            let text = refusal(&config(vec![item("a", path, None)]));
            assert!(text.contains("invalid path"), "{path}: {text}");
        }
        let mut source = config(Vec::new());
        source.default_mode = Some(0o1777);
        assert!(refusal(&source).contains("mode 1023"));
    }
}
