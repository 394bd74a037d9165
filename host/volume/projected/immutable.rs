//! Remembers objects that are marked `immutable`: one that a pod has seen is never asked for again
//! while the pod lives, as the kubelet stops watching it (`configmap#configmap-immutable`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmpod_manifest::k8s::{ConfigMap, ObjectFieldSelector, ResourceFieldSelector, Secret};

use crate::{Claim, VolumeSources};

/// The immutable objects that a pod's volumes have shown, by name.
#[derive(Debug, Default)]
pub(crate) struct Immutable {
    config_maps: Mutex<HashMap<String, Arc<ConfigMap>>>,
    secrets: Mutex<HashMap<String, Arc<Secret>>>,
}

impl Immutable {
    /// `sources` with these objects before them.
    pub(crate) fn over<'a>(&'a self, sources: &'a dyn VolumeSources) -> OverSources<'a> {
        OverSources {
            immutable: self,
            sources,
        }
    }
}

/// Sources whose immutable objects stay as they were first seen.
pub(crate) struct OverSources<'a> {
    immutable: &'a Immutable,
    sources: &'a dyn VolumeSources,
}

impl VolumeSources for OverSources<'_> {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        first_seen(&self.immutable.config_maps, name, || {
            let object = self.sources.config_map(name)?;
            let is_immutable = object.immutable == Some(true);
            Some((object, is_immutable))
        })
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        first_seen(&self.immutable.secrets, name, || {
            let object = self.sources.secret(name)?;
            let is_immutable = object.immutable == Some(true);
            Some((object, is_immutable))
        })
    }

    fn field(&self, field: &ObjectFieldSelector) -> Result<String, String> {
        self.sources.field(field)
    }

    fn resource_field(&self, field: &ResourceFieldSelector) -> Result<String, String> {
        self.sources.resource_field(field)
    }

    fn claim(&self, name: &str) -> Option<Claim> {
        self.sources.claim(name)
    }
}

fn first_seen<T>(
    seen: &Mutex<HashMap<String, Arc<T>>>,
    name: &str,
    ask: impl FnOnce() -> Option<(Arc<T>, bool)>,
) -> Option<Arc<T>> {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(object) = seen.get(name) {
        return Some(Arc::clone(object));
    }
    let (object, is_immutable) = ask()?;
    if is_immutable {
        seen.insert(name.to_owned(), Arc::clone(&object));
    }
    Some(object)
}
