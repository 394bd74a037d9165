//! The IPC namespace of one pod: POSIX message queues, semaphores and shared memory, and those of
//! System V, as the manual pages describe them.
//!
//! On Linux the containers of a pod share one IPC namespace; here that namespace is a [`PodIpc`].
//! Each container instance gets its own door to it, a [`ContainerIpc`], whose methods have the names
//! of the C functions; what it opens are handles:
//!
//! | kind | made by | handle | manual |
//! |---|---|---|---|
//! | POSIX message queue | [`mq_open`](ContainerIpc::mq_open) | [`Queue`] | `mq_overview(7)` |
//! | POSIX semaphore | [`sem_open`](ContainerIpc::sem_open) | [`Semaphore`] | `sem_overview(7)` |
//! | POSIX shared memory | [`shm_open`](ContainerIpc::shm_open) | [`SharedMemory`], [`Segment`] | `shm_overview(7)` |
//! | System V message queue | [`msg_get`](ContainerIpc::msg_get) | [`MessageQueue`](sysv::message_queue::MessageQueue) | `msgop(2)` |
//! | System V semaphore set | [`sem_get`](ContainerIpc::sem_get) | [`SemaphoreSet`](sysv::semaphore_set::SemaphoreSet) | `semop(2)` |
//! | System V shared memory | [`shm_get`](ContainerIpc::shm_get) | [`Attachment`](sysv::shared_memory::Attachment), [`Segment`] | `shmop(2)` |
//!
//! This crate knows neither WebAssembly nor an executor: an operation either happens at once or says
//! `EAGAIN`, and a [`Wait`] is a future for its turn. Time limits belong to the caller, who has the
//! clock. Mutexes and conditions between containers are words in a [`Segment`] with
//! [`futex_wait`](Segment::futex_wait) and [`futex_wake`](Segment::futex_wake) under them, as in any
//! C library on Linux.
//!
//! It deliberately does not offer signals (`mq_notify(3)` is a wait), permissions (the containers of a
//! pod are one user), or anything between pods.
//!
//! All memory is bounded: every object is charged to an account of the pod ([`limits`]).
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
//! The tests are in `tests/it`: the tables of the man pages, comparisons with simple models on random
//! operations, waits and wakes, threads against each other. `tests/interleavings` has the one part that
//! is lock-free.

mod account;
mod creation;
mod errno;
mod host;
pub mod limits;
mod listing;
mod lock;
mod messages;
pub mod mqueue;
mod names;
pub mod namespace;
mod open_flags;
mod owner;
pub mod segment;
pub mod semaphore;
pub mod shm;
mod sync;
pub mod sysv;
mod wait;

pub use creation::Object;
pub use errno::Errno;
pub use host::{Clock, Host};
pub use limits::IpcLimits;
pub use listing::Listing;
pub use mqueue::{Attributes, Queue, QueueInfo, Traffic};
pub use namespace::{ContainerIpc, PodIpc};
pub use open_flags::OpenFlags;
pub use segment::{AtomicOp, HeapProvider, Segment, SegmentMemory, SegmentProvider};
pub use semaphore::Semaphore;
pub use shm::SharedMemory;
pub use wait::Wait;
