//! The IPC namespace of one pod: POSIX message queues, as `mq_overview(7)` describes them.
//!
//! On Linux the containers of a pod share one IPC namespace; here that namespace is a [`PodIpc`].
//! Each container instance gets its own door to it, a [`ContainerIpc`]; what it opens is a [`Queue`].
//!
//! This crate knows neither WebAssembly nor an executor nor a clock: an operation either happens at
//! once or says `EAGAIN`, and [`Queue::poll_receive_ready`] and [`Queue::poll_send_ready`] wake a
//! `std` waker when it is worth trying again. Time-outs belong to the caller, who has the clock.
//!
//! It deliberately does not offer `mq_notify(3)` (there are no signals in a guest), permission bits
//! (the containers of a pod are one user), or messages between pods.
//!
//! Where shared memory and semaphores enter: [`namespace`] holds one registry per kind of object,
//! because POSIX gives each kind its own name space (`/x` may be a queue and a semaphore at once).
//! Each kind is a folder beside [`mqueue`] that brings its own registry, and its verbs become further
//! methods of [`ContainerIpc`].
//!
//! ```
//! use wasmpod_ipc::{Errno, IpcLimits, OpenFlags, PodIpc};
//!
//! let pod = PodIpc::new(IpcLimits::default());
//! let (producer, consumer) = (pod.attach("producer"), pod.attach("consumer"));
//!
//! let tx = producer.mq_open("/work", OpenFlags::WRITE | OpenFlags::CREATE, None)?;
//! let rx = consumer.mq_open("/work", OpenFlags::READ, None)?;
//!
//! tx.try_send(b"later", 0)?;
//! tx.try_send(b"first", 7)?;
//! assert_eq!(rx.try_receive_into(|data, _| data.to_vec())?, b"first");
//! assert_eq!(rx.try_receive_into(|data, priority| (data.len(), priority))?, (5, 0));
//! assert_eq!(rx.try_receive_into(|_, _| ()), Err(Errno::Again));
//! # Ok::<(), Errno>(())
//! ```
//!
//! The tests are in `tests/it`: the tables of the man pages, a comparison with a simple model on
//! random operations, wakers, and two threads against each other.

mod errno;
pub mod limits;
mod lock;
pub mod mqueue;
pub mod namespace;

pub use errno::Errno;
pub use limits::IpcLimits;
pub use mqueue::{Attributes, OpenFlags, Queue, QueueInfo, Traffic};
pub use namespace::{ContainerIpc, PodIpc};
