//! Where the contents of volumes come from: a port, so that this crate knows neither the API store,
//! nor the manifest files, nor the pod that it works for.

use std::path::PathBuf;
use std::sync::Arc;

use wasmpod_manifest::k8s::{ConfigMap, ObjectFieldSelector, ResourceFieldSelector, Secret};

/// Looks up what the volumes of one pod refer to; objects are those of the pod's own namespace.
pub trait VolumeSources {
    /// The ConfigMap of that name, if there is one.
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>>;

    /// The Secret of that name, if there is one.
    fn secret(&self, name: &str) -> Option<Arc<Secret>>;

    /// The value of a field of the pod (downward API).
    ///
    /// # Errors
    ///
    /// There is no such field; the text says so.
    fn field(&self, field: &ObjectFieldSelector) -> Result<String, String>;

    /// The value of a limit or request of one of the pod's containers (downward API).
    ///
    /// # Errors
    ///
    /// There is no such container or resource; the text says so.
    fn resource_field(&self, field: &ResourceFieldSelector) -> Result<String, String>;

    /// The directory behind the PersistentVolumeClaim of that name, if there is one and it is bound.
    fn claim(&self, name: &str) -> Option<Claim>;
}

/// What a PersistentVolumeClaim is bound to on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The directory: it exists, and outlives the pod.
    pub path: PathBuf,
    /// Nothing in it may be changed through this claim.
    pub read_only: bool,
}
