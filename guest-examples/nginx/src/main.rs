//! The command `nginx` of the image. Reads the configuration, listens, and serves until its container is stopped.

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
mod control;
#[cfg(target_os = "wasi")]
mod process;

#[cfg(target_os = "wasi")]
fn main() -> ExitCode {
    process::run()
}

/// On other targets there are only the tests of the library.
#[cfg(not(target_os = "wasi"))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
