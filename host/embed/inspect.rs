//! What a program is and needs.

use wasmpod_image::Program;
use wasmpod_runtime::{Inspection, Runtime, RuntimeConfig};

use crate::Error;

/// What `program` is and needs, and whether this host offers it. Nothing is compiled.
///
/// # Errors
///
/// When its bytes are not valid WebAssembly.
pub fn inspect(program: &Program) -> Result<Inspection, Error> {
    let failed = |detail| Error::Inspect {
        program: program.name.clone(),
        detail,
    };
    let bytes = program.bytes().map_err(|error| failed(error.to_string()))?;
    Runtime::new(&RuntimeConfig::default())?
        .inspect(&bytes)
        .map_err(failed)
}
