//! Entry point: what the host gave goes in, the exit status goes out. Everything else is in the library.

use std::path::PathBuf;

fn main() {
    let environment = std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    });
    let argv = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    exit(shell::main(argv, initial_directory(), environment));
}

/// WASI's own exit knows success and failure only; this one keeps the status.
#[cfg(all(target_os = "wasi", target_env = "p2"))]
fn exit(status: i32) {
    wasip2::cli::exit::exit_with_code(status.to_le_bytes()[0]);
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
fn exit(status: i32) {
    std::process::exit(status & 0xff);
}

#[cfg(all(target_os = "wasi", target_env = "p2"))]
fn initial_directory() -> PathBuf {
    let given = wasip2::cli::environment::initial_cwd().or_else(|| std::env::var("PWD").ok());
    given.map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
fn initial_directory() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}
