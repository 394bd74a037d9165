//! What components of WASI 0.3 get, besides what all components do.
//!
//! They are linked with the interfaces of 0.2 as well, because the standard library below them may speak 0.2; both have
//! the same streams, clocks, directories and network behind them.
//!
//! Not there: `wasi:sockets` 0.3. Its types are the engine's own and open sockets of the machine, which no guest holds
//! here. Nor `wasi:http/handler` as an import: it is what composing components joins, and this host joins none.

use wasmtime::Result;
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p3::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi_http::p3::bindings::http;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use super::{Capability, ComponentState, Components, Link};

/// What components of WASI 0.3 can get besides [`COMPONENT_CAPABILITIES`](super::COMPONENT_CAPABILITIES).
#[rustfmt::skip]
pub const COMPONENT_CAPABILITIES_0_3: &[Capability] = &[
    component!("wasi:cli/environment@0.3.0", "arguments, environment, working directory", |l| cli::environment::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/exit@0.3.0", "ending with an exit code", |l| cli::exit::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/stdin@0.3.0", "standard input: nothing", |l| cli::stdin::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/stdout@0.3.0", "standard output: the container's log", |l| cli::stdout::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/stderr@0.3.0", "standard error: the container's log", |l| cli::stderr::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-input@0.3.0", "a terminal, as a type", |l| cli::terminal_input::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-output@0.3.0", "a terminal, as a type", |l| cli::terminal_output::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-stdin@0.3.0", "asking whether it is a terminal", |l| cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-stdout@0.3.0", "asking whether it is a terminal", |l| cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-stderr@0.3.0", "asking whether it is a terminal", |l| cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:clocks/monotonic-clock@0.3.0", "elapsed time, waiting for a moment", |l| clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, ComponentState::clocks)),
    component!("wasi:clocks/system-clock@0.3.0", "date and time", |l| clocks::system_clock::add_to_linker::<_, WasiClocks>(l, ComponentState::clocks)),
    component!("wasi:filesystem/preopens@0.3.0", "the container's root directory and volume mounts", |l| filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, ComponentState::filesystem)),
    component!("wasi:filesystem/types@0.3.0", "files and directories beneath them", |l| filesystem::types::add_to_linker::<_, WasiFilesystem>(l, ComponentState::filesystem)),
    component!("wasi:http/client@0.3.0", "HTTP requests in the pod's network", |l| http::client::add_to_linker::<_, WasiHttp>(l, ComponentState::http)),
    component!("wasi:http/types@0.3.0", "requests and responses, their headers, bodies and trailers", |l| http::types::add_to_linker::<_, WasiHttp>(l, ComponentState::http)),
    component!("wasi:random/random@0.3.0", "cryptographic randomness", |l| random::random::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())),
    component!("wasi:random/insecure@0.3.0", "fast randomness", |l| random::insecure::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())),
    component!("wasi:random/insecure-seed@0.3.0", "a seed for hash tables", |l| random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())),
];

/// Gives components everything in [`COMPONENT_CAPABILITIES_0_3`].
///
/// # Errors
/// A bug of this host: an interface is defined twice.
pub(crate) fn link_components_0_3(linker: &mut Components) -> Result<()> {
    COMPONENT_CAPABILITIES_0_3
        .iter()
        .try_for_each(|capability| match capability.link {
            Link::Component(link) => link(linker),
            Link::Module(_) => Ok(()),
        })
}
