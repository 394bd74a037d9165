//! Puts the mounts of one container in place: preopens for directories, files into the root.

use std::io;
use std::path::{Path, PathBuf};

use wasmpod_manifest::k8s::VolumeMount;

use super::GuestPath;
use super::sub_path::{self, BadForm, Target};
use crate::disk::{HostDir, Mode};
use crate::volume::{Volume, VolumeRoot};
use crate::{Preopen, VolumeError};

/// Mode of the directories that are made for mount points; what container runtimes use.
pub(crate) const MOUNT_POINT_MODE: u32 = 0o755;

/// Bits that let somebody write, which a copied file loses.
const WRITE_BITS: u32 = 0o222;

/// Where, beside a container's root, the folders lie that are copied for it.
const COPIES: &str = "subpaths";

/// Where mounts are put.
pub(crate) struct Placing<'a> {
    pub(crate) container: &'a str,
    /// The directory of the attempt, which holds the root and what must not be seen in it.
    pub(crate) attempt: &'a HostDir,
    pub(crate) root: &'a HostDir,
    pub(crate) is_root_read_only: bool,
}

/// One mount, looked up: nothing is written yet but missing folders of sub-paths.
pub(crate) struct Mount<'a> {
    spec: &'a VolumeMount,
    path: GuestPath,
    volume: &'a Volume,
    is_read_only: bool,
    source: Source,
}

enum Source {
    Directory(HostDir),
    /// A folder of a volume that shows objects: it is copied, for it is not to change.
    Snapshot(HostDir),
    File {
        parent: HostDir,
        file: PathBuf,
    },
}

impl Mount<'_> {
    /// Whether this mount hides what the image has at `path`.
    pub(crate) fn hides(&self, path: &GuestPath) -> bool {
        match self.source {
            Source::Directory(_) | Source::Snapshot(_) => path.below(&self.path).is_some(),
            Source::File { .. } => *path == self.path,
        }
    }

    /// The directory behind a path, if it lies in this mount and may be written.
    fn writable_below(&self, path: &GuestPath) -> Option<(Option<&HostDir>, PathBuf)> {
        let dir = match &self.source {
            Source::Directory(dir) => (!self.is_read_only).then_some(dir),
            Source::Snapshot(_) => None,
            Source::File { .. } => return None,
        };
        Some((dir, path.below(&self.path)?))
    }

    fn refuse_path(&self, container: &str, rule: &'static str) -> VolumeError {
        bad_mount_path(container, self.spec, rule)
    }
}

fn bad_mount_path(container: &str, spec: &VolumeMount, rule: &'static str) -> VolumeError {
    VolumeError::BadMountPath {
        container: container.to_owned(),
        volume: spec.name.clone(),
        mount_path: spec.mount_path.clone(),
        rule,
    }
}

/// Looks up the mounts of a container, outer ones before those inside them.
pub(crate) fn resolve<'a>(
    container: &str,
    specs: &'a [VolumeMount],
    volumes: &'a [Volume],
) -> Result<Vec<Mount<'a>>, VolumeError> {
    let mut mounts: Vec<Mount<'a>> = Vec::with_capacity(specs.len());
    for spec in specs {
        let refuse = |rule| bad_mount_path(container, spec, rule);
        let path = GuestPath::parse(&spec.mount_path)
            .ok_or_else(|| refuse("a path cannot hold a NUL byte"))?;
        if path.is_root() {
            return Err(refuse("it would hide the container's root directory"));
        }
        if mounts.iter().any(|other| other.path == path) {
            return Err(refuse("another volume is mounted there"));
        }
        let volume = volumes
            .iter()
            .find(|volume| volume.name == spec.name)
            .ok_or_else(|| VolumeError::UnknownVolume {
                container: container.to_owned(),
                volume: spec.name.clone(),
            })?;
        let source = resolve_source(container, spec, volume)?;
        let is_read_only = spec.read_only == Some(true) || volume.is_read_only();
        mounts.push(Mount {
            spec,
            path,
            volume,
            is_read_only,
            source,
        });
    }
    mounts.sort_by_key(|mount| mount.path.depth());
    Ok(mounts)
}

fn resolve_source(
    container: &str,
    spec: &VolumeMount,
    volume: &Volume,
) -> Result<Source, VolumeError> {
    let sub_path = spec.sub_path.as_deref().unwrap_or_default();
    let refuse = |rule| VolumeError::BadSubPath {
        container: container.to_owned(),
        volume: spec.name.clone(),
        sub_path: sub_path.to_owned(),
        rule,
    };
    if spec
        .sub_path_expr
        .as_deref()
        .is_some_and(|expr| !expr.is_empty())
    {
        return Err(refuse(
            "and subPathExpr: an expression must be expanded before mounting",
        ));
    }
    let clean = sub_path::parse(sub_path).map_err(|wrong| match wrong {
        BadForm::Absolute => VolumeError::AbsoluteSubPath {
            sub_path: sub_path.to_owned(),
        },
        BadForm::GoesUp => VolumeError::SubPathGoesUp {
            sub_path: sub_path.to_owned(),
        },
        BadForm::Nul => refuse("must not contain a NUL byte"),
    })?;
    let root = match &volume.root {
        VolumeRoot::Directory(root) => root,
        VolumeRoot::File { parent, name } if clean.as_os_str().is_empty() => {
            return Ok(Source::File {
                parent: parent.clone(),
                file: name.into(),
            });
        }
        VolumeRoot::File { .. } => return Err(refuse("lies in a volume that is a single file")),
    };
    if clean.as_os_str().is_empty() {
        return Ok(Source::Directory(root.clone()));
    }
    // The kubelet makes a missing folder in any volume. In one whose contents are an object's keys
    // that would turn a misspelt key into an empty folder, so there it is an error.
    let create = (!volume.is_read_only()).then_some(volume.directory_mode);
    match sub_path::resolve(root, &clean, create) {
        Ok(Target::Directory(dir)) if volume.is_projected() => Ok(Source::Snapshot(dir)),
        Ok(Target::Directory(dir)) => Ok(Source::Directory(dir)),
        Ok(Target::File(file)) => Ok(Source::File {
            parent: root.clone(),
            file,
        }),
        Ok(Target::Other) => Err(refuse("is neither a directory nor a file")),
        Err(source) => Err(VolumeError::SubPath {
            container: container.to_owned(),
            volume: spec.name.clone(),
            sub_path: sub_path.to_owned(),
            source,
        }),
    }
}

/// Makes mount points, places files, and gives the preopens of the directories.
pub(crate) fn place(
    placing: &Placing<'_>,
    mounts: &[Mount<'_>],
) -> Result<Vec<Preopen>, VolumeError> {
    let mut preopens = Vec::with_capacity(mounts.len());
    for mount in mounts {
        let copy;
        match &mount.source {
            Source::File { parent, file } => placing.place_file(mounts, mount, parent, file)?,
            Source::Directory(dir) | Source::Snapshot(dir) => {
                let dir = if matches!(mount.source, Source::Snapshot(_)) {
                    copy = placing.copy_folder(dir, preopens.len())?;
                    &copy
                } else {
                    dir
                };
                let made = placing.make_directory(mounts, &mount.path, Some(mount));
                made.map_err(|error| {
                    if is_in_the_way(&error) {
                        mount.refuse_path(placing.container, "a file is in the way")
                    } else {
                        error
                    }
                })?;
                preopens.push(Preopen::new(
                    mount.path.to_string(),
                    mount.is_read_only,
                    dir.dir().clone(),
                    dir.path().to_owned(),
                ));
            }
        }
    }
    Ok(preopens)
}

fn is_in_the_way(error: &VolumeError) -> bool {
    matches!(error, VolumeError::Io { source, .. }
        if matches!(source.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory))
}

impl Placing<'_> {
    /// Makes a directory where the guest will see it: in the innermost mount around it, or in the
    /// root. In a mount that may not be written nothing is made.
    pub(crate) fn make_directory(
        &self,
        mounts: &[Mount<'_>],
        path: &GuestPath,
        itself: Option<&Mount<'_>>,
    ) -> Result<(), VolumeError> {
        let around = mounts
            .iter()
            .rev()
            .filter(|other| itself.is_none_or(|own| own.path != other.path))
            .find_map(|other| other.writable_below(path));
        let (dir, relative) = match around {
            Some((Some(dir), rest)) => (dir, rest),
            Some((None, _)) => return Ok(()),
            None => (self.root, path.in_root()),
        };
        if relative.as_os_str().is_empty() {
            return Ok(());
        }
        dir.try_create_all(&relative, MOUNT_POINT_MODE)
            .map_err(|source| dir.error("create directory", &relative, source))
    }

    fn place_file(
        &self,
        mounts: &[Mount<'_>],
        mount: &Mount<'_>,
        parent: &HostDir,
        file: &Path,
    ) -> Result<(), VolumeError> {
        let refuse = |rule| VolumeError::FileMount {
            container: self.container.to_owned(),
            volume: mount.spec.name.clone(),
            file: match &mount.volume.root {
                VolumeRoot::Directory(_) => file.display().to_string(),
                VolumeRoot::File { .. } => parent.path().join(file).display().to_string(),
            },
            mount_path: mount.spec.mount_path.clone(),
            rule,
        };
        if mounts
            .iter()
            .any(|other| other.writable_below(&mount.path).is_some())
        {
            return Err(refuse(
                "the path lies inside another volume that is mounted",
            ));
        }
        let target = mount.path.in_root();
        if let Some(outer) = mount.path.parent() {
            self.make_directory(mounts, &outer, None).map_err(|error| {
                if is_in_the_way(&error) {
                    refuse("a file is in the way")
                } else {
                    error
                }
            })?;
        }
        if mount.volume.is_projected() {
            return self.copy_file(parent, file, &target);
        }
        let is_of_host = matches!(mount.volume.root, VolumeRoot::File { .. });
        if is_of_host && mount.is_read_only && !self.is_root_read_only {
            return self.copy_read_only(parent, file, &target);
        }
        match (mount.is_read_only, self.is_root_read_only) {
            (true, false) => {
                return Err(refuse(
                    "`readOnly` cannot be kept for a single file of this volume in a writable root",
                ));
            }
            (false, true) => {
                return Err(refuse(
                    "with readOnlyRootFilesystem it could not be written; set `readOnly: true` if it need not be",
                ));
            }
            _ => {}
        }
        parent.dir().hard_link(file, self.root.dir(), &target).map_err(|source| {
            match source.kind() {
                io::ErrorKind::CrossesDevices => refuse(
                    "it lies on another file system than the container's root, so it cannot be shared as one file",
                ),
                io::ErrorKind::AlreadyExists => refuse("something is in the way"),
                io::ErrorKind::PermissionDenied => {
                    refuse("this host does not permit a second name for a file of another owner")
                }
                _ => parent.error("link", file, source),
            }
        })?;
        // A guest may have exchanged the file for a link since it was looked up. The link has then
        // been linked, not what it leads to; it is not what was to be mounted.
        let found = self.root.dir().symlink_metadata(&target);
        if found.is_ok_and(|found| found.is_file()) {
            Ok(())
        } else {
            Err(refuse("it was exchanged while it was mounted"))
        }
    }

    /// Copies a folder of keys as it is now, with the modes that it has.
    fn copy_folder(&self, from: &HostDir, number: usize) -> Result<HostDir, VolumeError> {
        let copies = self.attempt.open_or_create(COPIES, MOUNT_POINT_MODE)?;
        let copy = copies.create(number.to_string(), MOUNT_POINT_MODE)?;
        for (path, found) in from.files()? {
            if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                copy.try_create_all(parent, MOUNT_POINT_MODE)
                    .map_err(|source| copy.error("create directory", parent, source))?;
            }
            let bytes = from
                .dir()
                .read(&path)
                .map_err(|source| from.error("read", &path, source))?;
            copy.write_new(&path, &bytes, read_only_mode(&found))?;
        }
        Ok(copy)
    }

    /// Copies a file of any size, without the right to write to the copy.
    fn copy_read_only(
        &self,
        parent: &HostDir,
        file: &Path,
        target: &Path,
    ) -> Result<(), VolumeError> {
        let root = self.root.dir();
        let copied = parent.dir().copy(file, root, target).and_then(|_| {
            let mut permissions = root.metadata(target)?.permissions();
            permissions.set_readonly(true);
            root.set_permissions(target, permissions)
        });
        copied.map_err(|source| parent.error("copy", file, source))
    }

    fn copy_file(&self, parent: &HostDir, file: &Path, target: &Path) -> Result<(), VolumeError> {
        let read = |source| parent.error("read", file, source);
        let bytes = parent.dir().read(file).map_err(read)?;
        let mode = read_only_mode(&parent.dir().metadata(file).map_err(read)?);
        self.root.write_new(target, &bytes, mode)
    }
}

#[cfg(unix)]
fn read_only_mode(found: &cap_std::fs::Metadata) -> Mode {
    use cap_std::fs::PermissionsExt;
    Mode::Exact(found.permissions().mode() & 0o777 & !WRITE_BITS)
}

#[cfg(not(unix))]
fn read_only_mode(_found: &cap_std::fs::Metadata) -> Mode {
    Mode::Masked(0o777 & !WRITE_BITS)
}
