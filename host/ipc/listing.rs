//! All objects of a pod at one moment, for who looks at them from outside: `ipcs(1)`.

use crate::mqueue::{self, QueueInfo};
use crate::namespace::Namespace;
use crate::semaphore::{self, SemaphoreInfo};
use crate::shm::{self, SharedMemoryInfo};
use crate::sysv::message_queue::MessageQueueInfo;
use crate::sysv::semaphore_set::SemaphoreSetInfo;
use crate::sysv::shared_memory::SegmentInfo;

/// The objects of a pod. POSIX objects come by name, those without name last; System V objects in the
/// order of their places. Each is as it was at one moment, and not all at the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// POSIX message queues.
    pub message_queues: Vec<QueueInfo>,
    /// POSIX semaphores.
    pub semaphores: Vec<SemaphoreInfo>,
    /// POSIX shared memory objects.
    pub shared_memory: Vec<SharedMemoryInfo>,
    /// System V message queues.
    pub system_v_message_queues: Vec<MessageQueueInfo>,
    /// System V semaphore sets.
    pub system_v_semaphore_sets: Vec<SemaphoreSetInfo>,
    /// System V shared memory segments.
    pub system_v_segments: Vec<SegmentInfo>,
    /// Bytes that shared memory of both kinds takes of the pod's.
    pub shared_memory_bytes: u64,
}

impl Listing {
    pub(crate) fn of(namespace: &Namespace) -> Self {
        let queues = namespace.message_queues_v.all();
        let sets = namespace.semaphore_sets.all();
        let segments = namespace.segments.all();
        Self {
            message_queues: mqueue::list(&namespace.message_queues),
            semaphores: semaphore::list(&namespace.semaphores),
            shared_memory: shm::list(&namespace.shared_memory),
            system_v_message_queues: queues.iter().map(|queue| queue.info()).collect(),
            system_v_semaphore_sets: sets.iter().map(|set| set.info()).collect(),
            system_v_segments: segments.iter().map(|segment| segment.info()).collect(),
            shared_memory_bytes: namespace.segment_bytes.used(),
        }
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.message_queues.len()
            + self.semaphores.len()
            + self.shared_memory.len()
            + self.system_v_message_queues.len()
            + self.system_v_semaphore_sets.len()
            + self.system_v_segments.len()
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
