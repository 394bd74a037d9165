//! The imports of module `wasmpod_ipc` for core modules: descriptor numbers and pointers into the guest's memory, as the
//! functions of C have them. The reference is docs/ipc.md.
//!
//! Every function returns a WASI 0.1 errno (0 is success). A pointer outside of the guest's memory is `EFAULT`, and
//! then nothing has happened: the places for results are checked first. The functions that try return at once and are
//! cheap (some 10 ns); only a few can wait, so a guest's library tries first.
//!
//! | for | see |
//! |---|---|
//! | POSIX queues, semaphores | `message_queue`, `semaphore` |
//! | shared memory: by descriptor, mapped | `segment`, `mapping` |
//! | System V queues, semaphore sets | `system_v_messages`, `semaphore_set` |
//! | arrays in the guest's memory, numbers of what is open | `batch`, `table` |

mod batch;
mod mapping;
mod message_queue;
mod segment;
mod semaphore;
mod semaphore_set;
mod system_v_messages;
mod table;

use std::collections::HashMap;

use wasmpod_ipc::sysv::message_queue::MessageQueue;
use wasmpod_ipc::sysv::semaphore_set::SemaphoreSet;
use wasmpod_ipc::{Queue, Semaphore, Wait};
use wasmtime::{Linker, Result};

use self::mapping::Mapping;
use self::table::{Recent, Table};
use crate::host::CoreState;

pub(in crate::host) use mapping::unmap_all;
#[expect(unreachable_pub, reason = "the bindings of components export it")]
pub use segment::OpenSegment;
pub(super) use system_v_messages::set_max_bytes;

/// The name of the import module.
const MODULE: &str = "wasmpod_ipc";

/// The first descriptor of shared memory, so that a libc can tell them from files, which it closes and maps with the
/// same calls.
const FIRST_SEGMENT: u32 = 1 << 30;

/// What a guest has open and mapped.
#[derive(Debug)]
pub(in crate::host) struct Handles {
    queues: Table<Queue>,
    /// Those that were asked for, by the queue's descriptor.
    notifications: HashMap<i32, Wait>,
    semaphores: Table<Semaphore>,
    segments: Table<OpenSegment>,
    mappings: Vec<Mapping>,
    message_queues: Recent<MessageQueue>,
    semaphore_sets: Recent<SemaphoreSet>,
}

impl Default for Handles {
    fn default() -> Self {
        Self {
            queues: Table::new(0),
            notifications: HashMap::new(),
            semaphores: Table::new(0),
            segments: Table::new(FIRST_SEGMENT),
            mappings: Vec::new(),
            message_queues: Recent::default(),
            semaphore_sets: Recent::default(),
        }
    }
}

/// Defines the module.
///
/// # Errors
/// A bug of this host: a function is defined twice.
pub(in crate::host) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    message_queue::link(linker)?;
    semaphore::link(linker)?;
    segment::link(linker)?;
    mapping::link(linker)?;
    system_v_messages::link(linker)?;
    semaphore_set::link(linker)
}
