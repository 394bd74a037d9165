//! From a program's bytes to code that can run: out of the store, or compiled.
//!
//! Which compiler, and when:
//!
//! ```text
//!  optimised code in the store ────────────────────────────────► run it
//!  baseline code in the store (built-in programs only) ────────► run it, optimise in the background
//!  nothing ── a big built-in program ── compile with Winch ────► run it, optimise in the background
//!          └─ anything else ─────────── compile with Cranelift ► run it
//! ```
//!
//! The background thread has the lowest priority and compiles one program at a time on one core. What it made replaces
//! the baseline code in the store and in memory, for the next start; what runs keeps running as it is.
//!
//! Everything here blocks; the caller brings the thread.

#[cfg(feature = "wasi-0-3")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmpod_image::Program;
use wasmpod_sandbox::{RuntimeError, Stage};

use crate::code_store::{Code, CodeStore, Compiled, Key, load_bytes};
use crate::engine::{Engines, Tier};
use crate::inspect::{
    CORE_ENTRY, HTTP_ENTRY, HTTP_ENTRY_0_3, Inspection, Kind, Outline, read_outline,
};
use crate::link::{Linked, Linkers};
use crate::notice::{Notice, Notices};
#[cfg(feature = "wasi-0-3")]
use crate::wasi_0_3::Wasi03;

/// Size of a built-in program, in bytes, from which its first start uses the baseline compiler. Cranelift needs about
/// two and a half seconds for a megabyte on two cores, Winch a quarter of that: below this size the wait is under
/// half a second anyway.
const BASELINE_FROM_BYTES: usize = 256 << 10;

/// Programs that may wait for the background compiler, the one at work included. Further ones are optimised at their
/// next start.
const MAX_BACKGROUND: usize = 16;

/// Lowers the priority of the background compiler: `nice(1)`'s highest number.
#[cfg(target_os = "linux")]
const BACKGROUND_NICE: i32 = 19;

/// Makes code of programs.
pub(crate) struct Compiler {
    engines: Arc<Engines>,
    store: Option<CodeStore>,
    optimised: Linkers,
    baseline: Linkers,
    /// Made for the first component of WASI 0.3, or why it cannot be.
    #[cfg(feature = "wasi-0-3")]
    wasi_0_3: OnceLock<Result<Wasi03, String>>,
    notices: Notices,
    in_background: AtomicUsize,
    one_at_a_time: Mutex<()>,
}

/// What one preparation gave.
pub(crate) struct Made {
    /// The program, ready for its containers.
    pub(crate) linked: Linked,
    /// Which compiler made it.
    pub(crate) tier: Tier,
}

impl Compiler {
    /// A compiler for `engines` that keeps what it makes in `store`.
    ///
    /// # Errors
    /// A bug of this host: an interface is defined twice.
    pub(crate) fn new(
        engines: Arc<Engines>,
        store: Option<CodeStore>,
        notices: Notices,
    ) -> wasmtime::Result<Self> {
        let optimised = Linkers::new(engines.of(Tier::Optimised))?;
        let baseline = Linkers::new(engines.of(Tier::Baseline))?;
        let in_background = AtomicUsize::new(0);
        let one_at_a_time = Mutex::new(());
        Ok(Self {
            engines,
            store,
            optimised,
            baseline,
            #[cfg(feature = "wasi-0-3")]
            wasi_0_3: OnceLock::new(),
            notices,
            in_background,
            one_at_a_time,
        })
    }

    /// What `program` is and needs, compared with what this host offers.
    ///
    /// # Errors
    /// Its bytes are not valid WebAssembly.
    pub(crate) fn inspect(&self, program: &Program) -> Result<Inspection, RuntimeError> {
        let wasm = program
            .bytes()
            .map_err(|error| invalid(program, &error.to_string()))?;
        let outline = read_outline(&wasm).map_err(|problem| invalid(program, &problem))?;
        Ok(Inspection {
            kind: outline.kind,
            size_bytes: u64::try_from(wasm.len()).unwrap_or(u64::MAX),
            imports: self.linkers_of(&outline)?.imports(&outline),
            is_command: outline.is_command(),
            handles_http: outline.handles_http(),
            exports: outline.exports,
        })
    }

    /// Loads or compiles `program`.
    ///
    /// # Errors
    /// The program is invalid, needs what is not offered, or cannot be compiled.
    pub(crate) fn make(
        &self,
        program: &Program,
        report: &dyn Fn(Stage, u64, u64),
    ) -> Result<Made, RuntimeError> {
        report(Stage::Loading, 0, 0);
        if let Some(made) = self.load(program) {
            return Ok(made);
        }
        let wasm = program
            .bytes()
            .map_err(|error| invalid(program, &error.to_string()))?;
        let inspection = self.check(program)?;
        #[cfg(feature = "wasi-0-3")]
        if inspection.handles_http_0_3() {
            return self
                .wasi_0_3()?
                .make(self.store.as_ref(), program, &wasm, report);
        }
        let kind = inspection.kind;
        let size = u64::try_from(wasm.len()).unwrap_or(u64::MAX);
        let tier = if program.is_trusted && wasm.len() >= BASELINE_FROM_BYTES {
            Tier::Baseline
        } else {
            Tier::Optimised
        };
        report(Stage::Compiling, 0, size);
        let engine = self.engines.of(tier);
        let compiled =
            Compiled::compile(engine, kind, &wasm).map_err(|error| RuntimeError::Compile {
                program: program.name.clone(),
                detail: format!("{error:#}"),
            })?;
        report(Stage::Compiling, size, size);
        report(Stage::Storing, 0, 0);
        let code = self
            .keep(program, tier, kind, &compiled)
            .map_err(|error| internal(&error))?;
        let linked = self.link(program, tier, &code, Some((kind, &compiled)));
        let linked = linked.map_err(|error| invalid(program, &format!("{error:#}")))?;
        Ok(Made { linked, tier })
    }

    /// Optimises a program that runs as baseline code, on a thread of its own; `done` gets the result.
    pub(crate) fn optimise_in_background(
        self: &Arc<Self>,
        program: &Arc<Program>,
        done: impl FnOnce(Made) + Send + 'static,
    ) {
        if self.in_background.fetch_add(1, Ordering::Relaxed) >= MAX_BACKGROUND {
            self.in_background.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let (this, for_thread) = (Arc::clone(self), Arc::clone(program));
        let work = move || {
            lower_priority();
            let turn = this
                .one_at_a_time
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match this.optimise(&for_thread) {
                Ok(made) => done(made),
                Err(problem) => {
                    let program = for_thread.name.clone();
                    this.notices.tell(Notice::NotOptimised { program, problem });
                }
            }
            drop(turn);
            this.in_background.fetch_sub(1, Ordering::Relaxed);
        };
        let spawned = std::thread::Builder::new()
            .name("wasmpod-optimise".to_owned())
            .spawn(work);
        if let Err(error) = spawned {
            self.in_background.fetch_sub(1, Ordering::Relaxed);
            let (program, problem) = (program.name.clone(), error.to_string());
            self.notices.tell(Notice::NotOptimised { program, problem });
        }
    }

    fn optimise(&self, program: &Program) -> Result<Made, String> {
        let describe = |error: wasmtime::Error| format!("{error:#}");
        let wasm = program.bytes().map_err(|error| error.to_string())?;
        let kind = wasmpod_image::format::read_outline(&wasm).map_err(|error| error.to_string())?;
        let compiler = Engines::background_compiler().map_err(|error| error.to_string())?;
        let compiled = Compiled::compile(&compiler, kind, &wasm).map_err(describe)?;
        let code = self
            .keep(program, Tier::Optimised, kind, &compiled)
            .map_err(describe)?;
        if let Some(store) = &self.store {
            store.remove(&self.key(program, Tier::Baseline));
        }
        let tier = Tier::Optimised;
        let linked = self
            .link(program, tier, &code, Some((kind, &compiled)))
            .map_err(describe)?;
        Ok(Made { linked, tier })
    }

    /// Puts new code into the store and takes it from there, or from memory where there is no store.
    fn keep(
        &self,
        program: &Program,
        tier: Tier,
        kind: Kind,
        compiled: &Compiled,
    ) -> wasmtime::Result<Code> {
        let engine = self.engines.of(tier);
        let stored = self
            .store
            .as_ref()
            .and_then(|store| store.store(engine, &self.key(program, tier), kind, compiled));
        stored.map_or_else(|| load_bytes(engine, kind, compiled), Ok)
    }

    fn load(&self, program: &Program) -> Option<Made> {
        let store = self.store.as_ref()?;
        let tiers: &[Tier] = if program.is_trusted {
            &[Tier::Optimised, Tier::Baseline]
        } else {
            &[Tier::Optimised]
        };
        tiers.iter().find_map(|tier| {
            let code = store.load(self.engines.of(*tier), &self.key(program, *tier))?;
            // What was stored by a host that offered more is checked again from its bytes, for a full answer.
            let linked = self.link(program, *tier, &code, None).ok()?;
            Some(Made {
                linked,
                tier: *tier,
            })
        })
    }

    /// Joins code with this host; that of an HTTP component is loaded for the pool as well, out of the store or from
    /// what was compiled just now.
    fn link(
        &self,
        program: &Program,
        tier: Tier,
        code: &Code,
        compiled: Option<(Kind, &Compiled)>,
    ) -> wasmtime::Result<Linked> {
        let mut linked = self.linkers(tier).link(code)?;
        if let (Linked::Http(http), Tier::Optimised) = (&mut linked, tier) {
            http.pooled = self.engines.pool().and_then(|pool| {
                let stored = self.store.as_ref().and_then(|store| {
                    store.load_again(pool.engine(), &self.key(program, tier), Kind::Component)
                });
                let code = stored.or_else(|| {
                    let (kind, compiled) = compiled?;
                    load_bytes(pool.engine(), kind, compiled).ok()
                });
                pool.link(&code?)
            });
        }
        Ok(linked)
    }

    /// Refuses a program that could not start, before time is spent on compiling it.
    fn check(&self, program: &Program) -> Result<Inspection, RuntimeError> {
        let inspection = self.inspect(program)?;
        let is_program = inspection.is_command || inspection.handles_http;
        if !is_program && inspection.handles_http_0_3() {
            let what = format!(
                "the component exports `{HTTP_ENTRY_0_3}` of WASI 0.3, which this build does not serve, because its \
                 makers call the engine's implementation experimental (hint: build it with `--features wasi-0-3`, or \
                 use a component that exports `{HTTP_ENTRY}` of 0.2)"
            );
            return Err(invalid(program, &what));
        }
        let imports = inspection.missing();
        if !imports.is_empty() {
            return Err(RuntimeError::MissingImports {
                program: program.name.clone(),
                imports,
            });
        }
        if !is_program {
            let what = match inspection.kind {
                Kind::Module => format!("the module exports no function `{CORE_ENTRY}`"),
                Kind::Component => {
                    format!("the component exports neither `wasi:cli/run` nor `{HTTP_ENTRY}`")
                }
            };
            return Err(invalid(
                program,
                &format!("{what}: it is a library, not a program"),
            ));
        }
        Ok(inspection)
    }

    /// What a program with this outline is joined with.
    fn linkers_of(&self, outline: &Outline) -> Result<&Linkers, RuntimeError> {
        #[cfg(feature = "wasi-0-3")]
        if outline.handles_http_0_3() {
            return Ok(self.wasi_0_3()?.linkers());
        }
        #[cfg(not(feature = "wasi-0-3"))]
        let _ = outline;
        Ok(&self.optimised)
    }

    /// What components of WASI 0.3 need apart from the others.
    #[cfg(feature = "wasi-0-3")]
    fn wasi_0_3(&self) -> Result<&Wasi03, RuntimeError> {
        let make = || Wasi03::new(self.engines.ticker()).map_err(|error| format!("{error:#}"));
        let made = self.wasi_0_3.get_or_init(make).as_ref();
        made.map_err(|detail| RuntimeError::Internal {
            detail: detail.clone(),
        })
    }

    fn key(&self, program: &Program, tier: Tier) -> Key {
        Key::new(&program.digest.hex(), tier, self.engines.of(tier))
    }

    fn linkers(&self, tier: Tier) -> &Linkers {
        match tier {
            Tier::Optimised => &self.optimised,
            Tier::Baseline => &self.baseline,
        }
    }
}

pub(crate) fn invalid(program: &Program, detail: &str) -> RuntimeError {
    RuntimeError::InvalidProgram {
        program: program.name.clone(),
        detail: detail.to_owned(),
    }
}

pub(crate) fn internal(error: &wasmtime::Error) -> RuntimeError {
    RuntimeError::Internal {
        detail: format!("{error:#}"),
    }
}

/// Lets guests go before: on Linux a thread has a priority of its own. Failing to is harmless.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, BACKGROUND_NICE);
}
