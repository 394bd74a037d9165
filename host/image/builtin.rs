//! The built-in images: what one is, how it is found, and its packed module. Which there are stands in [`catalog`].
//!
//! The modules are built from `guest-examples/` and kept packed in `builtin/`, with `images.toml` telling the digest
//! of each module and of the sources it was built from; the repository's tests fail when one is stale.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use crate::program::{Image, ImageConfig, ImageFile, Origin, Program, Programs};
use crate::{Digest, catalog};

/// One built-in image: a Wasm program of ours with the usual behaviour of the image whose name it answers to.
#[derive(Debug)]
pub struct BuiltIn {
    /// The name under which it is listed.
    pub name: &'static str,
    /// The other repositories that it answers to, with any tag.
    pub aliases: &'static [&'static str],
    /// What it really is, in one line.
    pub summary: &'static str,
    /// The module behind it, as `images.toml` names it.
    pub(crate) module: &'static str,
    /// What its own program is called in the image, without directory.
    pub(crate) program_names: &'static [&'static str],
    /// What runs before a container's `args`.
    pub(crate) entrypoint: &'static [&'static str],
    pub(crate) cmd: &'static [&'static str],
    pub(crate) env: &'static [(&'static str, &'static str)],
    pub(crate) working_dir: &'static str,
    pub(crate) exposed_ports: &'static [u16],
    pub(crate) files: &'static [ImageFile],
    pub(crate) stop_signal: Option<&'static str>,
}

/// The built-in images, in the order in which they are listed.
#[must_use]
pub fn builtins() -> &'static [BuiltIn] {
    &catalog::BUILT_INS
}

pub(crate) fn find(repository: &str) -> Option<&'static BuiltIn> {
    builtins()
        .iter()
        .find(|image| image.name == repository || image.aliases.contains(&repository))
}

/// The built-in image whose name is one slip of the finger (or two) away from `repository`.
pub(crate) fn similar(repository: &str) -> Option<&'static str> {
    builtins()
        .iter()
        .map(|image| (edit_distance(image.name, repository), image.name))
        .filter(|(distance, name)| *distance <= 2 && 2 * *distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// How many characters must be added, removed or replaced to make `b` of `a` (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            *cell = (diagonal + usize::from(from != to))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

impl BuiltIn {
    /// Its own program, as `wasmpod image ls` shows it.
    #[must_use]
    pub fn program(&self) -> Arc<Program> {
        program(self.module)
    }

    pub(crate) fn image(&self, reference: &str) -> Image {
        let own = program(self.module);
        Image {
            reference: reference.to_owned(),
            origin: Origin::BuiltIn(self.name),
            config: ImageConfig {
                entrypoint: owned(self.entrypoint),
                cmd: owned(self.cmd),
                env: self
                    .env
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                working_dir: self.working_dir.to_owned(),
                exposed_ports: self.exposed_ports.to_vec(),
                stop_signal: self.stop_signal.map(str::to_owned),
            },
            files: self.files,
            programs: if self.module == catalog::SHELL {
                Programs::One(own)
            } else {
                Programs::WithShell {
                    names: self.program_names,
                    own,
                    shell: program(catalog::SHELL),
                }
            },
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(str::to_owned).collect()
}

/// The shell's program: what runs beside a container when its image has nothing of that name.
pub(crate) fn toolbox() -> Arc<Program> {
    program(catalog::SHELL)
}

/// A module as this program carries it.
pub(crate) struct Packed {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) bytes: &'static [u8],
}

/// What this crate needs of `images.toml`; the rest is for the tests of the repository.
#[derive(Deserialize)]
struct Index {
    image: Vec<IndexEntry>,
}

#[derive(Deserialize)]
struct IndexEntry {
    name: String,
    sha256: String,
}

macro_rules! packed_modules {
    ($($name:literal),*) => {
        [$(($name, include_bytes!(concat!("builtin/", $name, ".wasm.zst")) as &[u8])),*]
    };
}

static PACKED: [(&str, &[u8]); 7] = packed_modules![
    "shell",
    "nginx",
    "webapp",
    "ipc",
    "hello-app",
    "ipc-examples",
    "http-component"
];
const INDEX: &str = include_str!("builtin/images.toml");

/// The program of a module, one for the whole process: unpacked once at most.
#[expect(
    clippy::expect_used,
    reason = "the table, the modules and their index are parts of this program, held together by a test"
)]
fn program(module: &str) -> Arc<Program> {
    static PROGRAMS: OnceLock<Vec<Arc<Program>>> = OnceLock::new();
    let programs =
        PROGRAMS.get_or_init(|| read_index().expect("images.toml tells of every module"));
    let found = programs.iter().find(|program| program.name == module);
    Arc::clone(found.expect("every built-in image has a module"))
}

fn read_index() -> Option<Vec<Arc<Program>>> {
    let index: Index = toml::from_str(INDEX).ok()?;
    let programs = PACKED.iter().map(|&(name, bytes)| {
        let entry = index.image.iter().find(|entry| entry.name == name)?;
        let digest = entry.sha256.parse().ok()?;
        Some(Arc::new(Program::built_in(&Packed {
            name: name.to_owned(),
            digest,
            bytes,
        })))
    });
    programs.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{format, resolve};

    #[test]
    fn every_built_in_image_is_what_the_index_says() {
        for built_in in builtins() {
            let program = built_in.program();
            let bytes = program.bytes().unwrap();
            assert_eq!(Digest::of(&bytes), program.digest, "{}", built_in.name);
            format::read_outline(&bytes).unwrap();
            assert!(program.is_trusted);
        }
    }

    #[test]
    fn the_built_in_images_stay_under_eight_megabytes() {
        let packed: usize = PACKED.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(packed < 8_000_000, "{packed} bytes");
    }

    #[test]
    fn usual_names_find_their_image() {
        for (reference, name) in [
            ("nginx:alpine", "nginx"),
            ("docker.io/library/nginx:1.27", "nginx"),
            ("debian:12-slim", "debian"),
            ("registry.k8s.io/busybox", "busybox"),
            ("allingeek/ch6_ipc", "allingeek/ch6_ipc"),
            ("training/webapp:latest", "training/webapp"),
            (
                "gcr.io/google-samples/hello-app:2.0",
                "google-samples/hello-app",
            ),
            ("registry.k8s.io/pause:3.10", "pause"),
            ("httpd:2.4", "httpd"),
        ] {
            let image = resolve(reference, Path::new(".")).unwrap();
            assert_eq!(image.origin, Origin::BuiltIn(name));
        }
    }

    #[test]
    fn an_image_runs_its_own_program_by_name_and_the_shell_by_any_other() {
        let image = resolve("nginx", Path::new(".")).unwrap();
        for (argv0, program) in [
            ("nginx", "nginx"),
            ("/usr/sbin/nginx", "nginx"),
            ("/bin/sh", "shell"),
            ("cat", "shell"),
        ] {
            assert_eq!(image.program(argv0).name, program, "{argv0}");
        }
        assert_eq!(image.config.cmd, ["nginx", "-g", "daemon off;"]);
        let image = resolve("vish/stress", Path::new(".")).unwrap();
        assert_eq!(image.config.entrypoint, ["stress"]);
    }

    #[test]
    fn one_slip_is_understood() {
        assert_eq!(similar("ngnix"), Some("nginx"));
        assert_eq!(similar("busibox"), Some("busybox"));
        assert_eq!(similar("redis"), None);
    }
}
