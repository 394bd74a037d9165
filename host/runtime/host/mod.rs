//! Everything that a guest can get from this host, in one list each for components and for core modules.
//!
//! What is not in these lists does not exist for a guest. The interfaces of WASI come from wasmtime-wasi, except
//! `wasi:sockets` and the sending of `wasi:http`, which are ours: there no guest ever holds a socket of the operating system. An interface here only
//! converts; what happens is decided in the network, ipc and volume crates.
//!
//! | for | see |
//! |---|---|
//! | standard input, output and error | `stdio` |
//! | the pod's time | `time` |
//! | `wasi:sockets` over the pod's network | `sockets` |
//! | sockets of WASI 0.1 over the same | `wasip1_sockets` |
//! | the memory of core modules | `guest_memory` |
//! | `wasi:http` over the pod's network | `http` |
//! | message queues, semaphores, shared memory | `ipc` |
//! | signals and termination | `lifecycle` |
//! | what one guest holds | `state` |
//! | what components of WASI 0.3 get besides | `wasi_0_3` |

use wasmtime::Result;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{I32Exit, WasiView as _};
use wasmtime_wasi_io::bindings::wasi::io;

mod guest_memory;
mod http;
mod ipc;
mod lifecycle;
mod sockets;
mod state;
mod stdio;
mod time;
mod wasip1_sockets;

pub(crate) use http::Trust;
pub(crate) use lifecycle::{Origin, Signals};
pub(crate) use wasip1_sockets::{Listeners, has_sockets, link_forms as link_socket_forms};

pub(crate) use state::{ComponentState, CoreState, CoreStore, Held, Setting};

type Components = Linker<ComponentState>;
type Modules = wasmtime::Linker<CoreState>;

/// One interface that this host offers.
#[derive(Clone, Copy)]
pub struct Capability {
    /// Its name: `package/interface@version` for components, the import module for core modules. Components that
    /// ask for another version of the same track (0.2.x) get this one.
    pub interface: &'static str,
    /// What a guest can do with it.
    pub gives: &'static str,
    link: Link,
}

#[derive(Clone, Copy)]
enum Link {
    Component(fn(&mut Components) -> Result<()>),
    Module(fn(&mut Modules) -> Result<()>),
}

impl std::fmt::Debug for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.interface)
    }
}

/// A row for components whose implementation reads its part of the state with `$view`.
macro_rules! component {
    ($interface:literal, $gives:literal, $link:expr) => {
        Capability {
            interface: $interface,
            gives: $gives,
            link: Link::Component($link),
        }
    };
}

#[cfg(feature = "wasi-0-3")]
mod wasi_0_3;
#[cfg(feature = "wasi-0-3")]
pub use wasi_0_3::COMPONENT_CAPABILITIES_0_3;
#[cfg(feature = "wasi-0-3")]
pub(crate) use wasi_0_3::link_components_0_3;

/// What components can get: the world `wasi:cli/imports` of WASI 0.2, and the pod's IPC.
#[rustfmt::skip]
pub const COMPONENT_CAPABILITIES: &[Capability] = &[
    component!("wasi:cli/environment@0.2.12", "arguments, environment, working directory", |l| cli::environment::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/exit@0.2.12", "ending with an exit code", |l| cli::exit::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/stdin@0.2.12", "standard input: a client's pipe or terminal, or nothing", |l| cli::stdin::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/stdout@0.2.12", "standard output: the container's log, or a client", |l| cli::stdout::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/stderr@0.2.12", "standard error: the container's log, or a client", |l| cli::stderr::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-input@0.2.12", "a terminal, as a type", |l| cli::terminal_input::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-output@0.2.12", "a terminal, as a type", |l| cli::terminal_output::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-stdin@0.2.12", "asking whether it is a terminal", |l| cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-stdout@0.2.12", "asking whether it is a terminal", |l| cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:cli/terminal-stderr@0.2.12", "asking whether it is a terminal", |l| cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, ComponentState::cli)),
    component!("wasi:clocks/monotonic-clock@0.2.12", "elapsed time, waiting for a moment", |l| clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, ComponentState::clocks)),
    component!("wasi:clocks/wall-clock@0.2.12", "date and time", |l| clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, ComponentState::clocks)),
    component!("wasi:filesystem/preopens@0.2.12", "the container's root directory and volume mounts", |l| filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, ComponentState::filesystem)),
    component!("wasi:filesystem/types@0.2.12", "files and directories beneath them", |l| filesystem::types::add_to_linker::<_, WasiFilesystem>(l, ComponentState::filesystem)),
    component!("wasi:io/error@0.2.12", "descriptions of failures", |l| io::error::add_to_linker::<_, HasTable>(l, table)),
    component!("wasi:io/poll@0.2.12", "waiting for several things at once", |l| io::poll::add_to_linker::<_, HasTable>(l, table)),
    component!("wasi:io/streams@0.2.12", "reading and writing streams", |l| io::streams::add_to_linker::<_, HasTable>(l, table)),
    component!("wasi:random/random@0.2.12", "cryptographic randomness", |l| random::random::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())),
    component!("wasi:random/insecure@0.2.12", "fast randomness", |l| random::insecure::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())),
    component!("wasi:random/insecure-seed@0.2.12", "a seed for hash tables", |l| random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())),
    component!("wasi:sockets/network@0.2.12", "the pod's network", sockets::link_network),
    component!("wasi:sockets/instance-network@0.2.12", "the pod's network", sockets::link_instance_network),
    component!("wasi:sockets/tcp@0.2.12", "TCP in the pod's network", sockets::link_tcp),
    component!("wasi:sockets/tcp-create-socket@0.2.12", "new TCP sockets", sockets::link_tcp_create_socket),
    component!("wasi:sockets/udp@0.2.12", "UDP in the pod's network", sockets::link_udp),
    component!("wasi:sockets/udp-create-socket@0.2.12", "new UDP sockets", sockets::link_udp_create_socket),
    component!("wasi:sockets/ip-name-lookup@0.2.12", "localhost, the pod's name, its host aliases", sockets::link_ip_name_lookup),
    component!("wasi:http/types@0.2.12", "requests and responses, their headers, bodies and trailers", http::link_types),
    component!("wasi:http/outgoing-handler@0.2.12", "HTTP requests in the pod's network", http::link_outgoing_handler),
    component!("wasmpod:ipc/message-queue@0.1.0", "the pod's POSIX message queues", ipc::link_message_queue),
    component!("wasmpod:ipc/semaphore@0.1.0", "the pod's POSIX semaphores", ipc::link_semaphore),
    component!("wasmpod:ipc/shared-memory@0.1.0", "the pod's shared memory", ipc::link_shared_memory),
    component!("wasmpod:ipc/system-v-message-queue@0.1.0", "the pod's System V message queues", ipc::link_system_v_message_queue),
    component!("wasmpod:ipc/system-v-semaphore@0.1.0", "the pod's System V semaphore sets", ipc::link_system_v_semaphore),
    component!("wasmpod:ipc/system-v-shared-memory@0.1.0", "the pod's System V shared memory", ipc::link_system_v_shared_memory),
    component!("wasmpod:lifecycle/termination@0.1.0", "learning of the request to end", lifecycle::link_termination),
    component!("wasmpod:lifecycle/signals@0.1.0", "handling signals, sending them within the container", lifecycle::link_signals),
];

/// What core modules can get: WASI 0.1, and the pod's IPC.
pub const MODULE_CAPABILITIES: &[Capability] = &[
    Capability {
        interface: "wasi_snapshot_preview1",
        gives: "WASI 0.1, and the socket calls that WasmEdge has added to it",
        link: Link::Module(link_wasi_0_1),
    },
    Capability {
        interface: "wasmpod_ipc",
        gives: "the pod's message queues, semaphores and shared memory",
        link: Link::Module(ipc::link_core),
    },
    Capability {
        interface: "wasmpod_lifecycle",
        gives: "handling termination, ending the container",
        link: Link::Module(lifecycle::link_core),
    },
];

/// Gives components everything in [`COMPONENT_CAPABILITIES`].
///
/// # Errors
/// A bug of this host: an interface is defined twice.
pub(crate) fn link_components(linker: &mut Components) -> Result<()> {
    COMPONENT_CAPABILITIES
        .iter()
        .try_for_each(|capability| match capability.link {
            Link::Component(link) => link(linker),
            Link::Module(_) => Ok(()),
        })
}

/// Gives core modules everything in [`MODULE_CAPABILITIES`].
///
/// # Errors
/// As [`link_components`].
pub(crate) fn link_modules(linker: &mut Modules) -> Result<()> {
    MODULE_CAPABILITIES
        .iter()
        .try_for_each(|capability| match capability.link {
            Link::Module(link) => link(linker),
            Link::Component(_) => Ok(()),
        })
}

fn link_wasi_0_1(linker: &mut Modules) -> Result<()> {
    wasmtime_wasi::p1::add_to_linker_async(linker, |state| &mut state.wasi)?;
    // wasmtime-wasi traps on codes from 126 on; shells and scripts need them (127: command not found).
    linker.allow_shadowing(true);
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "proc_exit",
        |code: i32| -> Result<()> { Err(I32Exit(code & EXIT_CODE_MASK).into()) },
    )?;
    linker.allow_shadowing(false);
    // A host that fails in the middle of a call, for the test that it hurts one container only.
    #[cfg(test)]
    linker.func_wrap("wasi_snapshot_preview1", "test_panic", || -> () {
        panic!("on purpose")
    })?;
    Ok(())
}

/// Gives core modules sockets too: what they call of WASI 0.1 with a descriptor is ours from then on. Apart from
/// [`link_modules`], so that a module without sockets pays nothing.
///
/// # Errors
/// As [`link_components`].
pub(crate) fn link_sockets(linker: &mut Modules) -> Result<()> {
    linker.allow_shadowing(true);
    wasip1_sockets::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// `wait(2)` hands on the low eight bits of an exit status only, and so do the tools that read them.
const EXIT_CODE_MASK: i32 = 0xff;

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

fn table(state: &mut ComponentState) -> &mut ResourceTable {
    state.ctx().table
}
