//! Everything that can go wrong with a volume, in the kubelet's words where it has some.
//!
//! `Display` never repeats the source: the whole chain is printed in one place, by the caller.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a volume, a mount or a container's root could not be made or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The volume's source is one that this program does not offer.
    #[error(
        "MountVolume.SetUp failed for volume \"{volume}\" : volume source `{source_kind}` is not supported"
    )]
    UnsupportedSource {
        /// Name of the volume.
        volume: String,
        /// The field of the volume, such as `nfs`.
        source_kind: &'static str,
    },
    /// The name of a volume or a container cannot be the name of a directory.
    #[error("{what} name \"{name}\" cannot be the name of a directory")]
    BadName {
        /// `volume` or `container`.
        what: &'static str,
        /// The offending name.
        name: String,
    },
    /// Two volumes of one pod have the same name.
    #[error("volume \"{volume}\" is declared twice")]
    DuplicateVolume {
        /// The name that is there twice.
        volume: String,
    },
    /// The ConfigMap or Secret does not exist and is not optional.
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : {kind} \"{name}\" not found")]
    NotFound {
        /// Name of the volume.
        volume: String,
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Name of the missing object.
        name: String,
    },
    /// A claim, that of an ephemeral volume included, does not exist or is not bound.
    #[error("persistentvolumeclaim \"{claim}\" not found")]
    ClaimNotFound {
        /// Name of the claim.
        claim: String,
    },
    /// The downward API cannot say what a volume asks for.
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : {message}")]
    Downward {
        /// Name of the volume.
        volume: String,
        /// What the source of fields said.
        message: String,
    },
    /// One file of a volume would have to be a directory for another.
    #[error(
        "MountVolume.SetUp failed for volume \"{volume}\" : path \"{path}\" lies below \"{file}\", which is a file of the same volume"
    )]
    PathBelowFile {
        /// Name of the volume.
        volume: String,
        /// The path that cannot be made.
        path: String,
        /// The file that is in its way.
        file: String,
    },
    /// `items` names a key that the object has not, and the volume is not optional.
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : {rule}: {key}")]
    MissingKey {
        /// Name of the volume.
        volume: String,
        /// The kubelet's sentence: `configmap references non-existent config key`.
        rule: &'static str,
        /// The missing key.
        key: String,
    },
    /// A key, or the path of an item, that may not be a path within a volume.
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : invalid path \"{path}\": {rule}")]
    BadItemPath {
        /// Name of the volume.
        volume: String,
        /// The path as it was written.
        path: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The mode of an item, or a default mode, is not a file mode.
    #[error(
        "MountVolume.SetUp failed for volume \"{volume}\" : mode {mode} is not between 0 and 0777 (octal)"
    )]
    BadMode {
        /// Name of the volume.
        volume: String,
        /// The mode, in decimal as the API carries it.
        mode: i32,
    },
    /// The host path lies outside what the operator allows.
    #[error(
        "MountVolume.SetUp failed for volume \"{volume}\" : host path {path:?} is not allowed on this host{}",
        resolved_note(path, resolved)
    )]
    HostPathNotAllowed {
        /// Name of the volume.
        volume: String,
        /// The path as it was written.
        path: PathBuf,
        /// The same path with every link resolved.
        resolved: PathBuf,
    },
    /// The path of a hostPath volume is not absolute or holds `..`.
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : host path {path:?} {rule}")]
    BadHostPath {
        /// Name of the volume.
        volume: String,
        /// The path as it was written.
        path: PathBuf,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// What is at the host path is not what `type` asks for.
    #[error(
        "MountVolume.SetUp failed for volume \"{volume}\" : hostPath type check failed: {} {rule}",
        path.display()
    )]
    HostPathType {
        /// Name of the volume.
        volume: String,
        /// The path as it was written.
        path: PathBuf,
        /// The kubelet's words: `is not a directory`.
        rule: &'static str,
    },
    /// A mount names a volume that the pod has not.
    #[error("cannot find volume \"{volume}\" to mount into container \"{container}\"")]
    UnknownVolume {
        /// Name of the container.
        container: String,
        /// Name of the volume.
        volume: String,
    },
    /// The mount path cannot be used.
    #[error("container \"{container}\": cannot mount volume \"{volume}\" at {mount_path}: {rule}")]
    BadMountPath {
        /// Name of the container.
        container: String,
        /// Name of the volume.
        volume: String,
        /// The mount path as it was written.
        mount_path: String,
        /// Why not.
        rule: &'static str,
    },
    /// The sub-path starts at the root.
    #[error("error SubPath `{sub_path}` must not be an absolute path")]
    AbsoluteSubPath {
        /// The sub-path, after its variables were replaced.
        sub_path: String,
    },
    /// The sub-path goes up.
    #[error("unable to provision SubPath `{sub_path}`: must not contain '..'")]
    SubPathGoesUp {
        /// The sub-path, after its variables were replaced.
        sub_path: String,
    },
    /// A further instance was asked for beside a container that is not there.
    #[error("container \"{container}\" has no root directory of attempt {attempt}")]
    NotAttached {
        /// Name of the container.
        container: String,
        /// The attempt.
        attempt: u32,
    },
    /// The sub-path cannot be used.
    #[error(
        "failed to prepare subPath for volumeMount \"{volume}\" of container \"{container}\": \"{sub_path}\" {rule}"
    )]
    BadSubPath {
        /// Name of the container.
        container: String,
        /// Name of the volume.
        volume: String,
        /// The sub-path as it was written.
        sub_path: String,
        /// Why not.
        rule: &'static str,
    },
    /// Walking the sub-path failed: a component is missing or leads out of the volume.
    #[error(
        "failed to prepare subPath for volumeMount \"{volume}\" of container \"{container}\": \"{sub_path}\""
    )]
    SubPath {
        /// Name of the container.
        container: String,
        /// Name of the volume.
        volume: String,
        /// The sub-path as it was written.
        sub_path: String,
        /// What the file system, or the wall around the volume, said.
        source: io::Error,
    },
    /// A single file cannot be mounted this way; see the documentation of the crate's mounts.
    #[error(
        "container \"{container}\": cannot mount the single file \"{file}\" of volume \"{volume}\" at {mount_path}: {rule}"
    )]
    FileMount {
        /// Name of the container.
        container: String,
        /// Name of the volume.
        volume: String,
        /// The file within the volume; for a hostPath volume that is a file, its host path.
        file: String,
        /// The mount path as it was written.
        mount_path: String,
        /// Why not.
        rule: &'static str,
    },
    /// A path of a container's root cannot be made: a file where a directory must be, or `..`.
    #[error("container \"{container}\": cannot place {path} in the root directory: {rule}")]
    RootPath {
        /// Name of the container.
        container: String,
        /// Path as the guest would see it.
        path: String,
        /// Why not.
        rule: &'static str,
    },
    /// The host's file system refused.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was tried: `create directory`.
        action: &'static str,
        /// The path on the host.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The first failure, and others that followed.
    #[error(transparent)]
    Several(#[from] Failures),
}

fn resolved_note(path: &PathBuf, resolved: &PathBuf) -> String {
    if path == resolved {
        String::new()
    } else {
        format!(" (it leads to {resolved:?})")
    }
}

impl VolumeError {
    /// The reason that goes into the event and the container's waiting state.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnsupportedSource { .. }
            | Self::BadName { .. }
            | Self::DuplicateVolume { .. }
            | Self::NotFound { .. }
            | Self::ClaimNotFound { .. }
            | Self::Downward { .. }
            | Self::PathBelowFile { .. }
            | Self::MissingKey { .. }
            | Self::BadItemPath { .. }
            | Self::BadMode { .. }
            | Self::HostPathNotAllowed { .. }
            | Self::BadHostPath { .. }
            | Self::HostPathType { .. }
            | Self::Io { .. } => "FailedMount",
            Self::UnknownVolume { .. }
            | Self::BadMountPath { .. }
            | Self::BadSubPath { .. }
            | Self::AbsoluteSubPath { .. }
            | Self::SubPathGoesUp { .. }
            | Self::SubPath { .. } => "CreateContainerConfigError",
            Self::FileMount { .. } | Self::RootPath { .. } | Self::NotAttached { .. } => {
                "CreateContainerError"
            }
            Self::Several(failures) => failures.first.reason(),
        }
    }

    /// What the user can do about it, where acting on it is likely to work.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::HostPathNotAllowed { resolved, .. } => Some(format!(
                "allow it with --allow-host-path {}",
                resolved.display()
            )),
            Self::NotFound { kind, name, .. } => Some(format!(
                "add the {kind} \"{name}\" to the manifest, or mark the volume `optional: true`"
            )),
            Self::ClaimNotFound { claim } => Some(format!(
                "add the PersistentVolumeClaim \"{claim}\" to the manifest"
            )),
            Self::FileMount { .. } => Some(
                "mount the folder that holds the file instead, at a path of its own".to_owned(),
            ),
            Self::Io { path, source, .. } => io_hint(path, source.kind()),
            Self::Several(failures) => failures.first.hint(),
            _ => None,
        }
    }

    /// This error, and what failed while cleaning up after it.
    pub(crate) fn and(self, then: Vec<Self>) -> Self {
        if then.is_empty() {
            self
        } else {
            Failures {
                first: Box::new(self),
                then,
            }
            .into()
        }
    }

    /// All errors of an operation that goes on after the first one, as one; the first first.
    pub(crate) fn all(errors: Vec<Self>) -> Result<(), Self> {
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(()),
            Some(first) => Err(first.and(errors.collect())),
        }
    }
}

fn io_hint(path: &std::path::Path, kind: io::ErrorKind) -> Option<String> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(format!(
            "the file system of {} is full: free some space, or choose another with --state-dir",
            path.display()
        )),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            Some("choose a directory that can be written with --state-dir".to_owned())
        }
        _ => None,
    }
}

/// Several errors of one operation: a first one, and those that followed, while cleaning up or in
/// other volumes.
#[derive(Debug)]
pub struct Failures {
    /// What went wrong first; [`Error::source`] continues with its source.
    pub first: Box<VolumeError>,
    /// What went wrong afterwards, in order; never empty.
    pub then: Vec<VolumeError>,
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        for error in &self.then {
            write!(f, "; and then: {error}")?;
            // The chain can follow only the first error, so the others bring theirs along.
            let mut source = error.source();
            while let Some(cause) = source {
                write!(f, ": {cause}")?;
                source = cause.source();
            }
        }
        Ok(())
    }
}

impl Error for Failures {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io_error(action: &'static str, kind: io::ErrorKind) -> VolumeError {
        VolumeError::Io {
            action,
            path: PathBuf::from("/state/p"),
            source: kind.into(),
        }
    }

    #[test]
    fn both_failures_are_reported_the_first_first() {
        let first = io_error("write", io::ErrorKind::StorageFull);
        let both = first.and(vec![io_error("remove", io::ErrorKind::PermissionDenied)]);
        let text = both.to_string();
        assert!(text.starts_with("cannot write \"/state/p\"; and then: cannot remove"));
        assert!(text.ends_with("permission denied"), "{text}");
        assert_eq!(both.source().unwrap().to_string(), "no storage space");
        assert_eq!(both.reason(), "FailedMount");
        assert!(both.hint().unwrap().contains("full"));
    }

    #[test]
    fn hints_name_the_option_that_helps() {
        let hint = io_error("create", io::ErrorKind::ReadOnlyFilesystem)
            .hint()
            .unwrap();
        assert!(hint.contains("--state-dir"), "{hint}");
        assert!(io_error("create", io::ErrorKind::NotFound).hint().is_none());
    }

    #[test]
    fn a_refused_host_path_says_where_its_links_lead() {
        let error = VolumeError::HostPathNotAllowed {
            volume: "v".to_owned(),
            path: "/srv/link".into(),
            resolved: "/etc".into(),
        };
        assert_eq!(
            error.to_string(),
            "MountVolume.SetUp failed for volume \"v\" : host path \"/srv/link\" is not allowed on this host (it leads to \"/etc\")"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some("allow it with --allow-host-path /etc")
        );
    }
}
