//! A guest's turn, from one poll to its end: is it time to let others run?
//!
//! The engine interrupts a guest when its epoch has passed the guest's deadline, and sets a deadline when it has interrupted
//! a guest. One that has waited since then has a deadline that has passed long ago, and is interrupted as soon as it runs.
//! If it yielded then, each of a thousand guests that are woken one after the other would take two turns for one, and be
//! looked at as one that computes. So whoever began its turn after the last tick goes on to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::ticker::Ticker;

/// The turns of one guest, one after the other.
pub(crate) struct Turn {
    ticker: Arc<Ticker>,
    /// The ticks that there had been when it began.
    began: AtomicU64,
    /// Whether it was ended by an interruption.
    interrupted: AtomicBool,
}

impl Turn {
    /// The turns of a guest that `ticker` interrupts.
    pub(crate) fn new(ticker: Arc<Ticker>) -> Arc<Self> {
        Arc::new(Self {
            began: AtomicU64::new(ticker.ticks()),
            ticker,
            interrupted: AtomicBool::new(false),
        })
    }

    /// What interrupts the guest.
    pub(crate) const fn ticker(&self) -> &Arc<Ticker> {
        &self.ticker
    }

    /// The guest is about to be polled.
    pub(crate) fn begin(&self) {
        self.began.store(self.ticker.ticks(), Ordering::Relaxed);
        self.interrupted.store(false, Ordering::Relaxed);
    }

    /// Whether a guest that the engine asks about has to yield: the clock has ticked in its turn.
    pub(crate) fn interrupt(&self) -> bool {
        // The ticker counts before it raises the epoch, so a tick that the engine has seen is one that is counted.
        let is_over = self.ticker.ticks() != self.began.load(Ordering::Relaxed);
        if is_over {
            self.interrupted.store(true, Ordering::Relaxed);
        }
        is_over
    }

    /// Whether the last turn was ended by an interruption.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn wait_for_a_tick(ticker: &Ticker) {
        let before = ticker.ticks();
        let _running = ticker.enter();
        let limit = Instant::now() + Duration::from_secs(20);
        while ticker.ticks() == before {
            assert!(Instant::now() < limit, "it does not tick");
            std::thread::yield_now();
        }
    }

    /// Waits until the clock has stopped, so that no tick comes in between.
    fn wait_until_it_parks(ticker: &Ticker) {
        let limit = Instant::now() + Duration::from_secs(20);
        while !ticker.is_parked() {
            assert!(Instant::now() < limit, "it does not park");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_tick_ends_the_turn_in_which_it_comes_and_no_later_one() {
        let ticker = Arc::new(Ticker::start(Vec::new()).unwrap());
        let turn = Turn::new(Arc::clone(&ticker));
        turn.begin();
        wait_for_a_tick(&ticker);
        assert!(turn.interrupt());
        assert!(turn.was_interrupted());

        wait_for_a_tick(&ticker);
        wait_until_it_parks(&ticker);
        turn.begin();
        assert!(
            !turn.interrupt(),
            "the ticks came before the turn, while it waited"
        );
        assert!(!turn.was_interrupted());
        wait_for_a_tick(&ticker);
        assert!(turn.interrupt());
    }
}
