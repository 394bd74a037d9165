//! Where the contents of configMap and secret volumes come from: a port, so that this crate knows
//! neither the API store nor the manifest files.

use std::sync::Arc;

use wasmpod_manifest::k8s::{ConfigMap, Secret};

/// Looks up objects in the pod's own namespace.
pub trait VolumeSources {
    /// The ConfigMap of that name, if there is one.
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>>;

    /// The Secret of that name, if there is one.
    fn secret(&self, name: &str) -> Option<Arc<Secret>>;
}
