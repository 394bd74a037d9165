//! Lists that come where the caller wants them.
//!
//! A component's host copies each list that it returns into memory which the component allocates for it, through the
//! export `cabi_realloc` (the component model's canonical ABI). That of the standard library asks the allocator, and
//! whoever wants the bytes elsewhere copies them once more. This one knows where the next list is to go.

#![expect(
    unsafe_code,
    reason = "the canonical ABI is one of plain pointers, and of a name that is exported"
)]

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use std::alloc::{alloc, realloc};
use std::process;

use super::bindings::wasmpod::ipc::shared_memory::{ErrorCode, Segment};

/// What `segment.read` returns: `result<list<u8>, error-code>`.
#[repr(C)]
struct Returned {
    is_error: u8,
    /// The list's address; of an error its number.
    start: *mut u8,
    length: usize,
}

#[link(wasm_import_module = "wasmpod:ipc/shared-memory@0.1.0")]
unsafe extern "C" {
    #[link_name = "[method]segment.read"]
    fn segment_read(handle: u32, offset: u64, length: u32, returned: *mut Returned);
}

thread_local! {
    /// Where the next list goes, if it is not longer.
    static PLACE: Cell<Option<NonNull<[u8]>>> = const { Cell::new(None) };
}

/// Reads at most as many bytes as `place` has, and says how many.
pub(super) fn read(segment: &Segment, offset: u64, place: &mut [u8]) -> Result<usize, ErrorCode> {
    let length = u32::try_from(place.len()).unwrap_or(u32::MAX);
    let mut returned = Returned {
        is_error: 0,
        start: ptr::null_mut(),
        length: 0,
    };
    let ours = NonNull::from(&mut *place);
    PLACE.set(Some(ours));
    // SAFETY: the function is the WIT package's, which the bindings of this crate import too. It writes a whole
    // `Returned`, and a list where `cabi_realloc` says.
    unsafe { segment_read(segment.handle(), offset, length, &raw mut returned) };
    PLACE.set(None);
    if returned.is_error != 0 {
        let [number, ..] = returned.start.addr().to_le_bytes();
        // SAFETY: the host writes no other number there than one of an error.
        return Err(unsafe { ErrorCode::_lift(number) });
    }
    // Of no bytes the address says nothing.
    if returned.length == 0 || returned.start == ours.as_ptr().cast() {
        return Ok(returned.length);
    }
    // The program has another `cabi_realloc`.
    // SAFETY: the list was allocated for this call by the allocator, and nobody else has it.
    let list = unsafe { Vec::from_raw_parts(returned.start, returned.length, returned.length) };
    let place = place.get_mut(..list.len()).ok_or(ErrorCode::Overflow)?;
    place.copy_from_slice(&list);
    Ok(list.len())
}

/// Where the host may write a list, or a longer one in place of one that it has begun: the standard library's, but for the
/// list that [`read`] waits for. The libraries' definitions are weak, so that a program can have its own.
///
/// # Safety
///
/// It is called by the host, with what it was given here before.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_length: usize,
    align: usize,
    length: usize,
) -> *mut u8 {
    let is_list_of_bytes = old_length == 0 && align == 1;
    if is_list_of_bytes
        && let Some(place) = PLACE.take()
        && length <= place.len()
    {
        return place.as_ptr().cast();
    }
    if length == 0 {
        return ptr::without_provenance_mut(align);
    }
    let layout = |length| Layout::from_size_align(length, align);
    let (Ok(old_layout), Ok(new_layout)) = (layout(old_length), layout(length)) else {
        process::abort();
    };
    // SAFETY: `length` is not 0, and what is made longer was allocated here with the same alignment.
    let start = unsafe {
        if old_length == 0 {
            alloc(new_layout)
        } else {
            realloc(old, old_layout, length)
        }
    };
    if start.is_null() {
        // The host takes no for an answer only by trapping; so does this, without a call of the host's, which is not
        // allowed here.
        process::abort();
    }
    start
}
