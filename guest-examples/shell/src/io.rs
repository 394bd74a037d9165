//! What a file descriptor of the shell can be, and how bytes move: files, pipes between tasks, here-documents,
//! captured output, and the guest's own three streams.
//!
//! WASI has no dup, so a descriptor is a shared handle of ours; the number is only a key in a table.
//! Every buffer is bounded, but those whose size the script itself decides: a captured `$(…)`, a line.

use crate::rt;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::rc::Rc;

/// Bytes that a pipe holds before its writer waits (pipe(7) has 64 KiB; a shell's lines need less).
pub const PIPE_BYTES: usize = 16 * 1024;
/// Bytes taken from a file or from stdin at once.
pub const READ_BYTES: usize = 16 * 1024;

/// An open file description; clones share it, as after dup(2).
#[derive(Clone)]
pub enum Fd {
    /// The guest's stdin.
    Stdin(Rc<Input>),
    /// The guest's stdout.
    Stdout,
    /// The guest's stderr.
    Stderr,
    /// A file, for reading (through the buffer) or for writing.
    File(Rc<File>, Rc<Input>),
    /// The end of a pipe that is read.
    Reader(Rc<PipeReader>, Rc<Input>),
    /// The end of a pipe that is written.
    Writer(Rc<PipeWriter>),
    /// The text of a here-document.
    Text(Rc<Input>),
    /// What `$(…)` captures.
    Capture(Rc<RefCell<Vec<u8>>>),
    /// `/dev/null`.
    Null,
}

/// What has been read and not yet been used, and whether the end has been seen.
#[derive(Default)]
pub struct Input {
    bytes: RefCell<Vec<u8>>,
    ended: Cell<bool>,
}

#[derive(Default)]
struct Pipe {
    bytes: RefCell<Vec<u8>>,
    readers_gone: Cell<bool>,
    writers_gone: Cell<bool>,
}

/// The reading end; when the last clone is dropped, writers get EPIPE.
pub struct PipeReader(Rc<Pipe>);
/// The writing end; when the last clone is dropped, the reader sees the end.
pub struct PipeWriter(Rc<Pipe>);

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.readers_gone.set(true);
        rt::progress();
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.writers_gone.set(true);
        rt::progress();
    }
}

/// A pipe: its end for reading and its end for writing.
pub fn pipe() -> (Fd, Fd) {
    let pipe = Rc::new(Pipe::default());
    let reader = Fd::Reader(Rc::new(PipeReader(Rc::clone(&pipe))), Rc::default());
    (reader, Fd::Writer(Rc::new(PipeWriter(pipe))))
}

impl Fd {
    /// A descriptor of an opened file.
    pub fn file(file: File) -> Self {
        Self::File(Rc::new(file), Rc::default())
    }

    /// A descriptor from which `text` is read.
    pub fn text(text: Vec<u8>) -> Self {
        Self::Text(Rc::new(Input {
            bytes: RefCell::new(text),
            ended: Cell::new(true),
        }))
    }

    /// Writes all of `bytes`, giving way while a pipe is full.
    ///
    /// # Errors
    /// `BrokenPipe` when nobody reads any more; what the host says of a file; EBADF for an end that is only read.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(bytes),
            Self::File(file, _) => (&**file).write_all(bytes),
            Self::Capture(buffer) => {
                buffer.borrow_mut().extend_from_slice(bytes);
                Ok(())
            }
            Self::Null => Ok(()),
            Self::Writer(end) => {
                let pipe = &end.0;
                for part in bytes.chunks(PIPE_BYTES) {
                    rt::wait(|| pipe.readers_gone.get() || pipe.bytes.borrow().len() < PIPE_BYTES)
                        .await;
                    if pipe.readers_gone.get() {
                        return Err(ErrorKind::BrokenPipe.into());
                    }
                    pipe.bytes.borrow_mut().extend_from_slice(part);
                    rt::progress();
                }
                Ok(())
            }
            Self::Stdin(_) | Self::Reader(..) | Self::Text(_) => Err(bad_descriptor()),
        }
    }

    /// Whether nobody will ever read what is written.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Writer(end) if end.0.readers_gone.get())
    }

    /// Whether this is the container's terminal.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Stdin(_) => io::stdin().is_terminal(),
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
            _ => false,
        }
    }

    fn input(&self) -> io::Result<&Input> {
        match self {
            Self::Stdin(input)
            | Self::File(_, input)
            | Self::Reader(_, input)
            | Self::Text(input) => Ok(input),
            Self::Stdout | Self::Stderr | Self::Writer(_) | Self::Capture(_) | Self::Null => {
                Err(bad_descriptor())
            }
        }
    }

    /// Reads more into the buffer; false at the end. A file's end can move: asking again may give more.
    async fn fill(&self) -> io::Result<bool> {
        let input = self.input()?;
        let mut block = vec![0; READ_BYTES];
        let count = match self {
            Self::Stdin(_) if !input.ended.get() => {
                crate::signals::input_ready().await;
                io::stdin().lock().read(&mut block)?
            }
            Self::File(file, _) => (&**file).read(&mut block)?,
            Self::Reader(end, _) => {
                let pipe = &end.0;
                rt::wait(|| pipe.writers_gone.get() || !pipe.bytes.borrow().is_empty()).await;
                block = pipe.bytes.take();
                rt::progress();
                block.len()
            }
            _ => 0,
        };
        // The end that is typed at a terminal passes.
        if count == 0 && !self.is_terminal() {
            input.ended.set(true);
        }
        input
            .bytes
            .borrow_mut()
            .extend_from_slice(block.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    /// Whether a read can be answered at once, without asking the host or another task.
    pub fn has_buffered(&self) -> bool {
        self.input()
            .is_ok_and(|input| !input.bytes.borrow().is_empty())
    }

    /// Some bytes, or nothing at the end.
    ///
    /// # Errors
    /// What the host says; EBADF for an end that is only written.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        if matches!(self, Self::Null) {
            return Ok(Vec::new());
        }
        if !self.has_buffered() {
            self.fill().await?;
        }
        Ok(self.input()?.bytes.take())
    }

    /// One line with its newline, the last one perhaps without; nothing at the end. Leaves what follows in the buffer,
    /// which other users of this description read next.
    ///
    /// # Errors
    /// As [`Fd::read`].
    pub async fn read_until(&self, delimiter: u8) -> io::Result<Vec<u8>> {
        if matches!(self, Self::Null) {
            return Ok(Vec::new());
        }
        let mut searched = 0;
        loop {
            let input = self.input()?;
            let length = input.bytes.borrow().len();
            let found = input
                .bytes
                .borrow()
                .iter()
                .skip(searched)
                .position(|&byte| byte == delimiter);
            if let Some(at) = found {
                let rest = input.bytes.borrow_mut().split_off(searched + at + 1);
                return Ok(input.bytes.replace(rest));
            }
            searched = length;
            if !self.fill().await? {
                return Ok(input.bytes.take());
            }
        }
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`Fd::read`].
    pub async fn read_to_end(&self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let part = self.read().await?;
            if part.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&part);
        }
    }

    /// Puts bytes back in front of what is read next.
    pub fn unread(&self, bytes: &[u8]) {
        if let Ok(input) = self.input() {
            input.bytes.borrow_mut().splice(0..0, bytes.iter().copied());
        }
    }
}

fn bad_descriptor() -> io::Error {
    io::Error::other("Bad file descriptor")
}

/// The message for an error as C's strerror(3) has it, without Rust's "(os error N)".
pub fn strerror(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "No such file or directory".into(),
        ErrorKind::PermissionDenied => match error.raw_os_error() {
            Some(76 | 1) if cfg!(not(target_os = "linux")) || error.raw_os_error() == Some(1) => {
                "Operation not permitted".into()
            }
            _ => "Permission denied".into(),
        },
        ErrorKind::AlreadyExists => "File exists".into(),
        ErrorKind::IsADirectory => "Is a directory".into(),
        ErrorKind::NotADirectory => "Not a directory".into(),
        ErrorKind::DirectoryNotEmpty => "Directory not empty".into(),
        ErrorKind::ReadOnlyFilesystem => "Read-only file system".into(),
        ErrorKind::StorageFull => "No space left on device".into(),
        ErrorKind::BrokenPipe => "Broken pipe".into(),
        ErrorKind::ConnectionRefused => "Connection refused".into(),
        ErrorKind::ConnectionReset => "Connection reset by peer".into(),
        ErrorKind::TimedOut => "Connection timed out".into(),
        ErrorKind::InvalidInput => "Invalid argument".into(),
        ErrorKind::CrossesDevices => "Invalid cross-device link".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or_default()
                .to_owned()
        }
    }
}
