//! The objects that pods refer to, as one namespace sees them.

use std::sync::Arc;

use wasmpod_manifest::k8s::{ConfigMap, ObjectMeta, Secret, Service};
use wasmpod_sandbox::PodSources;

/// All objects of the manifests besides the pods.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    config_maps: Vec<Arc<ConfigMap>>,
    secrets: Vec<Arc<Secret>>,
    services: Vec<Service>,
}

impl Objects {
    pub(crate) fn new(
        config_maps: Vec<ConfigMap>,
        secrets: Vec<Secret>,
        services: Vec<Service>,
    ) -> Self {
        Self {
            config_maps: config_maps.into_iter().map(Arc::new).collect(),
            secrets: secrets.into_iter().map(Arc::new).collect(),
            services,
        }
    }

    pub(crate) fn services(&self) -> &[Service] {
        &self.services
    }
}

/// [`Objects`] as the pods of one namespace see them.
#[derive(Debug)]
pub(crate) struct Namespaced {
    pub(crate) objects: Arc<Objects>,
    pub(crate) namespace: String,
}

impl Namespaced {
    fn has(&self, metadata: &ObjectMeta, name: &str) -> bool {
        metadata.namespace.as_deref() == Some(&self.namespace)
            && metadata.name.as_deref() == Some(name)
    }
}

impl PodSources for Namespaced {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.objects
            .config_maps
            .iter()
            .find(|object| self.has(&object.metadata, name))
            .cloned()
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.objects
            .secrets
            .iter()
            .find(|object| self.has(&object.metadata, name))
            .cloned()
    }

    fn services(&self) -> Vec<Service> {
        let services = self.objects.services.iter();
        services
            .filter(|service| service.metadata.namespace.as_deref() == Some(&self.namespace))
            .cloned()
            .collect()
    }
}
