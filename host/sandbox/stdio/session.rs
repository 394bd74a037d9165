//! What a client of `exec` or `attach` holds, and how its streams are joined with those of the guest.

use std::convert::Infallible;

use tokio::sync::{oneshot, watch};

use super::input::{GuestInput, InputWriter, input};
use super::output::{GuestOutput, OutputReader, output};
use super::terminal::{Terminal, TerminalSize};
use crate::logs::LogSink;
use crate::port::Exit;

/// A command to be run beside a container: `PodExecOptions` of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Whether the client sends standard input.
    pub stdin: bool,
    /// Whether the client wants standard output.
    pub stdout: bool,
    /// Whether the client wants standard error; with a terminal it is part of standard output.
    pub stderr: bool,
    /// Whether the streams are a terminal.
    pub tty: bool,
}

/// A look into a running container: `PodAttachOptions` of Kubernetes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachRequest {
    /// Whether the client sends standard input.
    pub stdin: bool,
    /// Whether the client wants standard output.
    pub stdout: bool,
    /// Whether the client wants standard error.
    pub stderr: bool,
    /// Whether the client believes that the container has a terminal.
    pub tty: bool,
}

/// The guest's ends of its standard streams.
#[derive(Clone, Debug)]
pub struct GuestStreams {
    /// Descriptor 0.
    pub stdin: GuestInput,
    /// Descriptor 1.
    pub stdout: GuestOutput,
    /// Descriptor 2.
    pub stderr: GuestOutput,
    /// The terminal that the three are, if they are one.
    pub terminal: Option<Terminal>,
}

/// The client's ends of a guest's standard streams.
#[derive(Debug)]
pub struct ClientStreams {
    /// Into the guest; `None` if the client sends nothing.
    pub input: Option<InputWriter>,
    /// Out of the guest.
    pub output: OutputReader,
    /// The terminal, if there is one.
    pub terminal: Option<Terminal>,
}

/// Makes the streams of a command that is run for a client.
#[must_use]
pub fn exec_streams(request: &ExecRequest) -> (GuestStreams, ClientStreams) {
    let (writers, output) = output();
    let kept = |wanted, writer| {
        if wanted {
            GuestOutput::Pipe(writer)
        } else {
            GuestOutput::Log(LogSink::discard())
        }
    };
    let stdout = kept(request.stdout, writers.stdout);
    if request.tty {
        drop(writers.stderr);
        let (terminal, mut guest) = Terminal::new(stdout, TerminalSize::default());
        let keyboard = request.stdin.then(|| terminal.writer());
        if keyboard.is_none() {
            guest.stdin = GuestInput::Empty;
        }
        return (
            guest,
            ClientStreams {
                input: keyboard,
                output,
                terminal: Some(terminal),
            },
        );
    }
    let stderr = kept(request.stderr, writers.stderr);
    let (stdin, input) = if request.stdin {
        let (writer, reader) = input();
        (GuestInput::Pipe(reader), Some(writer))
    } else {
        (GuestInput::Empty, None)
    };
    let guest = GuestStreams {
        stdin,
        stdout,
        stderr,
        terminal: None,
    };
    (
        guest,
        ClientStreams {
            input,
            output,
            terminal: None,
        },
    )
}

/// A client's side of a running guest.
///
/// Of `exec` it is the life of the instance too: whoever made it hears that it was dropped, and ends the instance.
#[derive(Debug)]
pub struct Session {
    /// Into the guest; taking and dropping it is the end of its input.
    pub input: Option<InputWriter>,
    /// Out of the guest.
    pub output: OutputReader,
    end: SessionEnd,
}

/// The part of a [`Session`] that is no stream.
#[derive(Debug)]
pub struct SessionEnd {
    terminal: Option<Terminal>,
    exit: watch::Receiver<Option<Exit>>,
    _held: Option<oneshot::Receiver<Infallible>>,
}

impl Session {
    /// A session on `streams` whose guest's end will be told through `exit`. The sender of `held` learns from
    /// [`oneshot::Sender::closed`] that the client is gone.
    #[must_use]
    pub fn new(
        streams: ClientStreams,
        exit: watch::Receiver<Option<Exit>>,
        held: Option<oneshot::Receiver<Infallible>>,
    ) -> Self {
        let ClientStreams {
            input,
            output,
            terminal,
        } = streams;
        Self {
            input,
            output,
            end: SessionEnd {
                terminal,
                exit,
                _held: held,
            },
        }
    }

    /// Sets the size of the terminal's window; without a terminal it does nothing.
    pub fn resize(&self, size: TerminalSize) {
        self.end.resize(size);
    }

    /// Resolves when the guest has ended. Its output may still hold what it printed last.
    pub async fn exit(&mut self) -> Exit {
        self.end.exit().await
    }

    /// Takes the session apart, so that its streams and its end can be used at the same time.
    #[must_use]
    pub fn split(self) -> (Option<InputWriter>, OutputReader, SessionEnd) {
        (self.input, self.output, self.end)
    }
}

impl SessionEnd {
    /// As [`Session::resize`].
    pub fn resize(&self, size: TerminalSize) {
        if let Some(terminal) = &self.terminal {
            terminal.resize(size);
        }
    }

    /// As [`Session::exit`].
    pub async fn exit(&mut self) -> Exit {
        let ended = self.exit.wait_for(Option::is_some).await;
        let exit = ended.ok().and_then(|exit| exit.clone());
        // Whoever would have told the end was dropped with the pod.
        exit.unwrap_or_else(Exit::killed)
    }

    /// Whether the session has a terminal.
    #[must_use]
    pub const fn has_terminal(&self) -> bool {
        self.terminal.is_some()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::logs::Stream;

    #[tokio::test]
    async fn the_streams_of_a_command_are_joined_as_the_client_asked() {
        let request = ExecRequest {
            stdout: true,
            ..ExecRequest::default()
        };
        let (guest, mut client) = exec_streams(&request);
        assert!(client.input.is_none() && matches!(guest.stdin, GuestInput::Empty));
        guest.stdout.write_all(b"out").await.unwrap();
        guest.stderr.write_all(b"dropped").await.unwrap();
        drop(guest);
        assert_eq!(
            client.output.next().await,
            Some((Stream::Stdout, Bytes::from_static(b"out")))
        );
        assert_eq!(client.output.next().await, None);
    }

    #[tokio::test]
    async fn a_terminal_ends_with_its_guest() {
        let request = ExecRequest {
            stdin: true,
            stdout: true,
            tty: true,
            ..ExecRequest::default()
        };
        let (guest, client) = exec_streams(&request);
        let (tell, exit) = watch::channel(None);
        let session = Session::new(client, exit, None);
        guest.stderr.write_all(b"to the screen\n").await.unwrap();
        drop(guest);
        tell.send_replace(Some(Exit::with_code(3)));
        let (input, mut output, mut end) = session.split();
        assert_eq!(
            output.next().await,
            Some((Stream::Stdout, Bytes::from_static(b"to the screen\r\n")))
        );
        assert_eq!(output.next().await, None);
        assert_eq!(end.exit().await.code, 3);
        assert!(
            input
                .unwrap()
                .write(Bytes::from_static(b"x"))
                .await
                .is_err(),
            "nobody reads any more"
        );
    }

    #[tokio::test]
    async fn dropping_a_session_is_heard() {
        let (_, client) = exec_streams(&ExecRequest::default());
        let (mut held, holding) = oneshot::channel();
        let (_tell, exit) = watch::channel(None);
        let session = Session::new(client, exit, Some(holding));
        drop(session);
        held.closed().await;
    }
}
