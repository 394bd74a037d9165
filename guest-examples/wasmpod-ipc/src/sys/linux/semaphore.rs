//! Named semaphores: `sem_overview(7)`.

#![expect(unsafe_code, reason = "calls of the C library")]

use std::ptr;
use std::time::Duration;

use super::{c_string, check, end_of, last_error};
use crate::Error;
use crate::options::Create;

#[derive(Debug)]
pub(crate) struct Semaphore(*mut libc::sem_t);

impl Semaphore {
    pub(crate) fn open(name: &str, create: Create, value: u32) -> Result<Self, Error> {
        let name = c_string(name)?;
        let flags = match create {
            Create::Never => 0,
            Create::IfMissing => libc::O_CREAT,
            Create::New => libc::O_CREAT | libc::O_EXCL,
        };
        let mode: libc::mode_t = 0o600;
        // SAFETY: the name ends with a NUL.
        let sem = unsafe { libc::sem_open(name.as_ptr(), flags, mode, value) };
        if ptr::eq(sem, libc::SEM_FAILED) {
            return Err(last_error());
        }
        Ok(Self(sem))
    }

    pub(crate) fn post(&self) -> Result<(), Error> {
        // SAFETY: the semaphore is open.
        check(unsafe { libc::sem_post(self.0) })
    }

    pub(crate) fn try_wait(&self) -> Result<(), Error> {
        // SAFETY: the semaphore is open.
        check(unsafe { libc::sem_trywait(self.0) })
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        check(match timeout {
            // SAFETY: the semaphore is open.
            None => unsafe { libc::sem_wait(self.0) },
            Some(timeout) => {
                let end = end_of(timeout)?;
                // SAFETY: the semaphore is open, and `end` is a time.
                unsafe { libc::sem_timedwait(self.0, &raw const end) }
            }
        })
    }

    pub(crate) fn value(&self) -> Result<u32, Error> {
        let mut value = 0;
        // SAFETY: the semaphore is open, and its value is written to `value`.
        check(unsafe { libc::sem_getvalue(self.0, &raw mut value) })?;
        Ok(u32::try_from(value).unwrap_or(0))
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: the semaphore is open, and nobody uses it any more.
        unsafe { libc::sem_close(self.0) };
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    let name = c_string(name)?;
    // SAFETY: the name ends with a NUL.
    check(unsafe { libc::sem_unlink(name.as_ptr()) })
}
