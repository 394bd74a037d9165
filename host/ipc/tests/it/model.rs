//! Random operations on a namespace and on the simplest thing that could be right: for each queue a
//! map from priority to its messages, and every rule written down once more.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use proptest::prelude::*;
use wasmpod_ipc::{Attributes, ContainerIpc, Errno, IpcLimits, OpenFlags, PodIpc, Queue};

const CONTAINERS: usize = 2;
const MAX_BYTES: u64 = 4096 + 6 * (8 + 128);

fn pod_limits() -> IpcLimits {
    IpcLimits {
        max_queues: 3,
        max_messages: 6,
        max_message_bytes: 8,
        max_bytes: MAX_BYTES,
        max_open_handles: 4,
        ..IpcLimits::default()
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Open {
        container: usize,
        name: usize,
        flags: u32,
        size: Option<(u32, u32)>,
    },
    Close {
        handle: usize,
    },
    Unlink {
        name: usize,
    },
    Send {
        handle: usize,
        data: Vec<u8>,
        priority: u32,
    },
    Receive {
        handle: usize,
    },
    Restart {
        container: usize,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let size = proptest::option::of((0..8_u32, 0..10_u32));
    prop_oneof![
        3 => (0..CONTAINERS, 0..4_usize, 0..32_u32, size)
            .prop_map(|(container, name, flags, size)| Operation::Open { container, name, flags, size }),
        2 => (0..8_usize).prop_map(|handle| Operation::Close { handle }),
        1 => (0..4_usize).prop_map(|name| Operation::Unlink { name }),
        8 => (0..8_usize, proptest::collection::vec(any::<u8>(), 0..10), prop_oneof![0..3_u32, 32_766..32_769_u32])
            .prop_map(|(handle, data, priority)| Operation::Send { handle, data, priority }),
        8 => (0..8_usize).prop_map(|handle| Operation::Receive { handle }),
        1 => (0..CONTAINERS).prop_map(|container| Operation::Restart { container }),
    ]
}

/// A queue as the manual describes it.
#[derive(Debug)]
struct ModelQueue {
    attributes: Attributes,
    messages: BTreeMap<u32, VecDeque<Vec<u8>>>,
}

type Shared = Rc<RefCell<ModelQueue>>;

#[derive(Debug, Default)]
struct Model {
    names: BTreeMap<usize, Shared>,
    /// All queues ever made; those that nobody holds any more do not count.
    made: Vec<std::rc::Weak<RefCell<ModelQueue>>>,
}

#[derive(Debug)]
struct ModelHandle {
    queue: Shared,
    container: usize,
    flags: u32,
}

fn charge(attributes: Attributes) -> u64 {
    u64::from(attributes.max_messages) * (u64::from(attributes.message_bytes) + 128) + 1024
}

impl ModelQueue {
    fn len(&self) -> usize {
        self.messages.values().map(VecDeque::len).sum()
    }

    fn receive(&mut self) -> Result<(Vec<u8>, u32), Errno> {
        let mut entry = self.messages.last_entry().ok_or(Errno::Again)?;
        let priority = *entry.key();
        let data = entry.get_mut().pop_front().ok_or(Errno::Again)?;
        if entry.get().is_empty() {
            entry.remove();
        }
        Ok((data, priority))
    }
}

impl Model {
    fn open(
        &mut self,
        name: usize,
        flags: u32,
        size: Option<(u32, u32)>,
        open: usize,
    ) -> Result<Shared, Errno> {
        if flags & 3 == 0 {
            return Err(Errno::Invalid);
        }
        if open >= 4 {
            return Err(Errno::TooManyOpen);
        }
        let (create, exclusive) = (flags & 4 != 0, flags & 8 != 0);
        if let Some(queue) = self.names.get(&name) {
            return if create && exclusive {
                Err(Errno::Exist)
            } else {
                Ok(Rc::clone(queue))
            };
        }
        if !create {
            return Err(Errno::NoEntry);
        }
        let alive: Vec<_> = self
            .made
            .iter()
            .filter_map(std::rc::Weak::upgrade)
            .collect();
        if alive.len() >= 3 {
            return Err(Errno::NoSpace);
        }
        // Without attributes the pod's defaults count, or its limits where they are less.
        let attributes = attributes(size).unwrap_or(Attributes {
            max_messages: 6,
            message_bytes: 8,
        });
        if !(1..=6).contains(&attributes.max_messages)
            || !(1..=8).contains(&attributes.message_bytes)
        {
            return Err(Errno::Invalid);
        }
        let used: u64 = alive
            .iter()
            .map(|queue| charge(queue.borrow().attributes))
            .sum();
        if used + charge(attributes) > MAX_BYTES {
            return Err(Errno::TooManyOpen);
        }
        let queue = Rc::new(RefCell::new(ModelQueue {
            attributes,
            messages: BTreeMap::new(),
        }));
        self.made.push(Rc::downgrade(&queue));
        self.names.insert(name, Rc::clone(&queue));
        Ok(queue)
    }
}

fn attributes(size: Option<(u32, u32)>) -> Option<Attributes> {
    size.map(|(max_messages, message_bytes)| Attributes {
        max_messages,
        message_bytes,
    })
}

fn send_to_model(handle: &ModelHandle, data: &[u8], priority: u32) -> Result<(), Errno> {
    let mut queue = handle.queue.borrow_mut();
    if priority > 32_767 {
        Err(Errno::Invalid)
    } else if handle.flags & 2 == 0 {
        Err(Errno::BadDescriptor)
    } else if data.len() > queue.attributes.message_bytes as usize {
        Err(Errno::MessageTooLong)
    } else if queue.len() >= queue.attributes.max_messages as usize {
        Err(Errno::Again)
    } else {
        queue
            .messages
            .entry(priority)
            .or_default()
            .push_back(data.to_vec());
        Ok(())
    }
}

/// Both worlds, and the descriptors open in both.
struct Worlds {
    pod: PodIpc,
    containers: Vec<ContainerIpc>,
    model: Model,
    handles: Vec<(Queue, ModelHandle)>,
}

impl Worlds {
    fn new() -> Self {
        let pod = PodIpc::new(pod_limits());
        let containers = (0..CONTAINERS)
            .map(|i| pod.attach(&i.to_string()))
            .collect();
        Self {
            pod,
            containers,
            model: Model::default(),
            handles: Vec::new(),
        }
    }

    fn run(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Open {
                container,
                name,
                flags,
                size,
            } => {
                let bits = OpenFlags::from_bits(*flags).unwrap();
                let open = self
                    .handles
                    .iter()
                    .filter(|(_, handle)| handle.container == *container)
                    .count();
                let real = self.containers[*container].mq_open(
                    &format!("/{name}"),
                    bits,
                    attributes(*size),
                );
                match (real, self.model.open(*name, *flags, *size, open)) {
                    (Ok(real), Ok(queue)) => {
                        prop_assert_eq!(real.attributes(), queue.borrow().attributes);
                        let handle = ModelHandle {
                            queue,
                            container: *container,
                            flags: *flags,
                        };
                        self.handles.push((real, handle));
                    }
                    (real, model) => prop_assert_eq!(real.map(|_| ()), model.map(|_| ())),
                }
            }
            Operation::Close { handle } => {
                if *handle < self.handles.len() {
                    self.handles.swap_remove(*handle);
                }
            }
            Operation::Unlink { name } => {
                let model = self
                    .model
                    .names
                    .remove(name)
                    .map(|_| ())
                    .ok_or(Errno::NoEntry);
                prop_assert_eq!(self.containers[0].mq_unlink(&format!("/{name}")), model);
            }
            Operation::Send {
                handle,
                data,
                priority,
            } => {
                if let Some((real, model)) = self.handles.get(*handle) {
                    prop_assert_eq!(
                        real.try_send(data, *priority),
                        send_to_model(model, data, *priority)
                    );
                }
            }
            Operation::Receive { handle } => {
                if let Some((real, model)) = self.handles.get(*handle) {
                    let expected = if model.flags & 1 == 0 {
                        Err(Errno::BadDescriptor)
                    } else {
                        model.queue.borrow_mut().receive()
                    };
                    let received =
                        real.try_receive_into(|data, priority| (data.to_vec(), priority));
                    prop_assert_eq!(received, expected);
                }
            }
            Operation::Restart { container } => {
                self.containers[*container] = self.pod.attach(&container.to_string());
                for (real, _) in self
                    .handles
                    .iter()
                    .filter(|(_, handle)| handle.container == *container)
                {
                    prop_assert_eq!(real.try_send(b"", 0), Err(Errno::BadDescriptor));
                }
                self.handles
                    .retain(|(_, handle)| handle.container != *container);
            }
        }
        self.compare()
    }

    /// What can be seen from outside is the same in both worlds.
    fn compare(&self) -> Result<(), TestCaseError> {
        for (real, model) in &self.handles {
            prop_assert_eq!(real.current_messages() as usize, model.queue.borrow().len());
        }
        let list = self.pod.list().message_queues;
        let alive = self
            .model
            .made
            .iter()
            .filter(|queue| queue.strong_count() > 0)
            .count();
        prop_assert_eq!(list.len(), alive);
        let named: Vec<_> = list
            .iter()
            .filter(|queue| !queue.unlinked)
            .map(|queue| queue.name.clone())
            .collect();
        let expected: Vec<_> = self
            .model
            .names
            .keys()
            .map(|name| format!("/{name}"))
            .collect();
        prop_assert_eq!(named, expected);
        for queue in &list {
            let waiting = queue.traffic.sent_messages - queue.traffic.received_messages;
            prop_assert_eq!(waiting, u64::from(queue.current_messages));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_do_what_the_manual_says(operations in proptest::collection::vec(operation(), 1..120)) {
        let mut worlds = Worlds::new();
        for operation in &operations {
            worlds.run(operation)?;
        }
    }
}
