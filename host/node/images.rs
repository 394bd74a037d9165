//! The images of this machine: each is read once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wasmpod_image::{Image, ImageError};
use wasmpod_sandbox::{BoxFuture, ImageFailure, ImageSource};

/// Images by reference. A file is read once for a host: what was admitted is what runs.
#[derive(Debug)]
pub(crate) struct Images {
    base: PathBuf,
    known: Mutex<HashMap<String, Arc<Image>>>,
}

impl Images {
    /// Images whose relative paths count from `base`.
    pub(crate) fn new(base: PathBuf) -> Self {
        Self {
            base,
            known: Mutex::default(),
        }
    }

    /// The image that `reference` names, read now if it is not known. Blocks.
    pub(crate) fn get(&self, reference: &str) -> Result<Arc<Image>, ImageError> {
        if let Some(image) = self.known(reference) {
            return Ok(image);
        }
        let image = wasmpod_image::resolve(reference, &self.base)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(
            known.entry(reference.to_owned()).or_insert(image),
        ))
    }

    fn known(&self, reference: &str) -> Option<Arc<Image>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(reference)
            .cloned()
    }
}

/// The sandboxes' view: what admission has read.
#[derive(Debug)]
pub(crate) struct KnownImages(pub(crate) Arc<Images>);

impl ImageSource for KnownImages {
    fn resolve<'a>(
        &'a self,
        reference: &'a str,
        _pull_policy: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<Image>, ImageFailure>> {
        Box::pin(async move {
            if let Some(image) = self.0.known(reference) {
                return Ok(image);
            }
            let (images, name) = (Arc::clone(&self.0), reference.to_owned());
            let read = tokio::task::spawn_blocking(move || {
                images
                    .get(&name)
                    .map_err(|error| ImageFailure::from(&error))
            });
            read.await.unwrap_or_else(|_| {
                Err(ImageFailure {
                    reason: "ErrImagePull",
                    message: format!("image \"{reference}\": reading it was given up"),
                })
            })
        })
    }
}
