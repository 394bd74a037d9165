//! The namespace of a pod and each container's door to it.
//!
//! A [`PodIpc`] lives as long as its pod. Its objects belong to the pod and not to who made them:
//! they outlive a container's restart, as POSIX objects outlive a process, and vanish with the pod.
//! A [`ContainerIpc`] belongs to one *instance* of a container: when it goes, what the instance had
//! open is closed, as a kernel does at `exit(2)`.
//!
//! Lock order: a registry's lock, then a queue's; an instance's list of late wakes is never held
//! together with another lock.

use std::fmt;
use std::sync::Arc;

use crate::mqueue::{Attributes, OpenFlags, Owner, Queue, QueueInfo, Registry, WakePolicy};
use crate::{Errno, IpcLimits};

/// The IPC namespace of one pod; clones are the same namespace.
#[derive(Clone)]
pub struct PodIpc {
    namespace: Arc<Namespace>,
}

/// What a pod's containers share, one registry for each kind of object.
struct Namespace {
    limits: IpcLimits,
    message_queues: Registry,
}

impl PodIpc {
    /// An empty namespace.
    #[must_use]
    pub fn new(limits: IpcLimits) -> Self {
        let message_queues = Registry::default();
        Self {
            namespace: Arc::new(Namespace {
                limits,
                message_queues,
            }),
        }
    }

    /// The door of one container instance; `owner` is the container's name, which the counters show.
    #[must_use]
    pub fn attach(&self, owner: &str) -> ContainerIpc {
        self.attach_with(owner, WakePolicy::AtOnce)
    }

    /// Like [`Self::attach`], for an instance that calls [`ContainerIpc::settle`] whenever it gives
    /// up its thread: then a full queue's senders are woken late, at half full, and so fewer times.
    #[must_use]
    pub fn attach_with_late_wakes(&self, owner: &str) -> ContainerIpc {
        self.attach_with(owner, WakePolicy::Late)
    }

    fn attach_with(&self, owner: &str, policy: WakePolicy) -> ContainerIpc {
        ContainerIpc {
            namespace: Arc::clone(&self.namespace),
            owner: Arc::new(Owner::new(owner, policy)),
        }
    }

    /// Every queue there is, by name; those unlinked but still open come last.
    #[must_use]
    pub fn list(&self) -> Vec<QueueInfo> {
        self.namespace.message_queues.list()
    }
}

impl fmt::Debug for PodIpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PodIpc")
            .field("queues", &self.list().len())
            .finish_non_exhaustive()
    }
}

/// One container instance's door to its pod's IPC.
///
/// Dropping it closes all that was opened through it: operations on such a [`Queue`] say `EBADF`
/// from then on, and whoever waits on one is woken to see that. The memory of an unlinked queue is
/// freed when its last [`Queue`] is dropped.
pub struct ContainerIpc {
    namespace: Arc<Namespace>,
    owner: Arc<Owner>,
}

impl ContainerIpc {
    /// Opens a queue, or makes it, as `mq_open(3)` does.
    ///
    /// `attr` counts only when this call makes the queue; without it the queue is of
    /// [`Attributes::default`]. Permission bits do not exist: a pod's containers are one user.
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
        self.namespace
            .message_queues
            .open(&self.owner, name, flags, attr, &self.namespace.limits)
    }

    /// Removes a name at once; the queue itself goes when its last descriptor is closed, as
    /// `mq_unlink(3)` says. Messages in it stay until then.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `EACCES`, `ENAMETOOLONG` for the name as in [`Self::mq_open`]; `ENOENT` when no
    /// queue has it.
    pub fn mq_unlink(&self, name: &str) -> Result<(), Errno> {
        self.namespace.message_queues.unlink(name)
    }

    /// Wakes the senders whose wake was put off, see [`PodIpc::attach_with_late_wakes`].
    ///
    /// Costs one relaxed load when there are none.
    pub fn settle(&self) {
        self.owner.settle();
    }
}

impl Drop for ContainerIpc {
    fn drop(&mut self) {
        self.owner.close();
        self.namespace.message_queues.wake_all();
    }
}

impl fmt::Debug for ContainerIpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerIpc")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
