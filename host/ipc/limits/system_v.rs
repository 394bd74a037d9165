//! The limits of System V objects, under the names that `sysvipc(7)` and its companions give them.

/// The longest message, in bytes: `kernel.msgmax`, `msgsnd(2)`. Longer is `EINVAL`.
pub const MSGMAX: u32 = 8192;

/// Bytes that a queue holds, and messages as well: `kernel.msgmnb`, `msgget(2)`. Beyond it senders
/// wait.
pub const MSGMNB: u32 = 16_384;

/// Message queues at once: `kernel.msgmni`, `msgget(2)`. One more is `ENOSPC`.
pub const MSGMNI: u32 = 32_000;

/// Semaphores in a set: first number of `kernel.sem`, `semget(2)`. More is `EINVAL`.
pub const SEMMSL: u32 = 32_000;

/// Semaphores in all sets: second number of `kernel.sem`, `semget(2)`. More is `ENOSPC`.
pub const SEMMNS: u32 = 1_024_000_000;

/// Operations in one call: third number of `kernel.sem`, `semop(2)`. More is `E2BIG`.
pub const SEMOPM: u32 = 500;

/// Sets at once: fourth number of `kernel.sem`, `semget(2)`. One more is `ENOSPC`.
pub const SEMMNI: u32 = 32_000;

/// The greatest value of a semaphore: `SEMVMX`, `semop(2)`. More is `ERANGE`.
pub const SEMVMX: u16 = 32_767;

/// The greatest adjustment at the end of a container: `SEMAEM`, `semop(2)`. More is `ERANGE`.
pub const SEMAEM: i32 = 32_767;

/// The largest segment, in bytes: `kernel.shmmax`, `shmget(2)`. Larger is `EINVAL`. Linux's default is
/// no limit; what a pod may have is
/// [`MAX_SHARED_MEMORY_BYTES`](super::MAX_SHARED_MEMORY_BYTES).
pub const SHMMAX: u64 = u64::MAX - (1 << 24);

/// All segments together, in pages: `kernel.shmall`, `shmget(2)`. More is `ENOSPC`. As with
/// [`SHMMAX`], this default is no limit.
pub const SHMALL: u64 = u64::MAX - (1 << 24);

/// Segments at once: `kernel.shmmni`, `shmget(2)`. One more is `ENOSPC`.
pub const SHMMNI: u32 = 4096;

/// Bytes that the System V queues and semaphore sets of a pod may take together. Linux leaves it to
/// the kernel's memory. `ENOMEM` beyond it.
pub const MAX_SYSTEM_V_BYTES: u64 = 32 * 1024 * 1024;

/// The limits of System V objects; the default is the constants of this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemVLimits {
    /// The longest message, in bytes. Default [`MSGMAX`].
    pub msgmax: u32,
    /// Bytes in a new queue. Default [`MSGMNB`].
    pub msgmnb: u32,
    /// Queues. Default [`MSGMNI`].
    pub msgmni: u32,
    /// Semaphores in a set. Default [`SEMMSL`].
    pub semmsl: u32,
    /// Semaphores in all sets. Default [`SEMMNS`].
    pub semmns: u32,
    /// Operations in one call. Default [`SEMOPM`].
    pub semopm: u32,
    /// Semaphore sets. Default [`SEMMNI`].
    pub semmni: u32,
    /// Bytes in a segment. Default [`SHMMAX`].
    pub shmmax: u64,
    /// Pages in all segments. Default [`SHMALL`].
    pub shmall: u64,
    /// Segments. Default [`SHMMNI`].
    pub shmmni: u32,
    /// Whether segments go with their last attachment, removed or not: `kernel.shm_rmid_forced`.
    pub shm_rmid_forced: bool,
    /// Bytes in queues and semaphore sets. Default [`MAX_SYSTEM_V_BYTES`].
    pub max_bytes: u64,
}

impl Default for SystemVLimits {
    fn default() -> Self {
        Self {
            msgmax: MSGMAX,
            msgmnb: MSGMNB,
            msgmni: MSGMNI,
            semmsl: SEMMSL,
            semmns: SEMMNS,
            semopm: SEMOPM,
            semmni: SEMMNI,
            shmmax: SHMMAX,
            shmall: SHMALL,
            shmmni: SHMMNI,
            shm_rmid_forced: false,
            max_bytes: MAX_SYSTEM_V_BYTES,
        }
    }
}
