//! Shared memory: `shm_overview(7)`, `mmap(2)`, `futex(2)`, and System V's segments once they are attached.

#![expect(
    unsafe_code,
    reason = "calls of the C library, and numbers that others change"
)]

use std::cell::OnceCell;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::{c_string, check, last_error, number, timespec};
use crate::memory::Atomic;
use crate::{Error, OpenOptions};

/// A POSIX segment is a file, which is mapped when it is first needed; a System V segment has been attached.
#[derive(Debug)]
pub(crate) struct Segment {
    fd: Option<libc::c_int>,
    is_writable: bool,
    /// The size may still change before the mapping is made, and not after it.
    pages: OnceCell<Rc<Pages>>,
}

#[derive(Debug)]
struct Pages {
    address: *mut u8,
    len: usize,
    is_attached: bool,
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.is_attached {
            // SAFETY: it was attached here, and nobody uses it any more.
            unsafe { libc::shmdt(self.address.cast()) };
        } else {
            // SAFETY: it was mapped so, and nobody uses it any more.
            unsafe { libc::munmap(self.address.cast(), self.len) };
        }
    }
}

impl Segment {
    pub(crate) fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        let name = c_string(name)?;
        let set = [
            (options.create, libc::O_CREAT),
            (options.exclusive, libc::O_EXCL),
            (options.truncate, libc::O_TRUNC),
        ];
        let direction = if options.write {
            libc::O_RDWR
        } else {
            libc::O_RDONLY
        };
        let set = set.iter().filter(|(is_set, _)| *is_set);
        let flags = set.fold(direction, |flags, (_, flag)| flags | flag);
        // SAFETY: the name ends with a NUL.
        let fd = unsafe { libc::shm_open(name.as_ptr(), flags, 0o600) };
        check(fd)?;
        Ok(Self {
            fd: Some(fd),
            is_writable: options.write,
            pages: OnceCell::new(),
        })
    }

    /// A System V segment that was attached at an address.
    pub(super) fn attached(address: *mut u8, len: usize, is_writable: bool) -> Self {
        let pages = Rc::new(Pages {
            address,
            len,
            is_attached: true,
        });
        Self {
            fd: None,
            is_writable,
            pages: OnceCell::from(pages),
        }
    }

    pub(crate) fn size(&self) -> Result<u64, Error> {
        let Some(fd) = self.fd else {
            return Ok(self.pages()?.len.try_into().unwrap_or(u64::MAX));
        };
        // SAFETY: the structure is numbers only, for which zero is a value.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes a status to `status`.
        check(unsafe { libc::fstat(fd, &raw mut status) })?;
        number(status.st_size)
    }

    pub(crate) fn truncate(&self, size: u64) -> Result<(), Error> {
        let fd = self.fd.ok_or(Error::Invalid)?;
        let size = size.try_into().map_err(|_| Error::FileTooBig)?;
        // SAFETY: no memory is involved; what is mapped stays mapped.
        check(unsafe { libc::ftruncate(fd, size) })
    }

    fn pages(&self) -> Result<&Rc<Pages>, Error> {
        if self.pages.get().is_none() {
            let fd = self.fd.ok_or(Error::Invalid)?;
            let len = usize::try_from(self.size()?).map_err(|_| Error::NoMemory)?;
            let write = if self.is_writable {
                libc::PROT_WRITE
            } else {
                0
            };
            // SAFETY: a new mapping, wherever the kernel has room for it.
            let address = unsafe {
                libc::mmap(
                    ptr::null_mut(),
                    len,
                    libc::PROT_READ | write,
                    libc::MAP_SHARED,
                    fd,
                    0,
                )
            };
            if address == libc::MAP_FAILED {
                return Err(last_error());
            }
            let pages = Pages {
                address: address.cast(),
                len,
                is_attached: false,
            };
            return Ok(self.pages.get_or_init(|| Rc::new(pages)));
        }
        self.pages.get().ok_or(Error::Invalid)
    }

    /// The place of a number.
    fn place(&self, offset: u64, width: usize, to_write: bool) -> Result<*mut u8, Error> {
        let offset = usize::try_from(offset).map_err(|_| Error::Invalid)?;
        let pages = self.pages()?;
        let end = offset.checked_add(width).ok_or(Error::Invalid)?;
        if end > pages.len || !offset.is_multiple_of(width) {
            return Err(Error::Invalid);
        }
        if to_write && !self.is_writable {
            return Err(Error::Access);
        }
        Ok(pages.address.wrapping_add(offset))
    }

    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Error> {
        let Ok(offset) = usize::try_from(offset) else {
            return Ok(0);
        };
        let pages = self.pages()?;
        let count = pages.len.saturating_sub(offset).min(into.len());
        let from = pages.address.wrapping_add(offset);
        // SAFETY: the bytes are in the mapping, and `into` is memory of its own.
        unsafe { from.copy_to_nonoverlapping(into.as_mut_ptr(), count) };
        Ok(count)
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let offset = usize::try_from(offset).map_err(|_| Error::Invalid)?;
        let pages = self.pages()?;
        if offset
            .checked_add(data.len())
            .is_none_or(|end| end > pages.len)
        {
            return Err(Error::Invalid);
        }
        if !self.is_writable {
            return Err(Error::Access);
        }
        let to = pages.address.wrapping_add(offset);
        // SAFETY: the bytes are in the mapping, which is writable.
        unsafe { to.copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        Ok(())
    }

    pub(crate) fn atomic32(
        &self,
        offset: u64,
        operation: Atomic,
        operand: u32,
        expected: u32,
    ) -> Result<u32, Error> {
        let place = self.place(offset, 4, operation != Atomic::Load)?;
        // SAFETY: it is in the mapping, aligned since mappings begin at pages, and lives as long as `self`.
        let number = unsafe { AtomicU32::from_ptr(place.cast()) };
        Ok(match operation {
            Atomic::Load => number.load(SeqCst),
            Atomic::Exchange => number.swap(operand, SeqCst),
            Atomic::Add => number.fetch_add(operand, SeqCst),
            Atomic::CompareExchange => number
                .compare_exchange(expected, operand, SeqCst, SeqCst)
                .unwrap_or_else(|old| old),
        })
    }

    pub(crate) fn atomic64(
        &self,
        offset: u64,
        operation: Atomic,
        operand: u64,
        expected: u64,
    ) -> Result<u64, Error> {
        let place = self.place(offset, 8, operation != Atomic::Load)?;
        // SAFETY: as for `atomic32`.
        let number = unsafe { AtomicU64::from_ptr(place.cast()) };
        Ok(match operation {
            Atomic::Load => number.load(SeqCst),
            Atomic::Exchange => number.swap(operand, SeqCst),
            Atomic::Add => number.fetch_add(operand, SeqCst),
            Atomic::CompareExchange => number
                .compare_exchange(expected, operand, SeqCst, SeqCst)
                .unwrap_or_else(|old| old),
        })
    }

    pub(crate) fn wait(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let place = self.place(offset, 4, false)?;
        let time = timeout.map(timespec);
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: a place in the mapping, and a time or none.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_futex,
                place,
                libc::FUTEX_WAIT,
                expected,
                time,
                0,
                0,
            )
        };
        number::<_, u64>(answer).map(drop)
    }

    pub(crate) fn wake(&self, offset: u64, count: u32) -> Result<u32, Error> {
        let place = self.place(offset, 4, false)?;
        // SAFETY: a place in the mapping.
        let woken =
            unsafe { libc::syscall(libc::SYS_futex, place, libc::FUTEX_WAKE, count, 0, 0, 0) };
        number(woken)
    }

    pub(crate) fn map(&self, write: bool) -> Result<Map, Error> {
        if write && !self.is_writable {
            return Err(Error::Access);
        }
        Ok(Map {
            pages: Rc::clone(self.pages()?),
            write,
        })
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Some(fd) = self.fd {
            // SAFETY: the descriptor is open, and nobody uses it any more.
            unsafe { libc::close(fd) };
        }
    }
}

/// The segment's pages, which are mapped once.
#[derive(Debug)]
pub(crate) struct Map {
    pages: Rc<Pages>,
    write: bool,
}

impl Map {
    pub(crate) fn address(&self) -> *mut u8 {
        self.pages.address
    }

    pub(crate) fn len(&self) -> usize {
        self.pages.len
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.write
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    let name = c_string(name)?;
    // SAFETY: the name ends with a NUL.
    check(unsafe { libc::shm_unlink(name.as_ptr()) })
}
