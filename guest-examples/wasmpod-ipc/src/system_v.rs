//! The objects of System V as programs see them: `sysvipc(7)`. Nothing is open: an object has an identifier in its pod,
//! and stays until it is removed or its pod ends.

use std::time::Duration;

use crate::options::{Create, Patience};
use crate::sys::system_v as sys;
use crate::{Error, SharedMemory};

/// The key that always makes a new object: `IPC_PRIVATE`.
pub const PRIVATE: i32 = 0;

/// A message queue: `msgget(2)`, `msgop(2)`, `msgctl(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageQueue(i32);

/// A message with its type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Above 0.
    pub message_type: i64,
    /// The bytes, possibly none.
    pub data: Vec<u8>,
}

/// A message queue as it is now: `struct msqid_ds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageQueueStatus {
    /// Messages in it.
    pub messages: u64,
    /// Bytes that it may hold.
    pub max_bytes: u64,
    /// The last sender: its container's number in the pod; natively its process. 0 for none.
    pub last_sender: u32,
    /// The last receiver.
    pub last_receiver: u32,
}

/// How to receive: `msgrcv(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// 0 takes the oldest message, above 0 the oldest of this type, below 0 the oldest of the least type up to it.
    pub message_type: i64,
    /// With a type above 0, any other type: `MSG_EXCEPT`.
    pub except: bool,
    /// To cut a message that is longer than the buffer: `MSG_NOERROR`.
    pub truncate: bool,
}

impl MessageQueue {
    /// The queue of a key.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`].
    pub fn get(key: i32) -> Result<Self, Error> {
        sys::message_queue(key, Create::Never).map(Self)
    }

    /// The queue of a key, made where it is missing: `IPC_CREAT`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`].
    pub fn create(key: i32) -> Result<Self, Error> {
        sys::message_queue(key, Create::IfMissing).map(Self)
    }

    /// A new queue: `IPC_CREAT | IPC_EXCL`.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`], [`Error::NoSpace`].
    pub fn create_new(key: i32) -> Result<Self, Error> {
        sys::message_queue(key, Create::New).map(Self)
    }

    /// Its identifier.
    #[must_use]
    pub fn id(self) -> i32 {
        self.0
    }

    /// Sends a message of a type above 0, after waiting for space.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for the type, a message beyond the limit, and a queue that was removed;
    /// [`Error::Removed`] when that happens meanwhile; [`Error::NoMemory`].
    pub fn send(self, message_type: i64, data: &[u8]) -> Result<(), Error> {
        sys::send(self.0, message_type, data, Patience::Endless)
    }

    /// [`Self::send`] without waiting: `IPC_NOWAIT`.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`] without space; and those of [`Self::send`].
    pub fn try_send(self, message_type: i64, data: &[u8]) -> Result<(), Error> {
        sys::send(self.0, message_type, data, Patience::None)
    }

    /// Takes a message of at most `max` bytes into `data`, after waiting for one, and returns its type. What the
    /// buffer held is gone.
    ///
    /// # Errors
    ///
    /// [`Error::TooBig`] for a longer message, which stays; [`Error::Invalid`], [`Error::Removed`].
    pub fn receive(self, select: Selection, max: usize, data: &mut Vec<u8>) -> Result<i64, Error> {
        sys::receive(self.0, select, max, data, Patience::Endless)
    }

    /// [`Self::receive`] without waiting: `IPC_NOWAIT`.
    ///
    /// # Errors
    ///
    /// [`Error::NoMessage`] when there is none; and those of [`Self::receive`].
    pub fn try_receive(
        self,
        select: Selection,
        max: usize,
        data: &mut Vec<u8>,
    ) -> Result<i64, Error> {
        sys::receive(self.0, select, max, data, Patience::None)
    }

    /// [`Self::send`], waiting at most this long. Linux has no such call: natively it tries each millisecond.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`]; and those of [`Self::send`].
    pub fn timed_send(
        self,
        message_type: i64,
        data: &[u8],
        timeout: Duration,
    ) -> Result<(), Error> {
        sys::send(self.0, message_type, data, Patience::Until(timeout))
    }

    /// [`Self::receive`], waiting at most this long; as [`Self::timed_send`].
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`]; and those of [`Self::receive`].
    pub fn timed_receive(
        self,
        select: Selection,
        max: usize,
        data: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<i64, Error> {
        sys::receive(self.0, select, max, data, Patience::Until(timeout))
    }

    /// Sends messages in order and says how many: waits for space for the first only, then sends what fits. One call
    /// for many short messages costs much less than a call for each; natively, where there is no such call, each is
    /// sent by itself.
    ///
    /// # Errors
    ///
    /// Those of [`Self::send`], when the first message meets them.
    pub fn send_many(self, messages: &[Message]) -> Result<usize, Error> {
        sys::send_many(self.0, messages)
    }

    /// Takes up to so many messages as `messages` has, of at most `max` bytes each, into their buffers, and says how
    /// many: waits for the first only.
    ///
    /// # Errors
    ///
    /// Those of [`Self::receive`].
    pub fn receive_many(
        self,
        select: Selection,
        max: usize,
        messages: &mut [Message],
    ) -> Result<usize, Error> {
        sys::receive_many(self.0, select, max, messages)
    }

    /// `IPC_STAT`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] once it was removed.
    pub fn status(self) -> Result<MessageQueueStatus, Error> {
        sys::message_queue_status(self.0)
    }

    /// How many bytes it may hold: `IPC_SET`.
    ///
    /// # Errors
    ///
    /// [`Error::NotPermitted`] (of a component [`Error::Access`]) beyond the limit; [`Error::Invalid`].
    pub fn set_max_bytes(self, max_bytes: u64) -> Result<(), Error> {
        sys::set_max_bytes(self.0, max_bytes)
    }

    /// Removes it, with all messages: `IPC_RMID`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] once it was removed.
    pub fn remove(self) -> Result<(), Error> {
        sys::remove_message_queue(self.0)
    }
}

/// A set of semaphores: `semget(2)`, `semop(2)`, `semctl(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SemaphoreSet(i32);

/// One operation on one semaphore of a set: `struct sembuf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The semaphore's number in its set.
    pub number: u16,
    /// Above 0 is added; below 0 is taken, after waiting until there is so much; 0 waits for 0.
    pub change: i16,
    /// Not to wait for this one: `IPC_NOWAIT`.
    pub no_wait: bool,
    /// To be taken back when the container ends: `SEM_UNDO`.
    pub undo: bool,
}

impl Operation {
    /// An operation that waits and is not taken back.
    #[must_use]
    pub const fn new(number: u16, change: i16) -> Self {
        Self {
            number,
            change,
            no_wait: false,
            undo: false,
        }
    }
}

/// One semaphore of a set as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SemaphoreStatus {
    /// `GETVAL`.
    pub value: u32,
    /// `GETPID`: the number of the container that used it last; natively its process.
    pub last_container: u32,
    /// `GETNCNT`.
    pub waiting_for_more: u32,
    /// `GETZCNT`.
    pub waiting_for_zero: u32,
}

impl SemaphoreSet {
    /// The set of a key, which has at least `count` semaphores.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`], [`Error::Invalid`] when it has fewer.
    pub fn get(key: i32, count: u16) -> Result<Self, Error> {
        sys::semaphore_set(key, count, Create::Never).map(Self)
    }

    /// The set of a key, made of `count` zeros where it is missing: `IPC_CREAT`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for the count, [`Error::NoSpace`].
    pub fn create(key: i32, count: u16) -> Result<Self, Error> {
        sys::semaphore_set(key, count, Create::IfMissing).map(Self)
    }

    /// A new set: `IPC_CREAT | IPC_EXCL`.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`], and those of [`Self::create`].
    pub fn create_new(key: i32, count: u16) -> Result<Self, Error> {
        sys::semaphore_set(key, count, Create::New).map(Self)
    }

    /// Its identifier.
    #[must_use]
    pub fn id(self) -> i32 {
        self.0
    }

    /// Does all operations or none, in this order, after waiting until all can be done: `semop(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`] when one that does not wait would have to; [`Error::FileTooBig`], [`Error::TooBig`],
    /// [`Error::OutOfRange`], [`Error::NoSpace`], [`Error::Invalid`], [`Error::Removed`].
    pub fn operate(self, operations: &[Operation]) -> Result<(), Error> {
        sys::operate(self.0, operations, None)
    }

    /// [`Self::operate`], waiting at most this long: `semtimedop(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] (natively [`Error::WouldBlock`], as the kernel says it); and those of [`Self::operate`].
    pub fn timed_operate(self, operations: &[Operation], timeout: Duration) -> Result<(), Error> {
        sys::operate(self.0, operations, Some(timeout))
    }

    /// One semaphore.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a number that it does not have, and once the set was removed.
    pub fn status(self, number: u16) -> Result<SemaphoreStatus, Error> {
        sys::semaphore_status(self.0, number)
    }

    /// Sets one value, 0 to 32767: `SETVAL`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`], [`Error::Invalid`].
    pub fn set_value(self, number: u16, value: u16) -> Result<(), Error> {
        sys::set_value(self.0, number, value)
    }

    /// Removes it: `IPC_RMID`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] once it was removed.
    pub fn remove(self) -> Result<(), Error> {
        sys::remove_semaphore_set(self.0)
    }
}

/// A segment that is not attached: `shmget(2)`, `shmctl(2)`. Attached it is a [`SharedMemory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment(i32);

/// A segment as it is now: `struct shmid_ds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentStatus {
    /// Bytes.
    pub size: u64,
    /// How many are attached.
    pub attached: u32,
}

impl Segment {
    /// The segment of a key.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`].
    pub fn get(key: i32) -> Result<Self, Error> {
        sys::segment(key, 0, Create::Never).map(Self)
    }

    /// The segment of a key, made of `size` zero bytes where it is missing: `IPC_CREAT`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for the size, or when there is a smaller one; [`Error::NoSpace`], [`Error::NoMemory`].
    pub fn create(key: i32, size: u64) -> Result<Self, Error> {
        sys::segment(key, size, Create::IfMissing).map(Self)
    }

    /// A new segment: `IPC_CREAT | IPC_EXCL`.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`], and those of [`Self::create`].
    pub fn create_new(key: i32, size: u64) -> Result<Self, Error> {
        sys::segment(key, size, Create::New).map(Self)
    }

    /// Its identifier.
    #[must_use]
    pub fn id(self) -> i32 {
        self.0
    }

    /// Attaches it: `shmat(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] once it was removed, [`Error::TooManyOpen`].
    pub fn attach(self, read_only: bool) -> Result<SharedMemory, Error> {
        sys::attach(self.0, read_only).map(SharedMemory)
    }

    /// `IPC_STAT`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] once it is gone.
    pub fn status(self) -> Result<SegmentStatus, Error> {
        sys::segment_status(self.0)
    }

    /// Removes it: the key is free at once, the segment goes with the last one attached: `IPC_RMID`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] once it is gone.
    pub fn remove(self) -> Result<(), Error> {
        sys::remove_segment(self.0)
    }
}
