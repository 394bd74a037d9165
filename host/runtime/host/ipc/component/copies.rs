//! `read` and `write` of segments, which copy as little as the component model lets them.
//!
//! The generated glue makes a list of its own of what a component passes, and one of what it is given. Here the bytes
//! that a component writes go from its memory into the segment, and the bytes that it reads go through a buffer of the
//! thread that is used again: taking fresh memory for each call costs more than the copy. A copy straight into the
//! component's memory would need a reference to bytes that others change (`shared_pages`, rule 6).

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use wasmpod_ipc::Errno;
use wasmtime::component::{Linker, LinkerInstance, Resource, WasmList};
use wasmtime::{Result, StoreContextMut};

use super::{count, error_code};
use crate::host::ComponentState;
use crate::host::ipc::core::OpenSegment;

/// The interface that these functions belong to.
const INTERFACE: &str = "wasmpod:ipc/shared-memory@0.1.0";

/// Bytes that one read copies at most: it bounds how long it holds up the pod's other containers (some milliseconds).
const MAX_READ_BYTES: usize = 16 << 20;

/// The longest buffer that a thread keeps for the next read, in bytes. Guests read long ranges in such pieces, which
/// stay in the processor's cache from one copy to the next.
const KEPT_BYTES: usize = 64 << 10;

thread_local! {
    /// What the last read of this thread has used.
    static BUFFER: RefCell<Bytes> = const { RefCell::new(Bytes::new()) };
}

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
) -> std::result::Result<Bytes, Errno> {
    let segment = open.segment()?;
    // No more memory than there is to read.
    let left = segment.size().saturating_sub(offset);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    let wanted = count(length).min(left).min(MAX_READ_BYTES);
    let mut buffer = BUFFER.take().try_into_mut().unwrap_or_default();
    if buffer.len() < wanted {
        // Not `resize`, which would keep what the last one has read.
        buffer = BytesMut::zeroed(wanted);
    }
    let place = buffer.get_mut(..wanted).unwrap_or_default();
    let read = segment.read(offset, place);
    let buffer = buffer.freeze();
    let data = buffer.slice(..read.min(wanted));
    if buffer.len() <= KEPT_BYTES {
        BUFFER.set(buffer);
    }
    Ok(data)
}
