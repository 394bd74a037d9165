//! configMap and secret volumes: which files they have, and how these are laid out.

mod atomic_writer;
mod payload;

pub(crate) use atomic_writer::write;
pub(crate) use payload::{config_map, secret};

/// One file of a volume made from an object's keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProjectedFile {
    /// Path within the volume: relative, without `..`.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// Permission bits, at most `0o777`.
    pub(crate) mode: u32,
}
