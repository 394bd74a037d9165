//! The whole program, as a user meets it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod captures;
mod command_line;
mod four_pods;
mod http_component;
mod ingress;
mod ipc_examples;
mod ipc_oracle;
mod isolation;
mod kubeconfig;
mod looking_in;
mod net_oracle;
mod policy;
mod services;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
