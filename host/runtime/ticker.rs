//! The clock behind fair scheduling: one thread that raises the engines' epoch, so that a guest in a long computation
//! yields its worker to its neighbours and to timers.
//!
//! It ticks every millisecond while a guest is being polled, and several times as often while somebody asks for
//! [`Haste`]: a guest computes while others are answering somebody. After [`IDLE`] without a guest it
//! parks, and the next poll wakes it: pods that wait cost no ticks at all.
//!
//! The protocol between a worker that enters a guest and the ticker that goes to sleep is Dekker's: each side
//! first writes its own flag, then reads the other's, all sequentially consistent, so that at least one of
//! them sees the other.
//!
//! A thread that is woken on the processor of a computing guest waits there for the kernel's slice, up to four
//! milliseconds, so the ticker keeps away from those (see [`crate::processors`]), and a worker that wakes it offers it its
//! processor first (sched_yield(2)).

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use wasmtime::EngineWeak;

use crate::error::SetupError;
use crate::processors::{self, Computing, Elsewhere, Here};

/// Time between two ticks: what a computing guest may keep its worker for, before it yields.
///
/// With 1 ms and five spinning guests on one worker, a neighbour's timer is late by at most 10 ms.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// The same while somebody waits for a neighbour of a computing guest: as long as an answer of an idle neighbour takes
/// over a real socket at worst, so that its p99 stays within twice of that. Each tick costs a processor some 10 us.
const HASTY_TICK: Duration = Duration::from_micros(100);

/// Time without any guest being polled after which the ticker parks. A guest that is woken more often than
/// that thus does not pay for waking the ticker each time.
const IDLE: Duration = Duration::from_millis(10);

/// How fast the ticker ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Pace {
    Parked,
    Steady,
    Hasty,
}

#[derive(Default)]
struct Shared {
    /// Whose epoch is raised.
    engines: Mutex<Vec<EngineWeak>>,
    /// Guests that are being polled right now, on all workers.
    running: AtomicUsize,
    /// How many ask for haste.
    hasty: AtomicUsize,
    /// Where they compute.
    computing: Computing,
    /// The [`Pace`] at which the ticker sleeps. Who wants it faster must wake it.
    pace: AtomicU8,
    /// Whether the ticker must end.
    stopping: AtomicBool,
    /// Ticks since the start. Counted before epochs are raised.
    ticks: AtomicU64,
}

impl Shared {
    fn is_slower_than(&self, pace: Pace) -> bool {
        self.pace.load(Ordering::SeqCst) < pace as u8
    }
}

/// Handle of the ticker's thread; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread, parked.
    ///
    /// # Errors
    /// The operating system refuses another thread.
    pub(crate) fn start(engines: Vec<EngineWeak>) -> Result<Self, SetupError> {
        let shared = Arc::new(Shared {
            engines: Mutex::new(engines),
            ..Shared::default()
        });
        let for_thread = Arc::clone(&shared);
        let handle = std::thread::Builder::new()
            .name("wasmpod-epoch".to_owned())
            .spawn(move || tick(&for_thread))
            .map_err(|source| SetupError::Thread {
                name: "wasmpod-epoch",
                source,
            })?;
        Ok(Self {
            shared,
            thread: handle.thread().clone(),
            handle: Some(handle),
        })
    }

    /// Interrupts the guests of one more engine.
    pub(crate) fn interrupt(&self, engine: EngineWeak) {
        let engines = self.shared.engines.lock();
        engines.unwrap_or_else(PoisonError::into_inner).push(engine);
    }

    /// Says that a guest is being polled until the returned guard is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.is_slower_than(Pace::Steady) {
            self.wake();
        }
        Running {
            shared: &self.shared,
        }
    }

    /// Ticks faster until the returned guard is dropped.
    pub(crate) fn hasten(&self) -> Haste {
        self.shared.hasty.fetch_add(1, Ordering::SeqCst);
        Haste {
            shared: Arc::clone(&self.shared),
            thread: self.thread.clone(),
            processor: None,
        }
    }

    fn wake(&self) {
        wake(&self.thread);
    }

    /// Ticks since the start.
    pub(crate) fn ticks(&self) -> u64 {
        self.shared.ticks.load(Ordering::Relaxed)
    }

    /// Whether no tick comes before somebody enters.
    #[cfg(test)]
    pub(crate) fn is_parked(&self) -> bool {
        self.shared.is_slower_than(Pace::Steady)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(handle) = self.handle.take() {
            // The thread has no result, and a panic in it (there is nothing to panic) must not spread.
            drop(handle.join());
        }
    }
}

/// Proof that a guest is being polled.
pub(crate) struct Running<'a> {
    shared: &'a Shared,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Proof that somebody wants more ticks.
pub(crate) struct Haste {
    shared: Arc<Shared>,
    /// The ticker.
    thread: Thread,
    /// Where this guest has computed last.
    processor: Option<usize>,
}

impl Haste {
    /// Says that this thread is about to compute, until the returned guard is dropped, and sees to it that the ticker is
    /// awake and somewhere else.
    pub(crate) fn compute_here(&mut self) -> Option<Here<'_>> {
        let processor = processors::current();
        let here = processor.and_then(|processor| self.shared.computing.on(processor));
        if self.shared.is_slower_than(Pace::Hasty) || processor != self.processor {
            self.processor = processor;
            wake(&self.thread);
        }
        here
    }
}

/// Wakes the ticker and lets it look around, should it be on this processor.
fn wake(ticker: &Thread) {
    ticker.unpark();
    std::thread::yield_now();
}

impl Drop for Haste {
    fn drop(&mut self) {
        self.shared.hasty.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(shared: &Shared) {
    let elsewhere = Elsewhere::new();
    let (mut ticked, mut busy) = (Instant::now(), None);
    while !shared.stopping.load(Ordering::SeqCst) {
        let now = Instant::now();
        if shared.running.load(Ordering::SeqCst) > 0 {
            busy = Some(now);
        }
        let is_idle = busy.is_none_or(|busy| now.saturating_duration_since(busy) >= IDLE);
        let pace = if shared.hasty.load(Ordering::SeqCst) > 0 {
            Pace::Hasty
        } else if is_idle {
            Pace::Parked
        } else {
            Pace::Steady
        };
        if shared.pace.swap(pace as u8, Ordering::SeqCst) != pace as u8 {
            // Who came in between may have seen the old pace.
            continue;
        }
        let period = match pace {
            Pace::Hasty => HASTY_TICK,
            Pace::Steady => TICK,
            Pace::Parked => {
                if shared.running.load(Ordering::SeqCst) == 0 {
                    std::thread::park();
                }
                // Who ends the silence has a whole tick, too.
                ticked = Instant::now();
                continue;
            }
        };
        let since = now.saturating_duration_since(ticked);
        if since < period {
            elsewhere.go(&shared.computing);
            std::thread::park_timeout(period - since);
            continue;
        }
        ticked = now;
        shared.ticks.fetch_add(1, Ordering::SeqCst);
        let engines = shared.engines.lock();
        let engines = engines.unwrap_or_else(PoisonError::into_inner);
        for engine in engines.iter().filter_map(EngineWeak::upgrade) {
            engine.increment_epoch();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Waits (bounded) until `condition` holds.
    pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let limit = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < limit, "waited too long until {what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn ticks_while_a_guest_is_polled_and_parks_when_none_is() {
        let ticker = Ticker::start(Vec::new()).unwrap();
        wait_until("it is parked at the start", || {
            ticker.shared.is_slower_than(Pace::Steady)
        });
        assert_eq!(ticker.ticks(), 0);
        {
            let _running = ticker.enter();
            wait_until("it ticks", || ticker.ticks() >= 3);
        }
        wait_until("it parks again", || {
            ticker.shared.is_slower_than(Pace::Steady)
        });
        let before = ticker.ticks();
        {
            let _running = ticker.enter();
            wait_until("it ticks again", || ticker.ticks() > before);
        }
    }

    #[test]
    fn haste_lasts_as_long_as_somebody_wants_it() {
        let ticker = Ticker::start(Vec::new()).unwrap();
        let _running = ticker.enter();
        let first = ticker.hasten();
        let mut second = ticker.hasten();
        drop(second.compute_here());
        drop(first);
        wait_until("it ticks fast", || {
            !ticker.shared.is_slower_than(Pace::Hasty)
        });
        let before = ticker.ticks();
        wait_until("it ticks", || ticker.ticks() >= before + 3);
        drop(second);
        wait_until("it ticks slower", || {
            ticker.shared.is_slower_than(Pace::Hasty)
        });
    }

    #[test]
    fn a_short_poll_that_ends_before_the_ticker_wakes_does_not_confuse_it() {
        let ticker = Ticker::start(Vec::new()).unwrap();
        for _ in 0..10_000 {
            drop(ticker.enter());
        }
        wait_until("it parks", || ticker.shared.is_slower_than(Pace::Steady));
        let _running = ticker.enter();
        let before = ticker.ticks();
        wait_until("it ticks", || ticker.ticks() > before);
    }
}
