//! The sentences of the man pages as tables; the answers are those that Linux 6 gave to the same calls.

use wasmpod_ipc::{Attributes, Errno, OpenFlags};

use super::{CREATE, EXISTING, pod, receive, size};

#[test]
fn open_and_unlink_judge_a_name_alike() {
    let long = format!("/{}", "n".repeat(256));
    let table = [
        ("", Errno::Invalid),
        ("work", Errno::Invalid),
        ("/a\0", Errno::Invalid),
        ("/", Errno::NoEntry),
        ("/.", Errno::Access),
        ("/..", Errno::Access),
        ("/a/b", Errno::Access),
        (&long, Errno::NameTooLong),
    ];
    let (_pod, container) = pod();
    for (name, expected) in table {
        assert_eq!(
            container.mq_open(name, CREATE, None).unwrap_err(),
            expected,
            "create {name:?}"
        );
        assert_eq!(
            container.mq_open(name, EXISTING, None).unwrap_err(),
            expected,
            "open {name:?}"
        );
        assert_eq!(container.mq_unlink(name), Err(expected), "unlink {name:?}");
    }
    let longest = format!("/{}", "n".repeat(255));
    assert!(container.mq_open(&longest, CREATE, None).is_ok());
    assert_eq!(container.mq_unlink(&longest), Ok(()));
}

#[test]
fn create_and_exclusive_decide_about_missing_and_present_queues() {
    use OpenFlags as F;
    let rw = F::READ | F::WRITE;
    let table = [
        // flags beside reading and writing, queue is there, answer
        (rw, false, Err(Errno::NoEntry)),
        (rw, true, Ok(())),
        (rw | F::CREATE, false, Ok(())),
        (rw | F::CREATE, true, Ok(())),
        (rw | F::CREATE | F::EXCLUSIVE, false, Ok(())),
        (rw | F::CREATE | F::EXCLUSIVE, true, Err(Errno::Exist)),
        (rw | F::EXCLUSIVE, false, Err(Errno::NoEntry)),
        (rw | F::EXCLUSIVE, true, Ok(())),
        (F::CREATE, false, Err(Errno::Invalid)),
        (F::CREATE, true, Err(Errno::Invalid)),
        (rw | F::TRUNCATE, true, Err(Errno::Invalid)),
    ];
    for (flags, present, expected) in table {
        let (_pod, container) = pod();
        if present {
            container.mq_open("/q", CREATE, None).unwrap();
        }
        let answer = container.mq_open("/q", flags, None).map(|_| ());
        assert_eq!(answer, expected, "{flags:?}, present: {present}");
    }
}

#[test]
fn attributes_count_only_for_the_one_who_makes_the_queue() {
    let (_pod, container) = pod();
    for bad in [
        size(0, 8),
        size(8, 0),
        size(0, 0),
        size(65_537, 1),
        size(1, 1024 * 1024 + 1),
    ] {
        assert_eq!(
            container.mq_open("/q", CREATE, bad).unwrap_err(),
            Errno::Invalid,
            "{bad:?}"
        );
    }
    let made = container.mq_open("/q", CREATE, size(3, 64)).unwrap();
    let opened = container.mq_open("/q", CREATE, size(0, 0)).unwrap();
    assert_eq!(opened.attributes(), made.attributes());
    assert_eq!(
        made.attributes(),
        Attributes {
            max_messages: 3,
            message_bytes: 64
        }
    );
}

#[test]
fn a_queue_without_attributes_holds_ten_messages_of_8192_bytes() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    assert_eq!(
        queue.attributes(),
        Attributes {
            max_messages: 10,
            message_bytes: 8192
        }
    );
    for _ in 0..10 {
        queue.try_send(&[1; 8192], 0).unwrap();
    }
    assert_eq!(queue.try_send(b"", 0), Err(Errno::Again));
    assert_eq!(queue.current_messages(), 10);
}

#[test]
fn the_highest_priority_is_received_first_and_the_oldest_within_it() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    for (data, priority) in [("a", 0), ("b", 32_767), ("c", 0), ("d", 9), ("e", 32_767)] {
        queue.try_send(data.as_bytes(), priority).unwrap();
    }
    let order: Vec<_> = std::iter::from_fn(|| receive(&queue).ok())
        .flatten()
        .collect();
    assert_eq!(order, b"bedac");
}

#[test]
fn send_refuses_in_the_order_in_which_linux_does() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, size(1, 4)).unwrap();
    let reader = container.mq_open("/q", OpenFlags::READ, None).unwrap();
    let table: [(_, &[u8], u32, _); 6] = [
        (&reader, b"12345", 32_768, Err(Errno::Invalid)),
        (&reader, b"12345", 0, Err(Errno::BadDescriptor)),
        (&queue, b"12345", 0, Err(Errno::MessageTooLong)),
        (&queue, b"1234", 32_768, Err(Errno::Invalid)),
        (&queue, b"1234", 32_767, Ok(())),
        (&queue, b"", 0, Err(Errno::Again)),
    ];
    for (queue, data, priority, expected) in table {
        assert_eq!(
            queue.try_send(data, priority),
            expected,
            "{data:?} {priority}"
        );
    }
}

#[test]
fn receive_wants_a_buffer_of_the_message_size_however_short_the_message() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, size(2, 4)).unwrap();
    let writer = container.mq_open("/q", OpenFlags::WRITE, None).unwrap();
    queue.try_send(b"x", 5).unwrap();
    assert_eq!(queue.try_receive(&mut [0; 3]), Err(Errno::MessageTooLong));
    assert_eq!(writer.try_receive(&mut [0; 4]), Err(Errno::BadDescriptor));
    assert_eq!(
        writer.try_receive_into(|_, _| ()),
        Err(Errno::BadDescriptor)
    );
    let mut buffer = [0; 4];
    assert_eq!(queue.try_receive(&mut buffer), Ok((1, 5)));
    assert_eq!(&buffer, b"x\0\0\0");
    assert_eq!(queue.try_receive(&mut buffer), Err(Errno::Again));
}

#[test]
fn nonblocking_belongs_to_the_description_that_clones_share() {
    let (_pod, container) = pod();
    let queue = container
        .mq_open("/q", CREATE | OpenFlags::NONBLOCKING, None)
        .unwrap();
    let other = container.mq_open("/q", EXISTING, None).unwrap();
    assert!(queue.is_nonblocking() && !other.is_nonblocking());
    queue.clone().set_nonblocking(false);
    assert!(!queue.is_nonblocking());
}

#[test]
fn errors_carry_their_posix_name_and_wasi_number() {
    let table = [
        (Errno::Access, "EACCES", 2),
        (Errno::Again, "EAGAIN", 6),
        (Errno::BadDescriptor, "EBADF", 8),
        (Errno::Exist, "EEXIST", 20),
        (Errno::Invalid, "EINVAL", 28),
        (Errno::TooManyOpen, "EMFILE", 33),
        (Errno::MessageTooLong, "EMSGSIZE", 35),
        (Errno::NameTooLong, "ENAMETOOLONG", 37),
        (Errno::NoEntry, "ENOENT", 44),
        (Errno::NoMemory, "ENOMEM", 48),
        (Errno::NoSpace, "ENOSPC", 51),
        (Errno::TimedOut, "ETIMEDOUT", 73),
        (Errno::TooBig, "E2BIG", 1),
        (Errno::Busy, "EBUSY", 10),
        (Errno::Fault, "EFAULT", 21),
        (Errno::FileTooBig, "EFBIG", 22),
        (Errno::Removed, "EIDRM", 24),
        (Errno::NoMessage, "ENOMSG", 49),
        (Errno::Overflow, "EOVERFLOW", 61),
        (Errno::NotPermitted, "EPERM", 63),
        (Errno::Range, "ERANGE", 68),
    ];
    for (errno, name, number) in table {
        assert_eq!((errno.to_string().as_str(), errno.wasi()), (name, number));
    }
}

#[test]
fn flag_bits_without_a_meaning_are_refused() {
    assert_eq!(OpenFlags::from_bits(0b11_1111).unwrap().bits(), 0b11_1111);
    assert_eq!(OpenFlags::from_bits(1 << 6), Err(Errno::Invalid));
    assert_eq!(OpenFlags::from_bits(u32::MAX), Err(Errno::Invalid));
}
