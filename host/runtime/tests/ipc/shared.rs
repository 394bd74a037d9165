//! Shared memory: by descriptor, by identifier, and mapped; with shared pages and with copies.

use wasmpod_ipc::{AtomicOp, IpcLimits, OpenFlags, PodIpc};
use wasmpod_sandbox::Exit;

use super::script::{OUT, Script, at};
use crate::tests::fixture::{Pod, wait_until};

const UNIT: u32 = 65536;
/// Where segments are mapped.
const MAPPED: u32 = 4 * UNIT;
const RESULT: u32 = OUT + 8;

/// Read, write, create.
const OPEN: i64 = 0b111;

fn segment(size: u32) -> Script {
    Script::new()
        .data(0, b"/shm")
        .call("shm_open", [0.into(), 4.into(), OPEN.into(), OUT.into()], 0)
        .word(OUT, 1 << 30)
        .call("shm_truncate", [at(OUT), size.into()], 0)
}

/// A pod whose segments are plain memory, as on systems without shared pages.
fn without_shared_pages() -> Pod {
    let mut pod = Pod::new();
    pod.ipc = PodIpc::new(IpcLimits::default());
    pod
}

#[tokio::test]
async fn a_segment_is_read_written_and_changed_by_descriptor() {
    segment(4096)
        .data(16, b"hello")
        .call("shm_size", [at(OUT), RESULT.into()], 0)
        .long(RESULT, 4096)
        .call("shm_write", [at(OUT), 4092.into(), 16.into(), 5.into()], 28)
        .call(
            "shm_write",
            [at(OUT), i64::MAX.into(), 16.into(), 5.into()],
            28,
        )
        .call("shm_write", [at(OUT), 4091.into(), 16.into(), 5.into()], 0)
        .call(
            "shm_read",
            [at(OUT), 4091.into(), 2048.into(), 64.into(), RESULT.into()],
            0,
        )
        .word(RESULT, 5)
        .byte(2048, b'h')
        .call(
            "shm_read",
            [at(OUT), 9999.into(), 2048.into(), 64.into(), RESULT.into()],
            0,
        )
        .word(RESULT, 0)
        .call(
            "shm_read",
            [at(OUT), 0.into(), (-8).into(), 64.into(), RESULT.into()],
            21,
        )
        .call(
            "shm_atomic32",
            [
                at(OUT),
                8.into(),
                2.into(),
                5.into(),
                0.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(RESULT, 0)
        .call(
            "shm_atomic32",
            [
                at(OUT),
                8.into(),
                3.into(),
                1.into(),
                0.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(RESULT, 5)
        .call(
            "shm_atomic32",
            [
                at(OUT),
                8.into(),
                7.into(),
                9.into(),
                4.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(RESULT, 4)
        .call(
            "shm_atomic64",
            [
                at(OUT),
                8.into(),
                0.into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            0,
        )
        .long(RESULT, 9)
        .call(
            "shm_atomic32",
            [
                at(OUT),
                6.into(),
                0.into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            28,
        )
        .call(
            "shm_atomic32",
            [
                at(OUT),
                8.into(),
                8.into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            28,
        )
        .call("shm_truncate", [at(OUT), (-1).into()], 28)
        .call("shm_truncate", [at(OUT), (1_i64 << 40).into()], 51)
        .call("shm_close", [at(OUT)], 0)
        .call("shm_size", [at(OUT), RESULT.into()], 8)
        .holds()
        .await;
}

#[tokio::test]
async fn who_may_only_read_cannot_write() {
    segment(UNIT)
        .call(
            "shm_open",
            [0.into(), 4.into(), 1.into(), (OUT + 4).into()],
            0,
        )
        .call("shm_write", [at(OUT + 4), 0.into(), 0.into(), 1.into()], 2)
        .call(
            "shm_atomic32",
            [
                at(OUT + 4),
                0.into(),
                1.into(),
                1.into(),
                0.into(),
                RESULT.into(),
            ],
            2,
        )
        .call(
            "shm_atomic32",
            [
                at(OUT + 4),
                0.into(),
                0.into(),
                1.into(),
                0.into(),
                RESULT.into(),
            ],
            0,
        )
        .call(
            "shm_map",
            [
                at(OUT + 4),
                0.into(),
                MAPPED.into(),
                UNIT.into(),
                2.into(),
                RESULT.into(),
            ],
            2,
        )
        .call(
            "shm_map",
            [
                at(OUT + 4),
                0.into(),
                MAPPED.into(),
                UNIT.into(),
                0.into(),
                RESULT.into(),
            ],
            0,
        )
        .store(MAPPED, 77)
        .call("shm_unmap", [MAPPED.into(), UNIT.into()], 0)
        .call(
            "shm_atomic32",
            [
                at(OUT),
                0.into(),
                0.into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(RESULT, 0)
        .holds()
        .await;
}

#[tokio::test]
async fn places_for_mappings_are_checked() {
    let map = |script: Script, offset: i64, address: i64, len: i64, flags: i64, errno| {
        let arguments = [
            at(OUT),
            offset.into(),
            address.into(),
            len.into(),
            flags.into(),
            RESULT.into(),
        ];
        script.call("shm_map", arguments, errno)
    };
    let (unit, mapped) = (i64::from(UNIT), i64::from(MAPPED));
    let script = segment(2 * UNIT - 5);
    let script = map(script, 0, mapped + 4096, unit, 2, 28);
    let script = map(script, 4096, mapped, unit, 2, 28);
    let script = map(script, -unit, mapped, unit, 2, 28);
    let script = map(script, 0, mapped, 0, 2, 28);
    let script = map(script, 0, mapped, -1, 2, 28);
    let script = map(script, 0, mapped, unit, 4, 28);
    let script = map(script, unit, mapped, 2 * unit, 2, 28);
    let script = map(script, 0, 8 * unit, unit, 2, 21);
    let script = map(script, 0, -unit, unit, 2, 21);
    let script = map(script, 0, mapped, unit, 2, 0);
    let script = map(script, unit, mapped, unit, 2, 28);
    let script = map(script, unit, mapped + unit, unit - 5, 2, 0);
    script
        .call("shm_unmap", [MAPPED.into(), (2 * UNIT).into()], 28)
        .call("shm_unmap", [(MAPPED + UNIT).into(), UNIT.into()], 0)
        .call("shm_unmap", [(MAPPED + UNIT).into(), UNIT.into()], 28)
        .call(
            "futex_wait",
            [(MAPPED + UNIT).into(), 0.into(), 0.into()],
            28,
        )
        .call("futex_wait", [(MAPPED + 2).into(), 0.into(), 0.into()], 28)
        .call("futex_wait", [MAPPED.into(), 1.into(), 0.into()], 6)
        .call(
            "futex_wait",
            [MAPPED.into(), 0.into(), 1_000_000.into()],
            73,
        )
        .call("futex_wake", [MAPPED.into(), 1.into(), RESULT.into()], 0)
        .word(RESULT, 0)
        .holds()
        .await;
}

#[tokio::test]
async fn a_page_may_be_mapped_several_times() {
    let mut script = segment(UNIT);
    for page in 1..4_u32 {
        let arguments = [
            at(OUT),
            0.into(),
            (page * UNIT).into(),
            UNIT.into(),
            2.into(),
            RESULT.into(),
        ];
        script = script.call("shm_map", arguments, 0);
    }
    // The same page three times: what is written to one is in the others.
    script
        .store(UNIT + 12, 5)
        .word(2 * UNIT + 12, 5)
        .word(3 * UNIT + 12, 5)
        .holds()
        .await;
}

/// A waiter maps, waits until the word changes, and exits with what was written; a waker maps, writes and wakes.
async fn waiter_and_waker(pod: &Pod, shared: u32) {
    let map = |script: Script| {
        script
            .call(
                "shm_map",
                [
                    at(OUT),
                    0.into(),
                    MAPPED.into(),
                    UNIT.into(),
                    2.into(),
                    RESULT.into(),
                ],
                0,
            )
            .word(RESULT, shared)
    };
    let waiter = map(segment(UNIT))
        .call(
            "futex_wait",
            [(MAPPED + 8).into(), 0.into(), (-1).into()],
            0,
        )
        .word(MAPPED + 8, 42)
        .word(MAPPED + 12, 43);
    let waiting = waiter.start(pod, "waiter", |_| {}).await;
    wait_until("it waits", || {
        pod.ipc
            .list()
            .shared_memory
            .iter()
            .any(|one| one.waiting == 1)
    })
    .await;
    let waker = map(segment(UNIT))
        .store(MAPPED + 8, 42)
        .store(MAPPED + 12, 43)
        .call(
            "futex_wake",
            [(MAPPED + 8).into(), 5.into(), RESULT.into()],
            0,
        )
        .word(RESULT, 1);
    waker.holds_in(pod).await;
    assert_eq!(pod.exit(&waiting).await, Exit::with_code(0));
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[tokio::test]
async fn containers_share_pages_and_wake_each_other() {
    let pod = Pod::new();
    waiter_and_waker(&pod, 1).await;
    // What is left is in the object, and no mapping of the ended containers holds it.
    let door = pod.ipc.attach("test");
    let open = door.shm_open("/shm", OpenFlags::READ).unwrap();
    let segment = open.segment().unwrap();
    assert_eq!(segment.update_u32(8, AtomicOp::Load), Ok(42));
    door.shm_unlink("/shm").unwrap();
    drop(open);
    assert!(pod.ipc.list().is_empty());
    assert_eq!(pod.ipc.list().shared_memory_bytes, 0);
}

#[tokio::test]
async fn without_shared_pages_mappings_are_copies_that_are_brought_up_to_date() {
    waiter_and_waker(&without_shared_pages(), 0).await;
}

#[tokio::test]
async fn a_copy_gives_only_what_was_changed_in_it() {
    let pod = without_shared_pages();
    let door = pod.ipc.attach("neighbour");
    let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE;
    let open = door.shm_open("/shm", flags).unwrap();
    open.truncate(UNIT.into()).unwrap();
    open.write(0, b"neighbour").unwrap();
    let waiter = segment(UNIT)
        .call(
            "shm_map",
            [
                at(OUT),
                0.into(),
                MAPPED.into(),
                UNIT.into(),
                2.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(MAPPED, u32::from_le_bytes(*b"neig"))
        .store(MAPPED + 100, 7)
        .call(
            "futex_wait",
            [(MAPPED + 200).into(), 0.into(), (-1).into()],
            0,
        )
        .word(MAPPED, u32::from_le_bytes(*b"news"))
        .store(MAPPED + 104, 8)
        .call("shm_sync", [MAPPED.into(), UNIT.into()], 0)
        .call("shm_sync", [0.into(), UNIT.into()], 28)
        .store(MAPPED + 108, 9)
        .call("shm_unmap", [MAPPED.into(), UNIT.into()], 0)
        .word(MAPPED + 108, 0);
    let container = waiter.start(&pod, "waiter", |_| {}).await;
    let segment = open.segment().unwrap();
    wait_until("it waits", || pod.ipc.list().shared_memory[0].waiting == 1).await;
    segment.write(0, b"news").unwrap();
    segment.write(101, &[1]).unwrap();
    segment.futex_wake(200, 1).unwrap();
    assert_eq!(pod.exit(&container).await, Exit::with_code(0));
    let mut words = [0; 12];
    segment.read(100, &mut words);
    assert_eq!(words, [7, 1, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0]);
}

#[tokio::test]
async fn system_v_segments_are_attached_as_long_as_they_are_mapped() {
    let stat = 2048;
    Script::new()
        .call("shmseg_get", [5.into(), 0.into(), 4.into(), OUT.into()], 28)
        .call(
            "shmseg_get",
            [5.into(), 100.into(), 4.into(), OUT.into()],
            0,
        )
        .call("shmseg_attach", [at(OUT), 4.into(), RESULT.into()], 28)
        .call("shmseg_attach", [at(OUT), 2.into(), RESULT.into()], 0)
        .call("shm_size", [at(RESULT), (OUT + 16).into()], 0)
        .long(OUT + 16, 100)
        .call("shm_truncate", [at(RESULT), 50.into()], 28)
        .call(
            "shm_map",
            [
                at(RESULT),
                0.into(),
                MAPPED.into(),
                100.into(),
                2.into(),
                (OUT + 16).into(),
            ],
            0,
        )
        .call("shm_close", [at(RESULT)], 0)
        .call("shmseg_stat", [at(OUT), stat.into()], 0)
        .word(stat, 5)
        .word(stat + 4, 1)
        .long(stat + 8, 100)
        .word(stat + 16, 1)
        .call("shmseg_remove", [at(OUT)], 0)
        .store(MAPPED, 1)
        .call("shm_unmap", [MAPPED.into(), 100.into()], 0)
        .call("shmseg_stat", [at(OUT), stat.into()], 28)
        .call("shmseg_attach", [at(OUT), 2.into(), RESULT.into()], 28)
        .holds()
        .await;
}

/// A semaphore with this value.
fn semaphore(value: u32) -> Script {
    Script::new()
        .data(0, b"/sem")
        .call(
            "sem_open",
            [0.into(), 4.into(), 4.into(), value.into(), OUT.into()],
            0,
        )
        .word(OUT, 0)
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[tokio::test]
async fn a_semaphores_number_is_in_the_guests_memory_and_is_what_calls_see() {
    semaphore(3)
        .call("sem_map", [at(OUT), MAPPED.into(), RESULT.into()], 0)
        .word(RESULT, 0)
        .word(MAPPED, 3)
        .call("sem_post", [at(OUT)], 0)
        .word(MAPPED, 4)
        .store(MAPPED, 1)
        .call("sem_try_wait", [at(OUT)], 0)
        .call("sem_try_wait", [at(OUT)], 6)
        // The bit of the line, set by a guest: calls go on.
        .store(MAPPED, u32::MAX)
        .call("sem_post", [at(OUT)], 61)
        .call("sem_get_value", [at(OUT), RESULT.into()], 0)
        .word(RESULT, i32::MAX.cast_unsigned())
        .call("sem_try_wait", [at(OUT)], 0)
        .call("shm_unmap", [MAPPED.into(), UNIT.into()], 0)
        .word(MAPPED, 0)
        .call("sem_get_value", [at(OUT), RESULT.into()], 0)
        .word(RESULT, i32::MAX.cast_unsigned() - 1)
        .holds()
        .await;
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[tokio::test]
async fn the_numbers_of_all_semaphores_are_mapped_once() {
    const OTHER: u32 = OUT + 16;
    semaphore(3)
        .data(32, b"/other")
        .call(
            "sem_open",
            [32.into(), 6.into(), 4.into(), 5.into(), OTHER.into()],
            0,
        )
        .call("sem_map", [at(OUT), MAPPED.into(), RESULT.into()], 0)
        .call("sem_map", [at(OTHER), MAPPED.into(), RESULT.into()], 0)
        .word(RESULT, 4)
        .word(MAPPED + 4, 5)
        .call(
            "sem_map",
            [at(OTHER), (MAPPED + 1).into(), RESULT.into()],
            28,
        )
        .call("sem_map", [at(OTHER), (-65536).into(), RESULT.into()], 21)
        .call("sem_map", [at(OTHER), MAPPED.into(), (-2).into()], 21)
        .call("sem_map", [9.into(), MAPPED.into(), RESULT.into()], 8)
        // It outlives the semaphore that it was mapped with, and ends with the container.
        .call("sem_close", [at(OUT)], 0)
        .word(MAPPED + 4, 5)
        .holds()
        .await;
}

#[tokio::test]
async fn a_guest_can_ask_whether_the_owner_of_a_lock_runs() {
    // The first instance of a pod has the number 1.
    Script::new()
        .call("futex_owner_runs", [1.into(), OUT.into()], 0)
        .word(OUT, 1)
        .call("futex_owner_runs", [2.into(), OUT.into()], 0)
        .word(OUT, 0)
        .call("futex_owner_runs", [1.into(), (-3).into()], 21)
        .holds()
        .await;
}

#[tokio::test]
async fn where_pages_cannot_be_shared_the_numbers_stay_with_the_host() {
    semaphore(3)
        .call("sem_map", [at(OUT), MAPPED.into(), RESULT.into()], 58)
        .call("sem_try_wait", [at(OUT)], 0)
        .holds_in(&without_shared_pages())
        .await;
}
