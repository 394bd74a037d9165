//! The volumes of one pod and the roots of its containers: what is held between acquire and release.
//!
//! Everything that is made is written down in the order of its making and removed in reverse. An
//! operation that fails half-way removes what it made, and reports both failures if that fails too.
//! Making is in `acquire.rs`, the roots of containers are in `attach.rs`, what changes while they
//! run is in `refresh.rs`, and what they use of the disk in `usage.rs`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Mutex, RwLock};

use crate::VolumeError;
use crate::attach::Attached;
use crate::disk::HostDir;
use crate::projected::Immutable;
use crate::volume::Volume;

/// The volumes of one pod, and the root directories of its containers.
///
/// Dropping it without [`release`](Self::release) removes everything too, but tells nobody when
/// that fails.
#[derive(Debug)]
pub struct PodVolumes {
    pub(crate) volumes: Vec<Volume>,
    pub(crate) containers: Option<HostDir>,
    /// What release removes, in the order in which it was made: a name in a directory.
    pub(crate) made: Vec<(HostDir, OsString)>,
    /// The roots that are there, by container and attempt.
    pub(crate) attached: Mutex<HashMap<(String, u32), Attached>>,
    /// The immutable objects that volumes have shown.
    pub(crate) immutable: Immutable,
    /// Held for writing while volumes are refreshed, and for reading while a container is attached:
    /// its single files are all of one generation. Taken before every other lock.
    pub(crate) generation: RwLock<()>,
}

impl PodVolumes {
    pub(crate) fn empty() -> Self {
        Self {
            volumes: Vec::new(),
            containers: None,
            made: Vec::new(),
            attached: Mutex::default(),
            immutable: Immutable::default(),
            generation: RwLock::default(),
        }
    }

    /// Removes all roots and volumes, in reverse order of making; what hostPath volumes and claims
    /// hold stays.
    ///
    /// # Errors
    ///
    /// Everything that could not be removed, the first failure first; the rest is removed.
    pub fn release(mut self) -> Result<(), VolumeError> {
        VolumeError::all(self.remove_all())
    }

    pub(crate) fn remove_all(&mut self) -> Vec<VolumeError> {
        // Closed first: Windows does not remove a directory that is open.
        self.volumes.clear();
        self.containers = None;
        self.attached = Mutex::default();
        let mut errors = Vec::new();
        while let Some((parent, name)) = self.made.pop() {
            errors.extend(parent.remove(&name).err());
        }
        errors
    }
}

impl Drop for PodVolumes {
    fn drop(&mut self) {
        // `release` has done it, and told; here nobody listens.
        self.remove_all();
    }
}

/// Names come from a checked manifest; this holds the wall even if one did not.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), VolumeError> {
    let is_good = !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':', '\0']);
    if is_good {
        Ok(())
    } else {
        Err(VolumeError::BadName {
            what,
            name: name.to_owned(),
        })
    }
}
