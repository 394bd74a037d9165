//! What changes in volumes while containers run: the keys of objects, and the pod's own metadata.

use std::sync::PoisonError;

use crate::volume::{Kind, VolumeRoot};
use crate::{PodVolumes, VolumeError, VolumeSources, projected};

impl PodVolumes {
    /// Writes the configMap, secret, downwardAPI and projected volumes anew from what `sources` say
    /// now. Each volume changes all at once: who opens files by their paths sees all old or all new
    /// ones, and a key that is gone disappears. `true` if something has changed.
    ///
    /// What was mounted with `subPath` stays as it was when its container started, and an object
    /// that was seen as `immutable` is not asked for again; both are the kubelet's rules. An
    /// optional object may come and go.
    ///
    /// # Errors
    ///
    /// A volume that cannot be written, among others because an object that is not optional has
    /// gone: that volume keeps its contents, and all others are refreshed.
    pub fn refresh(&self, sources: &dyn VolumeSources) -> Result<bool, VolumeError> {
        let _all_of_it = self
            .generation
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let sources = self.immutable.over(sources);
        let mut has_changed = false;
        let mut errors = Vec::new();
        for volume in &self.volumes {
            let (Kind::Projected(spec), VolumeRoot::Directory(dir)) = (&volume.kind, &volume.root)
            else {
                continue;
            };
            let written =
                projected::files(spec, &sources).and_then(|files| projected::write(dir, &files));
            match written {
                Ok(changed) => has_changed |= changed,
                Err(error) => errors.push(error),
            }
        }
        VolumeError::all(errors).map(|()| has_changed)
    }
}
