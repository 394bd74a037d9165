//! Counts those who can write into a pipe: when the last of them is gone, its reader sees the end (pipe(7)).

use std::fmt;
use std::sync::Arc;

/// A pipe that knows how many can write into it.
pub(super) trait Written: fmt::Debug {
    /// One more can.
    fn add_writer(&self);

    /// One can no more.
    fn remove_writer(&self);
}

/// One of a pipe's writers; a clone is another one.
#[derive(Debug)]
pub(super) struct Counted<P: Written>(Arc<P>);

impl<P: Written> Counted<P> {
    pub(super) fn new(pipe: Arc<P>) -> Self {
        pipe.add_writer();
        Self(pipe)
    }

    pub(super) fn pipe(&self) -> &Arc<P> {
        &self.0
    }
}

impl<P: Written> Clone for Counted<P> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl<P: Written> Drop for Counted<P> {
    fn drop(&mut self) {
        self.0.remove_writer();
    }
}
