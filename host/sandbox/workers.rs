//! The threads on which pods run.
//!
//! N threads, each with its own single-threaded tokio runtime. A pod lives on one of them with all its tasks: its
//! containers never run at the same time as each other, the sockets between them are touched by one thread only, and
//! waking a neighbour costs no other core (measured: two to seven times faster than spreading one pod's containers).
//! Different pods use different cores. The one exception are answers of HTTP components, which have nothing to do with
//! each other: they may use workers on which no pod lives, and others if the container's CPU limit asks for them.
//!
//! The runtimes look at timers and sockets after every few tasks ([`TASKS_BETWEEN_EVENTS`]) and at tasks woken from
//! elsewhere after each one (`global_queue_interval` 1): a guest may compute for a whole epoch slice before it yields, and
//! with tokio's defaults (61 and 31 tasks) a neighbour's socket would wait for as many of these.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The most workers that are ever made, whatever the machine has. Each costs a thread and an epoll handle; beyond
/// this the accounting of placement, which looks at all of them, would begin to show.
pub const MAX_WORKERS: usize = 256;

/// After how many tasks in a row a worker looks at timers and sockets; it also does when it has nothing else to do.
///
/// A look takes a system call and three readings of the clock, about a third of what it takes to wake a guest for a
/// message; so containers that wake each other should not pay for one each time. A guest that computes lets more tasks
/// than this go first each time that it was interrupted, hence nobody waits for two of its turns.
pub const TASKS_BETWEEN_EVENTS: u32 = 4;

/// The worker threads of the process. Dropping it ends them, with all that runs there.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<Thread>,
}

#[derive(Debug)]
struct Thread {
    worker: Worker,
    end: Mutex<Option<oneshot::Sender<()>>>,
    join: Option<JoinHandle<()>>,
}

/// One thread, as a place for pods.
#[derive(Clone, Debug)]
pub struct Worker {
    index: usize,
    handle: Handle,
    pods: Arc<AtomicUsize>,
    /// The others, those behind this one first; told when all have started.
    others: Arc<OnceLock<Vec<OtherWorker>>>,
}

/// A thread that is not the pod's.
#[derive(Clone, Debug)]
pub struct OtherWorker {
    handle: Handle,
    pods: Arc<AtomicUsize>,
}

impl OtherWorker {
    /// The thread's tokio runtime.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How many pods live there, as it changes.
    #[must_use]
    pub const fn pods(&self) -> &Arc<AtomicUsize> {
        &self.pods
    }
}

/// A pod's seat on a worker; dropping it frees the seat.
#[derive(Debug)]
pub struct Placement {
    worker: Worker,
}

/// How many processors this process may use, as it was when it was first asked: finding out reads several files of the
/// system's, and every container that starts wants to know.
#[must_use]
pub fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

impl Workers {
    /// Starts `count` workers (at least one, at most [`MAX_WORKERS`]).
    ///
    /// # Errors
    /// The host refuses a thread or what an event loop needs.
    pub fn start(count: usize) -> io::Result<Self> {
        let count = count.clamp(1, MAX_WORKERS);
        let threads: Vec<_> = (0..count).map(Thread::start).collect::<io::Result<_>>()?;
        for (index, thread) in threads.iter().enumerate() {
            let (before, behind) = threads.split_at(index);
            let others = behind.iter().skip(1).chain(before);
            let others = others.map(|other| OtherWorker {
                handle: other.worker.handle.clone(),
                pods: Arc::clone(&other.worker.pods),
            });
            let others = others.collect();
            // Nobody has told it before.
            drop(thread.worker.others.set(others));
        }
        Ok(Self { threads })
    }

    /// One worker whose time stands still while anything has something to do, and jumps to the next moment that
    /// somebody waits for otherwise, so that ten minutes of waiting take milliseconds. What is really done on other
    /// threads (files) holds time still while it lasts. For tests; pods there want a
    /// [virtual](crate::Clock::virtual_from) clock, made on this worker.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    #[cfg(any(test, feature = "virtual-time"))]
    pub fn on_virtual_time() -> io::Result<Self> {
        let thread = Thread::start_with(0, |builder| builder.start_paused(true))?;
        Ok(Self {
            threads: vec![thread],
        })
    }

    /// Starts one worker for each core that this process may use.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn one_per_core() -> io::Result<Self> {
        Self::start(processors())
    }

    /// How many workers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// Takes a seat on the worker that has the fewest pods.
    #[must_use]
    pub fn place(&self) -> Option<Placement> {
        let least = self
            .threads
            .iter()
            .min_by_key(|t| t.worker.pods.load(Ordering::Relaxed))?;
        least.worker.pods.fetch_add(1, Ordering::Relaxed);
        Some(Placement {
            worker: least.worker.clone(),
        })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for thread in &self.threads {
            let end = thread
                .end
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            drop(end);
        }
        for thread in &mut self.threads {
            // A pod's own task may drop the last handle: a thread must not wait for itself.
            if let Some(join) = thread.join.take()
                && join.thread().id() != thread::current().id()
            {
                // A panic on a worker was already reported by the panic hook.
                drop(join.join());
            }
        }
    }
}

impl Thread {
    fn start(index: usize) -> io::Result<Self> {
        Self::start_with(index, |builder| builder)
    }

    fn start_with(
        index: usize,
        configure: impl FnOnce(&mut Builder) -> &mut Builder,
    ) -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        builder
            .enable_all()
            .event_interval(TASKS_BETWEEN_EVENTS)
            .global_queue_interval(1)
            .thread_name(format!("worker-{index}-blocking"));
        let runtime = configure(&mut builder).build()?;
        let worker = Worker {
            index,
            handle: runtime.handle().clone(),
            pods: Arc::new(AtomicUsize::new(0)),
            others: Arc::default(),
        };
        let (end, ended) = oneshot::channel::<()>();
        let join = thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                // Ends when the sender is dropped; then the runtime drops every task that is left.
                drop(runtime.block_on(ended));
            })?;
        Ok(Self {
            worker,
            end: Mutex::new(Some(end)),
            join: Some(join),
        })
    }
}

impl Worker {
    /// The worker's number, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The thread's tokio runtime.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The other workers. A pod whose containers do work that has nothing to do with each other may have some of it done
    /// there.
    #[must_use]
    pub fn others(&self) -> &[OtherWorker] {
        self.others.get().map_or(&[], Vec::as_slice)
    }
}

impl Placement {
    /// A seat on the runtime of the caller, for tests and for programs that bring their own runtime.
    ///
    /// # Panics
    /// As `Handle::current`, when there is no such runtime.
    #[must_use]
    pub fn current() -> Self {
        let handle = Handle::current();
        Self {
            worker: Worker {
                index: 0,
                handle,
                pods: Arc::new(AtomicUsize::new(1)),
                others: Arc::default(),
            },
        }
    }

    /// Where the seat is.
    #[must_use]
    pub fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        self.worker.pods.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::{PodTaskSet, SpawnError, TaskEnd};

    #[test]
    fn pods_are_placed_on_the_worker_that_has_the_fewest() {
        let workers = Workers::start(2).unwrap();
        let first = workers.place().unwrap();
        let second = workers.place().unwrap();
        assert_ne!(first.worker().index(), second.worker().index());
        drop(first);
        let third = workers.place().unwrap();
        assert_ne!(third.worker().index(), second.worker().index());
    }

    #[test]
    fn the_tasks_of_a_pod_run_on_its_worker_and_a_panic_in_one_ends_only_that() {
        let workers = Workers::start(1).unwrap();
        let seat = workers.place().unwrap();
        let set = PodTaskSet::new(seat.worker().handle().clone());
        let tasks = set.handle();
        let name = async { thread::current().name().map(str::to_owned) };
        let name = tasks.spawn(name).unwrap();
        let failing = tasks
            .spawn(async { assert!(tasks_are_fine(), "scripted") })
            .unwrap();
        let endless = tasks.spawn(std::future::pending::<()>()).unwrap();
        let (name, failed) = wait(async { (name.await, failing.await) });
        assert_eq!(name.unwrap().as_deref(), Some("worker-0"));
        assert_eq!(
            failed.unwrap_err(),
            TaskEnd::Panicked {
                message: "scripted".to_owned()
            }
        );
        wait(set.end());
        assert_eq!(wait(endless).unwrap_err(), TaskEnd::Aborted);
        assert_eq!(tasks.spawn(async {}).unwrap_err(), SpawnError::Ended);
    }

    #[test]
    fn a_pod_cannot_have_tasks_without_end() {
        let workers = Workers::start(1).unwrap();
        let seat = workers.place().unwrap();
        let set = PodTaskSet::new(seat.worker().handle().clone());
        let tasks = set.handle();
        for _ in 0..crate::tasks::MAX_POD_TASKS {
            drop(tasks.spawn(std::future::pending::<()>()).unwrap());
        }
        assert_eq!(tasks.spawn(async {}).unwrap_err(), SpawnError::TooMany);
    }

    #[test]
    fn a_pods_tasks_on_other_workers_end_with_it() {
        let workers = Workers::start(3).unwrap();
        let seat = workers.place().unwrap();
        let set = PodTaskSet::of_worker(seat.worker());
        let tasks = set.handle();
        let loops: Vec<_> = tasks.event_loops().cloned().collect();
        assert_eq!(loops.len(), 3);
        let alive = Arc::new(());
        for (index, event_loop) in loops.iter().enumerate() {
            let (nested, alive) = (tasks.clone(), Arc::clone(&alive));
            let name = tasks.spawn_on(event_loop, async move {
                let endless = async move {
                    let _alive = alive;
                    std::future::pending::<()>().await;
                };
                drop(nested.spawn_here(endless).unwrap());
                let here = nested.spawn_here(async { thread::current().name().map(str::to_owned) });
                here.unwrap().await.unwrap()
            });
            let name = wait(name.unwrap()).unwrap();
            assert_eq!(name, Some(format!("worker-{index}")));
        }
        assert_eq!(Arc::strong_count(&alive), 4);
        wait(set.end());
        assert_eq!(Arc::strong_count(&alive), 1);
        assert_eq!(
            tasks.spawn_on(&loops[1], async {}).err(),
            Some(SpawnError::Ended)
        );
    }

    #[test]
    fn dropping_the_workers_drops_their_tasks() {
        let workers = Workers::start(2).unwrap();
        let kept = Arc::new(());
        for _ in 0..2 {
            let seat = workers.place().unwrap();
            let kept = Arc::clone(&kept);
            drop(seat.worker().handle().spawn(async move {
                let _kept = kept;
                std::future::pending::<()>().await;
            }));
            drop(seat);
        }
        drop(workers);
        assert_eq!(Arc::strong_count(&kept), 1);
    }

    fn tasks_are_fine() -> bool {
        false
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }
}
