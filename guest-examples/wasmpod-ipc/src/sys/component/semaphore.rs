//! Named semaphores: the interface `semaphore`.

use std::time::Duration;

use super::bindings::wasmpod::ipc::semaphore as wit;
use super::nanoseconds;
use crate::Error;
use crate::options::Create;

#[derive(Debug)]
pub(crate) struct Semaphore(wit::Semaphore);

impl Semaphore {
    pub(crate) fn open(name: &str, create: Create, value: u32) -> Result<Self, Error> {
        let flags = match create {
            Create::Never => wit::OpenFlags::empty(),
            Create::IfMissing => wit::OpenFlags::CREATE,
            Create::New => wit::OpenFlags::CREATE | wit::OpenFlags::EXCLUSIVE,
        };
        Ok(Self(wit::Semaphore::open(name, flags, value)?))
    }

    pub(crate) fn post(&self) -> Result<(), Error> {
        Ok(self.0.post()?)
    }

    pub(crate) fn try_wait(&self) -> Result<(), Error> {
        Ok(self.0.try_wait()?)
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        Ok(match timeout {
            None => self.0.wait()?,
            Some(timeout) => self.0.timed_wait(nanoseconds(timeout))?,
        })
    }

    pub(crate) fn value(&self) -> Result<u32, Error> {
        Ok(self.0.value())
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    Ok(wit::unlink(name)?)
}
