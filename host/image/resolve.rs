//! From a reference to an image.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::error::ImageError;
use crate::program::{Image, ImageConfig, Origin, Program, Programs};
use crate::reference::{self, Reference};
use crate::{builtin, format};

/// The largest module that is read, in bytes: as much as the engine can be asked to compile within minutes. A larger
/// file is refused before it is read.
pub const MAX_MODULE_BYTES: u64 = 512 << 20;

/// The image that `reference` names. A path is relative to `base`, the folder of the manifest.
///
/// Reads the whole file: call it where blocking is allowed.
///
/// # Errors
///
/// When the reference is malformed or names nothing that can be had, or when its file is not a whole WebAssembly
/// file; see [`ImageError`].
pub fn resolve(reference: &str, base: &Path) -> Result<Arc<Image>, ImageError> {
    match reference::parse(reference) {
        Err(detail) => Err(ImageError::InvalidName {
            reference: reference.to_owned(),
            detail,
        }),
        Ok(Reference::Path(path)) => read_file(reference, &base.join(path)).map(Arc::new),
        Ok(Reference::Named(named)) => {
            let Some(found) = builtin::find(named.repository) else {
                return Err(ImageError::NotBuiltIn {
                    reference: reference.to_owned(),
                    similar: builtin::similar(named.repository),
                });
            };
            if named.is_pinned {
                return Err(ImageError::Pinned {
                    reference: reference.to_owned(),
                });
            }
            Ok(Arc::new(found.image(reference)))
        }
    }
}

fn read_file(reference: &str, path: &Path) -> Result<Image, ImageError> {
    let failed = |source| ImageError::Read {
        reference: reference.to_owned(),
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() {
            io::ErrorKind::IsADirectory
        } else {
            io::ErrorKind::InvalidInput
        };
        return Err(failed(kind.into()));
    }
    let too_large = |len| ImageError::TooLarge {
        reference: reference.to_owned(),
        len,
        max: MAX_MODULE_BYTES,
    };
    if metadata.len() > MAX_MODULE_BYTES {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    let read = file
        .take(MAX_MODULE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)? as u64;
    if read > MAX_MODULE_BYTES {
        return Err(too_large(read));
    }
    format::read_outline(&bytes).map_err(|format| ImageError::Format {
        reference: reference.to_owned(),
        format,
    })?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    Ok(Image {
        reference: reference.to_owned(),
        origin: Origin::File(path.to_owned()),
        config: ImageConfig {
            entrypoint: vec![format!("/{name}")],
            working_dir: "/".to_owned(),
            ..ImageConfig::default()
        },
        files: &[],
        programs: Programs::One(Arc::new(Program::new(name, bytes))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve_file(content: &[u8]) -> Result<Arc<Image>, ImageError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("web.wasm"), content).unwrap();
        resolve("web.wasm", dir.path())
    }

    #[test]
    fn a_file_is_its_own_only_program() {
        let image = resolve_file(b"\0asm\x01\0\0\0").unwrap();
        assert_eq!(image.config.entrypoint, ["/web.wasm"]);
        assert_eq!(image.program("/bin/anything").name, "web.wasm");
        assert_eq!(*image.program("x").bytes().unwrap(), *b"\0asm\x01\0\0\0");
        assert!(!image.program("x").is_trusted);
    }

    #[test]
    fn beside_a_file_its_own_name_runs_it_and_any_other_the_toolbox() {
        let image = resolve_file(b"\0asm\x01\0\0\0").unwrap();
        for (argv0, program) in [
            ("/web.wasm", "web.wasm"),
            ("web", "web.wasm"),
            ("/bin/cat", "shell"),
            ("sh", "shell"),
            ("", "shell"),
        ] {
            assert_eq!(image.exec_program(argv0).name, program, "{argv0}");
        }
        let nginx = resolve("nginx", Path::new(".")).unwrap();
        assert_eq!(nginx.exec_program("nginx").name, "nginx");
        assert_eq!(nginx.exec_program("/bin/test").name, "shell");
    }

    #[test]
    fn what_cannot_be_had_says_why_and_what_helps() {
        let digest = format!("nginx@sha256:{}", "0".repeat(64));
        let cases = [
            ("redis:7", "ErrImagePull", "`wasmpod image ls`"),
            ("ngnix", "ErrImagePull", "did you mean \"nginx\"?"),
            (digest.as_str(), "ErrImagePull", "leave out the digest"),
            (
                "./nowhere.wasm",
                "ErrImagePull",
                "relative to the folder of its manifest",
            ),
        ];
        for (reference, reason, hint) in cases {
            let error = resolve(reference, Path::new(".")).unwrap_err();
            assert_eq!(error.reason(), reason, "{reference}");
            assert!(
                error.hint().unwrap().contains(hint),
                "{reference}: {:?}",
                error.hint()
            );
        }
        let error = resolve("Nginx", Path::new(".")).unwrap_err();
        assert_eq!(error.reason(), "InvalidImageName");
    }

    #[test]
    fn a_file_that_is_no_module_is_refused() {
        let error = resolve_file(b"\x7fELF").unwrap_err();
        assert_eq!(
            error.to_string(),
            "image \"web.wasm\": not a WebAssembly module: file starts with 7f 45 4c 46 (ELF)"
        );
        assert!(error.hint().unwrap().contains("wasm32-wasip1"));
    }

    #[test]
    fn a_folder_is_no_module() {
        let dir = tempfile::tempdir().unwrap();
        let error = resolve("./", dir.path()).unwrap_err();
        assert!(matches!(error, ImageError::Read { .. }), "{error:?}");
    }
}
