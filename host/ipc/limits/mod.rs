//! How much of the host one pod's IPC may take.
//!
//! On Linux these are `/proc/sys/fs/mqueue/*`, `/proc/sys/kernel/{msg,sem,shm}*` and resource limits
//! of a process; here they are properties of the pod, because the pod is the logical host. What Linux
//! leaves to the memory of the machine is bounded by an account of bytes.

mod sysctl;
mod system_v;

pub use sysctl::SysctlError;
pub use system_v::{
    MAX_SYSTEM_V_BYTES, MSGMAX, MSGMNB, MSGMNI, SEMAEM, SEMMNI, SEMMNS, SEMMSL, SEMOPM, SEMVMX,
    SHMALL, SHMMAX, SHMMNI, SystemVLimits,
};

/// Queues of a pod, unlinked ones that are still open included. Source: the default of
/// `/proc/sys/fs/mqueue/queues_max`. One more is `ENOSPC`.
pub const MAX_QUEUES: u32 = 256;

/// The greatest `mq_maxmsg` of a queue. Source: `HARD_MSGMAX` of `mq_overview(7)` since Linux 3.5.
/// Linux lets the unprivileged have 10 only, to save kernel memory; here [`MAX_BYTES`] does that.
/// More is `EINVAL`.
pub const MAX_MESSAGES: u32 = 65_536;

/// The greatest `mq_msgsize` of a queue, in bytes. Linux: 8192 for the unprivileged, 16 MiB at most.
/// Ours is what can be copied without holding up the pod's other containers (about 0.1 ms).
/// More is `EINVAL`.
pub const MAX_MESSAGE_BYTES: u32 = 1024 * 1024;

/// Bytes that all queues of a pod may come to hold when full, [`MESSAGE_OVERHEAD_BYTES`] included,
/// like `RLIMIT_MSGQUEUE` of `getrlimit(2)` (there 819,200). Room for [`MAX_QUEUES`] queues of the
/// default size. Charged in whole when a queue is made; `EMFILE` beyond it, as on Linux.
pub const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Descriptors that a container may have open at once: the usual soft `RLIMIT_NOFILE`.
/// One more is `EMFILE`.
pub const MAX_OPEN_HANDLES: u32 = 1024;

/// `mq_maxmsg` of a queue made without attributes: `/proc/sys/fs/mqueue/msg_default`.
pub const DEFAULT_MESSAGES: u32 = 10;

/// `mq_msgsize` of a queue made without attributes, in bytes: `/proc/sys/fs/mqueue/msgsize_default`.
pub const DEFAULT_MESSAGE_BYTES: u32 = 8192;

/// Bytes charged for each message beside its data, so that queues of empty messages are not free
/// (the same reason and the same place as in `getrlimit(2)`). It is what the bookkeeping of one
/// message takes at the worst: its slot and a key of its own, both in vectors that have doubled.
pub const MESSAGE_OVERHEAD_BYTES: u64 = 128;

/// Waits in one line of an object at once. One more is `ENOMEM`. Each container instance waits at
/// one place at a time, so only a guest that polls an object a thousand times over comes this far.
pub const MAX_WAITERS: usize = 1024;

/// Bytes charged for a queue itself, its name included.
pub const QUEUE_OVERHEAD_BYTES: u64 = 1024;

/// Priorities go from 0 to one less than this: `MQ_PRIO_MAX` of Linux. Others are `EINVAL`.
pub const MQ_PRIO_MAX: u32 = 32_768;

/// The longest name after its slash, in bytes: `NAME_MAX`. Longer is `ENAMETOOLONG`.
pub const NAME_MAX: usize = 255;

/// The longest name of a semaphore after its slash, in bytes: `NAME_MAX - 4`, see `sem_overview(7)`.
/// Longer is `ENAMETOOLONG`.
pub const SEMAPHORE_NAME_MAX: usize = NAME_MAX - 4;

/// The greatest value of a POSIX semaphore, see `sem_post(3)`. More is `EOVERFLOW`, or `EINVAL` for a
/// new one.
pub const SEM_VALUE_MAX: u32 = 0x7fff_ffff;

/// Named semaphores of a pod, unlinked ones that are still open included. Linux bounds them by the
/// size of `/dev/shm` only. One more is `ENOSPC`.
pub const MAX_SEMAPHORES: u32 = 4096;

/// Bytes charged for a named semaphore, its name included.
pub const SEMAPHORE_BYTES: u64 = 1024;

/// POSIX shared memory objects of a pod, unlinked ones that are still open included. Linux bounds them
/// by the size of `/dev/shm` only. One more is `ENOSPC`.
pub const MAX_SHARED_MEMORY_OBJECTS: u32 = 4096;

/// Bytes that a pod's shared memory of both kinds may have together, each object in whole pages.
/// Source: the size of `/dev/shm` that container runtimes give a pod. More is `ENOSPC`.
pub const MAX_SHARED_MEMORY_BYTES: u64 = 64 * 1024 * 1024;

/// A page, in bytes: what shared memory is charged in, `PAGE_SIZE`.
pub const PAGE_BYTES: u64 = 4096;

/// The limits of one pod; the default is the constants of this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpcLimits {
    /// Queues at once; one more is `ENOSPC`. Default [`MAX_QUEUES`].
    pub max_queues: u32,
    /// The greatest `mq_maxmsg`; more is `EINVAL`. Default [`MAX_MESSAGES`].
    pub max_messages: u32,
    /// The greatest `mq_msgsize`, in bytes; more is `EINVAL`. Default [`MAX_MESSAGE_BYTES`].
    pub max_message_bytes: u32,
    /// `mq_maxmsg` of a queue made without attributes. Default [`DEFAULT_MESSAGES`].
    pub default_messages: u32,
    /// `mq_msgsize` of a queue made without attributes, in bytes. Default [`DEFAULT_MESSAGE_BYTES`].
    pub default_message_bytes: u32,
    /// Bytes that all POSIX queues and semaphores may hold when full; more is `EMFILE` for a queue,
    /// `ENOSPC` for a semaphore. Default [`MAX_BYTES`].
    pub max_bytes: u64,
    /// Descriptors of one container instance; one more is `EMFILE`. Default [`MAX_OPEN_HANDLES`].
    pub max_open_handles: u32,
    /// Named semaphores at once; one more is `ENOSPC`. Default [`MAX_SEMAPHORES`].
    pub max_semaphores: u32,
    /// POSIX shared memory objects at once; one more is `ENOSPC`. Default
    /// [`MAX_SHARED_MEMORY_OBJECTS`].
    pub max_shared_memory_objects: u32,
    /// Bytes of shared memory of both kinds, in whole pages; more is `ENOSPC`. Default
    /// [`MAX_SHARED_MEMORY_BYTES`].
    pub max_shared_memory_bytes: u64,
    /// The limits of System V objects.
    pub system_v: SystemVLimits,
}

impl Default for IpcLimits {
    fn default() -> Self {
        Self {
            max_queues: MAX_QUEUES,
            max_messages: MAX_MESSAGES,
            max_message_bytes: MAX_MESSAGE_BYTES,
            default_messages: DEFAULT_MESSAGES,
            default_message_bytes: DEFAULT_MESSAGE_BYTES,
            max_bytes: MAX_BYTES,
            max_open_handles: MAX_OPEN_HANDLES,
            max_semaphores: MAX_SEMAPHORES,
            max_shared_memory_objects: MAX_SHARED_MEMORY_OBJECTS,
            max_shared_memory_bytes: MAX_SHARED_MEMORY_BYTES,
            system_v: SystemVLimits::default(),
        }
    }
}
