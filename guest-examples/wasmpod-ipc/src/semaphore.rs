//! Named semaphores as programs see them: `sem_overview(7)`.

use std::time::Duration;

use crate::Error;
use crate::options::Create;
use crate::sys;

/// An open named semaphore; dropping it is `sem_close(3)`.
///
/// Its value is never below 0. Not for several threads: a guest has one.
#[derive(Debug)]
pub struct Semaphore(sys::semaphore::Semaphore);

impl Semaphore {
    /// Opens a semaphore that is there.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`] when there is none; [`Error::Invalid`], [`Error::Access`] and
    /// [`Error::NameTooLong`] for the name; [`Error::TooManyOpen`].
    pub fn open(name: &str) -> Result<Self, Error> {
        sys::semaphore::Semaphore::open(name, Create::Never, 0).map(Self)
    }

    /// Opens a semaphore, made with this value (0 to 2147483647) where it is missing: `O_CREAT`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`] but `NoEntry`; [`Error::Invalid`] for the value; [`Error::NoSpace`].
    pub fn create(name: &str, value: u32) -> Result<Self, Error> {
        sys::semaphore::Semaphore::open(name, Create::IfMissing, value).map(Self)
    }

    /// Makes a semaphore with this value: `O_CREAT | O_EXCL`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::create`], and [`Error::AlreadyExists`].
    pub fn create_new(name: &str, value: u32) -> Result<Self, Error> {
        sys::semaphore::Semaphore::open(name, Create::New, value).map(Self)
    }

    /// Removes a name: `sem_unlink(3)`. Who has the semaphore open keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`]; the errors of a wrong name as in [`Self::open`].
    pub fn unlink(name: &str) -> Result<(), Error> {
        sys::semaphore::unlink(name)
    }

    /// Adds one: `sem_post(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`].
    pub fn post(&self) -> Result<(), Error> {
        self.0.post()
    }

    /// Waits until the value is above 0 and takes one: `sem_wait(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`] in a container that has ended, which no program of it sees.
    pub fn wait(&self) -> Result<(), Error> {
        self.0.wait(None)
    }

    /// As [`Self::wait`], at most this long: `sem_timedwait(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`].
    pub fn timed_wait(&self, timeout: Duration) -> Result<(), Error> {
        self.0.wait(Some(timeout))
    }

    /// Takes one if there is one: `sem_trywait(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`] at 0.
    pub fn try_wait(&self) -> Result<(), Error> {
        self.0.try_wait()
    }

    /// The value now: `sem_getvalue(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`], as in [`Self::wait`].
    pub fn value(&self) -> Result<u32, Error> {
        self.0.value()
    }
}
