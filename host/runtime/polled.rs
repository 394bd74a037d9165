//! A guest that is being run: what happens around each poll of it.
//!
//! * The epoch clock ticks while it is polled, so that a computation is interrupted; an interrupted guest lets its
//!   neighbours go first, and shares what is left with others that compute (see `fair`).
//! * The time that it ran is measured and charged; one that has used up its CPU limit sleeps until it may run again.
//! * A panic of host code ends it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmpod_sandbox::{CpuShare, TASKS_BETWEEN_EVENTS};

use crate::fair::Seat;
use crate::ticker::{Haste, TICK};
use crate::turn::Turn;

/// Turns that a guest which was interrupted in a computation gives up before it goes on.
///
/// What its neighbours wait for takes several tasks, one waking the next: a request that comes by a published port goes
/// through the port's task to the guest that answers, and back. If the computing guest ran between any two of them,
/// each would wait for a tick. And only after some turns is it seen that the request came (`TASKS_BETWEEN_EVENTS`).
/// A turn costs it about a microsecond of a millisecond when nobody else has anything to do.
const TURNS_GIVEN_UP: u32 = 2 * TASKS_BETWEEN_EVENTS;

/// Running time without waiting from which on a guest counts as one that computes: the time between two ticks of the
/// epoch clock. A tick may hit a guest that answers in microseconds too, and such a one must not be made to wait for
/// its turn among those that compute.
const COMPUTATION: Duration = TICK;

/// For how long after a guest's turn somebody counts as waiting for answers.
const ANSWERING: Duration = Duration::from_millis(20);

/// When a guest was last polled that does not compute, on any worker: milliseconds since [`BEGINNING`], and one.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// Where [`ANSWERED`] counts from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A guest's future with all that surrounds it.
pub(crate) struct Polled<F: Future> {
    future: Option<Pin<Box<F>>>,
    turn: Arc<Turn>,
    cpu: CpuShare,
    /// How many turns it still lets pass.
    turns_to_give_up: u32,
    /// How long it has run since it last waited for something.
    stretch: Duration,
    /// Its place among those that compute and may.
    computing: Option<Computing>,
    /// Until when it may not run, because of its CPU limit.
    throttled: Option<Pin<Box<Sleep>>>,
}

/// A guest that computes and may.
struct Computing {
    seat: Seat,
    /// Short turns, while others answer somebody.
    haste: Option<Haste>,
}

impl<F: Future> Polled<F> {
    /// Surrounds `future`, which holds a guest of the container that `cpu` is the share of. The engine asks `turn` whether
    /// the guest has to yield.
    pub(crate) fn new(future: F, turn: Arc<Turn>, cpu: CpuShare) -> Self {
        Self {
            future: Some(Box::pin(future)),
            turn,
            cpu,
            turns_to_give_up: 0,
            stretch: Duration::ZERO,
            computing: None,
            throttled: None,
        }
    }

    /// Whether the guest may run now; otherwise its waker will be called when it is worth asking again.
    fn may_run(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(wait) = self.cpu.wait_for() {
            // Who may not run must not hold up those who may.
            self.computing = None;
            let until = tokio::time::Instant::now() + wait;
            let sleep = match &mut self.throttled {
                Some(sleep) => {
                    sleep.as_mut().reset(until);
                    sleep
                }
                none @ None => none.insert(Box::pin(tokio::time::sleep_until(until))),
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
        if self.computes() && !self.computing(cx).seat.is_next(cx.waker()) {
            return false;
        }
        // After its turn among those that compute has come: there are no two computations without these turns between.
        if self.turns_to_give_up > 0 {
            self.turns_to_give_up -= 1;
            cx.waker().wake_by_ref();
            return false;
        }
        true
    }

    /// Its place among those that compute.
    fn computing(&mut self, cx: &Context<'_>) -> &mut Computing {
        self.computing.get_or_insert_with(|| Computing {
            seat: Seat::take(&self.cpu, cx.waker()),
            haste: None,
        })
    }

    /// Whether the guest is in a computation.
    fn computes(&self) -> bool {
        self.stretch >= COMPUTATION
    }

    /// The guest ran for `ran` and has not ended.
    ///
    /// The first interruption says little: measured by the clock, it may be the time of other threads that had the
    /// processor meanwhile. So it counts for half of a computation at most, and what follows is measured exactly.
    fn went_on(&mut self, ran: Duration, cx: &Context<'_>) {
        if !self.turn.was_interrupted() {
            self.stretch = Duration::ZERO;
            self.computing = None;
            return;
        }
        let counted = if self.stretch.is_zero() {
            ran.min(COMPUTATION / 2)
        } else {
            ran
        };
        self.stretch = self.stretch.saturating_add(counted);
        if self.computes() {
            self.turns_to_give_up = TURNS_GIVEN_UP;
            self.computing(cx).seat.pass();
        }
    }

    /// Drops the guest with all that it holds.
    fn end(&mut self) {
        self.computing = None;
        let future = self.future.take();
        // Unwind safety: as for polling. The panic has been reported by the panic hook.
        drop(catch_unwind(AssertUnwindSafe(|| drop(future))));
    }
}

impl<F: Future> Future for Polled<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.future.is_none() {
            return Poll::Ready(Err("polled after its end".to_owned()));
        }
        if !this.may_run(cx) {
            return Poll::Pending;
        }
        let computes = this.computes();
        let here = match &mut this.computing {
            Some(computing) if others_answer() => {
                // Whoever else waits for this processor goes first: the kernel would let the computation finish its
                // slice.
                std::thread::yield_now();
                computing
                    .haste
                    .get_or_insert_with(|| this.turn.ticker().hasten())
                    .compute_here()
            }
            Some(computing) => {
                computing.haste = None;
                None
            }
            None => None,
        };
        let stopwatch = Stopwatch::start(!this.stretch.is_zero());
        if !computes {
            answers(stopwatch.start);
        }
        let Some(future) = this.future.as_mut() else {
            return Poll::Pending;
        };
        let running = this.turn.ticker().enter();
        this.turn.begin();
        // Unwind safety: after a panic the future is only dropped, never polled again, and what it shares with other
        // containers (sockets, queues) is behind locks of the pod's crates, which recover from poisoning.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        drop(running);
        drop(here);
        let ran = stopwatch.elapsed();
        this.cpu.charge(ran);
        match polled {
            Ok(Poll::Pending) => {
                this.went_on(ran, cx);
                Poll::Pending
            }
            Ok(Poll::Ready(result)) => {
                this.end();
                Poll::Ready(Ok(result))
            }
            Err(panic) => {
                this.end();
                Poll::Ready(Err(panic_message(panic.as_ref())))
            }
        }
    }
}

impl<F: Future> Drop for Polled<F> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Says that a guest is polled that does not compute.
fn answers(now: Instant) {
    let now = millisecond(now);
    // Workers that answer at the same time read what they share, and write it once in a millisecond.
    if ANSWERED.load(Ordering::Relaxed) != now {
        ANSWERED.store(now, Ordering::Relaxed);
    }
}

/// Whether guests were busy a moment ago with something else than computing.
fn others_answer() -> bool {
    let answered = ANSWERED.load(Ordering::Relaxed);
    let since = millisecond(Instant::now()).saturating_sub(answered);
    answered > 0 && u128::from(since) < ANSWERING.as_millis()
}

fn millisecond(now: Instant) -> u64 {
    let since = now.saturating_duration_since(*BEGINNING).as_millis();
    u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
}

/// Measures how long a guest ran.
///
/// A guest that was interrupted is measured by the processor time of its thread, which leaves out what other processes took
/// of the core. Reading that is a system call (some 200 ns, twice for each poll), which would be felt by a guest that
/// is polled every few microseconds; such short polls are measured by the monotonic clock (25 ns), and are rarely
/// interrupted by another process.
struct Stopwatch {
    start: Instant,
    thread_start: Option<Duration>,
}

impl Stopwatch {
    fn start(exactly: bool) -> Self {
        Self {
            start: Instant::now(),
            thread_start: if exactly { thread_time() } else { None },
        }
    }

    fn elapsed(&self) -> Duration {
        let thread = self
            .thread_start
            .and_then(|start| thread_time()?.checked_sub(start));
        thread.unwrap_or_else(|| self.start.elapsed())
    }
}

/// The processor time of this thread.
#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

/// The processor time of this thread is not known here: the monotonic clock has to do.
#[cfg(not(unix))]
const fn thread_time() -> Option<Duration> {
    None
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}
