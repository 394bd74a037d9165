//! The whole program, as a user meets it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod command_line;
mod four_pods;
mod ingress;
mod ipc_examples;
mod ipc_oracle;
mod isolation;
mod kubeconfig;
mod looking_in;
mod services;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
