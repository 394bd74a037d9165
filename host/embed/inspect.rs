//! What a program is and needs.

use wasmpod_image::Program;
use wasmpod_runtime::{Inspection, Runtime, RuntimeConfig};

use crate::Error;

/// What `program` is and needs, and whether this host offers it. Nothing is compiled.
///
/// # Errors
///
/// When its bytes are not valid WebAssembly, or this machine cannot run any.
pub fn inspect(program: &Program) -> Result<Inspection, Error> {
    Ok(Runtime::new(&RuntimeConfig::default())?.inspect(program)?)
}
