//! The engines: the settings under which every guest is compiled and run.
//!
//! There are two for containers, because code of one compiler cannot run in the other's engine: the *optimised* one
//! (Cranelift) runs everything; the *baseline* one (Winch, about four times faster to compile, slower code)
//! runs the first start of a big built-in program, until the optimised code is in the code store.
//! Baseline code is made only from programs that this project built itself: a one-pass compiler has had
//! more sandbox escapes than an optimising one, so foreign programs never meet it.
//!
//! A third one is for instances that live as long as a request (see `pool`), and is made when there is something for it.
//!
//! What it deliberately does not do: compile (see `compile`), keep code (see `code_store`).

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use wasmtime::{Config, Engine, Strategy};

use crate::error::SetupError;
use crate::pool::Pool;
use crate::ticker::Ticker;

/// Stack that a guest's own functions may use, in bytes.
///
/// wasmtime's default, so that a program that runs under `wasmtime run` runs here. A guest that goes beyond
/// it ends with the trap "call stack exhausted". Only touched pages become resident.
const MAX_WASM_STACK_BYTES: usize = 512 << 10;

/// The whole stack of one guest, in bytes: the guest's own part and as much again for host functions that
/// run on it (directory walks, formatting of traps). Virtual size only: an idle guest touches two or three
/// pages of it. Overflow of the host's part would end the process, hence the generous half.
const ASYNC_STACK_BYTES: usize = 2 * MAX_WASM_STACK_BYTES;

/// Frames of a Wasm backtrace that are kept; deeper ones are cut off by the engine.
pub(crate) const BACKTRACE_FRAMES: NonZeroUsize = match NonZeroUsize::new(20) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};

/// Which compiler made a piece of code, and hence which engine can run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tier {
    /// Cranelift at full speed: what every program runs with in the end.
    Optimised,
    /// Winch: compiled in a fraction of the time, for the first start of a big program of ours.
    Baseline,
}

impl Tier {
    /// The word that names this tier in the code store's file names.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Optimised => "optimised",
            Self::Baseline => "baseline",
        }
    }
}

/// The engines and the clock that interrupts their guests.
pub(crate) struct Engines {
    optimised: Engine,
    baseline: Engine,
    /// Nothing where this machine cannot have one.
    pool: OnceLock<Option<Pool>>,
    ticker: Arc<Ticker>,
}

impl Engines {
    /// Builds the engines for containers and starts the (parked) ticker.
    ///
    /// # Errors
    /// The host's processor or operating system lacks something that the engine needs.
    pub(crate) fn new() -> Result<Self, SetupError> {
        let engine = |tier| Engine::new(&config(tier)).map_err(SetupError::engine);
        let (optimised, baseline) = (engine(Tier::Optimised)?, engine(Tier::Baseline)?);
        let ticker = Ticker::start(vec![optimised.weak(), baseline.weak()])?;
        Ok(Self {
            optimised,
            baseline,
            pool: OnceLock::new(),
            ticker: Arc::new(ticker),
        })
    }

    /// The pool for instances of a request, which is made now if nobody has asked for it; nothing where this machine does
    /// not give it the address space.
    pub(crate) fn pool(&self) -> Option<&Pool> {
        let make = || {
            let pool = Pool::new().ok()?;
            self.ticker.interrupt(pool.engine().weak());
            Some(pool)
        };
        self.pool.get_or_init(make).as_ref()
    }

    /// The engine that runs code of `tier`.
    pub(crate) fn of(&self, tier: Tier) -> &Engine {
        match tier {
            Tier::Optimised => &self.optimised,
            Tier::Baseline => &self.baseline,
        }
    }

    /// The clock that interrupts the guests of all engines.
    pub(crate) fn ticker(&self) -> &Arc<Ticker> {
        &self.ticker
    }

    /// An engine that makes the same optimised code as [`Tier::Optimised`] on one thread only, so that
    /// compiling in the background leaves the other cores to the guests.
    ///
    /// # Errors
    /// As for [`Engines::new`].
    pub(crate) fn background_compiler() -> Result<Engine, SetupError> {
        let mut config = config(Tier::Optimised);
        config.parallel_compilation(false);
        Engine::new(&config).map_err(SetupError::engine)
    }
}

/// The settings that code is made for.
pub(crate) fn config(tier: Tier) -> Config {
    let mut config = Config::new();
    config.strategy(match tier {
        Tier::Optimised => Strategy::Cranelift,
        Tier::Baseline => Strategy::Winch,
    });
    // A guest that never calls the host must still let its neighbours run and be stoppable: the ticker
    // raises the epoch, the guest yields at its next loop or function entry.
    config.epoch_interruption(true);
    // Only WASI 0.3 needs this (see `wasi_0_3`), and it makes each component call dearer.
    config.concurrency_support(false);
    config
        .max_wasm_stack(MAX_WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES);
    // Shared segments will be mapped into guest memories: a memory that moves would lose them. With the
    // default reservation of 4 GiB a 32-bit memory never has to.
    config.memory_may_move(false);
    // Copy-on-write images save about 12 KiB of private memory per small guest and a copy of all data
    // segments at each start (1.5 MB for the shell); they cost two more mappings per instance, which
    // bounds one process to about 10,700 containers (vm.max_map_count) instead of 16,000.
    config.memory_init_cow(true);
    config.wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    config
}
