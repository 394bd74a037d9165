//! Shared memory without copies: the same physical pages in the linear memories of several guests.
//!
//! A pod's segments lie in one unnamed file in memory (`page_file`, `memfd_create(2)`); a guest's mapping replaces pages
//! of its linear memory by pages of that file (`guest`, `mmap(2)` with `MAP_FIXED`). Both need 64-bit Linux; elsewhere, and
//! for segments that are not of this kind, mappings are copies (`host/ipc/core/mapping`).
//!
//! A component gets bytes of a segment by copying, once (`list`).
//!
//! These files and the code store are the only places with `unsafe`. What makes it sound:
//!
//! 1. *No fault.* An access beyond the end of a mapped file is SIGBUS and would end this process. The file has its full
//!    size from the beginning, takes no memory for it, and is sealed against shrinking. Cutting a segment off makes a
//!    hole in the file: its bytes become zero and stay accessible, wherever they are mapped.
//! 2. *No move.* A linear memory that moved would leave its mappings behind. The engine is told that memories may not
//!    move (`engine`), and memories of 64 bits, for which there may be no reservation to grow into, are refused.
//! 3. *No fault by protection.* Mappings are readable and writable to the processor, also those of guests that may only
//!    read: host code that wrote to a read-only page on a guest's behalf would end this process. They are private
//!    mappings of the file: what is written goes to a page of the guest's own.
//! 4. *Nothing stays.* Only while the guest's store is alive are pages of it replaced, or put back: both calls take the
//!    store, and check that the memory is where it was. They are put back when the guest unmaps, and before the store is
//!    dropped (`host::CoreStore`), so that whatever the engine does with the address range finds ordinary memory.
//! 5. *Nothing leaks.* A segment's place in the file is used again only after its last mapping is gone and its pages were
//!    given back, so that they are zero.
//! 6. *No reference.* The host never makes a Rust reference to pages of a segment at the place where it sees the file
//!    itself: it copies through raw pointers, and uses atomics made of raw pointers. A guest's linear memory with its
//!    mappings is lent to host functions as a slice, by the engine and by ours; no other code can change it meanwhile,
//!    because all guests of a pod run on one thread. `Region::map_into` holds the pod to that: whoever maps from
//!    another thread than the first is refused, and gets a copy.
//!
//! The file has one descriptor for a pod, and the host sees it through a few large mappings, so that the number of
//! segments costs the process neither descriptors nor mappings, which are few (`vm.max_map_count`).

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod guest;
mod list;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod page_file;
#[cfg(test)]
mod tests;

// Also where it is not used, so that it is compiled and tested.
#[cfg(any(test, not(all(target_os = "linux", target_pointer_width = "64"))))]
mod elsewhere;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use guest::{GuestPages, map, provider};

pub(crate) use list::SegmentBytes;

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(crate) use elsewhere::{GuestPages, map, provider};

/// What places and lengths of mappings are multiples of, in bytes: a page of WebAssembly. Pages of today's processors
/// have 4, 16 or 64 KiB, and Windows maps at multiples of 64 KiB.
pub(crate) const MAPPING_UNIT: u64 = 64 * 1024;

/// A range of a guest's linear memory. Both numbers are multiples of [`MAPPING_UNIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address of its first byte.
    pub(crate) start: usize,
    /// How many bytes it has.
    pub(crate) bytes: usize,
}
