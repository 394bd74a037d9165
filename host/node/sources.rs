//! The objects that pods refer to, as one namespace sees them in the store.

use std::path::PathBuf;
use std::sync::Arc;

use wasmpod_manifest::k8s::{ConfigMap, Secret, Service};
use wasmpod_sandbox::PodSources;
use wasmpod_store::{Kind, Object, Store};
use wasmpod_volume::Claim;

use crate::claims;

/// The store as the pods of one namespace see it.
#[derive(Debug)]
pub(crate) struct Namespaced {
    pub(crate) store: Store,
    pub(crate) namespace: String,
    /// What hostPath volumes may reach.
    pub(crate) allow_host_path: Vec<PathBuf>,
}

impl Namespaced {
    fn get<T>(&self, kind: Kind, name: &str) -> Option<T>
    where
        T: TryFrom<Object>,
    {
        T::try_from(self.store.get(kind, Some(&self.namespace), name)?).ok()
    }
}

impl PodSources for Namespaced {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.get(Kind::ConfigMap, name)
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.get(Kind::Secret, name)
    }

    fn services(&self) -> Vec<Service> {
        let (services, _) = self.store.list(Kind::Service, Some(&self.namespace));
        let services = services
            .into_iter()
            .filter_map(|object| <Arc<Service>>::try_from(object).ok());
        services.map(Arc::unwrap_or_clone).collect()
    }

    fn claim(&self, name: &str) -> Option<Claim> {
        claims::directory(&self.store, &self.namespace, name, &self.allow_host_path)
    }
}
