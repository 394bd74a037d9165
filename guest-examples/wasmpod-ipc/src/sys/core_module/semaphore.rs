//! Named semaphores: the imports whose names begin with `sem_`.

#![expect(
    unsafe_code,
    reason = "imports are foreign functions that read and write this module's memory"
)]

use std::time::Duration;

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
    }
}

#[derive(Debug)]
pub(crate) struct Semaphore(u32);

impl Semaphore {
    pub(crate) fn open(name: &str, create: Create, value: u32) -> Result<Self, Error> {
        let mut sem = 0;
        let flags = create_flags(create);
        // SAFETY: the name is readable for its length, and the host writes one u32 to `sem`.
        check(unsafe { imports::sem_open(name.as_ptr(), name.len(), flags, value, &raw mut sem) })?;
        Ok(Self(sem))
    }

    pub(crate) fn post(&self) -> Result<(), Error> {
        check(imports::sem_post(self.0))
    }

    pub(crate) fn try_wait(&self) -> Result<(), Error> {
        check(imports::sem_try_wait(self.0))
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        match self.try_wait() {
            Err(Error::WouldBlock) => check(imports::sem_wait(self.0, nanoseconds(timeout))),
            answer => answer,
        }
    }

    pub(crate) fn value(&self) -> Result<u32, Error> {
        let mut value = 0;
        // SAFETY: the host writes one u32 to `value`.
        check(unsafe { imports::sem_get_value(self.0, &raw mut value) })?;
        Ok(value)
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        imports::sem_close(self.0);
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    // SAFETY: the name is readable for its length.
    check(unsafe { imports::sem_unlink(name.as_ptr(), name.len()) })
}
