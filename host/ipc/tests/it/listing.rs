//! What is seen of a pod's objects from outside, with the times of a virtual clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmpod_ipc::sysv::semaphore_set::SemOp;
use wasmpod_ipc::sysv::{GetFlags, Select};
use wasmpod_ipc::{Clock, HeapProvider, Host, IpcLimits, OpenFlags, PodIpc};

use super::actors::Waiting;
use super::{CREATE, size};

#[derive(Default)]
struct VirtualClock(AtomicU64);

impl Clock for VirtualClock {
    fn unix_seconds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_list_shows_every_object_and_who_waits_and_who_was_last() {
    let clock = Arc::new(VirtualClock::default());
    let at = |seconds| clock.0.store(seconds, Ordering::Relaxed);
    let host = Host {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        memory: Arc::new(HeapProvider),
    };
    let pod = PodIpc::with_host(IpcLimits::default(), host);
    let (a, b) = (pod.attach("a"), pod.attach("b"));
    at(100);
    let queue = a.mq_open("/q", CREATE, size(1, 8)).unwrap();
    queue.try_send(b"four", 0).unwrap();
    let _sender = Waiting::new(queue.wait_send());
    let semaphore = a.sem_open("/s", OpenFlags::CREATE, 0).unwrap();
    let _taker = Waiting::new(semaphore.wait());
    let shm = a.shm_open("/m", CREATE).unwrap();
    shm.truncate(5000).unwrap();
    let _sleeper = Waiting::new(shm.segment().unwrap().futex_wait(4, 0));
    let messages = a.msg_get(11, GetFlags::from_bits(0o1640)).unwrap();
    let set = a.sem_get(12, 2, GetFlags::CREATE).unwrap();
    let segment = a.shm_get(13, 10, GetFlags::CREATE).unwrap();

    at(200);
    let a_messages = a.msg_queue(messages).unwrap();
    a_messages.try_send(1, b"hello").unwrap();
    at(300);
    let b_messages = b.msg_queue(messages).unwrap();
    b_messages
        .try_receive(Select::Any, 8, false, |_, _| ())
        .unwrap();
    let _receiver = Waiting::new(b_messages.wait_receive(Select::Any));
    let up = SemOp {
        number: 1,
        change: 3,
        no_wait: false,
        undo: false,
    };
    b.semaphore_set(set).unwrap().try_operate(&[up]).unwrap();
    let attached = b.shm_attach(segment, false).unwrap();

    let list = pod.list();
    assert_eq!(list.len(), 6);
    let q = &list.message_queues[0];
    assert_eq!((q.current_messages, q.current_bytes), (1, 4));
    assert_eq!((q.waiting_senders, q.waiting_receivers), (1, 0));
    assert_eq!(
        (list.semaphores[0].waiting, list.semaphores[0].value),
        (1, 0)
    );
    let m = &list.shared_memory[0];
    assert_eq!((m.bytes, m.open_handles, m.waiting), (5000, 1, 1));
    assert_eq!(list.shared_memory_bytes, 8192 + 4096);

    let v = &list.system_v_message_queues[0];
    assert_eq!((v.key, v.id, v.mode), (11, messages, 0o640));
    assert_eq!((v.changed_at, v.sent_at, v.received_at), (100, 200, 300));
    assert_eq!(v.last_sender.as_deref(), Some("a"));
    assert_eq!(v.last_receiver.as_deref(), Some("b"));
    let pids = (v.last_sender_pid, v.last_receiver_pid);
    assert_eq!(pids, (a.pid(), b.pid()));
    assert_eq!((v.waiting_receivers, v.waiting_senders), (1, 0));

    let s = &list.system_v_semaphore_sets[0];
    assert_eq!((s.key, s.values.as_slice()), (12, &[0, 3][..]));
    assert_eq!((s.changed_at, s.operated_at), (100, 300));
    assert_eq!(s.last_operator.as_deref(), Some("b"));

    at(400);
    drop(attached);
    let m = &pod.list().system_v_segments[0];
    assert_eq!((m.key, m.bytes, m.attached), (13, 10, 0));
    let times = (m.changed_at, m.attached_at, m.detached_at);
    assert_eq!(times, (100, 300, 400));
    assert_eq!((&*m.creator, m.last_user.as_deref()), ("a", Some("b")));
}
