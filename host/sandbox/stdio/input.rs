//! Standard input: a bounded pipe into a guest, or nothing.
//!
//! The guest's end hands out bytes without waiting and says when it is worth asking again. The client's end waits when
//! the pipe is full. A terminal's pipe is made of records instead of plain bytes: one read gives at most one line, and
//! an empty record is an end of file that passes, as termios(3) has it for the EOF character.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use super::terminal::Terminal;
use super::wakers::Wakers;
use super::writers::{Counted, Written};
use super::{Closed, MAX_CANONICAL_BYTES};

/// Bytes that a pipe holds before its writer waits: the capacity of a Linux pipe, pipe(7).
pub const PIPE_BYTES: usize = 64 * 1024;

/// Ends of file that a terminal keeps for a guest that does not read; further ones are dropped.
const MAX_ENDS: usize = 64;

/// Where a guest's standard input comes from.
#[derive(Clone, Debug, Default)]
pub enum GuestInput {
    /// At its end from the beginning, as `/dev/null`.
    #[default]
    Empty,
    /// What the writer of a pipe or the user of a terminal sends.
    Pipe(InputReader),
}

/// Makes a pipe into a guest.
#[must_use]
pub fn input() -> (InputWriter, InputReader) {
    let pipe = Arc::new(Pipe::default());
    (
        InputWriter(Target::Pipe(Counted::new(Arc::clone(&pipe)))),
        InputReader {
            pipe: Arc::new(Reading(pipe)),
            is_terminal: false,
        },
    )
}

/// The guest's end; its clones read from the same pipe. When the last is dropped, writers get [`Closed`].
#[derive(Clone, Debug)]
pub struct InputReader {
    pipe: Arc<Reading>,
    is_terminal: bool,
}

/// The client's end; its clones write to the same pipe, which ends when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct InputWriter(Target);

#[derive(Clone, Debug)]
enum Target {
    Pipe(Counted<Pipe>),
    Terminal(Terminal),
}

/// What both ends share.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: BytesMut,
    /// Lengths of a terminal's records at the front of `bytes`; `None` in a plain pipe.
    records: Option<VecDeque<usize>>,
    writers: usize,
    is_ended: bool,
    is_abandoned: bool,
    readers: Wakers,
    waiting_writers: Wakers,
}

/// Held by every clone of the guest's end.
#[derive(Debug)]
struct Reading(Arc<Pipe>);

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_abandoned = true;
        state.bytes.clear();
        state.waiting_writers.wake();
    }
}

impl Written for Pipe {
    fn add_writer(&self) {
        self.lock().writers += 1;
    }

    fn remove_writer(&self) {
        let mut state = self.lock();
        state.writers = state.writers.saturating_sub(1);
        if state.writers == 0 {
            state.end();
        }
    }
}

impl State {
    fn end(&mut self) {
        self.is_ended = true;
        self.readers.wake();
    }

    fn room(&self) -> usize {
        PIPE_BYTES.saturating_sub(self.bytes.len())
    }

    /// Whether a read would give something, an end included.
    fn is_readable(&self) -> bool {
        self.is_ended
            || !self.bytes.is_empty()
            || self
                .records
                .as_ref()
                .is_some_and(|records| !records.is_empty())
    }
}

impl Pipe {
    /// A pipe that keeps records, and the guest's end of it.
    pub(super) fn of_terminal() -> (Arc<Self>, InputReader) {
        let pipe = Arc::new(Self::default());
        pipe.lock().records = Some(VecDeque::new());
        let reader = InputReader {
            pipe: Arc::new(Reading(Arc::clone(&pipe))),
            is_terminal: true,
        };
        (pipe, reader)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a whole line of a terminal would still fit.
    pub(super) fn poll_line(&self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.lock();
        if state.is_abandoned || state.is_ended {
            return Poll::Ready(Err(Closed));
        }
        if state.room() >= MAX_CANONICAL_BYTES {
            return Poll::Ready(Ok(()));
        }
        state.waiting_writers.add(cx.waker());
        Poll::Pending
    }

    /// Adds a terminal's record; an empty one is an end of file that passes.
    pub(super) fn push_record(&self, record: &[u8]) {
        let mut state = self.lock();
        let Some(records) = &mut state.records else {
            return;
        };
        if record.is_empty() && records.len() >= MAX_ENDS {
            return;
        }
        records.push_back(record.len());
        state.bytes.extend_from_slice(record);
        state.readers.wake();
    }

    /// Throws away what the guest has not read, as a signal character does.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        state.bytes.clear();
        if let Some(records) = &mut state.records {
            records.clear();
        }
        state.waiting_writers.wake();
    }

    /// No more will come.
    pub(super) fn end(&self) {
        self.lock().end();
    }
}

impl InputReader {
    /// Takes what is there, at most `max` bytes. `Ready` with no bytes is the end of the input; of a terminal it is
    /// the end that its user typed, after which there may be more.
    pub fn try_read(&self, max: usize) -> Poll<Bytes> {
        let mut state = self.pipe.0.lock();
        if max == 0 {
            return Poll::Ready(Bytes::new());
        }
        let available = match &mut state.records {
            None => state.bytes.len(),
            Some(records) => match records.front_mut() {
                Some(0) => {
                    records.pop_front();
                    return Poll::Ready(Bytes::new());
                }
                Some(record) => {
                    let (all, taken) = (*record, max.min(*record));
                    *record -= taken;
                    if taken == all {
                        records.pop_front();
                    }
                    taken
                }
                None => 0,
            },
        };
        if available == 0 {
            return if state.is_ended {
                Poll::Ready(Bytes::new())
            } else {
                Poll::Pending
            };
        }
        let bytes = state.bytes.split_to(available.min(max)).freeze();
        state.waiting_writers.wake();
        Poll::Ready(bytes)
    }

    /// Ready when [`try_read`](Self::try_read) would be.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.pipe.0.lock();
        if state.is_readable() {
            return Poll::Ready(());
        }
        state.readers.add(cx.waker());
        Poll::Pending
    }

    /// Ends the input from the guest's side: what was sent can still be read, then it is at its end. This is what a
    /// container sees of being stopped.
    pub fn end(&self) {
        let mut state = self.pipe.0.lock();
        state.end();
        state.waiting_writers.wake();
    }

    /// Whether this is the input of a terminal.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.is_terminal
    }
}

impl InputWriter {
    /// The input side of a terminal.
    pub(super) const fn of_terminal(terminal: Terminal) -> Self {
        Self(Target::Terminal(terminal))
    }

    /// Sends all of `bytes`, waiting while the guest does not read.
    ///
    /// # Errors
    /// The guest is gone, or its input was ended.
    pub async fn write(&self, mut bytes: Bytes) -> Result<(), Closed> {
        while !bytes.is_empty() {
            poll_fn(|cx| self.poll_write(cx, &mut bytes)).await?;
        }
        Ok(())
    }

    /// Sends what fits of `bytes` and cuts it off; waits when nothing fits.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), Closed>> {
        match &self.0 {
            Target::Terminal(terminal) => terminal.poll_type(cx, bytes),
            Target::Pipe(writer) => {
                let pipe = writer.pipe();
                let mut state = pipe.lock();
                if state.is_abandoned || state.is_ended {
                    return Poll::Ready(Err(Closed));
                }
                let room = state.room().min(bytes.len());
                if room == 0 && !bytes.is_empty() {
                    state.waiting_writers.add(cx.waker());
                    return Poll::Pending;
                }
                state.bytes.extend_from_slice(&bytes.split_to(room));
                state.readers.wake();
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Ends the input for the guest, whatever other clones of this writer there are. For a terminal it is the end of
    /// all input, not the passing one that a user types.
    pub fn close(&self) {
        match &self.0 {
            Target::Terminal(terminal) => terminal.hang_up(),
            Target::Pipe(writer) => writer.pipe().end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_then_the_end() {
        let (writer, reader) = input();
        assert_eq!(reader.try_read(10), Poll::Pending);
        writer.write(Bytes::from_static(b"hello")).await.unwrap();
        assert_eq!(reader.try_read(2), Poll::Ready(Bytes::from_static(b"he")));
        let second = writer.clone();
        drop(writer);
        assert_eq!(reader.try_read(9), Poll::Ready(Bytes::from_static(b"llo")));
        assert_eq!(reader.try_read(9), Poll::Pending, "a clone may still write");
        drop(second);
        poll_fn(|cx| reader.poll_ready(cx)).await;
        assert_eq!(reader.try_read(9), Poll::Ready(Bytes::new()));
    }

    #[tokio::test]
    async fn a_full_pipe_makes_the_writer_wait_and_loses_nothing() {
        let (writer, reader) = input();
        let sent: Vec<u8> = (0..=255).cycle().take(3 * PIPE_BYTES + 7).collect();
        let all = Bytes::from(sent.clone());
        let writing = async move { writer.write(all).await.unwrap() };
        let reading = async {
            let mut received = Vec::new();
            loop {
                poll_fn(|cx| reader.poll_ready(cx)).await;
                match reader.try_read(1000) {
                    Poll::Ready(bytes) if bytes.is_empty() => return received,
                    Poll::Ready(bytes) => received.extend_from_slice(&bytes),
                    Poll::Pending => panic!("ready means that there is something"),
                }
            }
        };
        let ((), received) = tokio::join!(writing, reading);
        assert_eq!(received, sent);
    }

    #[tokio::test]
    async fn a_writer_learns_that_the_guest_is_gone_even_while_it_waits() {
        let (writer, reader) = input();
        writer
            .write(Bytes::from(vec![0; PIPE_BYTES]))
            .await
            .unwrap();
        let waiting = writer.write(Bytes::from_static(b"more"));
        let (result, ()) = tokio::join!(waiting, async { drop(reader) });
        assert_eq!(result, Err(Closed));
    }

    #[tokio::test]
    async fn a_stop_ends_the_input_after_what_was_sent() {
        let (writer, reader) = input();
        writer.write(Bytes::from_static(b"last")).await.unwrap();
        reader.end();
        assert_eq!(reader.try_read(9), Poll::Ready(Bytes::from_static(b"last")));
        assert_eq!(reader.try_read(9), Poll::Ready(Bytes::new()));
        assert_eq!(writer.write(Bytes::from_static(b"x")).await, Err(Closed));
    }
}
