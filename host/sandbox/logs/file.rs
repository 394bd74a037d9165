//! The log of one container attempt: the file that is written, and those that were rotated away.
//!
//! `ATTEMPT.log` is the current file; at [`MAX_LOG_FILE_BYTES`] it becomes `ATTEMPT.log.GENERATION` and a new one is
//! begun; of each attempt the newest [`MAX_LOG_FILES`] files are kept. Writers and readers meet in the file system:
//! a reader that is slow costs the guest nothing and no memory, and one that is too slow is told how many bytes it
//! missed ([`super::LogItem::Lost`]).
//!
//! Every write goes to the operating system at once. Only a line that has no end yet is kept in memory (at most
//! [`MAX_ENTRY_TEXT_BYTES`](super::MAX_ENTRY_TEXT_BYTES) for each stream), as the format wants whole entries; it is
//! written when its container ends.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::format::{MAX_ENTRY_BYTES, MAX_ENTRY_TEXT_BYTES, Stamper};
use super::sink::Stream;
use crate::clock::Clock;

/// At this size a log file is rotated, in bytes: the kubelet's `containerLogMaxSize`.
pub const MAX_LOG_FILE_BYTES: u64 = 10 * 1024 * 1024;
/// How many files are kept of each attempt, the current one included: the kubelet's `containerLogMaxFiles`. The
/// oldest is removed.
pub const MAX_LOG_FILES: usize = 5;
/// So much is formatted before it is written, in bytes: one `write(2)` for many lines, without much memory for it.
const WRITE_BATCH_BYTES: usize = 128 * 1024;

/// The size and number of an attempt's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// The largest size of one file, in bytes.
    pub file_bytes: u64,
    /// The most files; at least 1.
    pub files: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            file_bytes: MAX_LOG_FILE_BYTES,
            files: MAX_LOG_FILES,
        }
    }
}

/// How far a log is; what readers wait on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes ever written, over all generations.
    pub(super) total: u64,
    /// Nothing more will come.
    pub(super) ended: bool,
}

/// The log of one attempt.
#[derive(Debug)]
pub struct LogFile {
    dir: PathBuf,
    attempt: u32,
    limits: LogLimits,
    clock: Clock,
    state: Mutex<State>,
    extent: watch::Sender<Extent>,
}

#[derive(Debug)]
struct State {
    /// The current generation's file; made with the first entry, since most containers print nothing when they start
    /// and a file costs more than all else about a log.
    file: Option<File>,
    size: u64,
    /// The kept generations, oldest first, each with the number of bytes before it. The last is the current one.
    generations: VecDeque<Generation>,
    total: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    batch: Vec<u8>,
    stamper: Stamper,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Generation {
    number: u64,
    start: u64,
}

/// A file that a reader may read.
#[derive(Debug)]
pub(super) struct OpenGeneration {
    pub(super) file: File,
    pub(super) number: u64,
    /// Bytes of the attempt before this file.
    pub(super) start: u64,
}

impl LogFile {
    /// Begins the log of an attempt in `dir`, which exists. Its file is made with its first entry; if that cannot be,
    /// the entry is dropped as one for which the disk has no room.
    #[must_use]
    pub fn begin(dir: &Path, attempt: u32, limits: LogLimits, clock: Clock) -> Self {
        let state = State {
            file: None,
            size: 0,
            generations: VecDeque::from([Generation {
                number: 0,
                start: 0,
            }]),
            total: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            batch: Vec::new(),
            stamper: Stamper::default(),
            dropped: 0,
        };
        let dir = dir.to_owned();
        let extent = watch::Sender::new(Extent::default());
        Self {
            dir,
            attempt,
            limits,
            clock,
            state: Mutex::new(state),
            extent,
        }
    }

    /// The number of the attempt.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The file that is written now.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.attempt))
    }

    /// How many bytes could not be stored, e.g. because the disk was full.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        self.lock().dropped
    }

    /// Nothing more will come.
    pub(super) fn has_ended(&self) -> bool {
        self.extent.borrow().ended
    }

    /// How much of the host's disk the kept files take, in bytes.
    pub(super) fn stored_bytes(&self) -> u64 {
        let state = self.lock();
        let gone = state.generations.front().map_or(0, |oldest| oldest.start);
        state.total.saturating_sub(gone)
    }

    /// Takes what a guest has written.
    pub(super) fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let _: &str = state.stamper.stamp(self.clock.since_1970());
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = state.take_line(stream, rest);
            if state.batch.len() >= WRITE_BATCH_BYTES {
                self.store(state);
            }
        }
        if !state.batch.is_empty() {
            self.store(state);
        }
    }

    /// The container has ended: writes what has no newline, as the unfinished line that it is.
    pub fn end(&self) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let _: &str = state.stamper.stamp(self.clock.since_1970());
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !state.kept(stream).is_empty() {
                state.push_entry(stream, true, &[]);
            }
        }
        self.store(state);
        self.extent.send_modify(|extent| extent.ended = true);
    }

    /// Removes all files. Readers that have one open read it to its end.
    pub(super) fn remove(&self) {
        let state = self.lock();
        for generation in &state.generations {
            // Best effort: the whole directory goes with the pod.
            drop(fs::remove_file(
                self.generation_path(&state, generation.number),
            ));
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Extent> {
        self.extent.subscribe()
    }

    pub(super) fn current_generation(&self) -> u64 {
        self.lock().current()
    }

    pub(super) fn oldest_generation(&self) -> u64 {
        self.lock().generations.front().map_or(0, |g| g.number)
    }

    /// Opens a generation, or the oldest one that is kept if it is gone. Under the lock, so that no rotation renames
    /// the file meanwhile.
    pub(super) fn open(&self, number: u64) -> io::Result<OpenGeneration> {
        let mut state = self.lock();
        let kept = state.generations.iter().find(|g| g.number >= number);
        let Generation { number, start } = kept.copied().ok_or(io::ErrorKind::NotFound)?;
        self.file(&mut state)?;
        let file = File::open(self.generation_path(&state, number))?;
        Ok(OpenGeneration {
            file,
            number,
            start,
        })
    }

    /// The current file, made if it is not there yet.
    fn file<'a>(&self, state: &'a mut State) -> io::Result<&'a mut File> {
        match &mut state.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(File::create(self.path())?)),
        }
    }

    fn generation_path(&self, state: &State, number: u64) -> PathBuf {
        if number == state.current() {
            self.path()
        } else {
            self.dir.join(format!("{}.log.{number}", self.attempt))
        }
    }

    /// Writes the batch, into a new file if this one is full.
    fn store(&self, state: &mut State) {
        if state.batch.is_empty() {
            return;
        }
        let len = u64::try_from(state.batch.len()).unwrap_or(u64::MAX);
        let is_full = state.size > 0 && state.size.saturating_add(len) > self.limits.file_bytes;
        let batch = std::mem::take(&mut state.batch);
        let stored = if is_full { self.rotate(state) } else { Ok(()) }
            .and_then(|()| self.file(state)?.write_all(&batch));
        state.batch = batch;
        match stored {
            Ok(()) => {
                state.size += len;
                state.total += len;
            }
            Err(_) => {
                // Cut what may have been written of it, so that the next entry begins on a line of its own.
                if let Some(file) = &mut state.file {
                    drop(file.set_len(state.size));
                    drop(io::Seek::seek(file, io::SeekFrom::Start(state.size)));
                }
                state.dropped = state.dropped.saturating_add(len);
            }
        }
        state.batch.clear();
        self.extent.send_modify(|extent| extent.total = state.total);
    }

    fn rotate(&self, state: &mut State) -> io::Result<()> {
        let old = state.current();
        let rotated = self.dir.join(format!("{}.log.{old}", self.attempt));
        fs::rename(self.path(), &rotated)?;
        match File::create(self.path()) {
            Ok(file) => state.file = Some(file),
            Err(error) => {
                drop(fs::rename(&rotated, self.path()));
                return Err(error);
            }
        }
        state.size = 0;
        state.generations.push_back(Generation {
            number: old + 1,
            start: state.total,
        });
        while state.generations.len() > self.limits.files.max(1) {
            if let Some(oldest) = state.generations.pop_front() {
                let path = self
                    .dir
                    .join(format!("{}.log.{}", self.attempt, oldest.number));
                drop(fs::remove_file(path));
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn current(&self) -> u64 {
        self.generations.back().map_or(0, |g| g.number)
    }

    /// The line of a stream that has no end yet.
    fn kept(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Takes one line, or a part of one, from the front of `bytes`; gives the rest.
    fn take_line<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> &'a [u8] {
        let kept = self.kept(stream);
        let room = MAX_ENTRY_TEXT_BYTES.saturating_sub(kept.len());
        let window = bytes.get(..=room).unwrap_or(bytes);
        if let Some(end) = window.iter().position(|b| *b == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.push_entry(stream, false, line);
            rest.get(1..).unwrap_or_default()
        } else if bytes.len() >= room {
            let (part, rest) = bytes.split_at(room);
            self.push_entry(stream, true, part);
            rest
        } else {
            kept.extend_from_slice(bytes);
            &[]
        }
    }

    fn push_entry(&mut self, stream: Stream, is_partial: bool, text: &[u8]) {
        let kept = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        self.batch
            .reserve(MAX_ENTRY_BYTES.min(kept.len() + text.len() + 64));
        self.batch.extend_from_slice(self.stamper.last().as_bytes());
        self.batch.push(b' ');
        self.batch.extend_from_slice(stream.as_str().as_bytes());
        self.batch
            .extend_from_slice(if is_partial { b" P " } else { b" F " });
        self.batch.append(kept);
        self.batch.extend_from_slice(text);
        self.batch.push(b'\n');
    }
}
