//! What a connection of HTTP/2 wants to be run beside it: none of it outlives the request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// The tasks; clones are the same. They end with [`Ending`].
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Aborts all tasks when it is dropped. They may hold clones of [`Tasks`], so that cannot be left to the last of these.
#[derive(Debug)]
pub(super) struct Ending(Tasks);

impl Tasks {
    /// Ends the tasks with what is returned.
    pub(super) fn ending(&self) -> Ending {
        Ending(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.lock().spawn(future);
    }
}

impl Ending {
    /// Waits until all have ended.
    pub(super) async fn join(self) {
        let mut tasks = std::mem::take(&mut *self.0.lock());
        while tasks.join_next().await.is_some() {}
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().abort_all();
    }
}
