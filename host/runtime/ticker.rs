//! The clock behind fair scheduling: one thread that raises the engines' epoch every millisecond, so that
//! a guest in a long computation yields its worker to its neighbours and to timers.
//!
//! It ticks only while a guest is being polled. After [`IDLE_TICKS`] ticks without one it parks, and the next
//! poll wakes it: pods that wait cost no ticks at all.
//!
//! The protocol between a worker that enters a guest and the ticker that goes to sleep is Dekker's: each side
//! first writes its own flag, then reads the other's, all sequentially consistent, so that at least one of
//! them sees the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use wasmtime::EngineWeak;

use crate::error::SetupError;

/// Time between two ticks: what a computing guest may keep its worker for, before it yields.
///
/// With 1 ms and five spinning guests on one worker, a neighbour's timer is late by at most 10 ms.
const TICK: Duration = Duration::from_millis(1);

/// Ticks without any guest being polled after which the ticker parks. A guest that is woken more often than
/// every 10 ms thus does not pay for waking the ticker each time.
const IDLE_TICKS: u32 = 10;

#[derive(Debug, Default)]
struct Shared {
    /// Guests that are being polled right now, on all workers.
    running: AtomicUsize,
    /// Whether the ticker sleeps and must be woken by the next guest.
    parked: AtomicBool,
    /// Whether the ticker must end.
    stopping: AtomicBool,
    /// Ticks since the start, for tests.
    ticks: AtomicU64,
}

/// Handle of the ticker's thread; dropping it ends the thread.
#[derive(Debug)]
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
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let handle = std::thread::Builder::new()
            .name("wasmpod-epoch".to_owned())
            .spawn(move || tick(&for_thread, &engines))
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

    /// Says that a guest is being polled until the returned guard is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running {
            shared: &self.shared,
        }
    }

    /// Ticks since the start.
    #[cfg(test)]
    pub(crate) fn ticks(&self) -> u64 {
        self.shared.ticks.load(Ordering::SeqCst)
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
#[derive(Debug)]
pub(crate) struct Running<'a> {
    shared: &'a Shared,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(shared: &Shared, engines: &[EngineWeak]) {
    let mut idle_ticks = IDLE_TICKS;
    while !shared.stopping.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle_ticks = 0;
        } else if idle_ticks < IDLE_TICKS {
            idle_ticks += 1;
        } else {
            shared.parked.store(true, Ordering::SeqCst);
            while shared.running.load(Ordering::SeqCst) == 0
                && !shared.stopping.load(Ordering::SeqCst)
            {
                std::thread::park();
            }
            shared.parked.store(false, Ordering::SeqCst);
            idle_ticks = 0;
            continue;
        }
        std::thread::sleep(TICK);
        shared.ticks.fetch_add(1, Ordering::SeqCst);
        for engine in engines.iter().filter_map(EngineWeak::upgrade) {
            engine.increment_epoch();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits (bounded) until `condition` holds.
    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(
                std::time::Instant::now() < limit,
                "waited too long until {what}"
            );
            std::thread::yield_now();
        }
    }

    #[test]
    fn ticks_while_a_guest_is_polled_and_parks_when_none_is() {
        let ticker = Ticker::start(Vec::new()).unwrap();
        wait_until("it is parked at the start", || {
            ticker.shared.parked.load(Ordering::SeqCst)
        });
        assert_eq!(ticker.ticks(), 0);
        {
            let _running = ticker.enter();
            wait_until("it ticks", || ticker.ticks() >= 3);
        }
        wait_until("it parks again", || {
            ticker.shared.parked.load(Ordering::SeqCst)
        });
        let before = ticker.ticks();
        {
            let _running = ticker.enter();
            wait_until("it ticks again", || ticker.ticks() > before);
        }
    }

    #[test]
    fn a_short_poll_that_ends_before_the_ticker_wakes_does_not_confuse_it() {
        let ticker = Ticker::start(Vec::new()).unwrap();
        for _ in 0..10_000 {
            drop(ticker.enter());
        }
        wait_until("it parks", || ticker.shared.parked.load(Ordering::SeqCst));
        let _running = ticker.enter();
        let before = ticker.ticks();
        wait_until("it ticks", || ticker.ticks() > before);
    }
}
