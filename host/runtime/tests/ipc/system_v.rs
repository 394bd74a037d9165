//! System V message queues and semaphore sets.

use super::script::{OUT, Script, at};

const ID: u32 = OUT;
const RESULT: u32 = OUT + 8;
const BUFFER: u32 = 2048;

fn queue() -> Script {
    Script::new()
        .data(0, b"first second")
        .call("msg_get", [7.into(), 0.into(), ID.into()], 44)
        .call("msg_get", [7.into(), 4.into(), ID.into()], 0)
        .call("msg_get", [7.into(), 12.into(), RESULT.into()], 20)
}

#[tokio::test]
async fn messages_are_chosen_by_their_type() {
    queue()
        .call(
            "msg_try_receive",
            [
                at(ID),
                BUFFER.into(),
                64.into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            49,
        )
        .call("msg_try_send", [at(ID), 0.into(), 0.into(), 5.into()], 28)
        .call("msg_try_send", [at(ID), 5.into(), 0.into(), 5.into()], 0)
        .call(
            "msg_send",
            [at(ID), 3.into(), 6.into(), 6.into(), (-1).into()],
            0,
        )
        .call(
            "msg_try_receive",
            [
                at(ID),
                BUFFER.into(),
                64.into(),
                4.into(),
                0.into(),
                RESULT.into(),
            ],
            49,
        )
        .call(
            "msg_try_receive",
            [
                at(ID),
                BUFFER.into(),
                2.into(),
                (-9).into(),
                0.into(),
                RESULT.into(),
            ],
            1,
        )
        .call(
            "msg_try_receive",
            [
                at(ID),
                BUFFER.into(),
                2.into(),
                (-9).into(),
                1.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(RESULT, 2)
        .long(RESULT + 8, 3)
        .byte(BUFFER, b's')
        .call(
            "msg_try_receive",
            [
                at(ID),
                BUFFER.into(),
                64.into(),
                3.into(),
                2.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(RESULT, 5)
        .long(RESULT + 8, 5)
        .call(
            "msg_receive",
            [
                at(ID),
                BUFFER.into(),
                64.into(),
                0.into(),
                0.into(),
                RESULT.into(),
                1_000_000.into(),
            ],
            73,
        )
        .call(
            "msg_try_receive",
            [
                at(ID),
                BUFFER.into(),
                64.into(),
                0.into(),
                64.into(),
                RESULT.into(),
            ],
            28,
        )
        .call(
            "msg_try_send",
            [at(ID), 1.into(), (-8).into(), 16.into()],
            21,
        )
        .call(
            "msg_try_receive",
            [
                at(ID),
                BUFFER.into(),
                (-1).into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            21,
        )
        .holds()
        .await;
}

#[tokio::test]
async fn a_queue_is_shown_changed_and_removed() {
    queue()
        .call("msg_try_send", [at(ID), 5.into(), 0.into(), 5.into()], 0)
        .call("msg_stat", [at(ID), BUFFER.into()], 0)
        .word(BUFFER, 7)
        .word(BUFFER + 4, 1)
        .long(BUFFER + 8, 5)
        .long(BUFFER + 16, 16384)
        .word(BUFFER + 24, 1)
        .word(BUFFER + 28, 0)
        .call("msg_set", [at(ID), 16385.into()], 63)
        .call("msg_set", [at(ID), (-1).into()], 28)
        .call("msg_set", [at(ID), 8.into()], 0)
        .call("msg_try_send", [at(ID), 5.into(), 0.into(), 5.into()], 6)
        .call(
            "msg_send",
            [at(ID), 5.into(), 0.into(), 5.into(), 1_000_000.into()],
            73,
        )
        .call("msg_remove", [at(ID)], 0)
        .call("msg_remove", [at(ID)], 28)
        .call("msg_try_send", [at(ID), 5.into(), 0.into(), 5.into()], 28)
        .call("msg_stat", [at(ID), BUFFER.into()], 28)
        .holds()
        .await;
}

#[tokio::test]
async fn batches_carry_types() {
    let send: Vec<u8> = [0_u32, 5, 1, 0, 6, 6, 2, 0]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    let receive: Vec<u8> = [BUFFER, 16, 0, 0, BUFFER + 16, 16, 0, 0]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    queue()
        .data(512, &send)
        .data(768, &receive)
        .call(
            "msg_try_send_many",
            [at(ID), 512.into(), 2.into(), RESULT.into()],
            0,
        )
        .word(RESULT, 2)
        .call(
            "msg_try_receive_many",
            [
                at(ID),
                768.into(),
                2.into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            0,
        )
        .word(RESULT, 2)
        .word(768 + 4, 5)
        .long(768 + 8, 1)
        .word(768 + 20, 6)
        .long(768 + 24, 2)
        .byte(BUFFER + 16, b's')
        .call(
            "msg_try_receive_many",
            [
                at(ID),
                768.into(),
                2.into(),
                0.into(),
                0.into(),
                RESULT.into(),
            ],
            49,
        )
        .holds()
        .await;
}

/// An operation: number, change, flags.
fn operation(number: u16, change: i16, flags: u16) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend_from_slice(&change.to_le_bytes());
    bytes.extend_from_slice(&flags.to_le_bytes());
    bytes
}

const NO_WAIT: u16 = 0o4000;
const UNDO: u16 = 0x1000;

#[tokio::test]
async fn operations_on_a_set_are_done_all_or_none() {
    let add = [operation(0, 2, 0), operation(1, 1, UNDO)].concat();
    let take = [operation(0, -2, 0), operation(1, -2, 0)].concat();
    Script::new()
        .data(0, &add)
        .data(16, &take)
        .data(32, &operation(0, -3, NO_WAIT))
        .data(48, &operation(2, 1, 0))
        .data(64, &operation(0, i16::MAX, 0))
        .data(80, &[9, 0, 8, 0])
        .call("semset_get", [0.into(), 2.into(), 0.into(), ID.into()], 0)
        .call("semset_try_operate", [at(ID), 0.into(), 2.into()], 0)
        .call("semset_try_operate", [at(ID), 16.into(), 2.into()], 6)
        .call(
            "semset_operate",
            [at(ID), 16.into(), 2.into(), 1_000_000.into()],
            73,
        )
        .call(
            "semset_operate",
            [at(ID), 32.into(), 1.into(), (-1).into()],
            6,
        )
        .call("semset_get_value", [at(ID), 0.into(), RESULT.into()], 0)
        .word(RESULT, 2)
        .word(RESULT + 4, 1)
        .call("semset_try_operate", [at(ID), 48.into(), 1.into()], 22)
        .call("semset_try_operate", [at(ID), 64.into(), 1.into()], 68)
        .call("semset_try_operate", [at(ID), 0.into(), 0.into()], 28)
        .call("semset_try_operate", [at(ID), 0.into(), 501.into()], 1)
        .call("semset_try_operate", [at(ID), 0.into(), (-1).into()], 1)
        .call("semset_get_all", [at(ID), BUFFER.into(), 2.into()], 0)
        .word(BUFFER, 2 | (1 << 16))
        .call("semset_get_all", [at(ID), BUFFER.into(), 1.into()], 28)
        .call("semset_set_all", [at(ID), 80.into(), 1.into()], 28)
        .call("semset_set_all", [at(ID), 80.into(), 2.into()], 0)
        .call("semset_set_value", [at(ID), 1.into(), 40000.into()], 68)
        .call("semset_set_value", [at(ID), 1.into(), 5.into()], 0)
        .call("semset_get_all", [at(ID), BUFFER.into(), 2.into()], 0)
        .word(BUFFER, 9 | (5 << 16))
        .call("semset_stat", [at(ID), BUFFER.into()], 0)
        .word(BUFFER, 0)
        .word(BUFFER + 4, 2)
        .call("semset_get_value", [at(ID), 2.into(), RESULT.into()], 28)
        .call("semset_remove", [at(ID)], 0)
        .call("semset_stat", [at(ID), BUFFER.into()], 28)
        .holds()
        .await;
}
