//! Shared memory: the imports whose names begin with `shm_`.

#![expect(
    unsafe_code,
    reason = "imports are foreign functions that read and write this module's memory"
)]

use std::alloc::{Layout, alloc, dealloc};
use std::time::Duration;

use super::{CREATE, EXCLUSIVE, READ, TRUNCATE, WRITE, check, nanoseconds};
use crate::memory::Atomic;
use crate::{Error, OpenOptions};

mod imports {
    #[link(wasm_import_module = "wasmpod_ipc")]
    unsafe extern "C" {
        pub(super) fn shm_open(name: *const u8, name_len: usize, flags: u32, out: *mut u32) -> i32;
        pub(super) safe fn shm_close(fd: u32) -> i32;
        pub(super) fn shm_unlink(name: *const u8, name_len: usize) -> i32;
        pub(super) safe fn shm_truncate(fd: u32, size: i64) -> i32;
        pub(super) fn shm_size(fd: u32, out: *mut u64) -> i32;
        pub(super) fn shm_read(
            fd: u32,
            offset: i64,
            buf: *mut u8,
            len: usize,
            out: *mut u32,
        ) -> i32;
        pub(super) fn shm_write(fd: u32, offset: i64, data: *const u8, len: usize) -> i32;
        pub(super) fn shm_atomic32(
            fd: u32,
            offset: i64,
            operation: u32,
            operand: u32,
            expected: u32,
            out: *mut u32,
        ) -> i32;
        pub(super) fn shm_atomic64(
            fd: u32,
            offset: i64,
            operation: u32,
            operand: i64,
            expected: i64,
            out: *mut u64,
        ) -> i32;
        pub(super) fn shm_map(
            fd: u32,
            offset: i64,
            address: *mut u8,
            len: usize,
            flags: u32,
            out: *mut u32,
        ) -> i32;
        pub(super) fn shm_unmap(address: *mut u8, len: usize) -> i32;
        pub(super) safe fn shm_futex_wait(
            fd: u32,
            offset: i64,
            expected: u32,
            timeout_ns: i64,
        ) -> i32;
        pub(super) fn shm_futex_wake(fd: u32, offset: i64, count: u32, out: *mut u32) -> i32;
    }
}

/// Mappings begin at pages of Wasm, and take whole ones.
pub(super) const PAGE: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Segment {
    fd: u32,
}

/// Offsets beyond the range of the imports are beyond every segment.
fn place(offset: u64) -> Result<i64, Error> {
    i64::try_from(offset).map_err(|_| Error::Invalid)
}

fn operation(operation: Atomic) -> u32 {
    match operation {
        Atomic::Load => 0,
        Atomic::Exchange => 1,
        Atomic::Add => 2,
        Atomic::CompareExchange => 7,
    }
}

impl Segment {
    pub(crate) fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        let set = [
            (options.write, WRITE),
            (options.create, CREATE),
            (options.exclusive, EXCLUSIVE),
            (options.truncate, TRUNCATE),
        ];
        let set = set.iter().filter(|(is_set, _)| *is_set);
        let flags = set.fold(READ, |flags, (_, flag)| flags | flag);
        let mut fd = 0;
        // SAFETY: the name is readable for its length, and the host writes one u32 to `fd`.
        check(unsafe { imports::shm_open(name.as_ptr(), name.len(), flags, &raw mut fd) })?;
        Ok(Self { fd })
    }

    /// A descriptor that the host has given.
    pub(super) fn of(fd: u32) -> Self {
        Self { fd }
    }

    pub(crate) fn size(&self) -> Result<u64, Error> {
        let mut size = 0;
        // SAFETY: the host writes one u64 to `size`.
        check(unsafe { imports::shm_size(self.fd, &raw mut size) })?;
        Ok(size)
    }

    pub(crate) fn truncate(&self, size: u64) -> Result<(), Error> {
        check(imports::shm_truncate(
            self.fd,
            i64::try_from(size).map_err(|_| Error::FileTooBig)?,
        ))
    }

    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Error> {
        let mut count = 0;
        // SAFETY: the buffer is writable for its length, and the host writes one u32 to `count`.
        check(unsafe {
            imports::shm_read(
                self.fd,
                place(offset)?,
                into.as_mut_ptr(),
                into.len(),
                &raw mut count,
            )
        })?;
        usize::try_from(count).map_err(|_| Error::Invalid)
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        // SAFETY: the data are readable for their length.
        check(unsafe { imports::shm_write(self.fd, place(offset)?, data.as_ptr(), data.len()) })
    }

    pub(crate) fn atomic32(
        &self,
        offset: u64,
        atomic: Atomic,
        operand: u32,
        expected: u32,
    ) -> Result<u32, Error> {
        let (offset, mut old) = (place(offset)?, 0);
        // SAFETY: the host writes one u32 to `old`.
        check(unsafe {
            imports::shm_atomic32(
                self.fd,
                offset,
                operation(atomic),
                operand,
                expected,
                &raw mut old,
            )
        })?;
        Ok(old)
    }

    pub(crate) fn atomic64(
        &self,
        offset: u64,
        atomic: Atomic,
        operand: u64,
        expected: u64,
    ) -> Result<u64, Error> {
        let (offset, mut old) = (place(offset)?, 0);
        let (operand, expected) = (operand.cast_signed(), expected.cast_signed());
        // SAFETY: the host writes one u64 to `old`.
        check(unsafe {
            imports::shm_atomic64(
                self.fd,
                offset,
                operation(atomic),
                operand,
                expected,
                &raw mut old,
            )
        })?;
        Ok(old)
    }

    pub(crate) fn wait(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        check(imports::shm_futex_wait(
            self.fd,
            place(offset)?,
            expected,
            nanoseconds(timeout),
        ))
    }

    pub(crate) fn wake(&self, offset: u64, count: u32) -> Result<u32, Error> {
        let mut woken = 0;
        // SAFETY: the host writes one u32 to `woken`.
        check(unsafe { imports::shm_futex_wake(self.fd, place(offset)?, count, &raw mut woken) })?;
        Ok(woken)
    }

    pub(crate) fn map(&self, write: bool) -> Result<Map, Error> {
        let len = usize::try_from(self.size()?).map_err(|_| Error::NoMemory)?;
        let pages = len
            .checked_next_multiple_of(PAGE)
            .filter(|pages| *pages > 0);
        let layout = Layout::from_size_align(pages.ok_or(Error::Invalid)?, PAGE)
            .map_err(|_| Error::NoMemory)?;
        // SAFETY: the layout has a size.
        let address = unsafe { alloc(layout) };
        if address.is_null() {
            return Err(Error::NoMemory);
        }
        let flags = if write { WRITE } else { 0 };
        let mut is_shared = 0;
        // SAFETY: the memory is ours, whole pages, and used for nothing else until it is unmapped.
        let answer =
            check(unsafe { imports::shm_map(self.fd, 0, address, len, flags, &raw mut is_shared) });
        if let Err(error) = answer {
            // SAFETY: it was allocated so, and the host has not taken it.
            unsafe { dealloc(address, layout) };
            return Err(error);
        }
        Ok(Map {
            address,
            len,
            layout,
            write,
        })
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        imports::shm_close(self.fd);
    }
}

/// Pages of this module's memory that are the segment's.
#[derive(Debug)]
pub(crate) struct Map {
    address: *mut u8,
    len: usize,
    layout: Layout,
    write: bool,
}

impl Map {
    pub(crate) fn address(&self) -> *mut u8 {
        self.address
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.write
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: it is mapped so, and nobody has a reference into it any more.
        if unsafe { imports::shm_unmap(self.address, self.len) } == 0 {
            // SAFETY: it was allocated so. Memory that could not be unmapped stays taken.
            unsafe { dealloc(self.address, self.layout) };
        }
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    // SAFETY: the name is readable for its length.
    check(unsafe { imports::shm_unlink(name.as_ptr(), name.len()) })
}
