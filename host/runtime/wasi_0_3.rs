//! What components of WASI 0.3 need apart from the others: an engine and linkers of their own.
//!
//! The engine is set up as the optimised one, and besides for the concurrency of the component model, which makes each
//! call of a component dearer. It is made with the first component that exports `wasi:http/handler`, so that a host that
//! never sees one has nothing of it.
//!
//! The makers of the engine call its implementation of WASI 0.3 experimental, and give no security fixes for what is
//! wrong with it alone. It is therefore there only with the feature `wasi-0-3` of this crate, and for programs that one
//! trusts.
//!
//! What it deliberately does not do: run commands of WASI 0.3 (`wasi:cli/run` 0.3).

use wasmpod_image::Program;
use wasmpod_sandbox::{RuntimeError, Stage};
use wasmtime::{Engine, Result};

use crate::code_store::{Code, CodeStore, Compiled, Key, load_bytes};
use crate::compile::{Made, internal, invalid};
use crate::engine::{Tier, config};
use crate::inspect::Kind;
use crate::link::Linkers;
use crate::ticker::Ticker;

/// The engine of WASI 0.3, and what its components are joined with.
pub(crate) struct Wasi03 {
    engine: Engine,
    linkers: Linkers,
}

impl Wasi03 {
    /// Builds the engine, whose guests `ticker` interrupts.
    ///
    /// # Errors
    /// The host's processor or operating system lacks something that the engine needs.
    pub(crate) fn new(ticker: &Ticker) -> Result<Self> {
        let mut config = config(Tier::Optimised);
        config.concurrency_support(true);
        let engine = Engine::new(&config)?;
        let linkers = Linkers::with_wasi_0_3(&engine)?;
        ticker.interrupt(engine.weak());
        Ok(Self { engine, linkers })
    }

    /// What its components are joined with.
    pub(crate) const fn linkers(&self) -> &Linkers {
        &self.linkers
    }

    /// Loads or compiles `program`, whose bytes are `wasm`.
    ///
    /// # Errors
    /// It cannot be compiled, or exports another version of `wasi:http/handler`.
    pub(crate) fn make(
        &self,
        store: Option<&CodeStore>,
        program: &Program,
        wasm: &[u8],
        report: &dyn Fn(Stage, u64, u64),
    ) -> Result<Made, RuntimeError> {
        let (engine, tier, kind) = (&self.engine, Tier::Optimised, Kind::Component);
        let key = Key::new(&program.digest.hex(), tier, engine);
        if let Some(code) = store.and_then(|store| store.load(engine, &key)) {
            return self.link(program, &code);
        }
        let size = u64::try_from(wasm.len()).unwrap_or(u64::MAX);
        report(Stage::Compiling, 0, size);
        let compiled =
            Compiled::compile(engine, kind, wasm).map_err(|error| RuntimeError::Compile {
                program: program.name.clone(),
                detail: format!("{error:#}"),
            })?;
        report(Stage::Compiling, size, size);
        report(Stage::Storing, 0, 0);
        let stored = store.and_then(|store| store.store(engine, &key, kind, &compiled));
        let code = match stored {
            Some(code) => code,
            None => load_bytes(engine, kind, &compiled).map_err(|error| internal(&error))?,
        };
        self.link(program, &code)
    }

    fn link(&self, program: &Program, code: &Code) -> Result<Made, RuntimeError> {
        let linked = match code {
            Code::Component(component) => self.linkers.link_0_3(component),
            Code::Module(_) => Err(wasmtime::Error::msg("not a component")),
        };
        let linked = linked.map_err(|error| invalid(program, &format!("{error:#}")))?;
        let tier = Tier::Optimised;
        Ok(Made { linked, tier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engines;
    use crate::inspect::read_outline;

    #[test]
    fn interfaces_of_0_3_are_offered_beside_those_of_0_2_except_sockets() {
        let engines = Engines::new().unwrap();
        let wasi = Wasi03::new(engines.ticker()).unwrap();
        let functions = [
            ("wasi:cli/exit@0.3.0", "exit-with-code"),
            ("wasi:cli/stdin@0.3.0", "read-via-stream"),
            ("wasi:cli/exit@0.2.0", "exit"),
            ("wasi:clocks/system-clock@0.3.0", "now"),
            ("wasi:filesystem/types@0.3.0", "[method]descriptor.stat"),
            ("wasi:filesystem/preopens@0.3.0", "get-directories"),
            ("wasi:http/client@0.3.1", "send"),
            ("wasi:random/random@0.3.0", "get-random-u64"),
            ("wasi:sockets/tcp-create-socket@0.2.0", "create-tcp-socket"),
            ("wasi:sockets/ip-name-lookup@0.3.0", "resolve-addresses"),
            ("wasi:http/handler@0.3.0", "handle"),
        ];
        // A function that belongs to a resource can be told from others by its name alone.
        let imports = functions.iter().map(|(interface, function)| {
            let own = function.strip_prefix("[method]descriptor.");
            let (types, parameter) = match own {
                Some(_) => (
                    "(export \"descriptor\" (type $d (sub resource)))",
                    "(param \"self\" (borrow $d))",
                ),
                None => ("", ""),
            };
            format!("(import \"{interface}\" (instance {types} (export \"{function}\" (func {parameter}))))")
        });
        let text = format!("(component {})", imports.collect::<String>());
        let outline = read_outline(&wat::parse_str(text).unwrap()).unwrap();
        let missing: Vec<_> = wasi
            .linkers()
            .imports(&outline)
            .into_iter()
            .flat_map(|import| import.missing)
            .collect();
        assert_eq!(
            missing,
            [
                "wasi:http/handler@0.3.0",
                "wasi:sockets/ip-name-lookup@0.3.0"
            ]
        );
    }
}
