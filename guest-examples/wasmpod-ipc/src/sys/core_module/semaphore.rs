//! Named semaphores: the imports whose names begin with `sem_`.
//!
//! Where the host can, a semaphore's number is in a page of this module's memory, and a call is made only when somebody
//! waits or is to wait.

#![expect(
    unsafe_code,
    reason = "imports are foreign functions that read and write this module's memory"
)]

use std::alloc::{Layout, alloc, dealloc};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::memory::PAGE;
use super::{check, create_flags, nanoseconds};
use crate::Error;
use crate::options::Create;

mod imports {
    #[link(wasm_import_module = "wasmpod_ipc")]
    unsafe extern "C" {
        pub(super) fn sem_open(
            name: *const u8,
            name_len: usize,
            flags: u32,
            value: u32,
            out: *mut u32,
        ) -> i32;
        pub(super) safe fn sem_close(sem: u32) -> i32;
        pub(super) fn sem_unlink(name: *const u8, name_len: usize) -> i32;
        pub(super) safe fn sem_post(sem: u32) -> i32;
        pub(super) safe fn sem_try_wait(sem: u32) -> i32;
        pub(super) safe fn sem_wait(sem: u32, timeout_ns: i64) -> i32;
        pub(super) fn sem_get_value(sem: u32, out: *mut u32) -> i32;
        pub(super) fn sem_map(sem: u32, address: *mut u8, out: *mut u32) -> i32;
    }
}

/// The bit of a number that says that somebody waits. Then only the host may change it.
const LINE: u32 = 1 << 31;
/// The greatest value.
const MOST: u32 = LINE - 1;

/// Where the numbers of all semaphores are, once they are mapped, and for good.
static NUMBERS: OnceLock<Option<Numbers>> = OnceLock::new();

struct Numbers(*mut u8);

// SAFETY: a module has one thread, and the pointer is only an address of numbers that are changed atomically.
unsafe impl Send for Numbers {}
// SAFETY: as above.
unsafe impl Sync for Numbers {}

#[derive(Debug)]
pub(crate) struct Semaphore {
    sem: u32,
    /// Its number, unless the host has it.
    number: Option<&'static AtomicU32>,
}

/// Finds the number of a semaphore in this module's memory.
fn number(sem: u32) -> Option<&'static AtomicU32> {
    let mut offset = 0;
    let mut map = |address: *mut u8| {
        // SAFETY: the page is ours and used for nothing else, and the host writes one u32 to `offset`.
        check(unsafe { imports::sem_map(sem, address, &raw mut offset) }).ok()
    };
    let numbers = NUMBERS.get_or_init(|| {
        let layout = Layout::from_size_align(PAGE, PAGE).ok()?;
        // SAFETY: the layout has a size.
        let address = unsafe { alloc(layout) };
        if address.is_null() {
            return None;
        }
        if map(address).is_none() {
            // SAFETY: it was allocated so, and the host has not taken it.
            unsafe { dealloc(address, layout) };
            return None;
        }
        Some(Numbers(address))
    });
    let Numbers(address) = numbers.as_ref()?;
    map(*address)?;
    let offset = usize::try_from(offset)
        .ok()
        .filter(|offset| *offset < PAGE)?;
    // SAFETY: the host has said that an aligned number is there, which is changed atomically only and stays mapped.
    Some(unsafe { AtomicU32::from_ptr(address.wrapping_add(offset).cast()) })
}

impl Semaphore {
    pub(crate) fn open(name: &str, create: Create, value: u32) -> Result<Self, Error> {
        let mut sem = 0;
        let flags = create_flags(create);
        // SAFETY: the name is readable for its length, and the host writes one u32 to `sem`.
        check(unsafe { imports::sem_open(name.as_ptr(), name.len(), flags, value, &raw mut sem) })?;
        Ok(Self {
            sem,
            number: number(sem),
        })
    }

    /// Changes the number here, if that is possible.
    fn change(&self, new: impl FnMut(u32) -> Option<u32>) -> bool {
        self.number
            .is_some_and(|number| number.fetch_update(SeqCst, SeqCst, new).is_ok())
    }

    pub(crate) fn post(&self) -> Result<(), Error> {
        if self.change(|number| (number < MOST).then(|| number + 1)) {
            return Ok(());
        }
        check(imports::sem_post(self.sem))
    }

    pub(crate) fn try_wait(&self) -> Result<(), Error> {
        if self.change(|number| (number & MOST > 0).then_some(number.wrapping_sub(1))) {
            return Ok(());
        }
        check(imports::sem_try_wait(self.sem))
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        match self.try_wait() {
            Err(Error::WouldBlock) => check(imports::sem_wait(self.sem, nanoseconds(timeout))),
            answer => answer,
        }
    }

    pub(crate) fn value(&self) -> Result<u32, Error> {
        let mut value = 0;
        // SAFETY: the host writes one u32 to `value`.
        check(unsafe { imports::sem_get_value(self.sem, &raw mut value) })?;
        Ok(value)
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        imports::sem_close(self.sem);
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    // SAFETY: the name is readable for its length.
    check(unsafe { imports::sem_unlink(name.as_ptr(), name.len()) })
}
