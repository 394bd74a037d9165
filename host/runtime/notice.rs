//! What the runtime has to say that is no error: it works, but not as well as it could.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// Something that an operator may want to know. Each is told at most once per cause.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Notice {
    /// The directory for compiled code must not be used: every program is compiled again at each start.
    #[error("compiled code is not kept: {}: {problem}", dir.display())]
    CodeStoreUnusable {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The directory for compiled code cannot be written to: what is in it is used, but nothing new is kept.
    #[error("compiled code is not kept: cannot write to {}: {problem}", dir.display())]
    CodeStoreReadOnly {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        problem: String,
    },
    /// An entry of the store was damaged. It was removed, and the program is compiled again.
    #[error("compiled code was damaged and is made again: {}: {problem}", path.display())]
    CodeStoreEntryDiscarded {
        /// The entry.
        path: PathBuf,
        /// What was wrong with it.
        problem: String,
    },
    /// The optimised code of a built-in program could not be made in the background: it keeps running with the
    /// quickly compiled one.
    #[error("program \"{program}\" runs without optimisation: {problem}")]
    NotOptimised {
        /// The program's name.
        program: String,
        /// What the compiler said.
        problem: String,
    },
}

/// Receives notices; called from any thread, must not block.
pub type NoticeFn = dyn Fn(Notice) + Send + Sync;

/// A shared receiver of notices.
#[derive(Clone)]
pub(crate) struct Notices(Arc<NoticeFn>);

impl Notices {
    /// Notices that go to `receiver`.
    pub(crate) fn new(receiver: Arc<NoticeFn>) -> Self {
        Self(receiver)
    }

    /// Passes a notice on.
    pub(crate) fn tell(&self, notice: Notice) {
        (self.0)(notice);
    }
}
