//! The namespace of a pod and each container's door to it.
//!
//! A [`PodIpc`] lives as long as its pod. Its objects belong to the pod and not to who made them:
//! they outlive a container's restart, as they outlive a process, and vanish with the pod.
//! A [`ContainerIpc`] belongs to one *instance* of a container: when it goes, what the instance had
//! open is closed and what it did with `SEM_UNDO` is undone, as a kernel does at `exit(2)`.
//!
//! Lock order: a segment's state of System V, then a table or registry, then any other object.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use crate::account::Account;
use crate::creation::Creation;
use crate::lock::lock;
use crate::mqueue::{self, Attributes, MessageQueue, Queue};
use crate::names::Names;
use crate::owner::Owner;
use crate::semaphore::{self, NamedSemaphore, Numbers, Semaphore};
use crate::shm::{self, NamedSegment, SharedMemory};
use crate::sysv::{GetFlags, Table, message_queue, semaphore_set, shared_memory};
use crate::wait::{Wait, What};
use crate::{Errno, Host, IpcLimits, Listing, Object, OpenFlags};

/// The IPC namespace of one pod; clones are the same namespace.
#[derive(Clone)]
pub struct PodIpc {
    namespace: Arc<Namespace>,
}

/// What a pod's containers share: for each kind of object its names or keys, and the accounts.
pub(crate) struct Namespace {
    pub(crate) limits: IpcLimits,
    pub(crate) host: Host,
    pub(crate) message_queues: Names<MessageQueue>,
    pub(crate) semaphores: Names<NamedSemaphore>,
    pub(crate) semaphore_numbers: Arc<Numbers>,
    pub(crate) shared_memory: Names<NamedSegment>,
    pub(crate) message_queues_v: Table<message_queue::Shared>,
    pub(crate) semaphore_sets: Table<semaphore_set::Shared>,
    pub(crate) segments: Table<shared_memory::Shared>,
    /// Bytes of POSIX queues and semaphores.
    pub(crate) bytes: Arc<Account>,
    /// Bytes of shared memory of both kinds.
    pub(crate) segment_bytes: Arc<Account>,
    /// Bytes of System V queues and sets.
    pub(crate) system_v_bytes: Arc<Account>,
    /// Semaphores in all sets: `SEMMNS`.
    pub(crate) system_v_semaphores: Arc<Account>,
    /// Pages in all System V segments: `SHMALL`.
    pub(crate) system_v_pages: Arc<Account>,
    next_pid: AtomicI32,
    /// The numbers of the instances that there are.
    running: Mutex<BTreeSet<i32>>,
}

impl PodIpc {
    /// An empty namespace, with plain memory and without a clock.
    #[must_use]
    pub fn new(limits: IpcLimits) -> Self {
        Self::with_host(limits, Host::default())
    }

    /// An empty namespace with what this host provides.
    #[must_use]
    pub fn with_host(limits: IpcLimits, host: Host) -> Self {
        let system_v = &limits.system_v;
        Self {
            namespace: Arc::new(Namespace {
                host,
                message_queues: Names::new(limits.max_queues),
                semaphores: Names::new(limits.max_semaphores),
                semaphore_numbers: Arc::default(),
                shared_memory: Names::new(limits.max_shared_memory_objects),
                message_queues_v: Table::new(system_v.msgmni),
                semaphore_sets: Table::new(system_v.semmni),
                segments: Table::new(system_v.shmmni),
                bytes: Account::new(limits.max_bytes),
                segment_bytes: Account::new(limits.max_shared_memory_bytes),
                system_v_bytes: Account::new(system_v.max_bytes),
                system_v_semaphores: Account::new(u64::from(system_v.semmns)),
                system_v_pages: Account::new(system_v.shmall),
                next_pid: AtomicI32::new(1),
                running: Mutex::default(),
                limits,
            }),
        }
    }

    /// The door of one container instance; `owner` is the container's name, which listings show.
    #[must_use]
    pub fn attach(&self, owner: &str) -> ContainerIpc {
        // Numbers that come round again after two thousand million restarts are none too early.
        let pid = self.namespace.next_pid.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        lock(&self.namespace.running).insert(pid);
        ContainerIpc {
            namespace: Arc::clone(&self.namespace),
            owner: Arc::new(Owner::new(owner, pid)),
        }
    }

    /// Every object there is, as `ipcs(1)` shows them.
    #[must_use]
    pub fn list(&self) -> Listing {
        Listing::of(&self.namespace)
    }
}

impl fmt::Debug for PodIpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.namespace.fmt(f)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PodIpc").finish_non_exhaustive()
    }
}

/// One container instance's door to its pod's IPC.
///
/// Dropping it closes all that was opened through it: operations on such handles say `EBADF` from
/// then on, and whoever waits with one is woken to see that. What the instance did to System V
/// semaphores with `SEM_UNDO` is undone. The memory of an object without name is freed when the last
/// handle of it is dropped.
pub struct ContainerIpc {
    namespace: Arc<Namespace>,
    owner: Arc<Owner>,
}

impl ContainerIpc {
    /// The number of this instance in its pod, what `msg_lspid` and `GETPID` give.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.owner.pid()
    }

    /// Whether the instance of this number runs: a lock whose owner does not is nobody's.
    #[must_use]
    pub fn is_running(&self, pid: i32) -> bool {
        lock(&self.namespace.running).contains(&pid)
    }

    /// Opens a queue, or makes it, as `mq_open(3)` does.
    ///
    /// `attr` counts only when this call makes the queue; without it the queue is of the pod's
    /// default size. Permission bits do not exist: a pod's containers are one user.
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the name does not begin with a slash or holds a NUL; neither reading nor writing
    ///   is asked for; the attributes of a new queue are 0 or beyond the limits.
    /// * `EACCES`: the name is `/.` or `/..`, or has a second slash.
    /// * `ENAMETOOLONG`: the name has more than 255 bytes after the slash.
    /// * `ENOENT`: the name is only a slash; or no such queue, and `CREATE` is not set.
    /// * `EEXIST`: there is such a queue, and both `CREATE` and `EXCLUSIVE` are set.
    /// * `EMFILE`: too many open descriptors of this container, or bytes of this pod.
    /// * `ENOSPC`: too many queues of this pod.
    pub fn mq_open(
        &self,
        name: &str,
        flags: OpenFlags,
        attr: Option<Attributes>,
    ) -> Result<Queue, Errno> {
        let Namespace {
            message_queues,
            bytes,
            limits,
            ..
        } = &*self.namespace;
        mqueue::open(
            message_queues,
            bytes,
            &self.owner,
            name,
            flags,
            attr,
            limits,
        )
    }

    /// Removes a name at once; the queue itself goes when its last descriptor is closed, as
    /// `mq_unlink(3)` says. Messages in it stay until then.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `EACCES`, `ENAMETOOLONG` for the name as in [`Self::mq_open`]; `ENOENT` when no
    /// queue has it.
    pub fn mq_unlink(&self, name: &str) -> Result<(), Errno> {
        let name = crate::names::parse_queue_name(name)?;
        self.namespace.message_queues.unlink(name)
    }

    /// Opens a named semaphore, or makes it with this value, as `sem_open(3)` does. Of the flags only
    /// `CREATE` and `EXCLUSIVE` mean something.
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the name is empty but for slashes, or has one inside; the value of a new semaphore
    ///   is greater than [`SEM_VALUE_MAX`](crate::limits::SEM_VALUE_MAX).
    /// * `ENAMETOOLONG`: the name has more than 251 bytes after the slash.
    /// * `ENOENT`: no such semaphore, and `CREATE` is not set.
    /// * `EEXIST`: there is such a semaphore, and both `CREATE` and `EXCLUSIVE` are set.
    /// * `EMFILE`: too many open descriptors of this container.
    /// * `ENOSPC`: too many semaphores of this pod.
    pub fn sem_open(&self, name: &str, flags: OpenFlags, value: u32) -> Result<Semaphore, Errno> {
        semaphore::open(&self.namespace, &self.owner, name, flags, value)
    }

    /// Removes a name at once; the semaphore goes when its last handle is closed, as `sem_unlink(3)`
    /// says.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG` for the name; `ENOENT` when no semaphore has it, or none can.
    pub fn sem_unlink(&self, name: &str) -> Result<(), Errno> {
        let name = crate::names::parse_semaphore_name(name).map_err(no_such_file)?;
        self.namespace.semaphores.unlink(name)
    }

    /// Opens a shared memory object, or makes it, empty, as `shm_open(3)` does.
    ///
    /// # Errors
    ///
    /// * `EINVAL`: the name is empty but for slashes, has one inside, or is `.` or `..`; neither
    ///   reading nor writing is asked for.
    /// * `ENAMETOOLONG`: the name has more than 255 bytes after the slash.
    /// * `ENOENT`: no such object, and `CREATE` is not set.
    /// * `EEXIST`: there is such an object, and both `CREATE` and `EXCLUSIVE` are set.
    /// * `EMFILE`: too many open descriptors of this container.
    /// * `ENOSPC`: too many objects of this pod. `ENOMEM`: the host has no memory left.
    pub fn shm_open(&self, name: &str, flags: OpenFlags) -> Result<SharedMemory, Errno> {
        let Namespace {
            shared_memory,
            segment_bytes,
            host,
            limits,
            ..
        } = &*self.namespace;
        let memory = (segment_bytes, &*host.memory);
        shm::open(shared_memory, memory, &self.owner, name, flags, limits)
    }

    /// Removes a name at once; the bytes go when nobody has them open or mapped, as `shm_unlink(3)`
    /// says.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG` for the name; `ENOENT` when no object has it, or none can.
    pub fn shm_unlink(&self, name: &str) -> Result<(), Errno> {
        let name = crate::names::parse_shared_memory_name(name).map_err(no_such_file)?;
        self.namespace.shared_memory.unlink(name)
    }

    /// The id of the System V message queue of a key, made if it is missing and `flags` say so;
    /// `msgget(2)`.
    ///
    /// # Errors
    ///
    /// `ENOENT` when there is none, `EEXIST` when there is one and both `CREATE` and `EXCLUSIVE` are
    /// set, `ENOSPC` when the pod has too many, `ENOMEM` when they take too much.
    pub fn msg_get(&self, key: i32, flags: GetFlags) -> Result<i32, Errno> {
        message_queue::get(&self.namespace, &self.owner, key, flags)
    }

    /// A handle of a System V message queue, to be kept for further calls.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no queue of this id.
    pub fn msg_queue(&self, id: i32) -> Result<message_queue::MessageQueue, Errno> {
        message_queue::open(&self.namespace, &self.owner, id)
    }

    /// The id of the System V semaphore set of a key, made with `count` semaphores of value 0 if it
    /// is missing and `flags` say so; `semget(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when `count` is negative, greater than the pod allows or than the set has, or 0 for a
    /// new one; else as [`Self::msg_get`].
    pub fn sem_get(&self, key: i32, count: i32, flags: GetFlags) -> Result<i32, Errno> {
        semaphore_set::get(&self.namespace, &self.owner, key, count, flags)
    }

    /// A handle of a System V semaphore set, to be kept for further calls.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no set of this id.
    pub fn semaphore_set(&self, id: i32) -> Result<semaphore_set::SemaphoreSet, Errno> {
        semaphore_set::open(&self.namespace, &self.owner, id)
    }

    /// The id of the System V segment of a key, made with this size if it is missing and `flags` say
    /// so; `shmget(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when an existing segment is smaller, or the size of a new one is 0 or more than the
    /// pod allows; `ENOSPC` when the pod has too many, or too many bytes in them; else as
    /// [`Self::msg_get`].
    pub fn shm_get(&self, key: i32, bytes: u64, flags: GetFlags) -> Result<i32, Errno> {
        shared_memory::get(&self.namespace, &self.owner, key, bytes, flags)
    }

    /// Attaches a System V segment; `shmat(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no segment of this id, `EMFILE` when the container has too much open.
    pub fn shm_attach(&self, id: i32, read_only: bool) -> Result<shared_memory::Attachment, Errno> {
        shared_memory::attach(&self.namespace, &self.owner, id, read_only)
    }

    /// What a System V segment is now; `IPC_STAT` of `shmctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no segment of this id.
    pub fn shm_stat(&self, id: i32) -> Result<shared_memory::SegmentInfo, Errno> {
        shared_memory::stat(&self.namespace, id)
    }

    /// Changes the permission bits of a System V segment; `IPC_SET` of `shmctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no segment of this id.
    pub fn shm_set_mode(&self, id: i32, mode: u32) -> Result<(), Errno> {
        shared_memory::set_mode(&self.namespace, id, mode)
    }

    /// Removes a System V segment: its key at once, the rest with the last attachment; `IPC_RMID` of
    /// `shmctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no segment of this id.
    pub fn shm_remove(&self, id: i32) -> Result<(), Errno> {
        shared_memory::remove(&self.namespace, id)
    }

    /// Waits until an object exists, for programs that open what a neighbour makes a moment later.
    ///
    /// Then opening it is worth a try; it may be gone again. Its errors are those that opening it
    /// gives for the name.
    pub fn created(&self, object: Object) -> Wait {
        let creation = Creation {
            namespace: Arc::clone(&self.namespace),
            owner: Arc::clone(&self.owner),
            object,
        };
        Wait::new(Arc::new(creation), What::Creation)
    }
}

/// Removing a name that no file can have finds none, and says so.
const fn no_such_file(errno: Errno) -> Errno {
    match errno {
        Errno::Invalid => Errno::NoEntry,
        other => other,
    }
}

impl Drop for ContainerIpc {
    fn drop(&mut self) {
        self.owner.end();
        lock(&self.namespace.running).remove(&self.owner.pid());
        let Namespace {
            host,
            message_queues,
            semaphores,
            shared_memory,
            message_queues_v,
            semaphore_sets,
            segments,
            ..
        } = &*self.namespace;
        for queue in message_queues.all() {
            queue.wake_all();
        }
        for semaphore in semaphores.all() {
            semaphore.wake_all();
        }
        for queue in message_queues_v.all() {
            queue.wake_all();
        }
        let sets = semaphore_sets.all();
        if !sets.is_empty() {
            let now = host.clock.unix_seconds();
            sets.iter().for_each(|set| set.end(&self.owner, now));
        }
        shared_memory::end(&self.namespace, &self.owner);
        message_queues.wake_arrivals();
        semaphores.wake_arrivals();
        shared_memory.wake_arrivals();
        message_queues_v.wake_arrivals();
        semaphore_sets.wake_arrivals();
        segments.wake_arrivals();
    }
}

impl fmt::Debug for ContainerIpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerIpc")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
