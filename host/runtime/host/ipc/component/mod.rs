//! The package `wasmpod:ipc` for components, as wit/wasmpod-ipc describes it.
//!
//! Calls that wait are asynchronous here and end with the container. Each interface has a file; this one has the bindings
//! of all of them, and what they share.

mod batch;
mod copies;
mod message_queue;
mod semaphore;
mod semaphore_set;
mod shared_memory;
mod subscription;
mod system_v_messages;
mod system_v_segments;

use std::time::Duration;

use wasmpod_ipc::Errno;
use wasmpod_ipc::sysv::GetFlags;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::{CREATE, Door, EXCLUSIVE, get_flags};
use crate::host::ComponentState;

mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package wasmpod:host;
            world ipc {
                import wasmpod:ipc/message-queue@0.1.0;
                import wasmpod:ipc/semaphore@0.1.0;
                import wasmpod:ipc/shared-memory@0.1.0;
                import wasmpod:ipc/system-v-message-queue@0.1.0;
                import wasmpod:ipc/system-v-semaphore@0.1.0;
                import wasmpod:ipc/system-v-shared-memory@0.1.0;
            }
        ",
        path: "../../wit/wasmpod-ipc",
        imports: {
            "wasmpod:ipc/message-queue.[static]queue.open": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.send": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.timed-send": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.receive": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.timed-receive": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.send-many": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.receive-many": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.send-batch": async | trappable,
            "wasmpod:ipc/message-queue.[method]queue.receive-batch": async | trappable,
            "wasmpod:ipc/message-queue.[method]notification.wait": async | trappable,
            "wasmpod:ipc/semaphore.[static]semaphore.open": async | trappable,
            "wasmpod:ipc/semaphore.[method]semaphore.wait": async | trappable,
            "wasmpod:ipc/semaphore.[method]semaphore.timed-wait": async | trappable,
            "wasmpod:ipc/shared-memory.[static]segment.open": async | trappable,
            "wasmpod:ipc/shared-memory.[method]segment.wait": async | trappable,
            "wasmpod:ipc/system-v-message-queue.get": async | trappable,
            "wasmpod:ipc/system-v-message-queue.send": async | trappable,
            "wasmpod:ipc/system-v-message-queue.receive": async | trappable,
            "wasmpod:ipc/system-v-message-queue.send-many": async | trappable,
            "wasmpod:ipc/system-v-message-queue.receive-many": async | trappable,
            "wasmpod:ipc/system-v-message-queue.send-batch": async | trappable,
            "wasmpod:ipc/system-v-message-queue.receive-batch": async | trappable,
            "wasmpod:ipc/system-v-semaphore.get": async | trappable,
            "wasmpod:ipc/system-v-semaphore.operate": async | trappable,
            "wasmpod:ipc/system-v-shared-memory.get": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:io/poll": wasmtime_wasi_io::bindings::wasi::io::poll,
            "wasmpod:ipc/message-queue.queue": wasmpod_ipc::Queue,
            "wasmpod:ipc/message-queue.notification": super::message_queue::Requested,
            "wasmpod:ipc/semaphore.semaphore": wasmpod_ipc::Semaphore,
            "wasmpod:ipc/shared-memory.segment": crate::host::ipc::core::OpenSegment,
        },
        require_store_data_send: true,
    });
}

use bindings::wasmpod::ipc as wit;
use wit::errors::ErrorCode;

/// Defines an interface.
///
/// # Errors
/// A bug of this host: it is defined twice.
macro_rules! link {
    ($name:ident, $interface:ident) => {
        pub(in crate::host) fn $name(linker: &mut Linker<ComponentState>) -> Result<()> {
            wit::$interface::add_to_linker::<_, HasIpc>(linker, view)
        }
    };
}

link!(link_message_queue, message_queue);
link!(link_semaphore, semaphore);
link!(link_system_v_message_queue, system_v_message_queue);
link!(link_system_v_semaphore, system_v_semaphore);
link!(link_system_v_shared_memory, system_v_shared_memory);

/// As the others, with copies that are made by hand.
///
/// # Errors
/// A bug of this host: it is defined twice.
pub(in crate::host) fn link_shared_memory(linker: &mut Linker<ComponentState>) -> Result<()> {
    wit::shared_memory::add_to_linker::<_, HasIpc>(linker, view)?;
    copies::link(linker)
}

struct HasIpc;

impl HasData for HasIpc {
    type Data<'a> = View<'a>;
}

/// What the interfaces see of a component's state.
struct View<'a> {
    table: &'a mut ResourceTable,
    ipc: &'a Door,
}

fn view(state: &mut ComponentState) -> View<'_> {
    let (table, ipc) = state.table_and_ipc();
    View { table, ipc }
}

/// The bytes of messages after which a call that receives many returns what it has: it bounds what one call makes the
/// host copy.
const MANY_BYTES: usize = 1 << 20;

/// The messages after which it returns, for the same reason.
const MANY_MESSAGES: usize = 4096;

impl View<'_> {
    /// The object behind a handle. A clone is the same open object, and may be waited for while the table is in use.
    fn get<T: Clone + Send + 'static>(&self, handle: &Resource<T>) -> Result<T> {
        Ok(self.table.get(handle)?.clone())
    }
}

/// The time limit of a call.
const fn limit(timeout_ns: Option<u64>) -> Option<Duration> {
    match timeout_ns {
        Some(nanoseconds) => Some(Duration::from_nanos(nanoseconds)),
        None => None,
    }
}

/// A number as the host counts.
fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The flags with which a System V object is got.
fn get_flags_of(create: bool, exclusive: bool) -> Result<GetFlags, Errno> {
    let bit = |is_set: bool, bit: i32| if is_set { bit } else { 0 };
    get_flags(bit(create, CREATE) | bit(exclusive, EXCLUSIVE))
}

impl wit::errors::Host for View<'_> {}

const fn error_code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::Access | Errno::NotPermitted => ErrorCode::Access,
        Errno::Again => ErrorCode::WouldBlock,
        Errno::BadDescriptor => ErrorCode::BadDescriptor,
        Errno::Exist => ErrorCode::AlreadyExists,
        Errno::FileTooBig => ErrorCode::FileTooBig,
        Errno::MessageTooLong => ErrorCode::MessageTooLong,
        Errno::NameTooLong => ErrorCode::NameTooLong,
        Errno::NoEntry => ErrorCode::NoEntry,
        Errno::NoMemory => ErrorCode::NoMemory,
        Errno::NoMessage => ErrorCode::NoMessage,
        Errno::NoSpace => ErrorCode::NoSpace,
        Errno::Overflow => ErrorCode::Overflow,
        Errno::Range => ErrorCode::OutOfRange,
        Errno::Removed => ErrorCode::Removed,
        Errno::TimedOut => ErrorCode::TimedOut,
        Errno::TooBig => ErrorCode::TooBig,
        Errno::TooManyOpen => ErrorCode::TooManyOpen,
        // EINVAL; EFAULT, which is an offset here; and what later versions may add.
        _ => ErrorCode::Invalid,
    }
}
