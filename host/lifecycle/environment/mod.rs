//! A container's environment: `env`, `envFrom`, the downward API, services, and what the image sets.
//!
//! Order and precedence are the kubelet's (`kubelet_pods.go` `makeEnvironmentVariables`): `envFrom` first, in order;
//! then `env`, where a value may refer to what stands before it and to service variables with `$(NAME)`; service
//! variables only where nothing of that name is set. Below all of it lie the image's own variables and `HOSTNAME`,
//! which the container runtime sets.

pub mod expand;
mod field;
pub mod services;
#[cfg(test)]
mod tests;

use wasmpod_manifest::k8s::{
    ConfigMap, Container, EnvFromSource, EnvVar, EnvVarSource, Pod, Secret, Service,
};

pub use field::{PodFacts, field_value, resource_value};

/// The objects that an environment may refer to, all in the pod's namespace.
pub trait EnvironmentSources {
    /// The ConfigMap of this name.
    fn config_map(&self, name: &str) -> Option<ConfigMap>;
    /// The Secret of this name.
    fn secret(&self, name: &str) -> Option<Secret>;
    /// The services of the pod's namespace.
    fn services(&self) -> Vec<Service>;
}

/// Why an environment cannot be made. The messages are the kubelet's; the reason is always
/// `CreateContainerConfigError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A ConfigMap or Secret is missing.
    #[error("{kind} \"{name}\" not found")]
    NotFound {
        /// `configmap` or `secret`
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It is there but has no such key.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    NoKey {
        /// The key.
        key: String,
        /// `ConfigMap` or `Secret`
        kind: &'static str,
        /// The pod's namespace.
        namespace: String,
        /// The object's name.
        name: String,
    },
    /// A value is not UTF-8, which an environment of WASI must be.
    #[error(
        "key {key} in {kind} {namespace}/{name} is not valid UTF-8 and cannot be an environment variable"
    )]
    NotText {
        /// The key.
        key: String,
        /// `Secret`
        kind: &'static str,
        /// The pod's namespace.
        namespace: String,
        /// The object's name.
        name: String,
    },
    /// The downward API has no such field.
    #[error("unsupported fieldPath: {path}")]
    UnsupportedField {
        /// The `fieldPath`.
        path: String,
    },
    /// A field that has no parts is asked for one.
    #[error("fieldPath \"{path}\" does not support subscript")]
    NoSubscript {
        /// The field, without the subscript.
        path: String,
    },
    /// The downward API has no such resource.
    #[error("unsupported container resource: {resource}")]
    UnsupportedResource {
        /// The `resource`.
        resource: String,
    },
    /// A `resourceFieldRef` names another container that does not exist.
    #[error("container {container} not found")]
    NoContainer {
        /// The `containerName`.
        container: String,
    },
}

impl EnvironmentError {
    /// The kubelet's word for the waiting state.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        "CreateContainerConfigError"
    }
}

/// A container's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// What Kubernetes sets, each name once. References in `command` and `args` see only this.
    pub own: Vec<(String, String)>,
    /// Keys of `envFrom` that cannot be names of variables and were left out.
    pub invalid_names: Vec<String>,
}

impl Environment {
    /// All of it: the image's variables, `HOSTNAME`, and [`own`](Self::own), later ones replacing earlier ones.
    #[must_use]
    pub fn over_image(&self, image: &[(String, String)], hostname: &str) -> Vec<(String, String)> {
        let mut all = Variables::default();
        for (name, value) in image {
            all.set(name, value.clone());
        }
        all.set("HOSTNAME", hostname.to_owned());
        for (name, value) in &self.own {
            all.set(name, value.clone());
        }
        all.list
    }
}

/// Variables in the order of their first appearance.
#[derive(Debug, Default)]
struct Variables {
    list: Vec<(String, String)>,
}

impl Variables {
    fn set(&mut self, name: &str, value: String) {
        match self.list.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.list.push((name.to_owned(), value)),
        }
    }
}

/// Makes the environment of `container`.
///
/// # Errors
/// Something that it refers to, and that is not optional, is missing.
pub fn resolve(
    pod: &Pod,
    container: &Container,
    facts: &PodFacts,
    sources: &dyn EnvironmentSources,
) -> Result<Environment, EnvironmentError> {
    let links = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.enable_service_links)
        .unwrap_or(true);
    let services = if links {
        services::variables(&sources.services())
    } else {
        Vec::new()
    };
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let resolver = Resolver {
        pod,
        container,
        facts,
        sources,
        namespace,
    };
    let mut own = Variables::default();
    let mut invalid_names = Vec::new();
    for from in container.env_from.iter().flatten() {
        for (name, value) in resolver.env_from(from)? {
            if is_variable_name(&name) {
                own.set(&name, value);
            } else {
                invalid_names.push(name);
            }
        }
    }
    for var in container.env.iter().flatten() {
        let value = match (&var.value, &var.value_from) {
            (Some(text), _) if !text.is_empty() => Some(expand::expand(text, |name| {
                expand::lookup(&own.list, name).or_else(|| expand::lookup(&services, name))
            })),
            (_, Some(from)) => resolver.value_from(var, from)?,
            _ => Some(String::new()),
        };
        if let Some(value) = value {
            own.set(&var.name, value);
        }
    }
    for (name, value) in services {
        if expand::lookup(&own.list, &name).is_none() {
            own.set(&name, value);
        }
    }
    Ok(Environment {
        own: own.list,
        invalid_names,
    })
}

/// Kubernetes takes every printable ASCII name without `=` (since 1.34).
fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}

struct Resolver<'a> {
    pod: &'a Pod,
    container: &'a Container,
    facts: &'a PodFacts,
    sources: &'a dyn EnvironmentSources,
    namespace: &'a str,
}

impl Resolver<'_> {
    fn env_from(&self, from: &EnvFromSource) -> Result<Vec<(String, String)>, EnvironmentError> {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        let mut out = Vec::new();
        if let Some(source) = &from.config_map_ref {
            match self.sources.config_map(&source.name) {
                Some(map) => {
                    let data = map.data.unwrap_or_default().into_iter();
                    out.extend(data.map(|(key, value)| (format!("{prefix}{key}"), value)));
                }
                None if source.optional == Some(true) => {}
                None => return Err(not_found("configmap", &source.name)),
            }
        }
        if let Some(source) = &from.secret_ref {
            match self.sources.secret(&source.name) {
                Some(secret) => {
                    for (key, value) in secret.data.unwrap_or_default() {
                        let value = self.text(value.0, &key, &source.name)?;
                        out.push((format!("{prefix}{key}"), value));
                    }
                }
                None if source.optional == Some(true) => {}
                None => return Err(not_found("secret", &source.name)),
            }
        }
        Ok(out)
    }

    fn value_from(
        &self,
        var: &EnvVar,
        from: &EnvVarSource,
    ) -> Result<Option<String>, EnvironmentError> {
        if let Some(field) = &from.field_ref {
            return field_value(self.pod, self.facts, &field.field_path).map(Some);
        }
        if let Some(resource) = &from.resource_field_ref {
            return resource_value(self.pod, Some(self.container), resource, self.facts).map(Some);
        }
        if let Some(source) = &from.config_map_key_ref {
            let optional = source.optional == Some(true);
            return match self.sources.config_map(&source.name) {
                Some(map) => match map.data.unwrap_or_default().remove(&source.key) {
                    Some(value) => Ok(Some(value)),
                    None if optional => Ok(None),
                    None => Err(self.no_key("ConfigMap", &source.name, &source.key)),
                },
                None if optional => Ok(None),
                None => Err(not_found("configmap", &source.name)),
            };
        }
        if let Some(source) = &from.secret_key_ref {
            let optional = source.optional == Some(true);
            return match self.sources.secret(&source.name) {
                Some(secret) => match secret.data.unwrap_or_default().remove(&source.key) {
                    Some(value) => self.text(value.0, &source.key, &source.name).map(Some),
                    None if optional => Ok(None),
                    None => Err(self.no_key("Secret", &source.name, &source.key)),
                },
                None if optional => Ok(None),
                None => Err(not_found("secret", &source.name)),
            };
        }
        // The manifest's rules let nothing else through; a source of a later Kubernetes has no value here.
        Err(EnvironmentError::UnsupportedField {
            path: format!("env[{}].valueFrom", var.name),
        })
    }

    fn text(&self, value: Vec<u8>, key: &str, name: &str) -> Result<String, EnvironmentError> {
        String::from_utf8(value).map_err(|_| EnvironmentError::NotText {
            key: key.to_owned(),
            kind: "Secret",
            namespace: self.namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    fn no_key(&self, kind: &'static str, name: &str, key: &str) -> EnvironmentError {
        EnvironmentError::NoKey {
            key: key.to_owned(),
            kind,
            namespace: self.namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

fn not_found(kind: &'static str, name: &str) -> EnvironmentError {
    EnvironmentError::NotFound {
        kind,
        name: name.to_owned(),
    }
}
