//! Waiting for an object that a neighbour makes.

use std::task::Poll;

use wasmpod_ipc::sysv::GetFlags;
use wasmpod_ipc::{ContainerIpc, Errno, Object, OpenFlags};

use super::actors::Waiting;
use super::{CREATE, pod};

type Make = fn(&ContainerIpc) -> bool;

#[test]
fn a_wait_for_an_object_is_over_when_it_is_there() {
    let table: [(Object, Make, Make); 6] = [
        (
            Object::MessageQueue("/x".to_owned()),
            |ipc| ipc.mq_open("/other", CREATE, None).is_ok(),
            |ipc| ipc.mq_open("/x", CREATE, None).is_ok(),
        ),
        (
            Object::Semaphore("/x".to_owned()),
            |ipc| ipc.sem_open("/other", OpenFlags::CREATE, 0).is_ok(),
            |ipc| ipc.sem_open("x", OpenFlags::CREATE, 0).is_ok(),
        ),
        (
            Object::SharedMemory("/x".to_owned()),
            |ipc| ipc.shm_open("/other", CREATE).is_ok(),
            |ipc| ipc.shm_open("/x", CREATE).is_ok(),
        ),
        (
            Object::SystemVMessageQueue(7),
            |ipc| ipc.msg_get(8, GetFlags::CREATE).is_ok(),
            |ipc| ipc.msg_get(7, GetFlags::CREATE).is_ok(),
        ),
        (
            Object::SystemVSemaphoreSet(7),
            |ipc| ipc.sem_get(0, 1, GetFlags::CREATE).is_ok(),
            |ipc| ipc.sem_get(7, 1, GetFlags::CREATE).is_ok(),
        ),
        (
            Object::SystemVSegment(7),
            |ipc| ipc.shm_get(8, 1, GetFlags::CREATE).is_ok(),
            |ipc| ipc.shm_get(7, 1, GetFlags::CREATE).is_ok(),
        ),
    ];
    for (object, make_other, make) in table {
        let (pod, container) = pod();
        let early = pod.attach("early");
        let mut waiting = Waiting::new(early.created(object.clone()));
        let given_up = Waiting::new(early.created(object.clone()));
        assert!(make_other(&container));
        assert_eq!(waiting.poll(), Poll::Pending, "{object:?}");
        drop(given_up);
        assert!(make(&container));
        assert_eq!(waiting.end(), Ok(()), "{object:?}");
        let late = Waiting::begin(early.created(object));
        assert_eq!(late.err(), Some(Ok(())));
    }
}

#[test]
fn a_wait_for_a_name_that_cannot_be_is_refused() {
    let (_pod, container) = pod();
    let table = [
        (Object::MessageQueue("x".to_owned()), Errno::Invalid),
        (Object::Semaphore("/".to_owned()), Errno::Invalid),
        (Object::SharedMemory("/a/b".to_owned()), Errno::Invalid),
    ];
    for (object, errno) in table {
        let refused = Waiting::begin(container.created(object));
        assert_eq!(refused.err(), Some(Err(errno)));
    }
}

#[test]
fn a_wait_for_an_object_ends_with_its_container() {
    let (pod, container) = pod();
    let waits = [
        Object::Semaphore("/never".to_owned()),
        Object::SystemVSegment(1),
    ]
    .map(|object| Waiting::new(container.created(object)));
    drop(container);
    for waiting in waits {
        assert_eq!(waiting.end(), Err(Errno::BadDescriptor));
    }
    drop(pod);
}
