//! The interface `wasmpod:ipc/system-v-semaphore`.

use wasmpod_ipc::Object;
use wasmpod_ipc::sysv::semaphore_set::SemOp;
use wasmtime::Result;

use super::wit::system_v_semaphore as wit;
use super::{ErrorCode, View, error_code, get_flags_of, limit};
use crate::host::ipc::{open_or_wait, within};

/// What a call of a guest gives, inside of what stops the guest.
type Answer<T> = Result<Result<T, ErrorCode>>;

impl wit::Host for View<'_> {
    async fn get(&mut self, key: i32, count: u32, flags: wit::GetFlags) -> Answer<i32> {
        let create = flags.contains(wit::GetFlags::CREATE);
        let flags = get_flags_of(create, flags.contains(wit::GetFlags::EXCLUSIVE));
        let flags = match flags {
            Ok(flags) => flags,
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        // More than there can be is as much too many as the most that can be said.
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        let id = open_or_wait(
            self.ipc,
            || Object::SystemVSemaphoreSet(key),
            |ipc| ipc.sem_get(key, count, flags),
        );
        Ok(id.await.map_err(error_code))
    }

    async fn operate(
        &mut self,
        id: i32,
        operations: Vec<wit::Operation>,
        timeout_ns: Option<u64>,
    ) -> Answer<()> {
        let set = match self.ipc.semaphore_set(id) {
            Ok(set) => set,
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        let operations: Vec<_> = operations
            .into_iter()
            .map(|operation| SemOp {
                number: operation.number,
                change: operation.change,
                no_wait: operation.flags.contains(wit::OperationFlags::NO_WAIT),
                undo: operation.flags.contains(wit::OperationFlags::UNDO),
            })
            .collect();
        let done = within(limit(timeout_ns), set.operate(&operations)).await;
        Ok(done.map_err(error_code))
    }

    fn get_value(&mut self, id: i32, number: u32) -> Answer<wit::Value> {
        let value = self.ipc.semaphore_set(id).and_then(|set| {
            Ok(wit::Value {
                value: set.value(number)?.into(),
                last_container: set.last_pid(number)?.cast_unsigned(),
                waiting_for_more: set.waiting_for_increase(number)?,
                waiting_for_zero: set.waiting_for_zero(number)?,
            })
        });
        Ok(value.map_err(error_code))
    }

    fn set_value(&mut self, id: i32, number: u32, value: u32) -> Answer<()> {
        let value = i32::try_from(value).unwrap_or(i32::MAX);
        let set = self
            .ipc
            .semaphore_set(id)
            .and_then(|set| set.set_value(number, value));
        Ok(set.map_err(error_code))
    }

    fn get_all(&mut self, id: i32) -> Answer<Vec<u16>> {
        let values = self.ipc.semaphore_set(id).and_then(|set| set.values());
        Ok(values.map_err(error_code))
    }

    fn set_all(&mut self, id: i32, values: Vec<u16>) -> Answer<()> {
        let set = self
            .ipc
            .semaphore_set(id)
            .and_then(|set| set.set_values(&values));
        Ok(set.map_err(error_code))
    }

    fn stat(&mut self, id: i32) -> Answer<wit::Status> {
        let stat = self.ipc.semaphore_set(id).and_then(|set| set.stat());
        Ok(stat.map_err(error_code).map(|info| wit::Status {
            key: info.key,
            semaphores: info.count,
            operation_time: info.operated_at,
            change_time: info.changed_at,
        }))
    }

    fn remove(&mut self, id: i32) -> Answer<()> {
        let removed = self.ipc.semaphore_set(id).and_then(|set| set.remove());
        Ok(removed.map_err(error_code))
    }
}
