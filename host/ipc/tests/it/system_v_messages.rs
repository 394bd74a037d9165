//! System V message queues: the sentences of `msgget(2)`, `msgop(2)` and `msgctl(2)`, and their waits.

use wasmpod_ipc::limits::{MSGMAX, SystemVLimits};
use wasmpod_ipc::sysv::message_queue::{MessageQueue, MessageQueueSettings};
use wasmpod_ipc::sysv::{GetFlags, IPC_PRIVATE, Select};
use wasmpod_ipc::{ContainerIpc, Errno, IpcLimits, PodIpc};

use super::actors::Waiting;
use super::pod;

const CREATE: GetFlags = GetFlags::CREATE;

fn queue(container: &ContainerIpc) -> MessageQueue {
    let id = container.msg_get(1, CREATE).unwrap();
    container.msg_queue(id).unwrap()
}

fn receive(queue: &MessageQueue, msgtyp: i64) -> Result<Vec<u8>, Errno> {
    queue.try_receive(Select::new(msgtyp, false), 8192, false, |data, _| {
        data.to_vec()
    })
}

#[test]
fn a_key_means_one_queue_and_the_private_key_a_new_one_each_time() {
    let (_pod, container) = pod();
    let exclusive = CREATE | GetFlags::EXCLUSIVE;
    assert_eq!(
        container.msg_get(7, GetFlags::default()),
        Err(Errno::NoEntry)
    );
    let id = container.msg_get(7, CREATE).unwrap();
    assert_eq!(container.msg_get(7, CREATE), Ok(id));
    assert_eq!(container.msg_get(7, GetFlags::EXCLUSIVE), Ok(id));
    assert_eq!(container.msg_get(7, exclusive), Err(Errno::Exist));
    let private = container.msg_get(IPC_PRIVATE, GetFlags::default()).unwrap();
    assert_ne!(container.msg_get(IPC_PRIVATE, exclusive), Ok(private));
    assert_eq!(
        container.msg_queue(12_345).map(|q| q.id()),
        Err(Errno::Invalid)
    );
}

#[test]
fn messages_are_received_by_type_as_the_manual_says() {
    // Types in the order of sending, and what is asked for: which message comes first.
    let sent = [3, 1, 2, 1, 5];
    let table = [
        (0, false, Some(0)),
        (0, true, Some(0)),
        (2, false, Some(2)),
        (4, false, None),
        (3, true, Some(1)),
        (9, true, Some(0)),
        (-4, false, Some(1)),
        (-4, true, Some(1)),
        (-1, false, Some(1)),
        (i64::MIN, false, Some(1)),
        (i64::MAX, false, None),
    ];
    for (msgtyp, except, expected) in table {
        let (_pod, container) = pod();
        let queue = queue(&container);
        for (number, kind) in (0_u8..).zip(sent) {
            queue.try_send(kind, &[number]).unwrap();
        }
        let select = Select::new(msgtyp, except);
        let received = queue.try_receive(select, 1, false, |data, kind| (data[0], kind));
        let expected = expected
            .map(|number: u8| (number, sent[usize::from(number)]))
            .ok_or(Errno::NoMessage);
        assert_eq!(received, expected, "{msgtyp} {except}");
    }
}

#[test]
fn a_send_is_checked_for_type_length_and_space() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    let long = vec![1; MSGMAX as usize + 1];
    let (half, whole) = (&long[..8191], &long[..8192]);
    for (kind, data, expected) in [
        (0, &b"x"[..], Err(Errno::Invalid)),
        (-1, b"x", Err(Errno::Invalid)),
        (1, &long, Err(Errno::Invalid)),
        (1, whole, Ok(())),
        (1, half, Ok(())),
        (1, b"xy", Err(Errno::Again)),
        (i64::MAX, b"x", Ok(())),
        (1, b"", Ok(())),
        (1, b"x", Err(Errno::Again)),
    ] {
        assert_eq!(
            queue.try_send(kind, data),
            expected,
            "{kind} {}",
            data.len()
        );
    }
    let stat = queue.stat().unwrap();
    assert_eq!(
        (stat.messages, stat.bytes, stat.max_bytes),
        (4, 16_384, 16_384)
    );
}

#[test]
fn empty_messages_count_against_the_space_as_well() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    for _ in 0..16_384 {
        queue.try_send(1, b"").unwrap();
    }
    assert_eq!(queue.try_send(1, b""), Err(Errno::Again));
}

#[test]
fn a_message_that_is_too_long_stays_or_is_cut_off() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    queue.try_send(4, b"hello").unwrap();
    let receive = |max, no_error| {
        queue.try_receive(Select::Any, max, no_error, |data, kind| {
            (data.to_vec(), kind)
        })
    };
    assert_eq!(receive(4, false), Err(Errno::TooBig));
    assert_eq!(receive(4, true), Ok((b"hell".to_vec(), 4)));
    assert_eq!(receive(4, true), Err(Errno::NoMessage));
}

#[test]
fn a_copy_leaves_the_message_where_it_is() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    queue.try_send(4, b"first").unwrap();
    queue.try_send(2, b"second").unwrap();
    let copy = |number, max, cut| queue.copy(number, max, cut, |data, kind| (data.to_vec(), kind));
    assert_eq!(copy(1, 9, false), Ok((b"second".to_vec(), 2)));
    assert_eq!(copy(1, 3, false), Err(Errno::TooBig));
    assert_eq!(copy(0, 3, true), Ok((b"fir".to_vec(), 4)));
    assert_eq!(copy(2, 9, false), Err(Errno::NoMessage));
    assert_eq!(queue.stat().unwrap().messages, 2);
}

#[test]
fn settings_change_the_space_within_the_pods_limit() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    let set = |max_bytes| {
        queue.set(MessageQueueSettings {
            max_bytes,
            mode: 0o1_0640,
        })
    };
    assert_eq!(set(16_385), Err(Errno::NotPermitted));
    set(2).unwrap();
    queue.try_send(1, b"xx").unwrap();
    let waiting = Waiting::new(queue.wait_send(1));
    assert_eq!(queue.try_send(1, b""), Ok(()));
    set(3).unwrap();
    assert_eq!(waiting.end(), Ok(()));
    assert_eq!(queue.try_send(1, b"x"), Ok(()));
    let stat = queue.stat().unwrap();
    assert_eq!((stat.mode, stat.max_bytes), (0o640, 3));
}

#[test]
fn a_removal_ends_all_waits_and_frees_the_key() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    let receiver = Waiting::new(queue.wait_receive(Select::Any));
    queue.try_send(2, &[0; 8192]).unwrap();
    queue.try_send(2, &[0; 8192]).unwrap();
    assert_eq!(receiver.end(), Ok(()));
    let sender = Waiting::new(queue.wait_send(1));
    let receiver = Waiting::new(queue.wait_receive(Select::Type(1)));
    queue.remove().unwrap();
    assert_eq!(sender.end(), Err(Errno::Removed));
    assert_eq!(receiver.end(), Err(Errno::Removed));
    let late = Waiting::begin(queue.wait_receive(Select::Any));
    assert_eq!(late.err(), Some(Err(Errno::Removed)));
    assert_eq!(queue.remove(), Err(Errno::Invalid));
    assert_eq!(queue.try_send(1, b""), Err(Errno::Invalid));
    assert_eq!(receive(&queue, 0), Err(Errno::Invalid));
    assert_eq!(queue.stat(), Err(Errno::Invalid));
    assert!(container.msg_queue(queue.id()).is_err());
    let new = container.msg_get(1, CREATE | GetFlags::EXCLUSIVE).unwrap();
    assert_ne!(new, queue.id());
}

#[test]
fn a_message_wakes_the_first_who_wants_its_type_and_nobody_else() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    let want = |msgtyp, except| Waiting::new(queue.wait_receive(Select::new(msgtyp, except)));
    let line = [
        want(7, false),
        want(1, true),
        want(-3, false),
        want(0, false),
        want(1, false),
    ];
    let wakes = || line.iter().map(Waiting::wakes).collect::<Vec<_>>();
    queue.try_send(1, b"").unwrap();
    assert_eq!(wakes(), [0, 0, 1, 0, 0]);
    queue.try_send(1, b"").unwrap();
    assert_eq!(wakes(), [0, 0, 1, 1, 0]);
    queue.try_send(7, b"").unwrap();
    assert_eq!(wakes(), [1, 0, 1, 1, 0]);
    queue.try_send(8, b"").unwrap();
    assert_eq!(wakes(), [1, 1, 1, 1, 0]);
    queue.try_send(8, b"").unwrap();
    assert_eq!(wakes(), [1, 1, 1, 1, 0]);
}

/// A receiver that was woken for one message takes a better one that came later: then the first is
/// for somebody else.
#[test]
fn a_message_that_a_woken_receiver_leaves_wakes_another() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    let first = Waiting::new(queue.wait_receive(Select::Least(5)));
    let second = Waiting::new(queue.wait_receive(Select::Type(5)));
    queue.try_send(5, b"five").unwrap();
    queue.try_send(1, b"one").unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!(first.end(), Ok(()));
    assert_eq!(receive(&queue, -5).unwrap(), b"one");
    assert_eq!(second.end(), Ok(()));
    assert_eq!(receive(&queue, 5).unwrap(), b"five");
}

#[test]
fn space_wakes_the_first_sender_whose_message_fits() {
    let (_pod, container) = pod();
    let queue = queue(&container);
    queue.try_send(1, &[0; 8000]).unwrap();
    queue.try_send(2, &[0; 8000]).unwrap();
    queue.try_send(3, &[0; 300]).unwrap();
    let long = Waiting::new(queue.wait_send(8100));
    let short = Waiting::new(queue.wait_send(200));
    let shorter = Waiting::new(queue.wait_send(190));
    receive(&queue, 3).unwrap();
    assert_eq!((long.wakes(), short.wakes(), shorter.wakes()), (0, 1, 0));
    assert_eq!(short.end(), Ok(()));
    queue.try_send(1, &[0; 190]).unwrap();
    assert_eq!((long.wakes(), shorter.wakes()), (0, 1));
    drop(shorter);
    receive(&queue, 1).unwrap();
    assert_eq!(long.end(), Ok(()));
}

#[test]
fn all_queues_together_are_bounded_and_give_back() {
    let system_v = SystemVLimits {
        msgmni: 3,
        max_bytes: 64 * 1024,
        ..SystemVLimits::default()
    };
    let pod = PodIpc::new(IpcLimits {
        system_v,
        ..IpcLimits::default()
    });
    let container = pod.attach("main");
    let queues: Vec<_> = (1..4)
        .map(|key| {
            let id = container.msg_get(key, CREATE).unwrap();
            container.msg_queue(id).unwrap()
        })
        .collect();
    assert_eq!(container.msg_get(9, CREATE), Err(Errno::NoSpace));
    let flood = |queue: &MessageQueue| {
        loop {
            match queue.try_send(1, b"") {
                Ok(()) => {}
                Err(errno) => return errno,
            }
        }
    };
    assert_eq!(flood(&queues[0]), Errno::NoMemory);
    assert_eq!(flood(&queues[1]), Errno::NoMemory);
    queues[0].remove().unwrap();
    queues[1].try_send(1, b"there is memory again").unwrap();
}
