//! Pages of a segment in the linear memory of a guest. See the module for the rules.
#![expect(
    unsafe_code,
    reason = "pages of a guest's linear memory are replaced by pages of a file, and put back"
)]

use std::any::Any;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use wasmpod_ipc::{Errno, SegmentMemory, SegmentProvider};
use wasmtime::{AsContext, Memory};

use super::Place;
use super::page_file::{PageProvider, Region};

/// A range of a linear memory whose pages are those of a segment.
///
/// It does not put the memory's own pages back when it is dropped: it cannot know whether that memory still is.
#[derive(Debug)]
pub(crate) struct GuestPages {
    place: Place,
    /// Where the range was when it was mapped.
    base: NonNull<u8>,
}

// SAFETY: the pointer is an address to compare with; it is used only with a store whose memory is there.
unsafe impl Send for GuestPages {}
// SAFETY: as above.
unsafe impl Sync for GuestPages {}

/// Memory for the segments of one pod, `segments` of at most `segment_bytes` bytes each.
pub(crate) fn provider(segments: u64, segment_bytes: u64) -> Arc<dyn SegmentProvider> {
    Arc::new(PageProvider::new(segments, segment_bytes))
}

/// Replaces `place` of `memory` by the bytes of `segment` from `offset` on. None if a copy is needed: the segment is not
/// made of such pages, or the guest runs on another thread than others that have this pod's segments.
///
/// # Errors
/// Those of [`Region::map_into`].
pub(crate) fn map(
    segment: &dyn SegmentMemory,
    store: impl AsContext,
    memory: Memory,
    place: Place,
    offset: u64,
    writable: bool,
) -> Result<Option<GuestPages>, Errno> {
    if memory.ty(&store).is_64() {
        return Err(Errno::NotSupported);
    }
    let segment: &dyn Any = segment;
    match segment.downcast_ref::<Region>() {
        Some(region) if region.is_at_home() => region
            .map_into(store, memory, place, offset, writable)
            .map(Some),
        _ => Ok(None),
    }
}

impl Region {
    /// Replaces `place` of `memory` by the region's bytes from `offset` on, shared with everyone who does so, or if
    /// `writable` is not set until the guest writes to a page.
    ///
    /// # Errors
    /// * `ENOTSUP`: the memory is of 64 bits, or another thread's guests have this pod's segments.
    /// * `EFAULT`: the place is not in the memory.
    /// * `EINVAL`: it is not aligned, or the region has no such bytes.
    /// * `ENOMEM`: the process has as many mappings as it may.
    fn map_into(
        &self,
        store: impl AsContext,
        memory: Memory,
        place: Place,
        offset: u64,
        writable: bool,
    ) -> Result<GuestPages, Errno> {
        if !self.is_at_home() {
            return Err(Errno::NotSupported);
        }
        let base = locate(&store, memory, place)?;
        let bytes = u64::try_from(place.bytes).map_err(|_| Errno::Invalid)?;
        let (file, offset) = self.in_file(offset, bytes).ok_or(Errno::Invalid)?;
        let sharing = if writable {
            MapFlags::SHARED
        } else {
            MapFlags::PRIVATE
        };
        // SAFETY: the range is whole pages of a live linear memory (`locate`), which the guest may use as it likes and
        // which stays where it is; no slice of it is held across this call, for we hold the store. The file never
        // shrinks, so that no access faults, and access is that of a linear memory.
        let mapped = unsafe {
            mmap(
                base.as_ptr().cast(),
                place.bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                sharing | MapFlags::FIXED | MapFlags::NORESERVE,
                file,
                offset,
            )
        };
        mapped.map_err(|_| Errno::NoMemory)?;
        Ok(GuestPages { place, base })
    }
}

impl GuestPages {
    /// Puts memory of the guest's own in place, all zeros.
    ///
    /// # Errors
    /// `EINVAL` for another memory than the one it was mapped into; `ENOMEM` when the process has as many mappings as it
    /// may: then it is still mapped.
    pub(crate) fn unmap(&self, store: impl AsContext, memory: Memory) -> Result<(), Errno> {
        let base = locate(&store, memory, self.place)?;
        if base != self.base {
            return Err(Errno::Invalid);
        }
        let base: *mut c_void = base.as_ptr().cast();
        // SAFETY: the range is whole pages of a live linear memory, and the ones that this mapping replaced.
        let replaced = unsafe {
            mmap_anonymous(
                base,
                self.place.bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        };
        replaced.map(drop).map_err(|_| Errno::NoMemory)
    }
}

/// Where `place` is in this process; it is whole pages of what the guest has of `memory`.
fn locate(store: &impl AsContext, memory: Memory, place: Place) -> Result<NonNull<u8>, Errno> {
    if memory.ty(store).is_64() || memory.ty(store).is_shared() {
        return Err(Errno::NotSupported);
    }
    let end = place.start.checked_add(place.bytes).ok_or(Errno::Fault)?;
    if place.bytes == 0 || end > memory.data_size(store) {
        return Err(Errno::Fault);
    }
    let base = NonNull::new(memory.data_ptr(store)).ok_or(Errno::Fault)?;
    // SAFETY: the place is within the memory, which is one allocation.
    let base = unsafe { base.add(place.start) };
    let unit = usize::try_from(super::MAPPING_UNIT).map_err(|_| Errno::Invalid)?;
    // A memory begins at a page of the processor; its units of 64 KiB need not begin at such addresses.
    let aligned = place.start.is_multiple_of(unit) && place.bytes.is_multiple_of(unit);
    let page = rustix::param::page_size();
    (aligned && base.as_ptr().addr().is_multiple_of(page))
        .then_some(base)
        .ok_or(Errno::Invalid)
}
