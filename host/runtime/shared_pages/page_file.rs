//! The file in memory that holds all segments of a pod, and the host's view of it. See the module for the rules.
//!
//! ```text
//!  file   | region 0 | region 1 | ... | region n |        each as long as the longest segment may be
//!  view   |<--- bank ---->|<--- bank ---->|               mapped when the first region in it is used
//! ```
#![expect(
    unsafe_code,
    reason = "pages of a file are mapped, and read and written through raw pointers"
)]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, ThreadId};

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use wasmpod_ipc::{AtomicOp, Errno, SegmentMemory, SegmentProvider};

use super::MAPPING_UNIT;

/// The longest region, in bytes, whatever the pod's limits say: all that a 32-bit guest could map. A segment that is to be
/// longer is `ENOMEM`.
const MAX_REGION_BYTES: u64 = 4 << 30;

/// Bytes of address space that the host takes at a time to see the file, if regions are not longer. Address space of a
/// process is 128 TiB, and each guest takes 4 GiB of it; mappings are bounded too, so fewer and larger ones are better.
const BANK_BYTES: u64 = 4 << 30;

/// Does an atomic operation, and gives the old value. The same words for both widths.
macro_rules! update {
    ($place:expr, $operation:expr) => {{
        let (place, order) = ($place, Ordering::SeqCst);
        match $operation {
            AtomicOp::Load => place.load(order),
            AtomicOp::Store(value) | AtomicOp::Exchange(value) => place.swap(value, order),
            AtomicOp::Add(value) => place.fetch_add(value, order),
            AtomicOp::And(value) => place.fetch_and(value, order),
            AtomicOp::Or(value) => place.fetch_or(value, order),
            AtomicOp::Xor(value) => place.fetch_xor(value, order),
            AtomicOp::CompareExchange { expected, new } => place
                .compare_exchange(expected, new, order, order)
                .unwrap_or_else(|old| old),
        }
    }};
}

/// Pages for the segments of one pod.
#[derive(Debug)]
pub(crate) struct PageFile {
    file: OwnedFd,
    region_bytes: u64,
    regions: u64,
    regions_of_bank: u64,
    state: Mutex<State>,
    /// The thread on which guests have mapped segments.
    home: OnceLock<ThreadId>,
}

#[derive(Debug, Default)]
struct State {
    /// Regions below `next` that are not used; their pages were given back.
    free: Vec<u64>,
    next: u64,
    banks: Vec<Weak<Bank>>,
}

/// A part of the file as the host sees it.
#[derive(Debug)]
struct Bank {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a bank owns its mapping; the pointer is only an address, and what is done with it says itself why it may.
unsafe impl Send for Bank {}
// SAFETY: as above; a bank never changes.
unsafe impl Sync for Bank {}

impl Bank {
    fn map(file: BorrowedFd<'_>, offset: u64, bytes: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory of this program.
        let base = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::NORESERVE,
                file,
                offset,
            )
        }?;
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, bytes })
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let base: *mut c_void = self.base.as_ptr().cast();
        // SAFETY: this is the mapping that `Bank::map` made, and the regions in it, which alone use it, hold the bank.
        let unmapped = unsafe { munmap(base, self.bytes) };
        debug_assert!(unmapped.is_ok(), "unmapping a whole mapping cannot fail");
    }
}

impl PageFile {
    /// A file for `segments` segments of at most `segment_bytes` bytes each. It takes no memory until it is used.
    ///
    /// # Errors
    /// The system has no descriptor left, or no files in memory.
    pub(crate) fn new(segments: u64, segment_bytes: u64) -> io::Result<Arc<Self>> {
        let region_bytes = segment_bytes
            .clamp(1, MAX_REGION_BYTES)
            .next_multiple_of(MAPPING_UNIT);
        let regions_of_bank = (BANK_BYTES / region_bytes).max(1);
        let bytes = segments
            .checked_mul(region_bytes)
            .and_then(|bytes| bytes.checked_next_multiple_of(regions_of_bank * region_bytes))
            .ok_or(io::ErrorKind::FileTooLarge)?;
        let file = memfd_create(
            c"wasmpod-segments",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )?;
        ftruncate(&file, bytes)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Arc::new(Self {
            file,
            region_bytes,
            regions: segments,
            regions_of_bank,
            state: Mutex::default(),
            home: OnceLock::new(),
        }))
    }

    /// A region that nobody uses; all its bytes are zero.
    fn acquire(self: &Arc<Self>) -> io::Result<Region> {
        let mut state = self.state();
        let index = match state.free.pop() {
            Some(index) => index,
            None if state.next < self.regions => {
                state.next += 1;
                state.next - 1
            }
            None => return Err(io::ErrorKind::OutOfMemory.into()),
        };
        let bank = match self.bank(&mut state, index / self.regions_of_bank) {
            Ok(bank) => bank,
            Err(error) => {
                state.free.push(index);
                return Err(error);
            }
        };
        // Less than the bank's length, which is a length of memory.
        let in_bank = index % self.regions_of_bank * self.region_bytes;
        let in_bank = usize::try_from(in_bank).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(Region {
            file: Arc::clone(self),
            bank,
            index,
            in_bank,
            touched_bytes: AtomicU64::new(0),
        })
    }

    fn bank(&self, state: &mut State, number: u64) -> io::Result<Arc<Bank>> {
        let index = usize::try_from(number).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if state.banks.len() <= index {
            state.banks.resize_with(index + 1, Weak::new);
        }
        let place = state.banks.get_mut(index).ok_or(io::ErrorKind::NotFound)?;
        if let Some(bank) = place.upgrade() {
            return Ok(bank);
        }
        let bytes = self.regions_of_bank * self.region_bytes;
        let length = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let bank = Arc::new(Bank::map(self.file.as_fd(), number * bytes, length)?);
        *place = Arc::downgrade(&bank);
        Ok(bank)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the segments of a pod pages of its file, which is made for the first of them.
#[derive(Debug)]
pub(crate) struct PageProvider {
    segments: u64,
    segment_bytes: u64,
    file: Mutex<Option<Arc<PageFile>>>,
}

impl PageProvider {
    /// For a pod that may have `segments` segments of at most `segment_bytes` bytes each.
    pub(crate) const fn new(segments: u64, segment_bytes: u64) -> Self {
        Self {
            segments,
            segment_bytes,
            file: Mutex::new(None),
        }
    }
}

impl SegmentProvider for PageProvider {
    fn make(&self) -> Result<Box<dyn SegmentMemory>, Errno> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*file {
            Some(file) => file,
            None => {
                let made = PageFile::new(self.segments, self.segment_bytes);
                file.insert(made.map_err(|_| Errno::NoMemory)?)
            }
        };
        let region = file.acquire().map_err(|_| Errno::NoMemory)?;
        Ok(Box::new(region))
    }

    fn is_mappable(&self) -> bool {
        true
    }
}

/// The pages of one segment.
#[derive(Debug)]
pub(crate) struct Region {
    file: Arc<PageFile>,
    bank: Arc<Bank>,
    index: u64,
    /// Where it begins in the bank, in bytes: each access needs it, and a division takes as long as copying a kilobyte.
    in_bank: usize,
    /// The greatest size that the segment has had: pages beyond it were never used.
    touched_bytes: AtomicU64,
}

impl Region {
    /// Where the region is in its file, in bytes.
    fn start(&self) -> u64 {
        self.index * self.file.region_bytes
    }

    /// Where a range of the region is in the file, with that file; none if it is not in the region.
    pub(super) fn in_file(&self, offset: u64, bytes: u64) -> Option<(BorrowedFd<'_>, u64)> {
        let end = offset.checked_add(bytes)?;
        let start = self.start().checked_add(offset)?;
        (end <= self.file.region_bytes).then(|| (self.file.file.as_fd(), start))
    }

    /// Whether the guest that runs now may have pages of the region: it is on the thread of the others that have.
    pub(super) fn is_at_home(&self) -> bool {
        let current = thread::current().id();
        *self.file.home.get_or_init(|| current) == current
    }

    /// The host's place of a range; none if it is not in the region.
    fn pointer(&self, offset: u64, bytes: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(u64::try_from(bytes).ok()?)?;
        if end > self.file.region_bytes {
            return None;
        }
        let in_bank = self.in_bank.checked_add(usize::try_from(offset).ok()?)?;
        // SAFETY: the bank maps `regions_of_bank` regions whole, and the range is in this one of them.
        Some(unsafe { self.bank.base.add(in_bank) })
    }

    /// A place for an atomic operation; none if it is not in the region or not aligned.
    fn aligned(&self, offset: u64, bytes: usize) -> Option<NonNull<u8>> {
        let pointer = self.pointer(offset, bytes)?;
        pointer
            .as_ptr()
            .addr()
            .is_multiple_of(bytes)
            .then_some(pointer)
    }

    /// Gives the pages of a range back: its bytes are zero then.
    fn clear(&self, from: u64, to: u64) -> io::Result<()> {
        if from >= to {
            return Ok(());
        }
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let start = self.start() + from;
        Ok(fallocate(&self.file.file, flags, start, to - from)?)
    }

    /// How far the region may hold something else than zeros, in bytes: mappings are of whole units.
    fn touched(&self) -> u64 {
        let touched = self.touched_bytes.load(Ordering::Relaxed);
        touched.next_multiple_of(MAPPING_UNIT)
    }
}

impl SegmentMemory for Region {
    fn resize(&self, old: u64, new: u64) -> Result<(), Errno> {
        if new > self.file.region_bytes {
            return Err(Errno::NoMemory);
        }
        // What is beyond the end must be zero when it comes back, whoever wrote there through a mapping.
        self.clear(old.min(new), self.touched())
            .map_err(|_| Errno::NoMemory)?;
        self.touched_bytes.fetch_max(new, Ordering::Relaxed);
        Ok(())
    }

    fn read(&self, offset: u64, into: &mut [u8]) {
        let Some(from) = self.pointer(offset, into.len()) else {
            into.fill(0);
            return;
        };
        // SAFETY: the source is `into.len()` bytes of the bank, which is mapped and never faults. No reference to it
        // exists, and `into` is memory at other addresses. Guests that have the pages do not run: they share this thread.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), into.as_mut_ptr(), into.len()) };
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let to = self.pointer(offset, data.len()).ok_or(Errno::Fault)?;
        // SAFETY: as for reading, with the bank as the destination.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), to.as_ptr(), data.len()) };
        Ok(())
    }

    fn update_u32(&self, offset: u64, op: AtomicOp<u32>) -> Result<u32, Errno> {
        let place = self
            .aligned(offset, size_of::<u32>())
            .ok_or(Errno::Invalid)?;
        // SAFETY: four aligned bytes of the bank, mapped as long as the region lives, to which there is no reference;
        // guests change them by instructions of the processor, on this thread or atomically.
        let place = unsafe { AtomicU32::from_ptr(place.cast().as_ptr()) };
        Ok(update!(place, op))
    }

    fn update_u64(&self, offset: u64, op: AtomicOp<u64>) -> Result<u64, Errno> {
        let place = self
            .aligned(offset, size_of::<u64>())
            .ok_or(Errno::Invalid)?;
        // SAFETY: as for 32 bits.
        let place = unsafe { AtomicU64::from_ptr(place.cast().as_ptr()) };
        Ok(update!(place, op))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // A region that cannot be cleared is never used again: its next user must not see what is in it.
        if self.clear(0, self.touched()).is_ok() {
            self.file.state().free.push(self.index);
        }
    }
}
