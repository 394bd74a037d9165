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
        // The ticker counts before it raises the epoch, so a tick that the engine has seen is one that is counted; a processor
        // that shows us the two the other way round costs the others one more tick.
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
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::atomic::AtomicU32;
    use std::task::{Context, Poll, Waker};

    use wasmpod_sandbox::{CpuShare, MemoryShare};
    use wasmtime::{Linker, Module, Store};

    use super::*;
    use crate::container::guard;
    use crate::engine::{Engines, Tier};
    use crate::limits::Limits;
    use crate::polled::Polled;
    use crate::ticker::tests::wait_until;

    fn wait_for_a_tick(ticker: &Ticker) {
        let before = ticker.ticks();
        let _running = ticker.enter();
        wait_until("it ticks", || ticker.ticks() > before);
    }

    /// Lets a tick pass, and the clock park: no other comes before somebody enters.
    fn wait_for_a_tick_and_silence(ticker: &Ticker) {
        wait_for_a_tick(ticker);
        wait_until("it parks", || ticker.is_parked());
    }

    #[test]
    fn a_tick_ends_the_turn_in_which_it_comes_and_no_later_one() {
        let ticker = Arc::new(Ticker::start(Vec::new()).unwrap());
        let turn = Turn::new(Arc::clone(&ticker));
        turn.begin();
        wait_for_a_tick_and_silence(&ticker);
        assert!(turn.interrupt());
        assert!(turn.was_interrupted());
        turn.begin();
        assert!(!turn.was_interrupted());
        assert!(!turn.interrupt(), "the tick came before this turn");
        assert!(!turn.was_interrupted());
        wait_for_a_tick(&ticker);
        assert!(turn.interrupt());
    }

    /// A guest that calls the host in a loop, which lets it wait each time: one poll for each call, also of one whose deadline
    /// passed meanwhile. With the engine, because that is what asks.
    #[test]
    fn a_guest_that_is_woken_after_some_ticks_needs_one_turn_and_no_more() {
        const CALLS: u32 = 10;
        let engines = Engines::new().unwrap();
        let (engine, ticker) = (engines.of(Tier::Optimised), engines.ticker());
        let guest = r#"(module (import "host" "wait" (func $wait))
            (func (export "run") (loop (call $wait) (br 0))))"#;
        let module = Module::new(engine, wat::parse_str(guest).unwrap()).unwrap();
        let calls = Arc::new(AtomicU32::new(0));
        let mut linker = Linker::<Limits>::new(engine);
        let counted = Arc::clone(&calls);
        let wait = linker.func_wrap_async("host", "wait", move |_, ()| {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut has_waited = false;
            Box::new(poll_fn(move |_| {
                if std::mem::replace(&mut has_waited, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }))
        });
        wait.unwrap();
        let mut store = Store::new(engine, Limits::new(MemoryShare::new(1 << 30)));
        let turn = Turn::new(Arc::clone(ticker));
        guard(&mut store, |limits| limits, &turn);
        let run = async {
            let instance = linker.instantiate_async(&mut store, &module).await?;
            let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
            run.call_async(&mut store, ()).await
        };
        let mut guest = pin!(Polled::new(run, turn, CpuShare::unlimited()));
        let mut polls = 0;
        while calls.load(Ordering::Relaxed) < CALLS {
            let poll = guest.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(poll.is_pending());
            polls += 1;
            wait_for_a_tick_and_silence(ticker);
        }
        // A turn in which the clock does tick, because this machine is busy, ends without a call.
        assert!(polls < CALLS + CALLS / 2, "{polls} turns for {CALLS} calls");
    }
}
