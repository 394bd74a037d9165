//! hostPath volumes: a directory or a file of the host, where the operator allows it.
//!
//! The path counts as allowed when it lies in an allowed directory once all links are resolved.
//! It is then opened from that directory through cap-std, so a link that is swapped in between
//! the check and the opening (an earlier pod may have write access there) cannot lead out.
//!
//! Types: `""`, `Directory`, `DirectoryOrCreate`, `File`, `FileOrCreate`. For `""` the kubelet
//! checks nothing and the container runtime makes a directory where there is nothing; so here.
//! `Socket`, `CharDevice` and `BlockDevice` are checked as the kubelet checks them, and then
//! refused: a guest can open directories and ordinary files only.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use wasmpod_manifest::k8s::HostPathVolumeSource;

use crate::disk::{HostDir, Mode};
use crate::volume::VolumeRoot;
use crate::{VolumeError, VolumePolicy};

/// Mode of a directory that `DirectoryOrCreate` makes; the kubelet's.
const CREATED_DIR_MODE: u32 = 0o755;

/// Mode of a file that `FileOrCreate` makes; the kubelet's.
const CREATED_FILE_MODE: u32 = 0o644;

/// Opens the host's directory or file, and makes it where the type says so.
pub(crate) fn open(
    volume: &str,
    source: &HostPathVolumeSource,
    policy: &VolumePolicy,
) -> Result<VolumeRoot, VolumeError> {
    let wanted = Wanted::parse(volume, source)?;
    let path = Path::new(&source.path);
    check_form(volume, path)?;
    let (resolved, is_there) = resolve(path)?;
    let not_allowed = || VolumeError::HostPathNotAllowed {
        volume: volume.to_owned(),
        path: path.to_owned(),
        resolved: resolved.clone(),
    };
    let (prefix, inner) = policy
        .allow_host_path
        .iter()
        .filter_map(|prefix| {
            let prefix = prefix.canonicalize().ok()?;
            let inner = resolved.strip_prefix(&prefix).ok()?.to_owned();
            Some((prefix, inner))
        })
        .next()
        .ok_or_else(not_allowed)?;
    // The prefix itself: `.` is what cap-std calls the directory that it stands on.
    let inner = if inner.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        inner
    };
    let prefix = HostDir::open_ambient(&prefix)?;
    if !is_there {
        wanted.create(volume, path, &prefix, &inner)?;
    }
    wanted.open(volume, path, &prefix, &inner)
}

fn check_form(volume: &str, path: &Path) -> Result<(), VolumeError> {
    let refuse = |rule| {
        Err(VolumeError::BadHostPath {
            volume: volume.to_owned(),
            path: path.to_owned(),
            rule,
        })
    };
    if path
        .components()
        .any(|component| component == Component::ParentDir)
    {
        return refuse("must not contain '..'");
    }
    if !path.is_absolute() {
        return refuse("must be an absolute path");
    }
    Ok(())
}

/// The path with all links resolved, and whether anything is there. Where nothing is, the nearest
/// parent that exists is resolved.
fn resolve(path: &Path) -> Result<(PathBuf, bool), VolumeError> {
    let mut missing: Vec<&OsStr> = Vec::new();
    for ancestor in path.ancestors() {
        match ancestor.canonicalize() {
            Ok(mut resolved) => {
                resolved.extend(missing.iter().rev());
                return Ok((resolved, missing.is_empty()));
            }
            // A link that leads nowhere is not "nothing there": making its target would write
            // where the manifest did not say.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && ancestor.symlink_metadata().is_err() =>
            {
                missing.extend(ancestor.file_name());
            }
            Err(source) => {
                return Err(VolumeError::Io {
                    action: "resolve host path",
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
    Err(VolumeError::Io {
        action: "resolve host path",
        path: path.to_owned(),
        source: io::ErrorKind::NotFound.into(),
    })
}

/// What the volume's `type` asks for.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Anything,
    Directory { create: bool },
    File { create: bool },
    Special(Special),
}

/// What is neither a directory nor a file.
#[derive(Clone, Copy, PartialEq)]
enum Special {
    Socket,
    CharDevice,
    BlockDevice,
}

impl Special {
    /// The kubelet's words for something else in its place.
    fn is_not(self) -> &'static str {
        match self {
            Self::Socket => "is not a socket file",
            Self::CharDevice => "is not a character device",
            Self::BlockDevice => "is not a block device",
        }
    }

    #[cfg(unix)]
    fn is(self, found: &cap_std::fs::Metadata) -> bool {
        use cap_std::fs::FileTypeExt;
        let kind = found.file_type();
        match self {
            Self::Socket => kind.is_socket(),
            Self::CharDevice => kind.is_char_device(),
            Self::BlockDevice => kind.is_block_device(),
        }
    }

    #[cfg(not(unix))]
    fn is(self, _found: &cap_std::fs::Metadata) -> bool {
        false
    }
}

impl Wanted {
    fn parse(volume: &str, source: &HostPathVolumeSource) -> Result<Self, VolumeError> {
        Ok(match source.type_.as_deref().unwrap_or_default() {
            "" => Self::Anything,
            "Directory" => Self::Directory { create: false },
            "DirectoryOrCreate" => Self::Directory { create: true },
            "File" => Self::File { create: false },
            "FileOrCreate" => Self::File { create: true },
            "Socket" => Self::Special(Special::Socket),
            "CharDevice" => Self::Special(Special::CharDevice),
            "BlockDevice" => Self::Special(Special::BlockDevice),
            _ => {
                return Err(VolumeError::UnsupportedSource {
                    volume: volume.to_owned(),
                    source_kind: "hostPath of an unknown type",
                });
            }
        })
    }

    fn wrong_type(volume: &str, path: &Path, rule: &'static str) -> VolumeError {
        VolumeError::HostPathType {
            volume: volume.to_owned(),
            path: path.to_owned(),
            rule,
        }
    }

    fn create(
        self,
        volume: &str,
        path: &Path,
        prefix: &HostDir,
        inner: &Path,
    ) -> Result<(), VolumeError> {
        match self {
            Self::Anything | Self::Directory { create: true } => prefix
                .try_create_all(inner, CREATED_DIR_MODE)
                .map_err(|source| prefix.error("create directory", inner, source)),
            // The parent is not made: "FileOrCreate does not create the parent directory".
            Self::File { create: true } => {
                prefix.write_new(inner, &[], Mode::Masked(CREATED_FILE_MODE))
            }
            Self::Directory { create: false } => {
                Err(Self::wrong_type(volume, path, "is not a directory"))
            }
            Self::File { create: false } => Err(Self::wrong_type(volume, path, "is not a file")),
            Self::Special(special) => Err(Self::wrong_type(volume, path, special.is_not())),
        }
    }

    fn open(
        self,
        volume: &str,
        path: &Path,
        prefix: &HostDir,
        inner: &Path,
    ) -> Result<VolumeRoot, VolumeError> {
        let found = prefix
            .dir()
            .metadata(inner)
            .map_err(|source| prefix.error("look at", inner, source))?;
        if let Self::Special(special) = self {
            let rule = if special.is(&found) {
                "is neither a directory nor a file, and nothing else can be mounted"
            } else {
                special.is_not()
            };
            return Err(Self::wrong_type(volume, path, rule));
        }
        if found.is_dir() && !matches!(self, Self::File { .. }) {
            return Ok(VolumeRoot::Directory(prefix.open(inner)?));
        }
        match (self, inner.parent(), inner.file_name()) {
            (Self::Anything | Self::File { .. }, Some(parent), Some(name)) if found.is_file() => {
                let parent = if parent.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    parent
                };
                Ok(VolumeRoot::File {
                    parent: prefix.open(parent)?,
                    name: name.to_owned(),
                })
            }
            (Self::Directory { .. }, ..) => {
                Err(Self::wrong_type(volume, path, "is not a directory"))
            }
            (Self::File { .. }, ..) => Err(Self::wrong_type(volume, path, "is not a file")),
            (Self::Anything | Self::Special(_), ..) => Err(Self::wrong_type(
                volume,
                path,
                "is neither a directory nor a file",
            )),
        }
    }
}
