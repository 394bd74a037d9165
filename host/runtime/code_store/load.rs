//! The one place where bytes become running machine code without a compiler in between.

#![expect(
    unsafe_code,
    reason = "deserializing compiled code is unsafe: the code runs with the rights of this process"
)]

use std::fs::File;
use std::path::Path;

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use super::key::hex_sha256_of_file;
use crate::inspect::Kind;

/// Compiled code, ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Code {
    /// A core module.
    Module(Module),
    /// A component.
    Component(Component),
}

/// How an entry's name says what it is.
pub(super) const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Module => "module",
        Kind::Component => "component",
    }
}

/// Maps the entry at `path` into memory, after checking that it is what its name says.
pub(super) fn load_file(engine: &Engine, path: &Path) -> Result<Code, String> {
    let named = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let mut words = named.rsplit('-');
    let (expected, kind) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let actual = File::open(path)
        .and_then(hex_sha256_of_file)
        .map_err(|error| error.to_string())?;
    if expected != actual {
        return Err(format!("its content has the SHA-256 {actual}"));
    }
    let kind = [Kind::Module, Kind::Component]
        .into_iter()
        .find(|known| kind_word(*known) == kind);
    map_file(
        engine,
        path,
        kind.ok_or("its name says neither module nor component")?,
    )
}

/// Maps an entry that was checked, or written by this process just now, into memory. Its pages stay those of the file:
/// they cost no memory of the process until they are used, and can be dropped by the operating system.
pub(super) fn map_file(engine: &Engine, path: &Path, kind: Kind) -> Result<Code, String> {
    let code = match kind {
        Kind::Module => {
            // SAFETY: the file lies in a directory that only this user can enter, and was written there by
            // `CodeStore::write`, from an engine whose settings hash to the same value; its content is what its
            // name says. It is mapped privately, and entries are never written in place.
            unsafe { Module::deserialize_file(engine, path) }.map(Code::Module)
        }
        Kind::Component => {
            // SAFETY: as above.
            unsafe { Component::deserialize_file(engine, path) }.map(Code::Component)
        }
    };
    code.map_err(|error| format!("{error:#}"))
}

/// Makes running code of what this process compiled just now.
///
/// # Errors
/// The bytes are not code for `engine`.
pub(crate) fn load_bytes(engine: &Engine, kind: Kind, bytes: &Compiled) -> wasmtime::Result<Code> {
    match kind {
        Kind::Module => {
            // SAFETY: a `Compiled` is made only by `Compiled::compile`, in this process.
            unsafe { Module::deserialize(engine, &bytes.0) }.map(Code::Module)
        }
        Kind::Component => {
            // SAFETY: as above.
            unsafe { Component::deserialize(engine, &bytes.0) }.map(Code::Component)
        }
    }
}

/// Compiled code in memory, made by this process.
pub(crate) struct Compiled(Vec<u8>);

impl Compiled {
    /// Compiles `wasm` with `compiler`.
    ///
    /// # Errors
    /// The program cannot be compiled.
    pub(crate) fn compile(compiler: &Engine, kind: Kind, wasm: &[u8]) -> wasmtime::Result<Self> {
        match kind {
            Kind::Module => compiler.precompile_module(wasm),
            Kind::Component => compiler.precompile_component(wasm),
        }
        .map(Self)
    }

    /// The bytes to keep in the store.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
