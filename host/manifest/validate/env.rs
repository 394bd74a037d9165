//! The rules of environment variables and their sources.

use super::{Findings, Path, downward, names};
use crate::k8s::{Container, EnvFromSource, EnvVar, EnvVarSource};

/// Holds the rules of `env` and `envFrom`.
pub(super) fn env(container: &Container, path: &Path, findings: &mut Findings) {
    for (index, variable) in container.env.iter().flatten().enumerate() {
        env_var(variable, &path.field("env").index(index), findings);
    }
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        env_from(source, &path.field("envFrom").index(index), findings);
    }
}

fn env_var(variable: &EnvVar, path: &Path, findings: &mut Findings) {
    let name = path.field("name");
    if variable.name.is_empty() {
        findings.required("env/name", &name, "");
    } else {
        findings.all(
            "env/name",
            &name,
            &variable.name,
            names::env_var(&variable.name),
        );
    }
    let Some(source) = &variable.value_from else {
        return;
    };
    let path = path.field("valueFrom");
    if variable
        .value
        .as_deref()
        .is_some_and(|value| !value.is_empty())
    {
        findings.invalid(
            "env/value-from",
            &path,
            "",
            "may not be specified when `value` is not empty",
        );
    }
    value_from(source, &path, findings);
}

fn value_from(source: &EnvVarSource, path: &Path, findings: &mut Findings) {
    let set = [
        source.config_map_key_ref.is_some(),
        source.field_ref.is_some(),
        source.file_key_ref.is_some(),
        source.resource_field_ref.is_some(),
        source.secret_key_ref.is_some(),
    ];
    match set.iter().filter(|set| **set).count() {
        0 => findings.invalid(
            "env/value-from",
            path,
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        1 => {}
        _ => findings.invalid("env/value-from", path, "", "may not have more than one field specified at a time"),
    }
    if let Some(reference) = &source.config_map_key_ref {
        key_ref(
            &reference.name,
            &reference.key,
            &path.field("configMapKeyRef"),
            findings,
        );
    }
    if let Some(reference) = &source.secret_key_ref {
        key_ref(
            &reference.name,
            &reference.key,
            &path.field("secretKeyRef"),
            findings,
        );
    }
    if let Some(reference) = &source.field_ref {
        let path = path.field("fieldRef");
        downward::field_ref(reference, &path, downward::ENV_FIELDS, findings);
    }
    if let Some(reference) = &source.resource_field_ref {
        let path = path.field("resourceFieldRef");
        downward::resource_field_ref(reference, &path, false, findings);
    }
}

fn key_ref(name: &str, key: &str, path: &Path, findings: &mut Findings) {
    if name.is_empty() {
        findings.required("env/source-name", &path.field("name"), "");
    } else {
        findings.all(
            "env/source-name",
            &path.field("name"),
            name,
            names::dns1123_subdomain(name),
        );
    }
    if key.is_empty() {
        findings.required("env/source-key", &path.field("key"), "");
    } else {
        findings.all(
            "env/source-key",
            &path.field("key"),
            key,
            names::config_key(key),
        );
    }
}

fn env_from(source: &EnvFromSource, path: &Path, findings: &mut Findings) {
    if let Some(prefix) = source.prefix.as_deref() {
        findings.all(
            "env/prefix",
            &path.field("prefix"),
            prefix,
            names::env_var(prefix),
        );
    }
    let references = [
        (
            "configMapRef",
            source.config_map_ref.as_ref().map(|r| r.name.as_str()),
        ),
        (
            "secretRef",
            source.secret_ref.as_ref().map(|r| r.name.as_str()),
        ),
    ];
    match references.iter().filter(|(_, name)| name.is_some()).count() {
        0 => findings.invalid(
            "env/from",
            path,
            "",
            "must specify one of: `configMapRef` or `secretRef`",
        ),
        1 => {}
        _ => findings.invalid(
            "env/from",
            path,
            "",
            "may not have more than one field specified at a time",
        ),
    }
    for (field, name) in references {
        let path = path.field(field).field("name");
        match name {
            None => {}
            Some("") => findings.required("env/source-name", &path, ""),
            Some(name) => findings.all(
                "env/source-name",
                &path,
                name,
                names::dns1123_subdomain(name),
            ),
        }
    }
}
