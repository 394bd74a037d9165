//! The interface `wasmpod:ipc/shared-memory`: POSIX shared memory, and what segments of both kinds can do.

use wasmpod_ipc::{AtomicOp, Errno, Object, OpenFlags};
use wasmtime::Result;
use wasmtime::component::Resource;

use super::wit::shared_memory as wit;
use super::{ErrorCode, View, copies, error_code, limit};
use crate::host::ipc::core::OpenSegment;
use crate::host::ipc::{open_or_wait, within};

/// What a call of a guest gives, inside of what stops the guest.
type Answer<T> = Result<Result<T, ErrorCode>>;

impl wit::Host for View<'_> {
    fn unlink(&mut self, name: String) -> Answer<()> {
        Ok(self.ipc.shm_unlink(&name).map_err(error_code))
    }

    fn container_runs(&mut self, number: u32) -> Result<bool> {
        Ok(i32::try_from(number).is_ok_and(|number| self.ipc.is_running(number)))
    }
}

/// The operation that an update is, on numbers of either width.
macro_rules! operation {
    ($operation:expr, $operand:expr) => {
        match $operation {
            wit::AtomicOperation::Exchange => AtomicOp::Exchange($operand),
            wit::AtomicOperation::Add => AtomicOp::Add($operand),
            wit::AtomicOperation::Subtract => AtomicOp::Add($operand.wrapping_neg()),
            wit::AtomicOperation::And => AtomicOp::And($operand),
            wit::AtomicOperation::Or => AtomicOp::Or($operand),
            wit::AtomicOperation::Xor => AtomicOp::Xor($operand),
        }
    };
}

impl View<'_> {
    fn update32(&self, of: &Resource<OpenSegment>, at: u64, op: AtomicOp<u32>) -> Answer<u32> {
        let open = self.table.get(of)?;
        let checked = match op {
            AtomicOp::Load => Ok(()),
            _ => open.check_writable(),
        };
        let old = checked.and_then(|()| open.segment()?.update_u32(at, op));
        Ok(old.map_err(error_code))
    }

    fn update64(&self, of: &Resource<OpenSegment>, at: u64, op: AtomicOp<u64>) -> Answer<u64> {
        let open = self.table.get(of)?;
        let checked = match op {
            AtomicOp::Load => Ok(()),
            _ => open.check_writable(),
        };
        let old = checked.and_then(|()| open.segment()?.update_u64(at, op));
        Ok(old.map_err(error_code))
    }
}

fn open_flags(flags: wit::OpenFlags) -> Result<OpenFlags, Errno> {
    let pairs = [
        (wit::OpenFlags::WRITE, OpenFlags::WRITE),
        (wit::OpenFlags::CREATE, OpenFlags::CREATE),
        (wit::OpenFlags::EXCLUSIVE, OpenFlags::EXCLUSIVE),
        (wit::OpenFlags::TRUNCATE, OpenFlags::TRUNCATE),
    ];
    let set = pairs
        .into_iter()
        .filter(|(theirs, _)| flags.contains(*theirs));
    OpenFlags::from_bits(set.fold(OpenFlags::READ.bits(), |bits, (_, ours)| bits | ours.bits()))
}

impl wit::HostSegment for View<'_> {
    async fn open(&mut self, name: String, flags: wit::OpenFlags) -> Answer<Resource<OpenSegment>> {
        let flags = match open_flags(flags) {
            Ok(flags) => flags,
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        let opened = open_or_wait(
            self.ipc,
            || Object::SharedMemory(name.clone()),
            |ipc| ipc.shm_open(&name, flags),
        );
        match opened.await {
            Ok(open) => Ok(Ok(self.table.push(OpenSegment::Posix(open))?)),
            Err(errno) => Ok(Err(error_code(errno))),
        }
    }

    fn size(&mut self, of: Resource<OpenSegment>) -> Result<u64> {
        let open = self.table.get(&of)?;
        Ok(open.segment().map_or(0, |segment| segment.size()))
    }

    fn truncate(&mut self, of: Resource<OpenSegment>, size: u64) -> Answer<()> {
        Ok(self.table.get(&of)?.truncate(size).map_err(error_code))
    }

    // Reading and writing are defined once more, with fewer copies (`copies`).
    fn read(&mut self, of: Resource<OpenSegment>, offset: u64, length: u32) -> Answer<Vec<u8>> {
        let read = copies::read(self.table.get(&of)?, offset, length);
        Ok(read.map(|bytes| bytes.to_vec()).map_err(error_code))
    }

    fn write(&mut self, of: Resource<OpenSegment>, offset: u64, data: Vec<u8>) -> Answer<()> {
        let open = self.table.get(&of)?;
        Ok(open.write(offset, &data).map_err(error_code))
    }

    fn atomic_load32(&mut self, of: Resource<OpenSegment>, offset: u64) -> Answer<u32> {
        self.update32(&of, offset, AtomicOp::Load)
    }

    fn atomic_store32(&mut self, of: Resource<OpenSegment>, offset: u64, value: u32) -> Answer<()> {
        let stored = self.update32(&of, offset, AtomicOp::Store(value))?;
        Ok(stored.map(drop))
    }

    fn atomic_update32(
        &mut self,
        of: Resource<OpenSegment>,
        offset: u64,
        operation: wit::AtomicOperation,
        operand: u32,
    ) -> Answer<u32> {
        self.update32(&of, offset, operation!(operation, operand))
    }

    fn atomic_compare_exchange32(
        &mut self,
        of: Resource<OpenSegment>,
        offset: u64,
        expected: u32,
        new: u32,
    ) -> Answer<u32> {
        self.update32(&of, offset, AtomicOp::CompareExchange { expected, new })
    }

    fn atomic_load64(&mut self, of: Resource<OpenSegment>, offset: u64) -> Answer<u64> {
        self.update64(&of, offset, AtomicOp::Load)
    }

    fn atomic_store64(&mut self, of: Resource<OpenSegment>, offset: u64, value: u64) -> Answer<()> {
        let stored = self.update64(&of, offset, AtomicOp::Store(value))?;
        Ok(stored.map(drop))
    }

    fn atomic_update64(
        &mut self,
        of: Resource<OpenSegment>,
        offset: u64,
        operation: wit::AtomicOperation,
        operand: u64,
    ) -> Answer<u64> {
        self.update64(&of, offset, operation!(operation, operand))
    }

    fn atomic_compare_exchange64(
        &mut self,
        of: Resource<OpenSegment>,
        offset: u64,
        expected: u64,
        new: u64,
    ) -> Answer<u64> {
        self.update64(&of, offset, AtomicOp::CompareExchange { expected, new })
    }

    async fn wait(
        &mut self,
        of: Resource<OpenSegment>,
        offset: u64,
        expected: u32,
        timeout_ns: Option<u64>,
    ) -> Answer<()> {
        let woken = match self.table.get(&of)?.segment() {
            Ok(segment) => segment.futex_wait(offset, expected),
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        Ok(within(limit(timeout_ns), woken).await.map_err(error_code))
    }

    fn wake(&mut self, of: Resource<OpenSegment>, offset: u64, count: u32) -> Answer<u32> {
        let segment = self.table.get(&of)?.segment();
        let woken = segment.and_then(|segment| segment.futex_wake(offset, count));
        Ok(woken.map_err(error_code))
    }

    fn drop(&mut self, of: Resource<OpenSegment>) -> Result<()> {
        self.table.delete(of)?;
        Ok(())
    }
}
