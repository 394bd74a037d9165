//! System V IPC: `sysvipc(7)`. Objects have a key, by which programs agree on one, and an id, by which
//! they use it.
//!
//! * `table`: keys and ids of one kind. `flags`: how an object is asked for.
//! * [`message_queue`]: `msgget(2)`, `msgop(2)`, `msgctl(2)`, with `select`, which message is wanted.
//! * [`semaphore_set`]: `semget(2)`, `semop(2)`, `semctl(2)`.
//! * [`shared_memory`]: `shmget(2)`, `shmop(2)`, `shmctl(2)`.
//!
//! What the plain functions look up by id at each call is a handle here, got once and kept: its
//! operations take the object's lock and no other. A handle of an object that was removed says
//! `EINVAL`, as the id would; who waited when it was removed gets `EIDRM`.
//!
//! Permission bits are kept and shown, and mean nothing: the containers of a pod are one user.

mod flags;
pub mod message_queue;
mod select;
pub mod semaphore_set;
pub mod shared_memory;
mod table;

pub use flags::{GetFlags, IPC_PRIVATE};
pub use select::Select;

pub(crate) use table::{Identity, Table};
