//! The tasks of one client's connection: none of them outlives it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// The tasks; clones are the same. They are aborted by [`Tasks::end`] or with [`Ending`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks(Arc<Sets>);

#[derive(Debug, Default)]
struct Sets {
    /// What serves requests.
    requests: Mutex<JoinSet<()>>,
    /// What has taken the connection over.
    tunnels: Mutex<JoinSet<()>>,
}

/// Aborts all tasks of a connection when it is dropped, however the connection ends. The tasks themselves may hold clones
/// of [`Tasks`], so that cannot be left to the last of these.
#[derive(Debug)]
pub(crate) struct Ending(Tasks);

impl Drop for Ending {
    fn drop(&mut self) {
        lock(&self.0.0.requests).abort_all();
        lock(&self.0.0.tunnels).abort_all();
    }
}

impl Tasks {
    /// Ends the tasks with what is returned.
    pub(crate) fn ending(&self) -> Ending {
        Ending(self.clone())
    }

    /// Runs something on behalf of a request.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = lock(&self.0.requests);
        // Those that have ended are forgotten, so that a long connection does not collect them.
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }

    /// Runs what takes the connection over after its last request.
    pub(crate) fn spawn_tunnel(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.0.tunnels).spawn(task);
    }

    /// Waits until all that was spawned so far has ended.
    pub(crate) async fn join(&self) {
        let mut requests = std::mem::take(&mut *lock(&self.0.requests));
        while requests.join_next().await.is_some() {}
    }

    /// Waits for tunnels, and ends everything else.
    pub(crate) async fn end(&self) {
        let mut tunnels = std::mem::take(&mut *lock(&self.0.tunnels));
        while tunnels.join_next().await.is_some() {}
        lock(&self.0.requests).abort_all();
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}

fn lock(set: &Mutex<JoinSet<()>>) -> MutexGuard<'_, JoinSet<()>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}
