//! Reading a container's log: from the files, and on as they grow.
//!
//! A reader holds one open file and, while there is something to read, one buffer of [`READ_BYTES`]. It reads with plain
//! calls: what it reads was written moments ago or lies in the page cache, and is 64 KiB at a time.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use tokio::sync::watch;
use wasmpod_lifecycle::time::Timestamp;

use super::container::{Attempts, ContainerLog};
use super::file::{Extent, LogFile, OpenGeneration};
use super::format::{self, MAX_ENTRY_BYTES};
use super::sink::Stream;

/// How much is read at once, in bytes; more than the longest entry.
pub const READ_BYTES: usize = 64 * 1024;

/// Which part of a container's log is wanted; `kubectl logs`' options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// `--follow`: wait for more until the instance ends.
    pub follow: bool,
    /// With [`follow`](Self::follow): go on with the next instance when the container is restarted, until the pod
    /// ends.
    pub restarts: bool,
    /// `--previous`: the instance before the current one; while a container waits for its restart, the one that ended.
    pub previous: bool,
    /// `--tail`: at most so many entries of what is there already.
    pub tail: Option<u64>,
    /// `--since-time`: nothing older.
    pub since: Option<Timestamp>,
}

/// What a reader gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// A line, or a part of one.
    Line(LogLine),
    /// The reader was so slow that files went which it had not read.
    Lost {
        /// How many bytes of log files it missed.
        bytes: u64,
    },
}

/// A line that a container printed, or a part of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Which instance printed it.
    pub attempt: u32,
    /// When, in RFC 3339 with nanoseconds; empty for an entry that is damaged.
    pub time: String,
    /// Where to.
    pub stream: Stream,
    /// The line goes on with the next item of this stream (or never ended).
    pub is_partial: bool,
    /// The text without its newline. It need not be UTF-8.
    pub text: Vec<u8>,
}

/// Reads one container's log.
#[derive(Debug)]
pub struct LogReader {
    log: Arc<ContainerLog>,
    options: LogOptions,
    since: Option<String>,
    attempts: watch::Receiver<Attempts>,
    current: Option<Current>,
    /// The next attempt to open; `None` when there is nothing more.
    next_attempt: Option<u32>,
}

/// The attempt that is being read.
#[derive(Debug)]
struct Current {
    file: Arc<LogFile>,
    extent: watch::Receiver<Extent>,
    open: OpenGeneration,
    /// Where the next read is, counted over all generations.
    position: u64,
    buffer: Vec<u8>,
    consumed: usize,
    /// All that was there at the last look was read.
    is_read: bool,
}

enum Filled {
    Some,
    Lost(u64),
    /// All that is there was read, and nothing more will come.
    End,
    /// All that is there was read.
    Wait,
}

impl LogReader {
    pub(super) fn new(log: Arc<ContainerLog>, options: LogOptions, attempt: Option<u32>) -> Self {
        let attempts = log.subscribe();
        let newest = log.newest();
        let next_attempt = match (attempt, newest, options.previous) {
            (Some(attempt), ..) => Some(attempt),
            (None, Some(newest), false) => Some(newest),
            (None, Some(newest), true) => newest.checked_sub(1),
            // Nothing was started yet: a follower waits for it.
            (None, None, _) => options.follow.then_some(0),
        };
        let since = options.since.map(format::stamp_of);
        Self {
            log,
            options,
            since,
            attempts,
            current: None,
            next_attempt,
        }
    }

    /// The next line; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A log file cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<LogItem>> {
        loop {
            match self.try_next()? {
                Tried::Item(item) => return Ok(Some(item)),
                Tried::End => return Ok(None),
                Tried::Nothing => self.changed().await,
            }
        }
    }

    /// The next line if it is there already. Asks the system only when there is something new.
    pub(super) fn try_next(&mut self) -> io::Result<Tried> {
        loop {
            let Some(current) = &mut self.current else {
                match self.begin_attempt()? {
                    Begun::Reading => continue,
                    Begun::Lost(bytes) => return Ok(Tried::Item(LogItem::Lost { bytes })),
                    Begun::Waiting => return Ok(Tried::Nothing),
                    Begun::Nothing => return Ok(Tried::End),
                }
            };
            while let Some(line) = current.take_line() {
                let is_wanted = self.since.as_ref().is_none_or(|since| line.time >= *since);
                if is_wanted {
                    return Ok(Tried::Item(LogItem::Line(line)));
                }
            }
            if current.is_read && !current.extent.has_changed().unwrap_or(true) {
                return Ok(Tried::Nothing);
            }
            match current.fill()? {
                Filled::Some => {}
                Filled::Lost(bytes) => return Ok(Tried::Item(LogItem::Lost { bytes })),
                Filled::Wait if self.options.follow => return Ok(Tried::Nothing),
                Filled::Wait | Filled::End => {
                    let attempt = current.file.attempt();
                    let goes_on = self.options.follow && self.options.restarts;
                    self.next_attempt = goes_on.then(|| attempt.saturating_add(1));
                    self.current = None;
                }
            }
        }
    }

    /// Resolves when there may be more than [`try_next`](Self::try_next) has found.
    pub(super) fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let extent = self.current.as_ref().map(|current| current.extent.clone());
        let mut attempts = self.attempts.clone();
        async move {
            // An error means that the writer is gone, which the next look sees as the end.
            match extent {
                Some(mut extent) => drop(extent.changed().await),
                None => drop(attempts.changed().await),
            }
        }
    }

    fn begin_attempt(&mut self) -> io::Result<Begun> {
        let Some(wanted) = self.next_attempt else {
            return Ok(Begun::Nothing);
        };
        let state = *self.attempts.borrow_and_update();
        if let Some(found) = self.log.attempt_from(wanted) {
            let skipped = found.skipped_bytes;
            let tail = self.options.tail.take();
            self.current = Some(Current::open(found.file, tail)?);
            self.next_attempt = None;
            return Ok(if skipped > 0 {
                Begun::Lost(skipped)
            } else {
                Begun::Reading
            });
        }
        if state.ended || !self.options.follow {
            self.next_attempt = None;
            return Ok(Begun::Nothing);
        }
        Ok(Begun::Waiting)
    }
}

/// What is there of a log.
pub(super) enum Tried {
    Item(LogItem),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    End,
}

enum Begun {
    Reading,
    Lost(u64),
    /// The attempt was not started yet.
    Waiting,
    Nothing,
}

impl Current {
    fn open(file: Arc<LogFile>, tail: Option<u64>) -> io::Result<Self> {
        let extent = file.subscribe();
        let open = match tail {
            None => file.open(0)?,
            Some(entries) => open_tail(&file, entries)?,
        };
        let mut current = Self {
            file,
            extent,
            position: open.start,
            open,
            buffer: Vec::new(),
            consumed: 0,
            is_read: false,
        };
        current.position = current.open.start + current.open.file.stream_position()?;
        Ok(current)
    }

    /// Takes an entry from the buffer.
    fn take_line(&mut self) -> Option<LogLine> {
        let rest = self.buffer.get(self.consumed..)?;
        let end = rest.iter().position(|b| *b == b'\n')?;
        let line = rest.get(..end)?;
        let attempt = self.file.attempt();
        let parsed = format::parse(line).map_or_else(
            || LogLine {
                attempt,
                time: String::new(),
                stream: Stream::Stdout,
                is_partial: false,
                text: line.to_vec(),
            },
            |entry| LogLine {
                attempt,
                time: entry.time.to_owned(),
                stream: entry.stream,
                is_partial: entry.is_partial,
                text: entry.text.to_vec(),
            },
        );
        self.consumed += end + 1;
        Some(parsed)
    }

    /// Reads on. What is known of the writer is looked at *before* reading, so that an empty read proves what was
    /// known then: that this generation is complete, or that the log has ended here.
    fn fill(&mut self) -> io::Result<Filled> {
        self.is_read = false;
        let extent = *self.extent.borrow_and_update();
        let newest = self.file.current_generation();
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        let have = self.buffer.len();
        // Only an entry cut off in its middle stays, and those are shorter than a read.
        self.buffer
            .resize(have.min(MAX_ENTRY_BYTES) + READ_BYTES, 0);
        let target = self.buffer.get_mut(have..).unwrap_or_default();
        let read = self.open.file.read(target);
        let count = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(have + count);
        read?;
        if count > 0 {
            self.position = self
                .position
                .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            return Ok(Filled::Some);
        }
        if newest > self.open.number {
            self.open = self.file.open(self.open.number + 1)?;
            let lost = self.open.start.saturating_sub(self.position);
            self.position = self.open.start;
            return Ok(if lost > 0 {
                Filled::Lost(lost)
            } else {
                Filled::Some
            });
        }
        if extent.ended {
            return Ok(Filled::End);
        }
        self.is_read = true;
        // A follower of a silent container keeps nothing.
        self.buffer.shrink_to_fit();
        Ok(Filled::Wait)
    }
}

/// Opens the file in which the last `entries` entries begin, at their beginning.
fn open_tail(file: &LogFile, entries: u64) -> io::Result<OpenGeneration> {
    let oldest = file.oldest_generation();
    let mut number = file.current_generation();
    let mut missing = entries;
    loop {
        let mut open = file.open(number)?;
        let end = open.file.seek(SeekFrom::End(0))?;
        if let Some(offset) = seek_back(&mut open.file, end, &mut missing)? {
            open.file.seek(SeekFrom::Start(offset))?;
            return Ok(open);
        }
        if number <= oldest || open.number != number {
            open.file.seek(SeekFrom::Start(0))?;
            return Ok(open);
        }
        number -= 1;
    }
}

/// Looks for the offset before which no more than `missing` entries lie; `None` if the file has not that many.
fn seek_back(file: &mut std::fs::File, end: u64, missing: &mut u64) -> io::Result<Option<u64>> {
    if *missing == 0 {
        return Ok(Some(end));
    }
    let mut block = [0; 4096];
    let mut at = end;
    while at > 0 {
        let len = at.min(4096);
        at -= len;
        file.seek(SeekFrom::Start(at))?;
        let part = block
            .get_mut(..usize::try_from(len).unwrap_or(0))
            .unwrap_or_default();
        file.read_exact(part)?;
        let mut offset = at + len;
        for byte in part.iter().rev() {
            offset -= 1;
            // The newline at the very end closes the last entry.
            if *byte == b'\n' && offset + 1 != end {
                *missing -= 1;
                if *missing == 0 {
                    return Ok(Some(offset + 1));
                }
            }
        }
    }
    *missing = missing.saturating_sub(u64::from(end > 0));
    Ok((*missing == 0).then_some(0))
}
