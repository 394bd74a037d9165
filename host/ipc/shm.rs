//! POSIX shared memory objects: `shm_overview(7)`, `shm_open(3)`, `ftruncate(2)`, `shm_unlink(3)`.
//!
//! An object is a name for a [`Segment`]. It begins empty; who may write gives it a size. The bytes
//! live while the object has a name or anybody holds the segment, open or mapped.
//!
//! One thing is other than on Linux: `write` does not make the object larger.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::account::{Account, Charge};
use crate::names::{Named, Names, parse_shared_memory_name};
use crate::owner::Owner;
use crate::segment::{Segment, SegmentProvider};
use crate::{Errno, IpcLimits, OpenFlags};

/// What a shared memory object is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedMemoryInfo {
    /// The name with one slash.
    pub name: String,
    /// Whether the name is gone and the object lives only for those who have it open or mapped.
    pub unlinked: bool,
    /// Its size in bytes.
    pub bytes: u64,
    /// Descriptors open on it, of all containers.
    pub open_handles: u32,
    /// Callers that wait at an address in it.
    pub waiting: u32,
}

/// An object, named or not any more.
#[derive(Debug)]
pub(crate) struct NamedSegment {
    name: Box<str>,
    unlinked: AtomicBool,
    open_handles: AtomicU32,
    segment: Arc<Segment>,
    /// Gives the pod its count back at the end.
    _count: Charge,
}

/// An open shared memory object: a descriptor. Clones are the same; dropping the last closes it.
#[derive(Clone)]
pub struct SharedMemory {
    description: Arc<Description>,
}

struct Description {
    object: Arc<NamedSegment>,
    owner: Arc<Owner>,
    flags: OpenFlags,
}

/// Opens an object, or makes it, empty.
pub(crate) fn open(
    names: &Names<NamedSegment>,
    (bytes, provider): (&Arc<Account>, &dyn SegmentProvider),
    owner: &Arc<Owner>,
    name: &str,
    flags: OpenFlags,
    limits: &IpcLimits,
) -> Result<SharedMemory, Errno> {
    let name = parse_shared_memory_name(name)?;
    if !flags.contains(OpenFlags::READ) && !flags.contains(OpenFlags::WRITE) {
        return Err(Errno::Invalid);
    }
    owner.acquire_handle(limits.max_open_handles)?;
    let object = names.open(name, flags, |count| {
        let bytes = bytes.charge(0).ok_or(Errno::NoSpace)?;
        Ok(NamedSegment {
            name: name.into(),
            unlinked: AtomicBool::new(false),
            open_handles: AtomicU32::new(0),
            segment: Arc::new(Segment::new(provider, bytes)?),
            _count: count,
        })
    });
    let object = object.inspect_err(|_| owner.release_handle())?;
    object.open_handles.fetch_add(1, Ordering::Relaxed);
    let shared_memory = SharedMemory {
        description: Arc::new(Description {
            object,
            owner: Arc::clone(owner),
            flags,
        }),
    };
    // As Linux does it, also for who may only read.
    if flags.contains(OpenFlags::TRUNCATE) {
        shared_memory.description.object.segment.resize(0)?;
    }
    Ok(shared_memory)
}

/// Every object there is, by name; those unlinked but still open come last.
pub(crate) fn list(names: &Names<NamedSegment>) -> Vec<SharedMemoryInfo> {
    let mut list: Vec<_> = names.all().iter().map(|one| one.info()).collect();
    list.sort_by(|a, b| (a.unlinked, &a.name).cmp(&(b.unlinked, &b.name)));
    list
}

impl NamedSegment {
    fn info(&self) -> SharedMemoryInfo {
        SharedMemoryInfo {
            name: format!("/{}", self.name),
            unlinked: self.unlinked.load(Ordering::Relaxed),
            bytes: self.segment.size(),
            open_handles: self.open_handles.load(Ordering::Relaxed),
            waiting: u32::try_from(self.segment.waiting()).unwrap_or(u32::MAX),
        }
    }
}

impl Named for NamedSegment {
    fn unlinked(&self) {
        self.unlinked.store(true, Ordering::Relaxed);
    }
}

impl SharedMemory {
    /// Its size in bytes: `st_size` of `fstat(2)`.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.description.object.segment.size()
    }

    /// Gives it a size in bytes; what comes is zero, what goes is lost. `ftruncate(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when not open for writing, `ENOSPC` when that is more than the pod may share, `ENOMEM`
    /// when it is more than the host has, `EBADF` when the container has ended.
    pub fn truncate(&self, bytes: u64) -> Result<(), Errno> {
        self.segment()?;
        if !self.is_writable() {
            return Err(Errno::Invalid);
        }
        self.description.object.segment.resize(bytes)
    }

    /// Copies bytes out; returns how many, less than asked for at the end of the object.
    ///
    /// # Errors
    ///
    /// `EBADF` when not open for reading, or the container has ended.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        if !self.is_readable() {
            return Err(Errno::BadDescriptor);
        }
        Ok(self.segment()?.read(offset, into))
    }

    /// Copies bytes in; returns how many, less than given at the end of the object, which does not
    /// move.
    ///
    /// # Errors
    ///
    /// `EBADF` when not open for writing, or the container has ended; `ENOMEM` when the host has no
    /// memory left.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<usize, Errno> {
        if !self.is_writable() {
            return Err(Errno::BadDescriptor);
        }
        self.segment()?.write(offset, data)
    }

    /// The bytes themselves. Who keeps them has them mapped: they outlive close and unlink.
    ///
    /// # Errors
    ///
    /// `EBADF` when the container has ended.
    pub fn segment(&self) -> Result<&Arc<Segment>, Errno> {
        if self.description.owner.has_ended() {
            return Err(Errno::BadDescriptor);
        }
        Ok(&self.description.object.segment)
    }

    /// Whether it may be read through this descriptor.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.description.flags.contains(OpenFlags::READ)
    }

    /// Whether it may be written, and given a size, through this descriptor.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.description.flags.contains(OpenFlags::WRITE)
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        self.object.open_handles.fetch_sub(1, Ordering::Relaxed);
        self.owner.release_handle();
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("object", &self.description.object.info())
            .finish_non_exhaustive()
    }
}
