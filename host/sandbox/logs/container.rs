//! The logs of a pod and of its containers: which files there are, and when they go.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::file::{LogFile, LogLimits};
use super::reader::{LogOptions, LogReader};
use crate::clock::Clock;
use crate::port::PodIdentity;

/// How many attempts of a container keep their log: the current one, and for `--previous` the one before; the
/// kubelet's `maximum-dead-containers-per-container`.
pub const MAX_LOGGED_ATTEMPTS: usize = 2;

/// The logs of one pod, in `LOG_DIR/NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log` as the kubelet has them.
///
/// The directory is removed when the last handle to the pod is gone; readers that were opened before read on.
#[derive(Debug)]
pub struct PodLogs {
    dir: PathBuf,
    containers: BTreeMap<String, Arc<ContainerLog>>,
}

/// What readers of a container's log wait on when they have read an attempt to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    started: u32,
    /// The pod has ended: no attempt follows.
    pub(super) ended: bool,
}

/// The logs of one container.
#[derive(Debug)]
pub struct ContainerLog {
    dir: PathBuf,
    limits: LogLimits,
    clock: Clock,
    kept: Mutex<VecDeque<Kept>>,
    attempts: watch::Sender<Attempts>,
}

#[derive(Clone, Debug)]
struct Kept {
    file: Arc<LogFile>,
    /// Bytes of the attempts before this one.
    start: u64,
}

pub(super) struct Found {
    pub(super) file: Arc<LogFile>,
    /// What the attempts had written that were wanted and are gone.
    pub(super) skipped_bytes: u64,
}

impl PodLogs {
    /// Makes the directories.
    ///
    /// # Errors
    /// The host's file system refuses.
    pub fn create<'a>(
        log_dir: &Path,
        pod: &PodIdentity,
        containers: impl IntoIterator<Item = &'a str>,
        limits: LogLimits,
        clock: Clock,
    ) -> io::Result<Self> {
        let dir = log_dir.join(format!("{}_{}_{}", pod.namespace, pod.name, pod.uid));
        let mut logs = Self {
            dir,
            containers: BTreeMap::new(),
        };
        for name in containers {
            let dir = logs.dir.join(name);
            fs::create_dir_all(&dir)?;
            let kept = Mutex::default();
            let attempts = watch::Sender::new(Attempts::default());
            let log = ContainerLog {
                dir,
                limits,
                clock,
                kept,
                attempts,
            };
            logs.containers.insert(name.to_owned(), Arc::new(log));
        }
        Ok(logs)
    }

    /// The logs of one container of the pod.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Arc<ContainerLog>> {
        self.containers.get(name)
    }

    /// The pod has ended: followers come to their end.
    pub fn end(&self) {
        for log in self.containers.values() {
            if let Some(last) = log.lock().back() {
                last.file.end();
            }
            log.attempts.send_modify(|attempts| attempts.ended = true);
        }
    }
}

impl Drop for PodLogs {
    fn drop(&mut self) {
        // What is left lies in the state directory, where the next start of the program clears it away.
        drop(fs::remove_dir_all(&self.dir));
    }
}

impl ContainerLog {
    /// The log of an attempt: begun, or gone on with when its start had failed and is tried again. The log of the
    /// attempt before is ended, and those before that are removed.
    pub fn begin(&self, attempt: u32) -> Arc<LogFile> {
        let mut kept = self.lock();
        if let Some(last) = kept.back() {
            if last.file.attempt() == attempt {
                return Arc::clone(&last.file);
            }
            last.file.end();
        }
        let file = Arc::new(LogFile::begin(&self.dir, attempt, self.limits, self.clock));
        let start = kept
            .back()
            .map_or(0, |last| last.start + last.file.subscribe().borrow().total);
        kept.push_back(Kept {
            file: Arc::clone(&file),
            start,
        });
        while kept.len() > MAX_LOGGED_ATTEMPTS {
            if let Some(old) = kept.pop_front() {
                old.file.remove();
            }
        }
        drop(kept);
        self.attempts.send_modify(|attempts| attempts.started += 1);
        file
    }

    /// The newest attempt whose log has ended.
    #[must_use]
    pub fn last_ended(&self) -> Option<u32> {
        let kept = self.lock();
        let mut ended = kept.iter().rev().filter(|kept| kept.file.has_ended());
        ended.next().map(|kept| kept.file.attempt())
    }

    /// How much of the host's disk the attempts' files take, in bytes.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.lock()
            .iter()
            .map(|kept| kept.file.stored_bytes())
            .sum()
    }

    /// Opens a reader.
    #[must_use]
    pub fn read(self: &Arc<Self>, options: LogOptions) -> LogReader {
        LogReader::new(Arc::clone(self), options, None)
    }

    /// Opens a reader that begins with `attempt` if its log is kept, whatever the options say of previous ones.
    #[must_use]
    pub fn read_attempt(self: &Arc<Self>, attempt: u32, options: LogOptions) -> LogReader {
        LogReader::new(Arc::clone(self), options, Some(attempt))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Attempts> {
        self.attempts.subscribe()
    }

    pub(super) fn newest(&self) -> Option<u32> {
        self.lock().back().map(|kept| kept.file.attempt())
    }

    /// The log of `attempt`, or of the first one after it that is kept.
    pub(super) fn attempt_from(&self, attempt: u32) -> Option<Found> {
        let kept = self.lock();
        let found = kept.iter().find(|k| k.file.attempt() >= attempt)?;
        let is_exact = found.file.attempt() == attempt;
        let skipped_bytes = if is_exact { 0 } else { found.start };
        Some(Found {
            file: Arc::clone(&found.file),
            skipped_bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
