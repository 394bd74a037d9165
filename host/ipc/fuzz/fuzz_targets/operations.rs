//! Any sequence of operations of two container instances of a pod, on all kinds of objects, with wild arguments and guests
//! that write to what they have mapped. Nothing may panic, every limit holds after each step, a container that has ended
//! has nothing open, and once all names are gone nothing is left.

#![no_main]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use wasmpod_ipc::sysv::message_queue::{MessageQueue, MessageQueueSettings};
use wasmpod_ipc::sysv::semaphore_set::{SemOp, SemaphoreSet};
use wasmpod_ipc::sysv::shared_memory::Attachment;
use wasmpod_ipc::sysv::{GetFlags, Select};
use wasmpod_ipc::{
    AtomicOp, Attributes, ContainerIpc, Errno, HeapProvider, Host, IpcLimits, OpenFlags, PodIpc,
    Queue, Segment, SegmentMemory, SegmentProvider, Semaphore, SharedMemory, Wait,
};

/// Steps of one sequence at most: more bytes than they take are not looked at.
const STEPS: usize = 400;
/// What a container keeps open, and what it waits for at once.
const KEPT: usize = 12;

/// Plain memory that says that guests can map it.
struct Mappable;

impl SegmentProvider for Mappable {
    fn make(&self) -> Result<Box<dyn SegmentMemory>, Errno> {
        HeapProvider.make()
    }

    fn is_mappable(&self) -> bool {
        true
    }
}

/// The bytes from which arguments are made; zeros when they are used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// A small number, one at an edge, or any.
    fn number(&mut self) -> u64 {
        let edges = [
            0,
            1,
            4,
            8,
            64,
            4096,
            65_536,
            1 << 20,
            1 << 31,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        match self.byte() {
            kind @ 0..16 => edges[usize::from(kind) % edges.len()],
            16..32 => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
            32..64 => u64::from(self.byte()) * 257,
            small => u64::from(small) - 64,
        }
    }

    fn name(&mut self) -> String {
        match self.byte() % 16 {
            0 => "no-slash".to_owned(),
            1 => "/a/b".to_owned(),
            2 => format!("/{}", "n".repeat(300)),
            number => format!("/{}", number % 5),
        }
    }

    fn open_flags(&mut self) -> OpenFlags {
        OpenFlags::from_bits(u32::from(self.byte() & 0b10_1111)).unwrap_or(OpenFlags::READ)
    }

    fn get_flags(&mut self) -> GetFlags {
        let bits = self.byte();
        let create = if bits & 1 != 0 {
            GetFlags::CREATE
        } else {
            GetFlags::from_bits(0)
        };
        let exclusive = if bits & 2 != 0 {
            GetFlags::EXCLUSIVE
        } else {
            GetFlags::from_bits(0)
        };
        create | exclusive | GetFlags::from_bits(0o600)
    }

    fn key(&mut self) -> i32 {
        i32::from(self.byte() % 4)
    }

    fn data(&mut self) -> Vec<u8> {
        let length = self.number() % 9000;
        vec![self.byte(); usize::try_from(length).unwrap_or_default()]
    }
}

#[derive(Default)]
struct Kept {
    queues: Vec<Queue>,
    semaphores: Vec<Semaphore>,
    memories: Vec<SharedMemory>,
    attached: Vec<Attachment>,
    message_queues: Vec<MessageQueue>,
    sets: Vec<SemaphoreSet>,
    waits: Vec<Wait>,
    /// Waits at addresses: they are nobody's, and end with who awaits them.
    futexes: Vec<Wait>,
}

struct Container {
    door: ContainerIpc,
    kept: Kept,
}

fn keep<T, E>(kept: &mut Vec<T>, made: Result<T, E>) {
    if let (Ok(made), true) = (made, kept.len() < KEPT) {
        kept.push(made);
    }
}

/// Any answer will do.
fn tried<T>(_: T) {}

fn pick<'a, T>(kept: &'a [T], bytes: &mut Bytes<'_>) -> Option<&'a T> {
    kept.get(usize::from(bytes.byte()) % kept.len().max(1))
}

fn drop_one<T>(kept: &mut Vec<T>, bytes: &mut Bytes<'_>) {
    if !kept.is_empty() {
        kept.swap_remove(usize::from(bytes.byte()) % kept.len());
    }
}

fn poll(wait: &mut Wait) -> Poll<Result<(), Errno>> {
    pin!(wait).poll(&mut Context::from_waker(Waker::noop()))
}

impl Container {
    fn new(pod: &PodIpc, name: &str) -> Self {
        Self {
            door: pod.attach(name),
            kept: Kept::default(),
        }
    }

    fn segment(&self, bytes: &mut Bytes<'_>) -> Option<Arc<Segment>> {
        match bytes.byte() % 3 {
            0 => pick(&self.kept.memories, bytes)?.segment().ok().cloned(),
            1 => Some(Arc::clone(pick(&self.kept.attached, bytes)?.segment())),
            _ => Some(Arc::clone(pick(&self.kept.semaphores, bytes)?.place()?.0)),
        }
    }

    fn begin(&mut self, mut wait: Wait) {
        if poll(&mut wait).is_pending() {
            keep(&mut self.kept.waits, Ok::<_, Errno>(wait));
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        match bytes.byte() % 40 {
            0 | 1 => {
                let (name, flags) = (bytes.name(), bytes.open_flags());
                let size = Attributes {
                    max_messages: u32::from(bytes.byte() % 6),
                    message_bytes: u32::try_from(bytes.number()).unwrap_or(u32::MAX),
                };
                let size = (bytes.byte() % 4 > 0).then_some(size);
                keep(&mut self.kept.queues, self.door.mq_open(&name, flags, size));
            }
            2 => tried(self.door.mq_unlink(&bytes.name())),
            3 | 4 => {
                let data = bytes.data();
                let priority = u32::try_from(bytes.number()).unwrap_or(u32::MAX);
                tried(pick(&self.kept.queues, bytes)?.try_send(&data, priority));
            }
            5 | 6 => tried(pick(&self.kept.queues, bytes)?.try_receive_into(|data, _| data.len())),
            7 => {
                let queue = pick(&self.kept.queues, bytes)?;
                let wait = match bytes.byte() % 5 {
                    0 => queue.wait_receive(),
                    1 => queue.wait_send(),
                    2 => queue.readable(),
                    3 => queue.writable(),
                    _ => queue.notify().ok()?,
                };
                self.begin(wait);
            }
            8 => drop_one(&mut self.kept.queues, bytes),
            9 | 10 => {
                let (name, flags) = (bytes.name(), bytes.open_flags());
                let value = u32::try_from(bytes.number()).unwrap_or(u32::MAX);
                keep(
                    &mut self.kept.semaphores,
                    self.door.sem_open(&name, flags, value),
                );
            }
            11 => tried(self.door.sem_unlink(&bytes.name())),
            12 | 13 => tried(pick(&self.kept.semaphores, bytes)?.post()),
            14 => tried(pick(&self.kept.semaphores, bytes)?.try_wait()),
            15 => {
                let semaphore = pick(&self.kept.semaphores, bytes)?;
                let wait = if bytes.byte() % 3 > 0 {
                    semaphore.wait()
                } else {
                    semaphore.ready()
                };
                self.begin(wait);
            }
            16 => drop_one(&mut self.kept.semaphores, bytes),
            17 | 18 => {
                let (name, flags) = (bytes.name(), bytes.open_flags());
                keep(&mut self.kept.memories, self.door.shm_open(&name, flags));
            }
            19 => tried(self.door.shm_unlink(&bytes.name())),
            20 => tried(pick(&self.kept.memories, bytes)?.truncate(bytes.number())),
            21 => {
                let (segment, data) = (self.segment(bytes)?, bytes.data());
                tried(segment.write(bytes.number(), &data));
            }
            22 => {
                let mut into = bytes.data();
                let read = self.segment(bytes)?.read(bytes.number(), &mut into);
                assert!(read <= into.len());
            }
            23 | 24 => {
                let (segment, value) = (self.segment(bytes)?, bytes.number());
                let word = u32::try_from(value & 0xffff_ffff).unwrap_or_default();
                let operation = match bytes.byte() % 4 {
                    0 => AtomicOp::Store(word),
                    1 => AtomicOp::Add(word),
                    2 => AtomicOp::Xor(word),
                    _ => AtomicOp::CompareExchange {
                        expected: 0,
                        new: word,
                    },
                };
                tried(segment.update_u32(bytes.number(), operation));
            }
            25 => {
                let (segment, offset) = (self.segment(bytes)?, bytes.number());
                let mut wait = segment.futex_wait(offset, u32::from(bytes.byte() % 2));
                if poll(&mut wait).is_pending() {
                    keep(&mut self.kept.futexes, Ok::<_, Errno>(wait));
                }
            }
            26 => tried(
                self.segment(bytes)?
                    .futex_wake(bytes.number(), bytes.byte().into()),
            ),
            27 => drop_one(&mut self.kept.memories, bytes),
            28 => {
                let id = self.door.msg_get(bytes.key(), bytes.get_flags()).ok()?;
                keep(&mut self.kept.message_queues, self.door.msg_queue(id));
            }
            29 | 30 => {
                let (kind, data) = (i64::from(bytes.byte() % 5) - 1, bytes.data());
                tried(pick(&self.kept.message_queues, bytes)?.try_send(kind, &data));
            }
            31 => {
                let select = Select::new(i64::from(bytes.byte() % 9) - 4, bytes.byte() % 4 == 0);
                let (queue, most) = (pick(&self.kept.message_queues, bytes)?, bytes.byte());
                if bytes.byte() % 2 > 0 {
                    let cut = bytes.byte() % 2 > 0;
                    tried(queue.try_receive(select, most.into(), cut, |data, _| data.len()));
                } else {
                    let wait = queue.wait_receive(select);
                    self.begin(wait);
                }
            }
            32 => {
                let queue = pick(&self.kept.message_queues, bytes)?;
                match bytes.byte() % 8 {
                    0 => tried(queue.remove()),
                    1 | 2 => {
                        let wait = queue.wait_send(usize::from(bytes.byte()));
                        self.begin(wait);
                    }
                    _ => {
                        let max_bytes = u32::try_from(bytes.number()).unwrap_or(u32::MAX);
                        tried(queue.set(MessageQueueSettings {
                            max_bytes,
                            mode: 0o600,
                        }));
                    }
                }
            }
            33 => {
                let (key, flags) = (bytes.key(), bytes.get_flags());
                let id = self
                    .door
                    .sem_get(key, i32::from(bytes.byte() % 5), flags)
                    .ok()?;
                keep(&mut self.kept.sets, self.door.semaphore_set(id));
            }
            34 | 35 => {
                let operation = |bytes: &mut Bytes<'_>| SemOp {
                    number: u16::from(bytes.byte() % 5),
                    change: i16::from(bytes.byte() as i8) * if bytes.byte() == 0 { 255 } else { 1 },
                    no_wait: bytes.byte() % 4 == 0,
                    undo: bytes.byte() % 3 == 0,
                };
                let operations: Vec<_> = (0..bytes.byte() % 4).map(|_| operation(bytes)).collect();
                let set = pick(&self.kept.sets, bytes)?;
                if bytes.byte() % 2 > 0 {
                    tried(set.try_operate(&operations));
                } else {
                    let wait = set.operate(&operations);
                    self.begin(wait);
                }
            }
            36 => {
                let set = pick(&self.kept.sets, bytes)?;
                match bytes.byte() % 8 {
                    0 => tried(set.remove()),
                    _ => tried(set.set_value(bytes.byte().into(), i32::from(bytes.byte()) * 257)),
                }
            }
            37 => {
                let (key, flags) = (bytes.key(), bytes.get_flags());
                let id = self.door.shm_get(key, bytes.number(), flags).ok()?;
                if bytes.byte() % 6 == 0 {
                    tried(self.door.shm_remove(id));
                } else {
                    keep(
                        &mut self.kept.attached,
                        self.door.shm_attach(id, bytes.byte() % 4 == 0),
                    );
                }
            }
            38 => match bytes.byte() % 4 {
                0 => drop_one(&mut self.kept.attached, bytes),
                1 => drop_one(&mut self.kept.message_queues, bytes),
                2 => drop_one(&mut self.kept.sets, bytes),
                _ => drop_one(&mut self.kept.waits, bytes),
            },
            _ => {
                let index = usize::from(bytes.byte()) % self.kept.waits.len().max(1);
                if poll(self.kept.waits.get_mut(index)?).is_ready() {
                    tried(self.kept.waits.swap_remove(index));
                }
            }
        }
        Some(())
    }
}

fuzz_target!(|data: &[u8]| {
    let mut limits = IpcLimits::default();
    limits.max_queues = 4;
    limits.max_bytes = 1 << 20;
    limits.max_shared_memory_bytes = 4 << 20;
    let most = limits.max_shared_memory_bytes;
    let host = Host {
        memory: Arc::new(Mappable),
        ..Host::default()
    };
    let pod = PodIpc::with_host(limits, host);
    let mut containers = [Container::new(&pod, "a"), Container::new(&pod, "b")];
    let mut bytes = Bytes(data);
    for _ in 0..STEPS {
        if bytes.0.is_empty() {
            break;
        }
        let which = bytes.byte();
        let container = &mut containers[usize::from(which % 2)];
        if which >= 250 {
            // The instance ends, sometimes before what it has open is dropped.
            let old = std::mem::replace(container, Container::new(&pod, "c"));
            let Container { door, kept } = old;
            drop(door);
            drop(kept.futexes);
            for mut wait in kept.waits {
                assert!(poll(&mut wait).is_ready(), "who waits sees the end");
            }
        } else {
            container.step(&mut bytes);
        }
        let list = pod.list();
        assert!(list.shared_memory_bytes <= most && list.message_queues.len() <= 4 + KEPT);
    }
    drop(containers);
    let list = pod.list();
    assert!(
        list.message_queues
            .iter()
            .all(|one| one.open_handles == 0 && !one.unlinked)
    );
    assert!(
        list.semaphores
            .iter()
            .all(|one| one.open_handles == 0 && one.waiting == 0)
    );
    let door = pod.attach("end");
    for queue in &list.message_queues {
        door.mq_unlink(&queue.name).unwrap();
    }
    for semaphore in &list.semaphores {
        door.sem_unlink(&semaphore.name).unwrap();
    }
    for memory in &list.shared_memory {
        door.shm_unlink(&memory.name).unwrap();
    }
    for queue in &list.system_v_message_queues {
        door.msg_queue(queue.id).unwrap().remove().unwrap();
    }
    for set in &list.system_v_semaphore_sets {
        door.semaphore_set(set.id).unwrap().remove().unwrap();
    }
    for segment in &list.system_v_segments {
        let _ = door.shm_remove(segment.id);
    }
    let left = pod.list();
    assert!(left.is_empty() && left.shared_memory_bytes == 0, "{left:?}");
});
