//! Tests of the crate through its public door, on real directories.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails is a test that fails"
)]
#![expect(
    clippy::print_stderr,
    reason = "tests show the figures that they measured"
)]

mod beside;
mod claims;
mod cluster;
mod contents;
mod escape;
mod host_path;
mod lifetime;
mod mounts;
mod pod;
mod projected;
mod refresh;
