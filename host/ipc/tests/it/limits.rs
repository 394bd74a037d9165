//! What a pod may not exceed, and that what it gives back it may take again.

use wasmpod_ipc::{Errno, IpcLimits, PodIpc};

use super::{CREATE, EXISTING, size};

#[test]
fn one_queue_too_many_is_enospc_until_one_is_gone() {
    let pod = PodIpc::new(IpcLimits {
        max_queues: 2,
        ..IpcLimits::default()
    });
    let container = pod.attach("main");
    let first = container.mq_open("/1", CREATE, None).unwrap();
    container.mq_open("/2", CREATE, None).unwrap();
    assert_eq!(
        container.mq_open("/3", CREATE, None).unwrap_err(),
        Errno::NoSpace
    );
    // An unlinked queue counts as long as it is open.
    container.mq_unlink("/1").unwrap();
    assert_eq!(
        container.mq_open("/3", CREATE, None).unwrap_err(),
        Errno::NoSpace
    );
    drop(first);
    assert!(container.mq_open("/3", CREATE, None).is_ok());
}

#[test]
fn too_many_bytes_of_the_whole_pod_are_emfile_until_some_are_given_back() {
    let pod = PodIpc::new(IpcLimits {
        max_bytes: 100_000,
        ..IpcLimits::default()
    });
    let (one, other) = (pod.attach("one"), pod.attach("other"));
    one.mq_open("/1", CREATE, None).unwrap();
    assert_eq!(
        other.mq_open("/2", CREATE, None).unwrap_err(),
        Errno::TooManyOpen
    );
    assert!(other.mq_open("/small", CREATE, size(1, 1)).is_ok());
    other.mq_unlink("/1").unwrap();
    assert!(other.mq_open("/2", CREATE, None).is_ok());
}

#[test]
fn the_defaults_have_room_for_all_queues_of_the_default_size() {
    let pod = PodIpc::new(IpcLimits::default());
    let container = pod.attach("main");
    for i in 0..256 {
        container.mq_open(&format!("/{i}"), CREATE, None).unwrap();
    }
    assert_eq!(
        container.mq_open("/one-more", CREATE, None).unwrap_err(),
        Errno::NoSpace
    );
    assert_eq!(pod.list().message_queues.len(), 256);
}

#[test]
fn the_greatest_attributes_do_not_overflow_the_account() {
    let limits = IpcLimits {
        max_messages: u32::MAX,
        max_message_bytes: u32::MAX,
        ..IpcLimits::default()
    };
    let container = PodIpc::new(limits).attach("main");
    let errno = container
        .mq_open("/q", CREATE, size(u32::MAX, u32::MAX))
        .unwrap_err();
    assert_eq!(errno, Errno::TooManyOpen);
}

#[test]
fn descriptors_are_counted_for_each_container_and_failures_do_not_count() {
    let pod = PodIpc::new(IpcLimits {
        max_open_handles: 2,
        ..IpcLimits::default()
    });
    let (one, other) = (pod.attach("one"), pod.attach("other"));
    let first = one.mq_open("/q", CREATE, None).unwrap();
    for _ in 0..10 {
        assert_eq!(
            one.mq_open("/missing", EXISTING, None).unwrap_err(),
            Errno::NoEntry
        );
    }
    let second = one.mq_open("/q", EXISTING, None).unwrap();
    assert_eq!(
        one.mq_open("/q", EXISTING, None).unwrap_err(),
        Errno::TooManyOpen
    );
    assert!(other.mq_open("/q", EXISTING, None).is_ok());
    // A clone is the same descriptor: it neither counts nor gives back.
    drop(second.clone());
    assert_eq!(
        one.mq_open("/q", EXISTING, None).unwrap_err(),
        Errno::TooManyOpen
    );
    drop((first, second));
    assert!(one.mq_open("/q", EXISTING, None).is_ok());
}
