//! Turns an image reference into programs and their configuration.
//!
//! An image is a `.wasm` file on the host or one of the built-in images that make the usual Kubernetes examples run.
//! A built-in image is a Wasm program of ours with the usual behaviour of the image whose name it answers to; it is
//! not that image, and is always shown as such.
//!
//! This crate reads module files and looks at their outline ([`mod@format`]). Whether a module can run here, which
//! imports it needs, and its compilation are the engine's business. Pulling from a registry is not here yet.

mod builtin;
mod catalog;
mod digest;
mod error;
pub mod format;
mod program;
mod reference;
mod resolve;

pub use builtin::{BuiltIn, builtins};
pub use digest::Digest;
pub use error::ImageError;
pub use program::{Image, ImageConfig, ImageFile, Origin, Program};
pub use resolve::{MAX_MODULE_BYTES, resolve};
