//! The standard streams of guests: what stands behind descriptors 0, 1 and 2, and the other ends of them.
//!
//! A guest reads from a [`GuestInput`] and writes to a [`GuestOutput`]; `exec` and `attach` give the other ends to a
//! client as a [`Session`]. With a terminal both go through the line discipline of a [`Terminal`]. Everything between
//! the two sides is bounded and moves without a task of its own: a full pipe makes the writing side wait (pipe(7)), an
//! abandoned one gives it an error (`EPIPE`), and nothing that was accepted is lost while the reader lives.
//!
//! What this module does not do: decide who may attach (that is the driver), or know how a guest makes a system call
//! (that is `runtime`).

mod discipline;
mod input;
mod output;
mod session;
mod terminal;
mod wakers;
mod writers;

pub use discipline::{MAX_CANONICAL_BYTES, TerminalModes, TerminalSignal};
pub use input::{GuestInput, InputReader, InputWriter, PIPE_BYTES, input};
pub use output::{
    Attachments, ContainerOutput, GuestOutput, OutputReader, OutputWriter, OutputWriters, output,
};
pub use session::{
    AttachRequest, ClientStreams, ExecRequest, GuestStreams, Session, SessionEnd, exec_streams,
};
pub use terminal::{Screen, Terminal, TerminalSize};

/// The other end of a stream is gone: `EPIPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end of the stream is closed")]
pub struct Closed;
