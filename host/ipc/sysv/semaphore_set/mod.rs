//! System V semaphore sets: `semget(2)`, `semop(2)`, `semctl(2)`.
//!
//! * `set`: the values, the adjustments for the end of a container, and how operations change them.
//! * `handle`: [`SemaphoreSet`], what a container does with a set, and the waiting.
//!
//! As in the kernel, who changes a value also does the operations of those who wait, first come
//! first, each in whole or not at all; so nobody is woken for nothing, and nobody can come between.
//! A wait that is given up after its operation was done for it is undone, as far as others have not
//! used up what it gave.

mod handle;
mod set;

pub use handle::{SemaphoreSet, SemaphoreSetInfo};

pub(crate) use handle::{Shared, get, open};

/// One operation on one semaphore of a set: `struct sembuf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SemOp {
    /// Which semaphore of the set, from 0: `sem_num`.
    pub number: u16,
    /// What to add; less than 0 waits until that much is there, 0 until the value is 0: `sem_op`.
    pub change: i16,
    /// To fail with `EAGAIN` where it would wait: `IPC_NOWAIT` in `sem_flg`.
    pub no_wait: bool,
    /// To take it back at the end of the container: `SEM_UNDO` in `sem_flg`.
    pub undo: bool,
}
