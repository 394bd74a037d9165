//! Sockets of WASI 0.1: listeners that are open from the beginning, what can be done with them and with connections, and
//! the calls of WasmEdge, with which a module opens sockets itself.
//!
//! This is glue: places in the guest's memory, numbers of descriptors, who waits. What a socket does is in the network
//! crate; no guest ever holds a socket of the operating system. Files, directories and the standard streams stay the
//! engine's (`files`).
//!
//! Standard: `wasi_snapshot_preview1` (WASI/legacy/preview1/docs.md); for the calls that it does not have, the crate
//! `wasmedge_wasi_socket` and what it was before.
//!
//! | for | see |
//! |---|---|
//! | whose number a descriptor is; which are open at the start | `table`, `listeners` |
//! | a socket with POSIX' verbs | `socket` |
//! | calls on descriptors; those that wait | `descriptors`, `transfer`, `vectors` |
//! | waiting for several things | `poll`, `subscription` |
//! | everything that is no socket | `files` |
//! | WasmEdge's calls | `extension` |

mod descriptors;
mod errno;
mod extension;
mod files;
mod listeners;
mod poll;
mod socket;
mod subscription;
mod table;
#[cfg(test)]
mod tests;
mod transfer;
mod vectors;

use wasmtime::{Linker, Module, Result};

use super::CoreState;

pub(crate) use extension::link_forms;
pub(crate) use listeners::Listeners;
pub(super) use listeners::announce;
pub(super) use table::Sockets;

/// The name of the import module.
const MODULE: &str = "wasi_snapshot_preview1";

/// Whether a module uses sockets, so that its calls with descriptors must be ours.
pub(crate) fn has_sockets(module: &Module) -> bool {
    let mut imports = module.imports();
    imports.any(|import| {
        import.module() == MODULE
            && (import.name().starts_with("sock_") || import.name() == "epoll_oneoff")
    })
}

/// Defines all functions, over those of the engine.
///
/// # Errors
/// A bug of this host: shadowing is not allowed.
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    files::link(linker)?;
    descriptors::link(linker)?;
    poll::link(linker)?;
    extension::link(linker)
}
