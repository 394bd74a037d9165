//! A terminal between a guest and its user: the line discipline, joined with the two streams and a window size.
//!
//! Typed bytes that make the guest's input too full wait with their sender. Echo that the user's side has no room for is
//! dropped, as Linux drops it: waiting for it could make a user wait for output that only more input would free.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::sync::watch;

use super::discipline::{Discipline, TerminalModes, TerminalSignal, Typed};
use super::input::{GuestInput, InputWriter, Pipe};
use super::output::GuestOutput;
use super::session::GuestStreams;
use super::{Closed, MAX_CANONICAL_BYTES};
use crate::signal::{Mailbox, Signal};

/// The most that a printed byte becomes: a newline becomes two.
const PRINTED_PER_BYTE: usize = 2;

/// The size of a terminal's window, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl Default for TerminalSize {
    /// 80 by 24, as the VT100 had.
    fn default() -> Self {
        Self {
            columns: 80,
            rows: 24,
        }
    }
}

/// A terminal; its clones are the same one.
#[derive(Clone, Debug)]
pub struct Terminal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    input: Arc<Pipe>,
    size: watch::Sender<TerminalSize>,
    signals: Mailbox,
}

#[derive(Debug, Default)]
struct State {
    discipline: Discipline,
    /// What the user looks at; `None` once the guest is gone.
    screen: Option<Box<GuestOutput>>,
    /// Kept between calls for its memory.
    echo: Vec<u8>,
}

/// The guest's side of a terminal's screen. When the last clone is dropped, the screen is let go: its reader gets the
/// rest and then the end, however many others still hold the terminal.
#[derive(Clone, Debug)]
pub struct Screen {
    terminal: Terminal,
    _open: Arc<Open>,
}

#[derive(Debug)]
struct Open(Terminal);

impl Drop for Open {
    fn drop(&mut self) {
        let screen = self.0.state().screen.take();
        // Outside of the lock: it may wake the reader.
        drop(screen);
    }
}

impl Terminal {
    /// A terminal whose user looks at `screen`, and the guest's ends of it.
    #[must_use]
    pub fn new(screen: GuestOutput, size: TerminalSize) -> (Self, GuestStreams) {
        let (input, reader) = Pipe::of_terminal();
        let state = State {
            screen: Some(Box::new(screen)),
            ..State::default()
        };
        let shared = Shared {
            state: Mutex::new(state),
            input,
            size: watch::Sender::new(size),
            signals: Mailbox::new(),
        };
        let terminal = Self {
            shared: Arc::new(shared),
        };
        let open = Arc::new(Open(terminal.clone()));
        let screen = GuestOutput::Terminal(Screen {
            terminal: terminal.clone(),
            _open: open,
        });
        let guest = GuestStreams {
            stdin: GuestInput::Pipe(reader),
            stdout: screen.clone(),
            stderr: screen,
            terminal: Some(terminal.clone()),
        };
        (terminal, guest)
    }

    /// The keyboard.
    #[must_use]
    pub fn writer(&self) -> InputWriter {
        InputWriter::of_terminal(self.clone())
    }

    /// The size of the window.
    #[must_use]
    pub fn size(&self) -> TerminalSize {
        *self.shared.size.borrow()
    }

    /// The window has another size now.
    pub fn resize(&self, size: TerminalSize) {
        self.shared.size.send_replace(size);
    }

    /// The switches.
    #[must_use]
    pub fn modes(&self) -> TerminalModes {
        self.state().discipline.modes
    }

    /// Sets the switches, as tcsetattr(3) does.
    pub fn set_modes(&self, modes: TerminalModes) {
        self.state().discipline.modes = modes;
    }

    /// Where the signals arrive that the user types: `^C` and `^\\`.
    #[must_use]
    pub fn signals(&self) -> Mailbox {
        self.shared.signals.clone()
    }

    /// Takes typed bytes as long as a whole line would fit into the guest's input.
    pub(super) fn poll_type(
        &self,
        cx: &mut Context<'_>,
        bytes: &mut Bytes,
    ) -> Poll<Result<(), Closed>> {
        let Shared { input, signals, .. } = &*self.shared;
        let mut state = self.state();
        let State {
            discipline,
            screen,
            echo,
        } = &mut *state;
        let mut result = Poll::Ready(Ok(()));
        let mut typed_any = false;
        while let Some(&byte) = bytes.first() {
            let is_signal = discipline.modes.isig && matches!(byte, 0x03 | 0x1c);
            if !is_signal {
                match input.poll_line(cx) {
                    Poll::Ready(Ok(())) => {}
                    // What was typed before is on its way; the rest waits.
                    Poll::Pending if typed_any => break,
                    other => {
                        result = other;
                        break;
                    }
                }
            }
            bytes.advance(1);
            typed_any = true;
            match discipline.type_byte(byte, echo) {
                Typed::Nothing => {}
                Typed::Record(record) => input.push_record(record),
                Typed::Signal(typed) => {
                    input.flush();
                    signals.send(match typed {
                        TerminalSignal::Interrupt => Signal::INT,
                        TerminalSignal::Quit => Signal::QUIT,
                    });
                }
            }
        }
        // What does not fit is dropped: see the module's beginning. An error is the guest's to notice.
        let _dropped = screen.as_ref().map(|screen| screen.try_write(echo));
        echo.clear();
        // A long paste leaves no more memory behind than a line needs.
        echo.shrink_to(MAX_CANONICAL_BYTES);
        result
    }

    /// The user is gone for good.
    pub(super) fn hang_up(&self) {
        self.shared.input.end();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    pub(super) fn capacity(&self) -> Result<usize, Closed> {
        self.terminal.state().capacity()
    }

    pub(super) fn print(&self, bytes: &[u8]) -> Result<usize, Closed> {
        // The lock is held over all, so that nothing is echoed in between.
        let mut state = self.terminal.state();
        let fits = state.capacity()?;
        let bytes = bytes.get(..fits).unwrap_or(bytes);
        let State {
            discipline,
            screen,
            echo,
        } = &mut *state;
        discipline.print(bytes, echo);
        let printed = screen.as_ref().ok_or(Closed)?.try_write(echo);
        echo.clear();
        echo.shrink_to(MAX_CANONICAL_BYTES);
        printed.map(|_| bytes.len())
    }

    pub(super) fn poll_print(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.terminal.state();
        match &state.screen {
            Some(screen) => screen.poll_room(cx, PRINTED_PER_BYTE),
            None => Poll::Ready(()),
        }
    }
}

impl State {
    fn capacity(&self) -> Result<usize, Closed> {
        // One byte of room is none: a newline needs two.
        Ok(self.screen.as_ref().ok_or(Closed)?.capacity()? / PRINTED_PER_BYTE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::InputReader;
    use super::super::output::output;
    use super::*;
    use crate::stdio::PIPE_BYTES;

    fn keyboard(streams: &GuestStreams) -> InputReader {
        match &streams.stdin {
            GuestInput::Pipe(reader) => reader.clone(),
            GuestInput::Empty => panic!("a terminal has a keyboard"),
        }
    }

    async fn type_text(terminal: &Terminal, text: &'static str) {
        terminal
            .writer()
            .write(Bytes::from_static(text.as_bytes()))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_session_reads_as_on_a_screen() {
        let (writers, mut screen) = output();
        drop(writers.stderr);
        let (terminal, streams) =
            Terminal::new(GuestOutput::Pipe(writers.stdout), TerminalSize::default());
        let (keyboard, guest) = (keyboard(&streams), streams.stdout.clone());
        assert!(keyboard.is_terminal());
        guest.write_all(b"$ ").await.unwrap();
        type_text(&terminal, "echo hj\x7fi\rcat\r\x04x").await;
        assert_eq!(
            keyboard.try_read(100),
            Poll::Ready(Bytes::from_static(b"echo hi\n")),
            "one line"
        );
        guest.write_all(b"hi\n").await.unwrap();
        assert_eq!(keyboard.try_read(2), Poll::Ready(Bytes::from_static(b"ca")));
        assert_eq!(
            keyboard.try_read(9),
            Poll::Ready(Bytes::from_static(b"t\n"))
        );
        assert_eq!(
            keyboard.try_read(9),
            Poll::Ready(Bytes::new()),
            "the end that was typed"
        );
        assert_eq!(keyboard.try_read(9), Poll::Pending, "it passes");
        let (_, bytes) = screen.next().await.unwrap();
        assert_eq!(bytes, "$ echo hj\x08 \x08i\r\ncat\r\nxhi\r\n");
        drop((guest, streams));
        assert_eq!(
            screen.next().await,
            None,
            "the guest is gone, though the terminal is not"
        );
        terminal.resize(TerminalSize {
            columns: 132,
            rows: 50,
        });
        assert_eq!(terminal.size().columns, 132);
    }

    #[tokio::test]
    async fn a_signal_character_arrives_though_nobody_reads_and_the_screen_is_full() {
        let (writers, screen) = output();
        let (terminal, streams) =
            Terminal::new(GuestOutput::Pipe(writers.stdout), TerminalSize::default());
        let (keyboard, guest) = (keyboard(&streams), streams.stdout.clone());
        while guest.try_write(b"some output\n") != Ok(0) {}
        let line = Bytes::from([b"x".repeat(100), b"\r".to_vec()].concat());
        let writer = terminal.writer();
        while Box::pin(tokio::time::timeout(
            std::time::Duration::ZERO,
            writer.write(line.clone()),
        ))
        .await
        .is_ok()
        {}
        type_text(&terminal, "\x03").await;
        assert_eq!(terminal.signals().take().await.pop(), Some(Signal::INT));
        assert_eq!(
            keyboard.try_read(9),
            Poll::Pending,
            "what was typed before is thrown away"
        );
        drop(screen);
    }

    #[tokio::test]
    async fn a_paste_waits_for_the_guest_and_loses_nothing() {
        let screen = GuestOutput::Log(crate::logs::LogSink::discard());
        let (terminal, streams) = Terminal::new(screen, TerminalSize::default());
        let keyboard = keyboard(&streams);
        let pasted = "some line\n".repeat(PIPE_BYTES / 5);
        let text = pasted.clone();
        let writer = terminal.writer();
        let typing = async move {
            writer.write(Bytes::from(text)).await.unwrap();
            writer.close();
        };
        let reading = async {
            let mut received = String::new();
            loop {
                std::future::poll_fn(|cx| keyboard.poll_ready(cx)).await;
                match keyboard.try_read(4096) {
                    Poll::Ready(bytes) if bytes.is_empty() => return received,
                    Poll::Ready(bytes) => received.push_str(std::str::from_utf8(&bytes).unwrap()),
                    Poll::Pending => panic!("ready means that there is something"),
                }
            }
        };
        let ((), received) = tokio::join!(typing, reading);
        assert_eq!(received, pasted);
    }
}
