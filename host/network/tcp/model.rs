//! A connection under random operations, compared with a model; and under two threads.
//!
//! The model of one direction is a plain queue of bytes with flags. The waking rule is checked in the same run: whoever was
//! told to wait is woken by the time what it waits for has come (a writer: by the time half the buffer is free).

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use proptest::prelude::*;

use super::{Shutdown, TcpStream};
use crate::Errno;
use crate::limits::{DEFAULT_RECEIVE_BUFFER_BYTES, DEFAULT_SEND_BUFFER_BYTES};
use crate::tests::{CountingWaker, connection, pattern, pod};

const CAPACITY: usize = DEFAULT_SEND_BUFFER_BYTES + DEFAULT_RECEIVE_BUFFER_BYTES;

/// One operation by side 0 or 1.
#[derive(Clone, Debug)]
enum Op {
    Write(usize, usize),
    Read(usize, usize),
    WaitRead(usize),
    WaitWrite(usize),
    ShutdownSend(usize),
    ShutdownReceive(usize),
    Close(usize),
    Abort(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let side = 0..2_usize;
    let length = prop_oneof![4 => 1..64_usize, 3 => 1000..5000_usize, 2 => 30_000..300_000_usize];
    prop_oneof![
        12 => (side.clone(), length.clone()).prop_map(|(side, length)| Op::Write(side, length)),
        12 => (side.clone(), length).prop_map(|(side, length)| Op::Read(side, length)),
        4 => side.clone().prop_map(Op::WaitRead),
        4 => side.clone().prop_map(Op::WaitWrite),
        1 => side.clone().prop_map(Op::ShutdownSend),
        1 => side.clone().prop_map(Op::ShutdownReceive),
        1 => side.clone().prop_map(Op::Close),
        1 => side.prop_map(Op::Abort),
    ]
}

/// What one side has sent and the other has not read, and what the side has done.
#[derive(Default)]
struct Side {
    sent: VecDeque<u8>,
    finished: bool,
    deaf: bool,
    closed: bool,
    reset: bool,
    error: Option<Errno>,
    reader: Option<CountingWaker>,
    writer: Option<CountingWaker>,
}

struct Model {
    sides: [Side; 2],
    written: usize,
}

impl Model {
    fn read_is_ready(&self, side: usize) -> bool {
        let (own, peer) = (&self.sides[side], &self.sides[1 - side]);
        !peer.sent.is_empty() || own.reset || own.deaf || peer.finished
    }

    fn write_has_ended(&self, side: usize) -> bool {
        let (own, peer) = (&self.sides[side], &self.sides[1 - side]);
        own.finished || own.reset || peer.closed
    }

    fn expect_read(&mut self, side: usize, max: usize) -> Result<Option<usize>, Errno> {
        let waiting = self.sides[1 - side].sent.len();
        if waiting > 0 {
            return Ok(Some(waiting.min(max)));
        }
        if self.sides[side]
            .error
            .take_if(|error| *error == Errno::ConnReset)
            .is_some()
        {
            return Err(Errno::ConnReset);
        }
        if self.read_is_ready(side) {
            Ok(None)
        } else {
            Err(Errno::Again)
        }
    }

    fn expect_write(&mut self, side: usize, length: usize) -> Result<usize, Errno> {
        if let Some(error) = self.sides[side].error.take() {
            return Err(error);
        }
        if self.sides[side].finished || self.sides[side].reset {
            return Err(Errno::Pipe);
        }
        if self.sides[1 - side].closed {
            self.sides[side].reset = true;
            self.sides[side].error = Some(Errno::Pipe);
        }
        match length.min(CAPACITY - self.sides[side].sent.len()) {
            0 => Err(Errno::Again),
            accepted => Ok(accepted),
        }
    }

    fn close(&mut self, side: usize, reset: bool) {
        let unread = !self.sides[1 - side].sent.is_empty();
        let had_finished = self.sides[side].finished;
        self.sides[1 - side].sent.clear();
        self.sides[side].closed = true;
        self.sides[side].finished = true;
        if (unread || reset) && !self.sides[1 - side].closed {
            self.sides[1 - side].reset = true;
            self.sides[1 - side].error = Some(if had_finished {
                Errno::Pipe
            } else {
                Errno::ConnReset
            });
        }
    }

    /// Nobody who can go on is left asleep.
    fn check_wakes(&self) {
        for side in 0..2 {
            if self.sides[side].closed {
                continue;
            }
            if let Some(task) = &self.sides[side].reader {
                assert!(
                    !self.read_is_ready(side) || task.count() > 0,
                    "reader {side} sleeps"
                );
            }
            if let Some(task) = &self.sides[side].writer {
                let free =
                    self.write_has_ended(side) || self.sides[side].sent.len() <= CAPACITY / 2;
                assert!(!free || task.count() > 0, "writer {side} sleeps");
            }
        }
    }

    fn apply(&mut self, op: &Op, ends: &mut [Option<TcpStream>; 2]) {
        let (Op::Write(side, _)
        | Op::Read(side, _)
        | Op::WaitRead(side)
        | Op::WaitWrite(side)
        | Op::ShutdownSend(side)
        | Op::ShutdownReceive(side)
        | Op::Close(side)
        | Op::Abort(side)) = *op;
        let Some(end) = ends[side].clone() else {
            return;
        };
        match *op {
            Op::Write(_, length) => {
                let data: Vec<u8> = (0..length).map(|n| pattern(self.written + n)).collect();
                let expected = self.expect_write(side, length);
                assert_eq!(end.try_write(&mut Bytes::from(data.clone())), expected);
                if let Ok(accepted) = expected {
                    self.written += accepted;
                    if !self.sides[1 - side].deaf && !self.sides[1 - side].closed {
                        self.sides[side].sent.extend(&data[..accepted]);
                    }
                }
            }
            Op::Read(_, max) => match (self.expect_read(side, max), end.try_read(max)) {
                (Ok(None), Ok(data)) => assert!(data.is_empty(), "EOF"),
                (Ok(Some(most)), Ok(data)) => {
                    assert!(
                        !data.is_empty() && data.len() <= most,
                        "{} of {most}",
                        data.len()
                    );
                    let expected: Vec<u8> = self.sides[1 - side].sent.drain(..data.len()).collect();
                    assert!(data == expected, "bytes in order");
                }
                (expected, got) => assert_eq!(expected.map(drop), got.map(drop)),
            },
            Op::WaitRead(_) => {
                let task = CountingWaker::new();
                let ready = end.poll_read_ready(&mut task.context()).is_ready();
                assert_eq!(ready, self.read_is_ready(side), "readiness is exact");
                self.sides[side].reader = (!ready).then_some(task);
            }
            Op::WaitWrite(_) => {
                let task = CountingWaker::new();
                let ready = end.poll_write_ready(&mut task.context()).is_ready();
                let expected = self.write_has_ended(side) || self.sides[side].sent.len() < CAPACITY;
                assert_eq!(ready, expected, "readiness is exact");
                self.sides[side].writer = (!ready).then_some(task);
            }
            Op::ShutdownSend(_) => {
                let expected = if self.sides[side].reset {
                    Err(Errno::NotConn)
                } else {
                    Ok(())
                };
                assert_eq!(end.shutdown(Shutdown::Send), expected);
                self.sides[side].finished |= expected.is_ok();
            }
            Op::ShutdownReceive(_) => {
                let expected = if self.sides[side].reset {
                    Err(Errno::NotConn)
                } else {
                    Ok(())
                };
                assert_eq!(end.shutdown(Shutdown::Receive), expected);
                if expected.is_ok() {
                    self.sides[side].deaf = true;
                    self.sides[1 - side].sent.clear();
                }
            }
            Op::Close(_) => {
                ends[side] = None;
                drop(end);
                self.close(side, false);
            }
            Op::Abort(_) => {
                end.abort();
                ends[side] = None;
                self.close(side, true);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_connection_does_what_the_model_says(ops in prop::collection::vec(op(), 1..120)) {
        let (_pod, a, b) = pod();
        let (near, far) = connection(&a, &b);
        let mut ends = [Some(near), Some(far)];
        let mut model = Model { sides: Default::default(), written: 0 };
        for op in &ops {
            model.apply(op, &mut ends);
            model.check_wakes();
        }
    }
}

/// Wakes a thread that parks.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait(mut poll: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    while poll(&mut cx).is_pending() {
        // A lost wake-up shows here.
        let before = std::time::Instant::now();
        std::thread::park_timeout(std::time::Duration::from_secs(20));
        assert!(
            before.elapsed() < std::time::Duration::from_secs(19),
            "nobody woke this thread"
        );
    }
}

#[test]
fn two_threads_pass_every_byte_in_order_and_lose_no_wake_up() {
    const TOTAL: usize = 64 << 20;
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    let writer = std::thread::spawn(move || {
        let mut sent = 0_usize;
        let mut length = 1;
        while sent < TOTAL {
            length = (length * 7 + 13) % 70_000 + 1;
            let length = length.min(TOTAL - sent);
            let mut data: Bytes = (0..length).map(|n| pattern(sent + n)).collect();
            while !data.is_empty() {
                match near.try_write(&mut data) {
                    Ok(accepted) => sent += accepted,
                    Err(Errno::Again) => wait(|cx| near.poll_write_ready(cx)),
                    Err(errno) => panic!("{errno}"),
                }
            }
        }
    });
    let mut got = 0_usize;
    loop {
        match far.try_read(50_000) {
            Ok(data) if data.is_empty() => break,
            Ok(data) => {
                assert!(
                    data.iter()
                        .enumerate()
                        .all(|(n, byte)| *byte == pattern(got + n))
                );
                got += data.len();
            }
            Err(Errno::Again) => wait(|cx| far.poll_read_ready(cx)),
            Err(errno) => panic!("{errno}"),
        }
    }
    writer.join().unwrap();
    assert_eq!(got, TOTAL);
}
