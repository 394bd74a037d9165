//! What an image is made of: programs, configuration, files.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::error::ImageError;
use crate::{Digest, builtin};

/// One image, ready for containers to be made of.
#[derive(Debug)]
pub struct Image {
    /// The name as the manifest writes it.
    pub reference: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What a container gets when its manifest does not say (OCI image-spec, config.md).
    pub config: ImageConfig,
    /// The files of its root directory.
    pub files: &'static [ImageFile],
    pub(crate) programs: Programs,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built into this program; the name under which `wasmpod image ls` lists it.
    BuiltIn(&'static str),
    /// A module's file.
    File(PathBuf),
}

/// The parts of an OCI image configuration that a pod's container takes over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `Entrypoint`: replaced by a container's `command`.
    pub entrypoint: Vec<String>,
    /// `Cmd`: replaced by a container's `args`, dropped when it has a `command`.
    pub cmd: Vec<String>,
    /// `Env`, overridden by the container's.
    pub env: Vec<(String, String)>,
    /// `WorkingDir`; "/" when the image has none.
    pub working_dir: String,
    /// `ExposedPorts`: what the program usually listens on. Informative.
    pub exposed_ports: Vec<u16>,
    /// `StopSignal`: what asks the program to end, `SIGQUIT`; SIGTERM when the image names none.
    pub stop_signal: Option<String>,
}

/// One file of an image's root directory.
#[derive(Debug, Clone, Copy)]
pub struct ImageFile {
    /// Absolute, with slashes, without `..`; with a slash at its end it is an empty directory.
    pub path: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
    /// Its permission bits.
    pub mode: u32,
}

#[derive(Debug)]
pub(crate) enum Programs {
    /// One module answers to whatever a command calls.
    One(Arc<Program>),
    /// A built-in image: its own program by these names, the shell's module by every other.
    WithShell {
        names: &'static [&'static str],
        own: Arc<Program>,
        shell: Arc<Program>,
    },
}

impl Image {
    /// The program that `argv0` starts in a container of this image: of a built-in image its own program when it is
    /// called by its name (in any directory), else the shell's module, which holds the usual utilities; of a module's
    /// file always that module.
    #[must_use]
    pub fn program(&self, argv0: &str) -> &Arc<Program> {
        match &self.programs {
            Programs::One(program) => program,
            Programs::WithShell { names, own, shell } => {
                let name = argv0.rsplit('/').next().unwrap_or(argv0);
                if names.contains(&name) { own } else { shell }
            }
        }
    }

    /// The program that `argv0` starts when it is run *beside* a container of this image (`kubectl exec`, exec probes
    /// and hooks). Of a built-in image as [`program`](Self::program). A module's file answers to its own name, with or
    /// without its extension; everything else is the toolbox, the shell's module with the usual utilities, because a
    /// module has none of its own and a container without `cat` and `sh` cannot be looked into.
    #[must_use]
    pub fn exec_program(&self, argv0: &str) -> Arc<Program> {
        match &self.programs {
            Programs::One(own) => {
                let name = argv0.rsplit('/').next().unwrap_or(argv0);
                let stem = own.name.rsplit_once('.').map(|(stem, _)| stem);
                if name == own.name || Some(name) == stem {
                    Arc::clone(own)
                } else {
                    builtin::toolbox()
                }
            }
            Programs::WithShell { .. } => Arc::clone(self.program(argv0)),
        }
    }
}

/// One module, by its content.
pub struct Program {
    /// How backtraces and progress name it: `nginx`, `web.wasm`.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Is it one of ours, built and tested with this program?
    pub is_trusted: bool,
    content: Content,
}

enum Content {
    Loaded(Vec<u8>),
    /// Unpacked at the first call of [`Program::bytes`]: with the compiled code at hand nobody asks.
    Packed(&'static [u8], OnceLock<Vec<u8>>),
}

impl Program {
    /// A program from the bytes of its module.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Self {
            name: name.into(),
            digest,
            is_trusted: false,
            content: Content::Loaded(bytes),
        }
    }

    pub(crate) fn built_in(packed: &builtin::Packed) -> Self {
        Self {
            name: packed.name.clone(),
            digest: packed.digest,
            is_trusted: true,
            content: Content::Packed(packed.bytes, OnceLock::new()),
        }
    }

    /// The module's bytes.
    ///
    /// # Errors
    ///
    /// [`ImageError::Damaged`] when a built-in image does not unpack.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, ImageError> {
        match &self.content {
            Content::Loaded(bytes) => Ok(Cow::Borrowed(bytes)),
            Content::Packed(packed, unpacked) => {
                if let Some(bytes) = unpacked.get() {
                    return Ok(Cow::Borrowed(bytes));
                }
                let bytes = zstd::decode_all(*packed).map_err(|source| ImageError::Damaged {
                    name: self.name.clone(),
                    source,
                })?;
                Ok(Cow::Borrowed(unpacked.get_or_init(|| bytes)))
            }
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .field("is_trusted", &self.is_trusted)
            .finish_non_exhaustive()
    }
}
