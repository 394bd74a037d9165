//! Every import of module `wasmpod_ipc`, called by guests that are written here, call by call (`script`).
//!
//! * `posix`: queues and semaphores. `system_v`: queues and semaphore sets. `shared`: segments, mapped and not.
//! * `waits`: guests that wait, and end while they wait. `hostile`: random calls with the worst arguments.

mod hostile;
mod posix;
mod script;
mod shared;
mod system_v;
mod waits;
