//! What a host has to say while it prepares programs.

use std::fmt;

use tokio::sync::broadcast;
use wasmpod_runtime::Notice;
use wasmpod_sandbox::{Progress, Stage};

/// How many steps wait for a reader; one that falls behind misses the oldest.
const WAITING_STEPS: usize = 64;

/// Something that a host is doing, or has to say.
#[derive(Debug, Clone)]
pub enum Step {
    /// A program is being prepared.
    Preparing(Progress),
    /// It works, but not as well as it could.
    Notice(Notice),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preparing(Progress {
                program,
                stage,
                done,
                total,
            }) => {
                write!(f, "{stage} {program}")?;
                match (done.saturating_mul(100)).checked_div(*total) {
                    Some(percent) if *stage != Stage::Ready => write!(f, ": {percent} %"),
                    _ => Ok(()),
                }
            }
            Self::Notice(notice) => write!(f, "notice: {notice}"),
        }
    }
}

/// Reads what a host says.
#[derive(Debug)]
pub struct ProgressReader(broadcast::Receiver<Step>);

impl ProgressReader {
    /// The next step; nothing when the host is gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Step> {
        loop {
            match self.0.recv().await {
                Ok(step) => return Some(step),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Where steps are said.
#[derive(Debug, Clone)]
pub(crate) struct Steps(broadcast::Sender<Step>);

impl Steps {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(WAITING_STEPS))
    }

    pub(crate) fn say(&self, step: Step) {
        // Nobody may be listening.
        drop(self.0.send(step));
    }

    pub(crate) fn read(&self) -> ProgressReader {
        ProgressReader(self.0.subscribe())
    }
}
