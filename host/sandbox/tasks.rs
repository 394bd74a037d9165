//! A pod's tasks: spawned on the pod's worker, counted, and ended with the pod.
//!
//! [`PodTaskSet`] is the owner (the pod's driver); dropping it aborts everything. [`PodTasks`] is the handle that is
//! given to whatever works for the pod. A task that panics (a bug of the host) ends alone: whoever waits for it sees
//! [`TaskEnd::Panicked`], the process and the pod's other tasks go on.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use crate::workers::{OtherWorker, Worker};

/// How many tasks one pod may have at a time, over all its containers. At the limit [`PodTasks::spawn`] refuses.
/// Each container needs one, each published connection one: this is room for 4,096 connections with the containers
/// of the biggest pods in use.
pub const MAX_POD_TASKS: usize = 8 * 1024;

/// The owner of a pod's tasks.
#[derive(Debug)]
pub struct PodTaskSet {
    tasks: PodTasks,
}

/// A handle to a pod's task set; cheap to clone, usable from every thread.
#[derive(Clone, Debug)]
pub struct PodTasks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    worker: Handle,
    /// Other workers, which tasks may use as well.
    others: Vec<OtherWorker>,
    /// `None` once the pod has ended: a task spawned later would outlive it.
    set: Mutex<Option<JoinSet<()>>>,
}

/// A task of a pod. Awaiting it gives what it returned; dropping this lets it run on.
#[derive(Debug)]
pub struct PodTask<T> {
    result: oneshot::Receiver<Result<T, String>>,
    abort: AbortHandle,
}

/// Why a task gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskEnd {
    /// The task panicked: a bug of the host.
    #[error("a task of the pod panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The task was aborted, by hand or because its pod ended.
    #[error("a task of the pod was aborted")]
    Aborted,
}

/// A task that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// The pod has [`MAX_POD_TASKS`] tasks.
    #[error("the pod already has {MAX_POD_TASKS} tasks")]
    TooMany,
    /// The pod has ended.
    #[error("the pod has ended")]
    Ended,
}

impl PodTaskSet {
    /// An empty set whose tasks will run on `worker`.
    #[must_use]
    pub fn new(worker: Handle) -> Self {
        Self::among(worker, Vec::new())
    }

    /// An empty set of a pod on `worker`.
    #[must_use]
    pub fn of_worker(worker: &Worker) -> Self {
        Self::among(worker.handle().clone(), worker.others().to_vec())
    }

    fn among(worker: Handle, others: Vec<OtherWorker>) -> Self {
        let shared = Shared {
            worker,
            others,
            set: Mutex::new(Some(JoinSet::new())),
        };
        Self {
            tasks: PodTasks {
                shared: Arc::new(shared),
            },
        }
    }

    /// A handle for those who work for the pod.
    #[must_use]
    pub fn handle(&self) -> PodTasks {
        self.tasks.clone()
    }

    /// Aborts every task and waits until all are gone. Nothing can be spawned from here on.
    pub async fn end(self) {
        let set = self.tasks.lock().take();
        if let Some(mut set) = set {
            set.shutdown().await;
        }
    }
}

impl Drop for PodTaskSet {
    fn drop(&mut self) {
        // Dropping the JoinSet aborts its tasks. Outside the lock: a task's destructor may use its handle.
        let set = self.tasks.lock().take();
        drop(set);
    }
}

impl PodTasks {
    /// Runs `future` on the pod's worker until it ends or the pod does.
    ///
    /// # Errors
    /// The pod has too many tasks, or has ended.
    pub fn spawn<F>(&self, future: F) -> Result<PodTask<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(&self.shared.worker, future)
    }

    /// As [`spawn`](Self::spawn), on the thread of the caller if that is one of [`event_loops`](Self::event_loops).
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_here<F>(&self, future: F) -> Result<PodTask<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let here = Handle::try_current().ok();
        let event_loop =
            here.and_then(|here| self.event_loops().find(|other| other.id() == here.id()));
        self.spawn_on(event_loop.unwrap_or(&self.shared.worker), future)
    }

    /// The event loops that the pod's tasks may use: that of its worker, and then those of the others. What is spawned on
    /// another than the first runs at the same time as the pod's guests.
    pub fn event_loops(&self) -> impl Iterator<Item = &Handle> {
        let others = self.shared.others.iter().map(OtherWorker::handle);
        std::iter::once(&self.shared.worker).chain(others)
    }

    /// The workers of which [`event_loops`](Self::event_loops) has the event loops, but for the pod's own.
    #[must_use]
    pub fn other_workers(&self) -> &[OtherWorker] {
        &self.shared.others
    }

    /// As [`spawn`](Self::spawn), on the thread of `event_loop`, one of [`event_loops`](Self::event_loops).
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_on<F>(
        &self,
        event_loop: &Handle,
        future: F,
    ) -> Result<PodTask<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (tell, result) = oneshot::channel();
        let mut guard = self.lock();
        let set = guard.as_mut().ok_or(SpawnError::Ended)?;
        while set.try_join_next().is_some() {}
        if set.len() >= MAX_POD_TASKS {
            return Err(SpawnError::TooMany);
        }
        let task = async move {
            let outcome = CatchPanic {
                future: Box::pin(future),
            }
            .await;
            // Nobody may be waiting, which is fine.
            drop(tell.send(outcome));
        };
        let abort = set.spawn_on(task, event_loop);
        Ok(PodTask { result, abort })
    }

    /// How many tasks run now.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut guard = self.lock();
        guard.as_mut().map_or(0, |set| {
            while set.try_join_next().is_some() {}
            set.len()
        })
    }

    /// True when no task runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.shared
            .set
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> PodTask<T> {
    /// Ends the task at its next await; what it holds is dropped there.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// A handle that can abort the task later, from anywhere.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        self.abort.clone()
    }

    /// True when the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.abort.is_finished()
    }
}

impl<T> Future for PodTask<T> {
    type Output = Result<T, TaskEnd>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.result).poll(cx)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(message)) => Err(TaskEnd::Panicked { message }),
            Err(_) => Err(TaskEnd::Aborted),
        })
    }
}

/// Polls a future; a panic in it becomes an error with the panic's message.
///
/// The future is not polled again after a panic, so no one sees a half-changed state of it; what it shared with other
/// tasks is behind locks that recover from poisoning.
pub(crate) struct CatchPanic<F: ?Sized> {
    pub(crate) future: Pin<Box<F>>,
}

impl<F: Future + ?Sized> Future for CatchPanic<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic_message(panic.as_ref()))),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
