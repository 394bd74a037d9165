//! The images of this machine: each is read once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use wasmpod_image::{Image, ImageError};
use wasmpod_sandbox::{BoxFuture, ImageFailure, ImageSource};

/// Images by the folder of their manifest and their reference. A file is read once for a host: what was admitted is
/// what runs.
#[derive(Debug, Default)]
pub(crate) struct Images {
    known: Mutex<HashMap<(PathBuf, String), Arc<Image>>>,
}

impl Images {
    /// The image that `reference` names in a manifest of the folder `base`, read now if it is not known. Blocks.
    pub(crate) fn get(&self, reference: &str, base: &Path) -> Result<Arc<Image>, ImageError> {
        if let Some(image) = self.known(reference, base) {
            return Ok(image);
        }
        let image = wasmpod_image::resolve(reference, base)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (base.to_owned(), reference.to_owned());
        Ok(Arc::clone(known.entry(key).or_insert(image)))
    }

    fn known(&self, reference: &str, base: &Path) -> Option<Arc<Image>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(base.to_owned(), reference.to_owned())).cloned()
    }
}

/// The images as the pods of one manifest see them.
#[derive(Debug)]
pub(crate) struct ImagesOf {
    pub(crate) images: Arc<Images>,
    /// The folder of the manifest.
    pub(crate) base: PathBuf,
}

impl ImageSource for ImagesOf {
    fn resolve<'a>(
        &'a self,
        reference: &'a str,
        _pull_policy: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<Image>, ImageFailure>> {
        Box::pin(async move {
            if let Some(image) = self.images.known(reference, &self.base) {
                return Ok(image);
            }
            let (images, base) = (Arc::clone(&self.images), self.base.clone());
            let name = reference.to_owned();
            let read = tokio::task::spawn_blocking(move || {
                images
                    .get(&name, &base)
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
