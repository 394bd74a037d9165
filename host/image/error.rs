//! Why an image cannot be had, with the reason that a kubelet would show.

use std::io;
use std::path::PathBuf;

use crate::format::FormatError;

/// Why an image cannot be had. Display leaves out the source; hints come separately.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The reference breaks the grammar of image names.
    #[error("image \"{reference}\": invalid reference format: {detail}")]
    InvalidName {
        /// As written.
        reference: String,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// An ordinary image name that is no built-in image.
    #[error(
        "image \"{reference}\": no built-in image of this name, and none is pulled from a registry"
    )]
    NotBuiltIn {
        /// As written.
        reference: String,
        /// The built-in image that may be meant.
        similar: Option<&'static str>,
    },
    /// A built-in image asked for by the digest of the image whose name it answers to.
    #[error("image \"{reference}\": a built-in image has not the bytes that this digest names")]
    Pinned {
        /// As written.
        reference: String,
    },
    /// The module's file cannot be read.
    #[error("image \"{reference}\": cannot read `{path}`", path = path.display())]
    Read {
        /// As written.
        reference: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The module's file is larger than [`MAX_MODULE_BYTES`](crate::MAX_MODULE_BYTES).
    #[error("image \"{reference}\": the file has {len} bytes; a module may have {max}")]
    TooLarge {
        /// As written.
        reference: String,
        /// The file's length in bytes.
        len: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The file is no WebAssembly program.
    #[error("image \"{reference}\": {format}")]
    Format {
        /// As written.
        reference: String,
        /// What it is instead.
        format: FormatError,
    },
    /// A built-in image does not unpack: this program's file is damaged.
    #[error("built-in image \"{name}\": its packed module is damaged")]
    Damaged {
        /// The image's name.
        name: String,
        /// What the decompressor says.
        source: io::Error,
    },
}

impl ImageError {
    /// The reason that a container waits with, in the kubelet's words (pkg/kubelet/images, types.go).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidName { .. } => "InvalidImageName",
            Self::NotBuiltIn { .. }
            | Self::Pinned { .. }
            | Self::Read { .. }
            | Self::TooLarge { .. }
            | Self::Format { .. }
            | Self::Damaged { .. } => "ErrImagePull",
        }
    }

    /// What is likely to help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidName { .. } => None,
            Self::NotBuiltIn { similar: Some(similar), .. } => Some(format!("did you mean \"{similar}\"?")),
            Self::NotBuiltIn { similar: None, .. } => Some(
                "`wasmpod image ls` lists the built-in images; for a program of yours give its file, \
                 e.g. image: ./program.wasm"
                    .to_owned(),
            ),
            Self::Pinned { .. } => Some("leave out the digest to run the built-in image".to_owned()),
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("a path is relative to the folder of its manifest".to_owned())
            }
            Self::Read { .. } | Self::TooLarge { .. } => None,
            Self::Format { format, .. } => format.hint().map(str::to_owned),
            Self::Damaged { .. } => Some("install wasmpod again".to_owned()),
        }
    }
}
