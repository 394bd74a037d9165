//! POSIX message queues in batches and with notifications, and POSIX semaphores. Single messages are in
//! tests/guests/ipc_imports.wat.

use super::script::{OUT, Script, at};

/// Read, write, create.
const OPEN: u32 = 0b111;

/// Entries of batches.
const ENTRIES: u32 = 2048;
/// Buffers of batches.
const BUFFERS: u32 = 4096;

/// Two entries whose buffers are of `bytes` bytes.
fn entries(bytes: u32) -> Vec<u8> {
    let words = [BUFFERS, bytes, 0, BUFFERS + bytes, bytes, 0];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn queue() -> Script {
    Script::new()
        .data(0, b"/q")
        .call(
            "mq_open",
            [
                0.into(),
                2.into(),
                OPEN.into(),
                3.into(),
                8.into(),
                OUT.into(),
            ],
            0,
        )
        .word(OUT, 0)
}

#[tokio::test]
async fn many_messages_are_sent_and_received_with_one_call() {
    let two: Vec<u8> = [8_u32, 3, 1, 11, 4, 2]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    queue()
        .data(8, b"onetwoo")
        .data(1500, &two)
        .data(ENTRIES, &entries(8))
        .call(
            "mq_try_receive_many",
            [0.into(), ENTRIES.into(), 2.into(), OUT.into()],
            6,
        )
        .call(
            "mq_try_send_many",
            [0.into(), 1500.into(), 2.into(), OUT.into()],
            0,
        )
        .word(OUT, 2)
        .call(
            "mq_try_send_many",
            [0.into(), 1500.into(), 2.into(), OUT.into()],
            0,
        )
        .word(OUT, 1)
        .call(
            "mq_try_send_many",
            [0.into(), 1500.into(), 2.into(), OUT.into()],
            6,
        )
        .call(
            "mq_try_receive_many",
            [0.into(), ENTRIES.into(), 2.into(), OUT.into()],
            0,
        )
        .word(OUT, 2)
        .word(ENTRIES + 4, 4)
        .word(ENTRIES + 8, 2)
        .word(BUFFERS, u32::from_le_bytes(*b"twoo"))
        .word(ENTRIES + 16, 3)
        .word(ENTRIES + 20, 1)
        .byte(BUFFERS + 8, b'o')
        .holds()
        .await;
}

#[tokio::test]
async fn a_batch_with_a_wild_entry_does_nothing() {
    let wild: Vec<u8> = [u32::MAX, 3, 1]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    queue()
        .data(ENTRIES, &wild)
        .data(1500, &entries(7))
        .call(
            "mq_try_send_many",
            [0.into(), ENTRIES.into(), 1.into(), OUT.into()],
            21,
        )
        .call(
            "mq_try_receive_many",
            [0.into(), ENTRIES.into(), 1.into(), OUT.into()],
            21,
        )
        .call(
            "mq_try_receive_many",
            [0.into(), 1500.into(), 2.into(), OUT.into()],
            35,
        )
        .call(
            "mq_try_send_many",
            [0.into(), ENTRIES.into(), (-1).into(), OUT.into()],
            21,
        )
        .call(
            "mq_try_send_many",
            [0.into(), ENTRIES.into(), 0.into(), OUT.into()],
            28,
        )
        .call(
            "mq_try_send_many",
            [7.into(), ENTRIES.into(), 1.into(), OUT.into()],
            8,
        )
        .holds()
        .await;
}

#[tokio::test]
async fn a_notification_comes_once_and_one_may_ask() {
    queue()
        .call("mq_notify_wait", [0.into(), 0.into()], 28)
        .call("mq_notify", [0.into(), 1.into()], 0)
        .call("mq_notify", [0.into(), 1.into()], 10)
        .call("mq_notify_wait", [0.into(), 1_000_000.into()], 73)
        .call("mq_try_send", [0.into(), 0.into(), 2.into(), 0.into()], 0)
        .call("mq_notify_wait", [0.into(), (-1).into()], 0)
        .call("mq_notify_wait", [0.into(), (-1).into()], 28)
        .call("mq_notify", [0.into(), 1.into()], 0)
        .call("mq_notify", [0.into(), 0.into()], 0)
        .call("mq_notify", [0.into(), 2.into()], 28)
        .holds()
        .await;
}

#[tokio::test]
async fn a_semaphore_counts() {
    Script::new()
        .data(0, b"/sem")
        .call(
            "sem_open",
            [0.into(), 4.into(), 0.into(), 0.into(), OUT.into()],
            44,
        )
        .call(
            "sem_open",
            [
                0.into(),
                4.into(),
                4.into(),
                i64::from(u32::MAX).into(),
                OUT.into(),
            ],
            28,
        )
        .call(
            "sem_open",
            [0.into(), 4.into(), 256.into(), 0.into(), OUT.into()],
            28,
        )
        .call(
            "sem_open",
            [(-1).into(), 4.into(), 4.into(), 0.into(), OUT.into()],
            21,
        )
        .call(
            "sem_open",
            [0.into(), 4.into(), 4.into(), 2.into(), OUT.into()],
            0,
        )
        .call(
            "sem_open",
            [0.into(), 4.into(), 12.into(), 2.into(), (OUT + 8).into()],
            20,
        )
        .call("sem_try_wait", [at(OUT)], 0)
        .call("sem_wait", [at(OUT), (-1).into()], 0)
        .call("sem_try_wait", [at(OUT)], 6)
        .call("sem_wait", [at(OUT), 1_000_000.into()], 73)
        .call("sem_post", [at(OUT)], 0)
        .call("sem_get_value", [at(OUT), (OUT + 4).into()], 0)
        .word(OUT + 4, 1)
        .call("sem_is_same", [at(OUT), at(OUT), (OUT + 4).into()], 0)
        .word(OUT + 4, 1)
        .call("sem_is_same", [at(OUT), 77.into(), (OUT + 4).into()], 8)
        .call("sem_is_same", [at(OUT), at(OUT), (-3).into()], 21)
        .call("sem_unlink", [0.into(), 4.into()], 0)
        .call("sem_unlink", [0.into(), 4.into()], 44)
        .call("sem_post", [at(OUT)], 0)
        .call("sem_close", [at(OUT)], 0)
        .call("sem_post", [at(OUT)], 8)
        .call("sem_close", [at(OUT)], 8)
        .holds()
        .await;
}
