//! POSIX shared memory: the sentences of `shm_open(3)` and `ftruncate(2)`, and random operations
//! against plain bytes.

use proptest::prelude::*;
use wasmpod_ipc::{AtomicOp, Errno, IpcLimits, OpenFlags as F, PodIpc, SharedMemory};

use super::{CREATE, EXISTING, pod};

fn all(object: &SharedMemory) -> Vec<u8> {
    let mut bytes = vec![0xee; object.size() as usize + 1];
    let read = object.read(0, &mut bytes).unwrap();
    bytes.truncate(read);
    bytes
}

#[test]
fn create_and_exclusive_decide_about_missing_and_present_objects() {
    let rw = F::READ | F::WRITE;
    let table = [
        (rw, false, Err(Errno::NoEntry)),
        (rw, true, Ok(3)),
        (rw | F::CREATE, false, Ok(0)),
        (rw | F::CREATE, true, Ok(3)),
        (rw | F::CREATE | F::EXCLUSIVE, true, Err(Errno::Exist)),
        (rw | F::CREATE | F::TRUNCATE, true, Ok(0)),
        (F::READ | F::TRUNCATE, true, Ok(0)),
        (F::WRITE, true, Ok(3)),
        (F::CREATE, false, Err(Errno::Invalid)),
    ];
    for (flags, present, expected) in table {
        let (_pod, container) = pod();
        if present {
            let object = container.shm_open("/m", CREATE).unwrap();
            object.truncate(3).unwrap();
        }
        let opened = container.shm_open("/m", flags).map(|object| object.size());
        assert_eq!(opened, expected, "{flags:?} {present}");
    }
}

#[test]
fn an_object_outlives_its_name_its_descriptors_and_its_containers() {
    let (pod, container) = pod();
    let object = container.shm_open("/m", CREATE).unwrap();
    object.truncate(10_000).unwrap();
    object.write(9_990, b"0123456789").unwrap();
    let mapped = std::sync::Arc::clone(object.segment().unwrap());
    drop((object, container));
    let restarted = pod.attach("main");
    let again = restarted.shm_open("/m", EXISTING).unwrap();
    assert_eq!(all(&again)[9_990..], *b"0123456789");
    restarted.shm_unlink("/m").unwrap();
    assert_eq!(restarted.shm_unlink("/m"), Err(Errno::NoEntry));
    drop((again, restarted));
    assert_eq!((pod.list().shared_memory.len(), mapped.size()), (0, 10_000));
    let mut byte = [0];
    assert_eq!((mapped.read(9_999, &mut byte), byte), (1, *b"9"));
    assert_eq!(pod.list().shared_memory_bytes, 12_288);
    drop(mapped);
    assert_eq!(pod.list().shared_memory_bytes, 0);
}

#[test]
fn rights_decide_about_reading_writing_and_the_size() {
    let (_pod, container) = pod();
    let object = container.shm_open("/m", CREATE).unwrap();
    object.truncate(4).unwrap();
    let reader = container.shm_open("/m", F::READ).unwrap();
    let writer = container.shm_open("/m", F::WRITE).unwrap();
    assert_eq!(reader.write(0, b"x"), Err(Errno::BadDescriptor));
    assert_eq!(reader.truncate(1), Err(Errno::Invalid));
    assert_eq!(writer.read(0, &mut [0]), Err(Errno::BadDescriptor));
    assert_eq!(writer.write(3, b"xyz"), Ok(1));
    assert_eq!(writer.write(4, b"xyz"), Ok(0));
    assert_eq!(writer.write(u64::MAX, b"xyz"), Ok(0));
    assert_eq!(all(&reader), b"\0\0\0x");
    drop(container);
    assert_eq!(reader.read(0, &mut [0]), Err(Errno::BadDescriptor));
    assert_eq!(writer.write(0, b"x"), Err(Errno::BadDescriptor));
    assert_eq!(writer.truncate(1), Err(Errno::BadDescriptor));
}

#[test]
fn sizes_are_bounded_for_the_whole_pod_in_pages() {
    let pod = PodIpc::new(IpcLimits {
        max_shared_memory_bytes: 16_384,
        ..IpcLimits::default()
    });
    let container = pod.attach("main");
    let (one, other) = (
        container.shm_open("/1", CREATE).unwrap(),
        container.shm_open("/2", CREATE).unwrap(),
    );
    one.truncate(8193).unwrap();
    assert_eq!(other.truncate(4097), Err(Errno::NoSpace));
    other.truncate(4096).unwrap();
    assert_eq!((one.size(), other.size()), (8193, 4096));
    assert_eq!(one.truncate(12_289), Err(Errno::NoSpace));
    one.truncate(12_288).unwrap();
    one.truncate(8192).unwrap();
    other.truncate(8192).unwrap();
    for size in [u64::MAX, u64::MAX - 4095, 1 << 63] {
        assert!(matches!(
            other.truncate(size),
            Err(Errno::NoSpace | Errno::FileTooBig)
        ));
    }
    assert_eq!(pod.list().shared_memory_bytes, 16_384);
}

#[test]
fn words_are_checked_before_they_are_operated_on() {
    let (_pod, container) = pod();
    let object = container.shm_open("/m", CREATE).unwrap();
    object.truncate(12).unwrap();
    let segment = object.segment().unwrap();
    let narrow = [
        (0, Ok(0)),
        (8, Ok(0)),
        (2, Err(Errno::Invalid)),
        (12, Err(Errno::Fault)),
        (u64::MAX - 3, Err(Errno::Fault)),
    ];
    for (offset, expected) in narrow {
        assert_eq!(
            segment.update_u32(offset, AtomicOp::Load),
            expected,
            "{offset}"
        );
        let woken = segment.futex_wake(offset, 1);
        assert_eq!(woken, expected, "{offset}");
    }
    let wide = [
        (0, Ok(0)),
        (4, Err(Errno::Invalid)),
        (8, Err(Errno::Fault)),
        (u64::MAX - 7, Err(Errno::Fault)),
    ];
    for (offset, expected) in wide {
        assert_eq!(
            segment.update_u64(offset, AtomicOp::Load),
            expected,
            "{offset}"
        );
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Truncate(u64),
    Write(u64, Vec<u8>),
    Read(u64, usize),
    Narrow(u64, AtomicOp<u32>),
    Wide(u64, AtomicOp<u64>),
}

fn operation() -> impl Strategy<Value = Operation> {
    let place = prop_oneof![0..64_u64, 4080..4120_u64, 8180..8200_u64];
    let narrow = prop_oneof![
        any::<u32>().prop_map(AtomicOp::Add),
        any::<u32>().prop_map(AtomicOp::Xor),
        any::<u32>().prop_map(AtomicOp::Store),
        (0..2_u32, any::<u32>())
            .prop_map(|(expected, new)| AtomicOp::CompareExchange { expected, new }),
    ];
    let wide = prop_oneof![
        any::<u64>().prop_map(AtomicOp::Add),
        any::<u64>().prop_map(AtomicOp::And),
        any::<u64>().prop_map(AtomicOp::Or),
        any::<u64>().prop_map(AtomicOp::Exchange),
    ];
    prop_oneof![
        place.clone().prop_map(Operation::Truncate),
        (place.clone(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(at, data)| Operation::Write(at, data)),
        (place.clone(), 0..40_usize).prop_map(|(at, bytes)| Operation::Read(at, bytes)),
        (place.clone(), narrow).prop_map(|(at, op)| Operation::Narrow(at / 4 * 4, op)),
        (place, wide).prop_map(|(at, op)| Operation::Wide(at / 8 * 8, op)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_object_behaves_as_a_vector_of_bytes(operations in proptest::collection::vec(operation(), 1..80)) {
        let (_pod, container) = pod();
        let object = container.shm_open("/m", CREATE).unwrap();
        let segment = object.segment().unwrap();
        let mut model: Vec<u8> = Vec::new();
        for operation in operations {
            match operation {
                Operation::Truncate(size) => {
                    object.truncate(size).unwrap();
                    model.resize(size as usize, 0);
                }
                Operation::Write(at, data) => {
                    let start = (at as usize).min(model.len());
                    let end = (start + data.len()).min(model.len());
                    model[start..end].copy_from_slice(&data[..end - start]);
                    prop_assert_eq!(object.write(at, &data), Ok(end - start));
                }
                Operation::Read(at, bytes) => {
                    let start = (at as usize).min(model.len());
                    let end = (start + bytes).min(model.len());
                    let mut read = vec![0xee; bytes];
                    prop_assert_eq!(object.read(at, &mut read), Ok(end - start));
                    prop_assert_eq!(&read[..end - start], &model[start..end]);
                    prop_assert!(read[end - start..].iter().all(|byte| *byte == 0xee));
                }
                Operation::Narrow(at, op) => {
                    let expected = model.get_mut(at as usize..at as usize + 4).map(|word| {
                        let old = u32::from_le_bytes(word.try_into().unwrap());
                        if let Some(new) = op.apply(old) {
                            word.copy_from_slice(&new.to_le_bytes());
                        }
                        old
                    });
                    prop_assert_eq!(segment.update_u32(at, op), expected.ok_or(Errno::Fault));
                }
                Operation::Wide(at, op) => {
                    let expected = model.get_mut(at as usize..at as usize + 8).map(|word| {
                        let old = u64::from_le_bytes(word.try_into().unwrap());
                        if let Some(new) = op.apply(old) {
                            word.copy_from_slice(&new.to_le_bytes());
                        }
                        old
                    });
                    prop_assert_eq!(segment.update_u64(at, op), expected.ok_or(Errno::Fault));
                }
            }
            prop_assert_eq!(all(&object), model.clone());
        }
    }
}
