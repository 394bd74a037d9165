//! Where pages cannot be put into a linear memory: segments are plain memory, and mappings are copies.

use std::convert::Infallible;
use std::sync::Arc;

use wasmpod_ipc::{Errno, HeapProvider, SegmentMemory, SegmentProvider};
use wasmtime::{AsContext, Memory};

use super::Place;

/// There are none.
#[derive(Debug)]
pub(crate) struct GuestPages(Infallible);

impl GuestPages {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub(crate) fn unmap(&self, _store: impl AsContext, _memory: Memory) -> Result<(), Errno> {
        match self.0 {}
    }
}

/// Says that a copy is needed.
///
/// # Errors
/// `ENOTSUP`: the memory is of 64 bits.
pub(crate) fn map(
    _segment: &dyn SegmentMemory,
    store: impl AsContext,
    memory: Memory,
    _place: Place,
    _offset: u64,
    _writable: bool,
) -> Result<Option<GuestPages>, Errno> {
    if memory.ty(store).is_64() {
        return Err(Errno::NotSupported);
    }
    Ok(None)
}

/// Memory for the segments of one pod.
pub(crate) fn provider(_segments: u64, _segment_bytes: u64) -> Arc<dyn SegmentProvider> {
    Arc::new(HeapProvider)
}
