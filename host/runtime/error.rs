//! Why the runtime itself cannot be built. What can go wrong with one program or container is the port's
//! [`wasmpod_sandbox::RuntimeError`].

use std::io;

use thiserror::Error;

/// The host cannot run WebAssembly at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The engine refuses this processor or operating system.
    #[error("cannot set up the WebAssembly engine: {detail}")]
    Engine {
        /// What the engine said.
        detail: String,
    },
    /// The operating system refuses another thread.
    #[error("cannot start thread \"{name}\"")]
    Thread {
        /// The thread's name.
        name: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl SetupError {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "used with map_err, which gives the value"
    )]
    pub(crate) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine {
            detail: format!("{error:#}"),
        }
    }
}
