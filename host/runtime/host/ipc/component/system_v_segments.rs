//! The interface `wasmpod:ipc/system-v-shared-memory`.

use std::sync::Arc;

use wasmpod_ipc::Object;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::wit::system_v_shared_memory as wit;
use super::{ErrorCode, View, error_code, get_flags_of};
use crate::host::ipc::core::OpenSegment;
use crate::host::ipc::open_or_wait;

/// What a call of a guest gives, inside of what stops the guest.
type Answer<T> = Result<Result<T, ErrorCode>>;

impl wit::Host for View<'_> {
    async fn get(&mut self, key: i32, size: u64, flags: wit::GetFlags) -> Answer<i32> {
        let create = flags.contains(wit::GetFlags::CREATE);
        let flags = match get_flags_of(create, flags.contains(wit::GetFlags::EXCLUSIVE)) {
            Ok(flags) => flags,
            Err(errno) => return Ok(Err(error_code(errno))),
        };
        let id = open_or_wait(
            self.ipc,
            || Object::SystemVSegment(key),
            |ipc| ipc.shm_get(key, size, flags),
        );
        Ok(id.await.map_err(error_code))
    }

    fn attach(&mut self, id: i32, read_only: bool) -> Answer<Resource<OpenSegment>> {
        match self.ipc.shm_attach(id, read_only) {
            Ok(attachment) => {
                let open = OpenSegment::SystemV(Arc::new(attachment));
                Ok(Ok(self.table.push(open)?))
            }
            Err(errno) => Ok(Err(error_code(errno))),
        }
    }

    fn stat(&mut self, id: i32) -> Answer<wit::Status> {
        let stat = self.ipc.shm_stat(id);
        Ok(stat.map_err(error_code).map(|info| wit::Status {
            key: info.key,
            size: info.bytes,
            attached: info.attached,
            creator: info.creator_pid.cast_unsigned(),
            last_container: info.last_pid.cast_unsigned(),
            attach_time: info.attached_at,
            detach_time: info.detached_at,
            change_time: info.changed_at,
            is_removed: info.removed,
        }))
    }

    fn remove(&mut self, id: i32) -> Answer<()> {
        Ok(self.ipc.shm_remove(id).map_err(error_code))
    }
}
