//! The interface `wasmpod:ipc/semaphore`: POSIX named semaphores.

use std::time::Duration;

use wasmpod_ipc::{Object, OpenFlags, Semaphore};
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::DynPollable;

use super::wit::semaphore as wit;
use super::{ErrorCode, View, error_code, subscription};
use crate::host::ipc::{open_or_wait, within};

/// What a call of a guest gives, inside of what stops the guest.
type Answer<T> = Result<Result<T, ErrorCode>>;

impl wit::Host for View<'_> {
    fn unlink(&mut self, name: String) -> Answer<()> {
        Ok(self.ipc.sem_unlink(&name).map_err(error_code))
    }
}

impl wit::HostSemaphore for View<'_> {
    async fn open(
        &mut self,
        name: String,
        flags: wit::OpenFlags,
        value: u32,
    ) -> Answer<Resource<Semaphore>> {
        let bit = |theirs, ours: OpenFlags| {
            if flags.contains(theirs) {
                ours.bits()
            } else {
                0
            }
        };
        let bits = bit(wit::OpenFlags::CREATE, OpenFlags::CREATE)
            | bit(wit::OpenFlags::EXCLUSIVE, OpenFlags::EXCLUSIVE);
        let flags = match OpenFlags::from_bits(bits) {
            Ok(flags) => flags,
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        let opened = open_or_wait(
            self.ipc,
            || Object::Semaphore(name.clone()),
            |ipc| ipc.sem_open(&name, flags, value),
        );
        match opened.await {
            Ok(semaphore) => Ok(Ok(self.table.push(semaphore)?)),
            Err(errno) => Ok(Err(error_code(errno))),
        }
    }

    fn post(&mut self, semaphore: Resource<Semaphore>) -> Answer<()> {
        Ok(self.table.get(&semaphore)?.post().map_err(error_code))
    }

    async fn wait(&mut self, semaphore: Resource<Semaphore>) -> Answer<()> {
        let wait = self.table.get(&semaphore)?.wait();
        Ok(wait.await.map_err(error_code))
    }

    fn try_wait(&mut self, semaphore: Resource<Semaphore>) -> Answer<()> {
        Ok(self.table.get(&semaphore)?.try_wait().map_err(error_code))
    }

    async fn timed_wait(&mut self, semaphore: Resource<Semaphore>, timeout_ns: u64) -> Answer<()> {
        let wait = self.table.get(&semaphore)?.wait();
        let limit = Some(Duration::from_nanos(timeout_ns));
        Ok(within(limit, wait).await.map_err(error_code))
    }

    fn value(&mut self, semaphore: Resource<Semaphore>) -> Result<u32> {
        Ok(self.table.get(&semaphore)?.value())
    }

    fn is_same(
        &mut self,
        semaphore: Resource<Semaphore>,
        other: Resource<Semaphore>,
    ) -> Result<bool> {
        Ok(self.table.get(&semaphore)?.is_same(self.table.get(&other)?))
    }

    fn subscribe(&mut self, semaphore: Resource<Semaphore>) -> Result<Resource<DynPollable>> {
        let semaphore = self.get(&semaphore)?;
        subscription::push(self.table, move || semaphore.ready())
    }

    fn drop(&mut self, semaphore: Resource<Semaphore>) -> Result<()> {
        self.table.delete(semaphore)?;
        Ok(())
    }
}
