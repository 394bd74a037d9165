//! The programs that are ready to run, one entry for each content, shared by all containers of the process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use wasmpod_image::{Digest, Program};
use wasmpod_sandbox::{Progress, ProgressSink, RuntimeError, Stage};

use crate::compile::{Compiler, Made};
use crate::engine::Tier;
use crate::link::Linked;

/// Programs that are kept ready although no container may use them any more. The one that was not used for the longest
/// time goes first; it is loaded from the store again when it is needed.
const MAX_READY_PROGRAMS: usize = 64;

/// Programs that are loaded or compiled at the same time. One compilation uses all cores and some hundred megabytes;
/// a second one keeps a small program from waiting behind a big one.
const MAX_PREPARING: usize = 2;

/// All programs that are ready or being prepared.
pub(crate) struct Programs {
    compiler: Arc<Compiler>,
    slots: Mutex<HashMap<Digest, Arc<Slot>>>,
    preparing: Semaphore,
    uses: AtomicU64,
}

#[derive(Default)]
struct Slot {
    ready: Mutex<Option<Arc<Linked>>>,
    /// Held by the one who prepares; the others wait for what comes of it.
    turn: tokio::sync::Mutex<()>,
    last_use: AtomicU64,
}

impl Slot {
    fn ready(&self) -> MutexGuard<'_, Option<Arc<Linked>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Programs {
    /// No programs yet; `compiler` makes them.
    pub(crate) fn new(compiler: Compiler) -> Self {
        let (compiler, preparing) = (Arc::new(compiler), Semaphore::new(MAX_PREPARING));
        Self {
            compiler,
            slots: Mutex::default(),
            preparing,
            uses: AtomicU64::new(0),
        }
    }

    /// What makes programs.
    pub(crate) fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// The program, made ready if it is not: loaded, or compiled on a thread for blocking work.
    ///
    /// # Errors
    /// The program is invalid, needs what is not offered, or cannot be compiled. Whoever asks next tries again.
    pub(crate) async fn get(
        &self,
        program: &Arc<Program>,
        progress: Option<ProgressSink>,
    ) -> Result<Arc<Linked>, RuntimeError> {
        let slot = self.slot(program.digest);
        if let Some(ready) = slot.ready().as_ref() {
            return Ok(Arc::clone(ready));
        }
        let _turn = slot.turn.lock().await;
        if let Some(ready) = slot.ready().as_ref() {
            return Ok(Arc::clone(ready));
        }
        let made = self.make(program, progress).await?;
        let (linked, tier) = (Arc::new(made.linked), made.tier);
        *slot.ready() = Some(Arc::clone(&linked));
        if tier == Tier::Baseline {
            let slot = Arc::clone(&slot);
            self.compiler.optimise_in_background(program, move |made| {
                *slot.ready() = Some(Arc::new(made.linked));
            });
        }
        Ok(linked)
    }

    async fn make(
        &self,
        program: &Arc<Program>,
        progress: Option<ProgressSink>,
    ) -> Result<Made, RuntimeError> {
        // Never closed, so it is always given.
        let _permit = self.preparing.acquire().await;
        let (compiler, program) = (Arc::clone(&self.compiler), Arc::clone(program));
        let work = tokio::task::spawn_blocking(move || {
            let report = |stage: Stage, done: u64, total: u64| {
                if let Some(progress) = &progress {
                    progress(Progress {
                        program: program.name.clone(),
                        stage,
                        done,
                        total,
                    });
                }
            };
            let made = compiler.make(&program, &report);
            if made.is_ok() {
                report(Stage::Ready, 0, 0);
            }
            made
        });
        work.await.map_err(|error| RuntimeError::Internal {
            detail: format!("preparing the program failed: {error}"),
        })?
    }

    fn slot(&self, digest: Digest) -> Arc<Slot> {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(slots.entry(digest).or_default());
        slot.last_use.store(now, Ordering::Relaxed);
        if slots.len() > MAX_READY_PROGRAMS {
            let last_use = |slot: &Arc<Slot>| slot.last_use.load(Ordering::Relaxed);
            let oldest = slots
                .iter()
                .min_by_key(|(_, slot)| last_use(slot))
                .map(|(key, _)| *key);
            oldest.map(|oldest| slots.remove(&oldest));
        }
        slot
    }
}
