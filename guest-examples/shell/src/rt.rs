//! The executor: many tasks in one thread, because WASI has neither fork nor threads.
//!
//! A pipeline's stages and background jobs are futures. A future that cannot go on says why: it waits for
//! another task ([`wait`]) or for a moment ([`sleep`]). When nobody can go on, the guest sleeps in the host until the
//! earliest moment, so an idle shell costs no CPU. Deliberately without wakers: a shell has a handful of tasks, and
//! polling them all after each progress is simpler than knowing which. A signal from outside wakes it too ([`signals`]).
//!
//! Reading the real stdin or a socket blocks the whole guest; everything else gives way.

use crate::signals;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A boxed future of this thread.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The longest single sleep in the host: a deadline farther away is waited for in several (`sleep infinity`).
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);

thread_local! {
    static PROGRESS: Cell<bool> = const { Cell::new(false) };
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static TASKS: RefCell<Vec<Fut<'static, ()>>> = const { RefCell::new(Vec::new()) };
    static SPAWNED: RefCell<Vec<Fut<'static, ()>>> = const { RefCell::new(Vec::new()) };
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// Says that something changed for which another task may wait.
pub fn progress() {
    PROGRESS.set(true);
}

/// Gives way until `ready` says so. It is asked again after each progress of any task.
pub async fn wait(mut ready: impl FnMut() -> bool) {
    std::future::poll_fn(|_| {
        if ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Sleeps for `duration`; `None` is for ever.
pub async fn sleep(duration: Option<Duration>) {
    let end = duration.and_then(|duration| Instant::now().checked_add(duration));
    std::future::poll_fn(|_| {
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return Poll::Ready(());
        }
        let wanted = end.unwrap_or(now + LONGEST_SLEEP);
        DEADLINE.set(Some(
            DEADLINE.get().map_or(wanted, |other| other.min(wanted)),
        ));
        Poll::Pending
    })
    .await;
}

/// Lets everyone else run once.
pub async fn turn() {
    let mut gave_way = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        progress();
        Poll::Pending
    })
    .await;
}

/// Lets the other tasks run once. Costs nothing while there is none.
pub async fn give_way() {
    if ALIVE.get() == 0 {
        return;
    }
    turn().await;
}

/// Starts a task beside the caller; the returned cell holds its result once it has ended.
pub fn spawn(task: impl Future<Output = i32> + 'static) -> Rc<Cell<Option<i32>>> {
    let result = Rc::new(Cell::new(None));
    let ended = Rc::clone(&result);
    ALIVE.set(ALIVE.get() + 1);
    SPAWNED.with_borrow_mut(|spawned| {
        spawned.push(Box::pin(async move {
            let status = task.await;
            ended.set(Some(status));
            ALIVE.set(ALIVE.get() - 1);
            progress();
        }));
    });
    progress();
    result
}

/// Runs all futures side by side until each has ended; an ended one is dropped at once, which closes its pipes.
pub async fn join_all<T>(futures: Vec<Fut<'_, T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(Some).collect();
    let mut results: Vec<Option<T>> = running.iter().map(|_| None).collect();
    let beside = running.len().saturating_sub(1);
    ALIVE.set(ALIVE.get() + beside);
    std::future::poll_fn(|context| {
        for (slot, result) in running.iter_mut().zip(&mut results) {
            if let Some(future) = slot
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = None;
                *result = Some(value);
                progress();
            }
        }
        if running.iter().all(Option::is_none) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    ALIVE.set(ALIVE.get() - beside);
    results.into_iter().flatten().collect()
}

/// Runs `main` and the tasks that it starts until `main` ends; tasks that are left then are dropped, as the kernel
/// ends what is left in a container when its first process ends.
pub fn block_on<T>(main: impl Future<Output = T>) -> T {
    let mut main = Box::pin(main);
    let mut context = Context::from_waker(Waker::noop());
    let result = loop {
        PROGRESS.set(false);
        DEADLINE.set(None);
        signals::collect();
        if let Poll::Ready(value) = main.as_mut().poll(&mut context) {
            break value;
        }
        let mut tasks = TASKS.take();
        tasks.append(&mut SPAWNED.take());
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        TASKS.set(tasks);
        if PROGRESS.get() {
            continue;
        }
        // Nobody can go on. Without a deadline nobody ever will (two pipes that wait for each other).
        let pause = DEADLINE.get().map_or(LONGEST_SLEEP, |end| {
            end.saturating_duration_since(Instant::now())
        });
        signals::pause(pause);
    };
    TASKS.take();
    SPAWNED.take();
    result
}
