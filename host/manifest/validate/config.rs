//! The rules of config maps and secrets.

use super::{Finding, Findings, Path, metadata, names};
use crate::k8s::{ConfigMap, Secret};
use crate::report::ViolationKind;

/// The size of all values of a config map or secret together, in bytes.
/// Source: `MaxSecretSize` of the core API, which both kinds share. More is a violation.
const MAX_DATA_BYTES: usize = 1024 * 1024;

/// Holds every rule of a config map.
pub(crate) fn config_map(map: &ConfigMap, findings: &mut Findings) {
    metadata::metadata(&map.metadata, names::dns1123_subdomain, findings);
    let mut size = 0;
    let (data, binary) = (Path::root().field("data"), Path::root().field("binaryData"));
    for (key, value) in map.data.iter().flatten() {
        config_key(&data, key, findings);
        size += value.len();
    }
    for (key, value) in map.binary_data.iter().flatten() {
        config_key(&binary, key, findings);
        size += value.0.len();
        if map.data.as_ref().is_some_and(|data| data.contains_key(key)) {
            findings.push(
                Finding::new(
                    "config/duplicate-key",
                    ViolationKind::Invalid,
                    &binary.key(key),
                )
                .quoted(key)
                .detail("duplicate of key present in data"),
            );
        }
    }
    total_size(size, &data, findings);
}

/// Holds every rule of a secret whose `stringData` was merged into `data`.
pub(crate) fn secret(secret: &Secret, findings: &mut Findings) {
    metadata::metadata(&secret.metadata, names::dns1123_subdomain, findings);
    let path = Path::root().field("data");
    let mut size = 0;
    for (key, value) in secret.data.iter().flatten() {
        config_key(&path, key, findings);
        size += value.0.len();
    }
    total_size(size, &path, findings);
    let has = |key: &str| {
        secret
            .data
            .as_ref()
            .is_some_and(|data| data.contains_key(key))
    };
    let needed: &[&str] = match secret.type_.as_deref().unwrap_or_default() {
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            &["username", "password"]
        }
        _ => &[],
    };
    for key in needed.iter().filter(|key| !has(key)) {
        findings.required("secret/type-key", &path.key(key), "");
    }
}

fn config_key(path: &Path, key: &str, findings: &mut Findings) {
    for detail in names::config_key(key) {
        let mut finding = Finding::new("config/key", ViolationKind::Invalid, &path.key(key))
            .quoted(key)
            .detail(detail);
        finding.on_key = true;
        findings.push(finding);
    }
}

fn total_size(size: usize, path: &Path, findings: &mut Findings) {
    if size > MAX_DATA_BYTES {
        findings.push(
            Finding::new("config/size", ViolationKind::TooLong, path)
                .detail(format!("may not be more than {MAX_DATA_BYTES} bytes")),
        );
    }
}
