//! `read` and `write` of segments, which copy once.
//!
//! The generated glue makes a list of its own of what a component passes, and one of what it is given. Here the bytes go
//! from the component's memory into the segment, and from the segment into the component's memory.

use std::sync::Arc;

use wasmpod_ipc::Errno;
use wasmtime::component::{Linker, LinkerInstance, Resource, WasmList};
use wasmtime::{Result, StoreContextMut};

use super::{count, error_code};
use crate::host::ComponentState;
use crate::host::ipc::core::OpenSegment;
use crate::shared_pages::SegmentBytes;

/// The interface that these functions belong to.
const INTERFACE: &str = "wasmpod:ipc/shared-memory@0.1.0";

/// Bytes that one read copies at most: it bounds how long it holds up the pod's other containers (some milliseconds).
const MAX_READ_BYTES: usize = 16 << 20;

/// Puts the functions in the place of the generated ones.
///
/// # Errors
/// A bug of this host: there is no such interface.
pub(super) fn link(linker: &mut Linker<ComponentState>) -> Result<()> {
    linker.allow_shadowing(true);
    let linked = linker.instance(INTERFACE).and_then(define);
    linker.allow_shadowing(false);
    linked
}

fn define(mut interface: LinkerInstance<'_, ComponentState>) -> Result<()> {
    type Guest<'a> = StoreContextMut<'a, ComponentState>;
    type Read = (Resource<OpenSegment>, u64, u32);
    type Write = (Resource<OpenSegment>, u64, WasmList<u8>);
    interface.func_wrap(
        "[method]segment.read",
        |guest: Guest<'_>, (of, offset, length): Read| {
            let open = guest.data().table().get(&of)?;
            Ok((read(open, offset, length).map_err(error_code),))
        },
    )?;
    interface.func_wrap(
        "[method]segment.write",
        |guest: Guest<'_>, (of, offset, data): Write| {
            let open = guest.data().table().get(&of)?;
            let written = open.write(offset, data.as_le_slice(&guest));
            Ok((written.map_err(error_code),))
        },
    )
}

/// Bytes of a segment, fewer at its end.
pub(super) fn read(
    open: &OpenSegment,
    offset: u64,
    length: u32,
) -> std::result::Result<SegmentBytes, Errno> {
    let segment = Arc::clone(open.segment()?);
    let most = count(length).min(MAX_READ_BYTES);
    Ok(SegmentBytes::new(segment, offset, most))
}
