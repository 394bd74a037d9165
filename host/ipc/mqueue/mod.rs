//! POSIX message queues: `mq_overview(7)`, `mq_open(3)`, `mq_send(3)`, `mq_receive(3)`, `mq_unlink(3)`.
//!
//! ```text
//!  ContainerIpc ──mq_open──► registry: name ─► MessageQueue ◄── descriptor (Queue): rights, O_NONBLOCK
//!                                                 │ one mutex
//!                                        ┌────────┴────────┐
//!                                   messages: slab     waiters: wakers of
//!                                   in priority order  senders and receivers
//! ```
//!
//! * [`name`](self): what a name may be. `registry`: which names there are, and the pod's limits.
//! * `messages`: the order of messages, and buffers that are used again.
//! * `waiters`: who is to be woken. `queue`: the two under one lock, with counters.
//! * `owner`: one container instance as the holder of descriptors. `descriptor`: [`Queue`].

mod attributes;
mod descriptor;
mod messages;
mod name;
mod owner;
mod queue;
mod registry;
mod waiters;

pub use attributes::{Attributes, OpenFlags};
pub use descriptor::Queue;
pub use queue::{QueueInfo, Traffic};

pub(crate) use owner::{Owner, WakePolicy};
pub(crate) use registry::Registry;
