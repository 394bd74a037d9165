//! Several logs as one: what containers say to each other's answers, in the order in which they said it.
//!
//! Each container has its own file, and a file has its lines in order; what is missing is the order between files.
//! Every line carries the moment at which the guest wrote it, but a line that one reader finds says nothing about what
//! another reader, which was asked a little earlier, would find now. So the readers are asked twice: what the first
//! round found may be told, in order of time, once a second round has found everything that is older. A line is thus
//! never held back for a time, only for a second look.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::reader::{LogItem, LogReader, Tried};

/// How many lines of one log are held at most while older ones of others are looked for; beyond that it is not read
/// on, and its lines stay in their file.
pub const MAX_HELD_LINES: usize = 256;

/// Reads several logs; each is known by a key.
pub struct MergedLogs<K> {
    sources: Vec<Source<K>>,
    /// Older than everything that is still to be read.
    due: VecDeque<(K, io::Result<LogItem>)>,
    /// Gives the number of a log that has something new; one for each log that is waited for.
    waiting: FuturesUnordered<BoxFuture<'static, u64>>,
    added: u64,
}

struct Source<K> {
    number: u64,
    key: K,
    reader: LogReader,
    held: VecDeque<Held>,
    state: State,
    /// A future in `waiting` tells when there is more.
    is_waited_for: bool,
    /// The time of its last line. Times go no way back in one log, whatever the host's clock does.
    newest: String,
}

struct Held {
    time: String,
    item: io::Result<LogItem>,
    /// Found in an earlier round than the last.
    is_old: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is more to read than may be held.
    More,
    /// All was read that was there.
    Read,
    Ended,
}

impl<K: Clone> MergedLogs<K> {
    /// No logs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sources: Vec::new(),
            due: VecDeque::new(),
            waiting: FuturesUnordered::new(),
            added: 0,
        }
    }

    /// Every log has ended, and all was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.due.is_empty()
    }

    /// Reads this log as well.
    pub fn add(&mut self, key: K, reader: LogReader) {
        self.added += 1;
        self.sources.push(Source {
            number: self.added,
            key,
            reader,
            held: VecDeque::new(),
            state: State::Read,
            is_waited_for: false,
            newest: String::new(),
        });
    }

    /// The next line of any log, or the error with which one of them ends; `None` when all have ended. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<(K, io::Result<LogItem>)> {
        loop {
            if let Some(item) = self.due.pop_front() {
                return Some(item);
            }
            for source in &mut self.sources {
                source.look();
            }
            self.find_due();
            self.sources
                .retain(|source| source.state != State::Ended || !source.held.is_empty());
            if self.sources.iter().all(|source| source.held.is_empty()) && self.due.is_empty() {
                if self.sources.is_empty() {
                    return None;
                }
                self.wait().await;
            }
        }
    }

    /// Waits until any log has something new.
    async fn wait(&mut self) {
        for source in &mut self.sources {
            if !source.is_waited_for {
                source.is_waited_for = true;
                let (number, changed) = (source.number, source.reader.changed());
                self.waiting.push(Box::pin(async move {
                    changed.await;
                    number
                }));
            }
        }
        if let Some(number) = self.waiting.next().await
            && let Some(source) = self.sources.iter_mut().find(|s| s.number == number)
        {
            source.is_waited_for = false;
        }
    }

    /// Takes what no log can have anything older than.
    fn find_due(&mut self) {
        // What an earlier round found, as far as those logs are known that were not read to their ends.
        let old = self.sources.iter().flat_map(|source| &source.held);
        let old = old.filter(|held| held.is_old).map(|held| &held.time).max();
        let cut = self.sources.iter().filter(|s| s.state == State::More);
        let Some(until) = cut
            .map(|source| &source.newest)
            .chain(old)
            .min()
            .filter(|_| old.is_some())
            .cloned()
        else {
            self.all_are_old();
            return;
        };
        let mut due = Vec::new();
        for source in &mut self.sources {
            while let Some(held) = source.held.pop_front_if(|held| held.time <= until) {
                due.push((held.time, source.key.clone(), held.item));
            }
        }
        // Stable: what one log said at the same moment stays in its order.
        due.sort_by(|(left, ..), (right, ..)| left.cmp(right));
        self.due
            .extend(due.into_iter().map(|(_, key, item)| (key, item)));
        self.all_are_old();
    }

    fn all_are_old(&mut self) {
        for held in self.sources.iter_mut().flat_map(|s| &mut s.held) {
            held.is_old = true;
        }
    }
}

impl<K> fmt::Debug for MergedLogs<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergedLogs")
            .field("logs", &self.sources.len())
            .field("due", &self.due.len())
            .finish_non_exhaustive()
    }
}

impl<K: Clone> Default for MergedLogs<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Source<K> {
    /// Takes what is there.
    fn look(&mut self) {
        while self.state != State::Ended {
            if self.held.len() >= MAX_HELD_LINES {
                self.state = State::More;
                break;
            }
            match self.reader.try_next() {
                Ok(Tried::Item(item)) => self.hold(Ok(item)),
                Ok(Tried::Nothing) => {
                    self.state = State::Read;
                    break;
                }
                Ok(Tried::End) => self.state = State::Ended,
                Err(error) => {
                    self.hold(Err(error));
                    self.state = State::Ended;
                }
            }
        }
    }

    fn hold(&mut self, item: io::Result<LogItem>) {
        if let Ok(LogItem::Line(line)) = &item
            && line.time > self.newest
        {
            self.newest.clone_from(&line.time);
        }
        self.held.push_back(Held {
            time: self.newest.clone(),
            item,
            is_old: false,
        });
    }
}
