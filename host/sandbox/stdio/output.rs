//! Standard output and error: to a log, to a client, or to both.
//!
//! A log is always ready. The pipe to the client of a command is bounded: the guest waits while its reader is slow, and
//! gets an error once the reader is gone.
//!
//! A container's own output goes to its log and to whoever is attached, and the container never waits for these: what
//! a client has no room for ([`PIPE_BYTES`]) is lost to it alone. It stays attached, goes on when it has read half of
//! what it was behind, and is told how much is missing where it is missing, if it wants standard error.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use super::Closed;
use super::input::PIPE_BYTES;
use super::terminal::Screen;
use super::wakers::Wakers;
use super::writers::{Counted, Written};
use crate::logs::{LogSink, Stream};

/// What each piece of a pipe counts besides its bytes, so that a guest which alternates between its two outputs byte by
/// byte does not cost more memory than the pipe's size says.
const PIECE_OVERHEAD_BYTES: usize = 64;

/// Where one of a guest's two outputs goes; cheap to clone.
#[derive(Clone, Debug)]
pub enum GuestOutput {
    /// A log, which never makes the guest wait.
    Log(LogSink),
    /// A client, for which the guest waits.
    Pipe(OutputWriter),
    /// A container's log and whoever is attached.
    Container(ContainerOutput),
    /// A terminal.
    Terminal(Screen),
}

impl GuestOutput {
    /// How many bytes the next [`try_write`](Self::try_write) takes; 0 when the guest has to wait.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn capacity(&self) -> Result<usize, Closed> {
        match self {
            Self::Log(_) => Ok(LogSink::MAX_WRITE_BYTES),
            Self::Pipe(writer) => writer.capacity(),
            Self::Container(_) => Ok(LogSink::MAX_WRITE_BYTES),
            Self::Terminal(screen) => screen.capacity(),
        }
    }

    /// Takes what fits of `bytes` and says how much; 0 means that the guest has to wait.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn try_write(&self, bytes: &[u8]) -> Result<usize, Closed> {
        match self {
            Self::Log(log) => Ok(log.try_write(bytes)),
            Self::Pipe(writer) => writer.try_write(bytes),
            Self::Container(output) => Ok(output.try_write(bytes)),
            Self::Terminal(screen) => screen.print(bytes),
        }
    }

    /// Ready when [`capacity`](Self::capacity) is not 0.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_room(cx, 1)
    }

    /// Ready when `least` bytes fit, or the reader is gone.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>, least: usize) -> Poll<()> {
        match self {
            Self::Log(_) | Self::Container(_) => Poll::Ready(()),
            Self::Pipe(writer) => writer.poll_room(cx, least),
            Self::Terminal(screen) => screen.poll_print(cx),
        }
    }

    /// Takes all of `bytes`, waiting as long as it must.
    ///
    /// # Errors
    /// The reader is gone.
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), Closed> {
        while !bytes.is_empty() {
            let taken = self.try_write(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            if taken == 0 {
                poll_fn(|cx| self.poll_ready(cx)).await;
            }
        }
        Ok(())
    }

    /// Whether this is a terminal.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }
}

/// Makes a pipe out of a guest, for both of its outputs.
#[must_use]
pub fn output() -> (OutputWriters, OutputReader) {
    let pipe = Arc::new(Pipe::default());
    let writer = |stream| OutputWriter {
        pipe: Counted::new(Arc::clone(&pipe)),
        stream,
    };
    let writers = OutputWriters {
        stdout: writer(Stream::Stdout),
        stderr: writer(Stream::Stderr),
    };
    (writers, OutputReader(pipe))
}

/// The guest's two ends of one pipe.
#[derive(Clone, Debug)]
pub struct OutputWriters {
    /// For standard output.
    pub stdout: OutputWriter,
    /// For standard error.
    pub stderr: OutputWriter,
}

/// A guest's end of an output pipe.
#[derive(Clone, Debug)]
pub struct OutputWriter {
    pipe: Counted<Pipe>,
    stream: Stream,
}

/// A client's end of an output pipe.
#[derive(Debug)]
pub struct OutputReader(Arc<Pipe>);

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<(Stream, BytesMut)>,
    held_bytes: usize,
    writers: usize,
    is_abandoned: bool,
    /// What an attached client had no room for since it was last told.
    lost_bytes: u64,
    readers: Wakers,
    waiting_writers: Wakers,
}

impl Written for Pipe {
    fn add_writer(&self) {
        self.lock().writers += 1;
    }

    fn remove_writer(&self) {
        let mut state = self.lock();
        state.writers = state.writers.saturating_sub(1);
        if state.writers == 0 {
            state.readers.wake();
        }
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn room(&self) -> usize {
        PIPE_BYTES
            .saturating_sub(PIECE_OVERHEAD_BYTES)
            .saturating_sub(self.held_bytes)
    }

    fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.held_bytes += bytes.len();
        match self.pieces.back_mut() {
            Some((last, piece)) if *last == stream => piece.extend_from_slice(bytes),
            _ => {
                self.held_bytes += PIECE_OVERHEAD_BYTES;
                self.pieces.push_back((stream, BytesMut::from(bytes)));
            }
        }
        self.readers.wake();
    }
}

impl OutputWriter {
    fn capacity(&self) -> Result<usize, Closed> {
        let state = self.pipe.pipe().lock();
        if state.is_abandoned {
            Err(Closed)
        } else {
            Ok(state.room())
        }
    }

    fn try_write(&self, bytes: &[u8]) -> Result<usize, Closed> {
        let mut state = self.pipe.pipe().lock();
        if state.is_abandoned {
            return Err(Closed);
        }
        let taken = bytes.get(..state.room()).unwrap_or(bytes);
        state.push(self.stream, taken);
        Ok(taken.len())
    }

    /// Takes all of `bytes`, or loses what does not fit; says how much is missing where it is, if `tells`.
    fn write_or_lose(&self, bytes: &[u8], tells: bool) {
        let mut state = self.pipe.pipe().lock();
        if state.is_abandoned {
            return;
        }
        if state.lost_bytes > 0 && state.held_bytes <= PIPE_BYTES / 2 {
            let lost = std::mem::take(&mut state.lost_bytes);
            if tells {
                let notice = format!(
                    "\nwasmpod: {lost} bytes of output are missing here: they were not read in time\n"
                );
                state.push(Stream::Stderr, notice.as_bytes());
            }
        }
        let fits = if state.lost_bytes > 0 {
            &[]
        } else {
            bytes.get(..state.room()).unwrap_or(bytes)
        };
        state.push(self.stream, fits);
        let lost = bytes.len().saturating_sub(fits.len());
        state.lost_bytes += u64::try_from(lost).unwrap_or(u64::MAX);
    }

    fn poll_room(&self, cx: &mut Context<'_>, least: usize) -> Poll<()> {
        let mut state = self.pipe.pipe().lock();
        if state.is_abandoned || state.room() >= least {
            return Poll::Ready(());
        }
        state.waiting_writers.add(cx.waker());
        Poll::Pending
    }
}

impl OutputReader {
    /// The next piece of output, in the order in which the guest wrote; `None` when there will be no more. Dropping
    /// the future loses nothing.
    pub async fn next(&mut self) -> Option<(Stream, Bytes)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Stream, Bytes)>> {
        let mut state = self.0.lock();
        if let Some((stream, piece)) = state.pieces.pop_front() {
            state.held_bytes = state
                .held_bytes
                .saturating_sub(piece.len() + PIECE_OVERHEAD_BYTES);
            state.waiting_writers.wake();
            return Poll::Ready(Some((stream, piece.freeze())));
        }
        if state.writers == 0 {
            return Poll::Ready(None);
        }
        state.readers.add(cx.waker());
        Poll::Pending
    }
}

impl Drop for OutputReader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_abandoned = true;
        state.pieces.clear();
        state.waiting_writers.wake();
    }
}

/// One output of a container: its log, and whoever is attached.
#[derive(Clone, Debug)]
pub struct ContainerOutput {
    /// The log.
    pub log: LogSink,
    /// Which output this is.
    pub stream: Stream,
    /// Who is attached.
    pub attachments: Attachments,
}

impl ContainerOutput {
    fn try_write(&self, bytes: &[u8]) -> usize {
        let taken = self.log.try_write(bytes);
        let bytes = bytes.get(..taken).unwrap_or(bytes);
        self.attachments.write(self.stream, bytes);
        taken
    }
}

/// The clients that are attached to a container; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Attachments(Arc<Attached>);

#[derive(Debug, Default)]
struct Attached {
    /// How many there are, so that a container without any takes no lock.
    count: AtomicUsize,
    clients: Mutex<Vec<Client>>,
}

/// One client of one output.
#[derive(Debug)]
struct Client {
    writer: OutputWriter,
    /// It has asked for standard error too, where it is told what it has lost.
    wants_stderr: bool,
}

impl Attachments {
    /// Nobody is attached.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more client, which sees what the container prints from now on.
    #[must_use]
    pub fn attach(&self, stdout: bool, stderr: bool) -> OutputReader {
        let (writers, reader) = output();
        let mut clients = self.clients();
        let wanted = [(stdout, writers.stdout), (stderr, writers.stderr)];
        let wanted = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted);
        clients.extend(wanted.map(|(_, writer)| Client {
            writer,
            wants_stderr: stderr,
        }));
        self.0.count.store(clients.len(), Ordering::Release);
        reader
    }

    /// Ends the output of all clients: their readers get the rest and then the end.
    pub fn end(&self) {
        let mut clients = self.clients();
        clients.clear();
        self.0.count.store(0, Ordering::Release);
    }

    /// Gives the clients of one output what was printed; those that left are forgotten.
    fn write(&self, stream: Stream, bytes: &[u8]) {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut clients = self.clients();
        clients.retain(|client| client.writer.capacity().is_ok());
        self.0.count.store(clients.len(), Ordering::Release);
        for client in clients.iter() {
            if client.writer.stream == stream {
                client.writer.write_or_lose(bytes, client.wants_stderr);
            }
        }
    }

    fn clients(&self) -> MutexGuard<'_, Vec<Client>> {
        self.0
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(piece: Option<(Stream, Bytes)>) -> Option<(Stream, String)> {
        piece.map(|(stream, bytes)| (stream, String::from_utf8(bytes.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn both_outputs_come_in_the_order_in_which_they_were_written() {
        let (writers, mut reader) = output();
        assert_eq!(writers.stdout.try_write(b"one "), Ok(4));
        assert_eq!(writers.stdout.try_write(b"two"), Ok(3));
        assert_eq!(writers.stderr.try_write(b"three"), Ok(5));
        drop(writers);
        assert_eq!(
            text(reader.next().await),
            Some((Stream::Stdout, "one two".into()))
        );
        assert_eq!(
            text(reader.next().await),
            Some((Stream::Stderr, "three".into()))
        );
        assert_eq!(reader.next().await, None);
    }

    #[tokio::test]
    async fn a_slow_reader_makes_the_guest_wait_and_loses_nothing() {
        let (writers, mut reader) = output();
        let sent: Vec<u8> = (0..=250).cycle().take(5 * PIPE_BYTES + 3).collect();
        let guest = GuestOutput::Pipe(writers.stdout);
        drop(writers.stderr);
        let all = sent.clone();
        let writing = async move { guest.write_all(&all).await.unwrap() };
        let reading = async {
            let mut received = Vec::new();
            while let Some((_, bytes)) = reader.next().await {
                assert!(bytes.len() <= PIPE_BYTES);
                received.extend_from_slice(&bytes);
                tokio::task::yield_now().await;
            }
            received
        };
        let ((), received) = tokio::join!(writing, reading);
        assert_eq!(received, sent);
    }

    #[tokio::test]
    async fn a_guest_that_waits_for_a_reader_which_goes_away_gets_an_error() {
        let (writers, reader) = output();
        let guest = GuestOutput::Pipe(writers.stdout);
        let waiting = guest.write_all(&[0; 2 * PIPE_BYTES]);
        let (result, ()) = tokio::join!(waiting, async { drop(reader) });
        assert_eq!(result, Err(Closed));
    }

    #[test]
    fn alternating_single_bytes_fill_the_pipe_sooner() {
        let (writers, _reader) = output();
        let mut pieces = 0;
        while writers.stdout.try_write(b"o") == Ok(1) && writers.stderr.try_write(b"e") == Ok(1) {
            pieces += 2;
        }
        assert!((900..1100).contains(&pieces), "{pieces}");
    }

    #[tokio::test]
    async fn a_container_prints_to_its_log_and_to_whoever_is_attached() {
        let (log, captured) = LogSink::capture(1 << 20);
        let attachments = Attachments::new();
        let of = |stream| {
            let (log, attachments) = (log.clone(), attachments.clone());
            GuestOutput::Container(ContainerOutput {
                log,
                stream,
                attachments,
            })
        };
        let (stdout, stderr) = (of(Stream::Stdout), of(Stream::Stderr));
        stdout.write_all(b"before ").await.unwrap();
        let mut both = attachments.attach(true, true);
        let mut errors = attachments.attach(false, true);
        let gone = attachments.attach(true, true);
        drop(gone);
        stdout.write_all(b"out ").await.unwrap();
        stderr.write_all(b"err").await.unwrap();
        attachments.end();
        assert_eq!(captured.text(), "before out err");
        assert_eq!(
            text(both.next().await),
            Some((Stream::Stdout, "out ".into()))
        );
        assert_eq!(
            text(both.next().await),
            Some((Stream::Stderr, "err".into()))
        );
        assert_eq!(both.next().await, None);
        assert_eq!(
            text(errors.next().await),
            Some((Stream::Stderr, "err".into()))
        );
        assert_eq!(errors.next().await, None);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_loses_output_is_told_and_holds_up_nobody() {
        for wants_stderr in [true, false] {
            let (log, captured) = LogSink::capture(1 << 20);
            let attachments = Attachments::new();
            let output = GuestOutput::Container(ContainerOutput {
                log,
                stream: Stream::Stdout,
                attachments: attachments.clone(),
            });
            let mut slow = attachments.attach(true, wants_stderr);
            let line = b"0123456789abcde\n";
            let lines = 2 * PIPE_BYTES / line.len();
            for _ in 0..lines {
                assert_eq!(output.try_write(line), Ok(line.len()));
            }
            assert_eq!(captured.text().len(), lines * line.len(), "the log has all");
            let (_, first) = slow.next().await.unwrap();
            assert!(first.len() <= PIPE_BYTES && first.len() > PIPE_BYTES / 2);
            assert_eq!(output.try_write(b"again\n"), Ok(6));
            let lost = lines * line.len() - first.len();
            if wants_stderr {
                let (stream, notice) = text(slow.next().await).unwrap();
                assert_eq!(stream, Stream::Stderr);
                assert!(notice.contains(&format!(" {lost} bytes ")), "{notice}");
            }
            assert_eq!(
                text(slow.next().await),
                Some((Stream::Stdout, "again\n".into()))
            );
        }
    }
}
