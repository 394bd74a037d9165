//! POSIX message queues: `mq_overview(7)`, `mq_open(3)`, `mq_send(3)`, `mq_receive(3)`,
//! `mq_notify(3)`, `mq_unlink(3)`.
//!
//! ```text
//!  ContainerIpc ──mq_open──► names ─► MessageQueue ◄── descriptor (Queue): rights, O_NONBLOCK
//!                                        │ one mutex
//!                               ┌────────┼───────────────┐
//!                          messages   two lines:      who is to be
//!                          by priority senders, receivers  notified
//! ```
//!
//! * `queue`: messages and waiters under one lock, with counters. `notify`: the notification.
//! * `descriptor`: [`Queue`], what a container has open. `attributes`: the size of a queue.

mod attributes;
mod descriptor;
mod notify;
mod queue;

pub use attributes::Attributes;
pub use descriptor::Queue;
pub use queue::{QueueInfo, Traffic};

pub(crate) use descriptor::{list, open};
pub(crate) use queue::MessageQueue;
