//! What outlives what: names, queues, descriptors, container instances, the pod.

use wasmpod_ipc::{Errno, IpcLimits, OpenFlags, PodIpc};

use super::{CREATE, EXISTING, pod, receive};

#[test]
fn messages_outlive_the_unlink_until_the_last_close() {
    let (pod, container) = pod();
    let producer = container.mq_open("/q", CREATE, None).unwrap();
    let consumer = container.mq_open("/q", EXISTING, None).unwrap();
    producer.try_send(b"kept", 0).unwrap();
    drop(producer);
    container.mq_unlink("/q").unwrap();
    assert_eq!(container.mq_unlink("/q"), Err(Errno::NoEntry));
    assert_eq!(
        container.mq_open("/q", EXISTING, None).unwrap_err(),
        Errno::NoEntry
    );
    assert_eq!(receive(&consumer).unwrap(), b"kept");
    assert_eq!(pod.list().message_queues.len(), 1);
    drop(consumer);
    assert!(pod.list().message_queues.is_empty());
}

#[test]
fn an_unlinked_name_is_free_for_a_queue_of_its_own() {
    let (pod, container) = pod();
    let old = container.mq_open("/q", CREATE, None).unwrap();
    container.mq_unlink("/q").unwrap();
    let new = container
        .mq_open("/q", CREATE | OpenFlags::EXCLUSIVE, None)
        .unwrap();
    old.try_send(b"old", 0).unwrap();
    assert_eq!(receive(&new), Err(Errno::Again));
    let list: Vec<_> = pod
        .list()
        .message_queues
        .into_iter()
        .map(|q| (q.name, q.unlinked, q.current_messages))
        .collect();
    assert_eq!(
        list,
        [("/q".to_owned(), false, 0), ("/q".to_owned(), true, 1)]
    );
}

#[test]
fn a_queue_outlives_the_container_that_made_it() {
    let (pod, first) = pod();
    first
        .mq_open("/q", CREATE, None)
        .unwrap()
        .try_send(b"before the restart", 0)
        .unwrap();
    drop(first);
    let restarted = pod.attach("main");
    let queue = restarted.mq_open("/q", EXISTING, None).unwrap();
    assert_eq!(receive(&queue).unwrap(), b"before the restart");
}

#[test]
fn a_container_that_ended_has_nothing_open() {
    let (pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    queue.try_send(b"stays", 0).unwrap();
    drop(container);
    assert_eq!(queue.try_send(b"x", 0), Err(Errno::BadDescriptor));
    assert_eq!(receive(&queue), Err(Errno::BadDescriptor));
    assert_eq!(queue.try_receive(&mut [0; 8192]), Err(Errno::BadDescriptor));
    drop(queue);
    let info = pod.list().message_queues;
    assert_eq!((info[0].open_handles, info[0].current_messages), (0, 1));
}

#[test]
fn two_pods_share_no_name() {
    let (_one, in_one) = pod();
    let (_two, in_two) = pod();
    in_one.mq_open("/q", CREATE, None).unwrap();
    assert_eq!(
        in_two.mq_open("/q", EXISTING, None).unwrap_err(),
        Errno::NoEntry
    );
}

#[test]
fn the_counters_say_how_much_passed_and_who_it_was() {
    let pod = PodIpc::new(IpcLimits::default());
    let (producer, consumer) = (pod.attach("producer"), pod.attach("consumer"));
    let tx = producer.mq_open("/q", CREATE, None).unwrap();
    let rx = consumer.mq_open("/q", EXISTING, None).unwrap();
    for data in [&b"four"[..], b"", b"sixsix"] {
        tx.try_send(data, 0).unwrap();
    }
    receive(&rx).unwrap();
    let queue = pod.list().message_queues.remove(0);
    assert_eq!(queue.open_handles, 2);
    let traffic = queue.traffic;
    assert_eq!((traffic.sent_messages, traffic.sent_bytes), (3, 10));
    assert_eq!((traffic.received_messages, traffic.received_bytes), (1, 4));
    assert_eq!(traffic.last_sender.as_deref(), Some("producer"));
    assert_eq!(traffic.last_receiver.as_deref(), Some("consumer"));
}

#[test]
fn the_number_of_an_instance_is_known_as_long_as_it_runs() {
    let pod = PodIpc::new(IpcLimits::default());
    let (first, second) = (pod.attach("first"), pod.attach("second"));
    let number = second.pid();
    assert!(first.is_running(number) && first.is_running(first.pid()));
    assert!(!first.is_running(0) && !first.is_running(number + 1));
    drop(second);
    assert!(!first.is_running(number));
}
