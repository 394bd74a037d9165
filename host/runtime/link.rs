//! Joining programs with what this host offers: the linkers, and the answer to "what is missing?".

use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Result, StoreContextMut};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::code_store::Code;
use crate::host::{
    COMPONENT_CAPABILITIES, Capability, ComponentState, CoreState, Listeners, has_sockets,
    link_components, link_modules, link_socket_forms, link_sockets,
};
use crate::http::HandlerPre;
use crate::inspect::{Import, Need, Outline};
use crate::pool::Pooled;

/// What programs of one engine are joined with.
pub(crate) struct Linkers {
    modules: wasmtime::Linker<CoreState>,
    /// The same, for those that use sockets.
    modules_with_sockets: wasmtime::Linker<CoreState>,
    components: wasmtime::component::Linker<ComponentState>,
    /// What components are offered.
    offered: Vec<&'static Capability>,
}

/// A program that only waits for its containers.
pub(crate) enum Linked {
    /// A core module of WASI 0.1.
    Module(LinkedModule),
    /// A component of the world `wasi:cli/command`.
    Component(CommandPre<ComponentState>),
    /// A component that handles HTTP requests.
    Http(HttpComponent),
}

/// How the names of interfaces begin through which containers of a pod share queues, semaphores and memory.
const IPC_PACKAGE: &str = "wasmpod:ipc/";

/// A component that exports `wasi:http/incoming-handler`, or `wasi:http/handler` of WASI 0.3.
pub(crate) struct HttpComponent {
    pub(crate) proxy: HandlerPre,
    /// The same for instances that answer one request.
    pub(crate) pooled: Option<Pooled>,
    /// It can be run as a command too.
    command: Option<CommandPre<ComponentState>>,
}

impl Linked {
    /// The engine for which it was made.
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Module(module) => module.code.module().engine(),
            Self::Component(command) => command.engine(),
            Self::Http(http) => http.proxy.engine(),
        }
    }

    /// Whether it is an HTTP component that imports interfaces for IPC.
    pub(crate) fn imports_ipc(&self) -> bool {
        let Self::Http(http) = self else {
            return false;
        };
        imports_ipc(http.proxy.component())
    }

    /// The component as a command, if it can be run as one.
    pub(crate) const fn command(&self) -> Option<&CommandPre<ComponentState>> {
        match self {
            Self::Module(_) => None,
            Self::Component(command) => Some(command),
            Self::Http(http) => http.command.as_ref(),
        }
    }
}

/// A core module that only waits for its containers.
pub(crate) struct LinkedModule {
    pub(crate) code: wasmtime::InstancePre<CoreState>,
    /// Whether the container's ports are opened for it.
    pub(crate) listeners: Listeners,
}

impl Linkers {
    /// The linkers for `engine`.
    ///
    /// # Errors
    /// A bug of this host: something is defined twice.
    pub(crate) fn new(engine: &Engine) -> Result<Self> {
        let mut modules = wasmtime::Linker::new(engine);
        link_modules(&mut modules)?;
        let mut modules_with_sockets = modules.clone();
        link_sockets(&mut modules_with_sockets)?;
        let mut components = wasmtime::component::Linker::new(engine);
        link_components(&mut components)?;
        Ok(Self {
            modules,
            modules_with_sockets,
            components,
            offered: COMPONENT_CAPABILITIES.iter().collect(),
        })
    }

    /// The linkers for `engine`, which is one for components of WASI 0.3.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    #[cfg(feature = "wasi-0-3")]
    pub(crate) fn with_wasi_0_3(engine: &Engine) -> Result<Self> {
        let mut linkers = Self::new(engine)?;
        crate::host::link_components_0_3(&mut linkers.components)?;
        linkers
            .offered
            .extend(crate::host::COMPONENT_CAPABILITIES_0_3);
        Ok(linkers)
    }

    /// Joins compiled code with this host, as far as that can be done once for all containers.
    ///
    /// # Errors
    /// Something is missing, or of another type than the program expects.
    pub(crate) fn link(&self, code: &Code) -> Result<Linked> {
        match code {
            Code::Module(module) => {
                let code = if has_sockets(module) {
                    let mut linker = self.modules_with_sockets.clone();
                    link_socket_forms(&mut linker, module)?;
                    linker.instantiate_pre(module)?
                } else {
                    self.modules.instantiate_pre(module)?
                };
                let listeners = Listeners::of(module);
                Ok(Linked::Module(LinkedModule { code, listeners }))
            }
            Code::Component(component) => {
                let linked = self.component(component)?;
                let command = CommandPre::new(linked.clone());
                match ProxyPre::new(linked) {
                    Ok(proxy) => Ok(Linked::Http(HttpComponent {
                        proxy: HandlerPre::V0_2(proxy),
                        pooled: None,
                        command: command.ok(),
                    })),
                    Err(_) => command.map(Linked::Component),
                }
            }
        }
    }

    /// The same for a component, whatever it exports.
    ///
    /// # Errors
    /// As for [`link`](Self::link).
    pub(crate) fn component(&self, component: &Component) -> Result<InstancePre<ComponentState>> {
        self.components.instantiate_pre(component)
    }

    /// The same for a component that exports `wasi:http/handler` of WASI 0.3.
    ///
    /// # Errors
    /// As for [`link`](Self::link), and if it exports another version of that.
    #[cfg(feature = "wasi-0-3")]
    pub(crate) fn link_0_3(&self, component: &Component) -> Result<Linked> {
        let linked = self.component(component)?;
        Ok(Linked::Http(HttpComponent {
            pooled: None,
            command: CommandPre::new(linked.clone()).ok(),
            proxy: HandlerPre::V0_3(wasmtime_wasi_http::p3::bindings::ServicePre::new(linked)?),
        }))
    }

    /// What `outline` needs, each with what is missing of it.
    pub(crate) fn imports(&self, outline: &Outline) -> Vec<Import> {
        // A name that can be defined was not there: linkers have no other way to ask.
        let mut modules = self.modules_with_sockets.clone();
        let mut components = self.components.clone();
        let imports = outline.imports.iter().map(|need| match need {
            Need::Core { module, name } => {
                let missing = modules.func_wrap(module, name, || {}).is_ok();
                let name = format!("{module}.{name}");
                Import {
                    missing: missing.then(|| name.clone()).into_iter().collect(),
                    name,
                }
            }
            Need::Bare { name } => Import {
                missing: vec![name.clone()],
                name: name.clone(),
            },
            Need::Interface { name, functions } => {
                let missing = missing_of(&self.offered, &mut components, name, functions);
                Import {
                    missing,
                    name: name.clone(),
                }
            }
        });
        imports.collect()
    }
}

fn imports_ipc(component: &Component) -> bool {
    let of_type = component.component_type();
    let mut imports = of_type.imports(component.engine());
    imports.any(|(name, _)| name.starts_with(IPC_PACKAGE))
}

fn missing_of(
    offered: &[&Capability],
    components: &mut wasmtime::component::Linker<ComponentState>,
    name: &str,
    functions: &[String],
) -> Vec<String> {
    if functions.is_empty() {
        // Types alone need nobody to implement them.
        return Vec::new();
    }
    let offered = offered
        .iter()
        .find(|capability| is_same_track(capability.interface, name))
        .and_then(|capability| components.instance(capability.interface).ok());
    let Some(mut offered) = offered else {
        return vec![name.to_owned()];
    };
    let missing = functions.iter().filter(|function| {
        let stub = |_: StoreContextMut<'_, ComponentState>, (): ()| Ok::<(), wasmtime::Error>(());
        offered.func_wrap(function, stub).is_ok()
    });
    missing
        .map(|function| format!("{name}#{function}"))
        .collect()
}

/// Whether `ours` and `theirs` are the same interface in versions that are compatible: equal, or equal up to the
/// first number that is not zero (Semantic Versioning 2.0.0, and what the engine's linker does).
fn is_same_track(ours: &str, theirs: &str) -> bool {
    let split = |name: &str| {
        let (interface, version) = name.split_once('@').filter(|(_, version)| {
            // A pre-release is compatible with itself only.
            !version.contains('-')
        })?;
        let mut track = Vec::new();
        for number in version.split('.') {
            track.push(number.parse::<u64>().ok()?);
            if track.last() != Some(&0) {
                break;
            }
        }
        Some((interface.to_owned(), track))
    };
    ours == theirs || split(ours).is_some_and(|ours| Some(ours) == split(theirs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engines, Tier};
    use crate::host::MODULE_CAPABILITIES;
    use crate::inspect::read_outline;

    fn imports(text: &str) -> Vec<Import> {
        let engines = Engines::new().unwrap();
        let linkers = Linkers::new(engines.of(Tier::Optimised)).unwrap();
        linkers.imports(&read_outline(&wat::parse_str(text).unwrap()).unwrap())
    }

    fn missing(text: &str) -> Vec<String> {
        imports(text)
            .into_iter()
            .flat_map(|import| import.missing)
            .collect()
    }

    #[test]
    fn a_component_that_imports_ipc_is_known_by_that() {
        let engine = Engine::default();
        for (name, is) in [
            ("wasmpod:ipc/shared-memory@0.1.0", true),
            ("wasi:http/types@0.2.12", false),
        ] {
            let text = format!(r#"(component (import "{name}" (instance)))"#);
            let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
            assert_eq!(imports_ipc(&component), is, "{name}");
        }
    }

    #[test]
    fn versions_of_one_track_are_the_same_interface() {
        let ours = "wasi:cli/exit@0.2.12";
        for theirs in [
            "wasi:cli/exit@0.2.12",
            "wasi:cli/exit@0.2.0",
            "wasi:cli/exit@0.2.99",
        ] {
            assert!(is_same_track(ours, theirs), "{theirs}");
        }
        for theirs in [
            "wasi:cli/exit@0.3.0",
            "wasi:cli/exit@1.2.0",
            "wasi:cli/exit",
            "wasi:cli/stdin@0.2.12",
            "wasi:cli/exit@0.2.0-rc-2023-11-10",
        ] {
            assert!(!is_same_track(ours, theirs), "{theirs}");
        }
    }

    #[test]
    fn every_missing_import_of_a_module_is_listed_and_none_that_is_there() {
        let missing = missing(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "sock_dial" (func))
                (import "env" "my_host_call" (func))
                (import "wasmpod_ipc" "mq_wait" (func (param i32 i32 i64) (result i32))))"#,
        );
        assert_eq!(
            missing,
            ["wasi_snapshot_preview1.sock_dial", "env.my_host_call"]
        );
    }

    #[test]
    fn every_missing_interface_and_function_of_a_component_is_listed() {
        let missing = missing(
            r#"(component
                (import "bare" (func))
                (import "my:host/thing@1.0.0" (instance (export "call" (func))))
                (import "wasi:cli/environment@0.2.1" (instance
                    (export "get-arguments" (func (result (list string))))
                    (export "get-colour" (func))))
                (import "my:types/only" (instance (export "t" (type (sub resource))))))"#,
        );
        assert_eq!(
            missing,
            [
                "bare",
                "my:host/thing@1.0.0",
                "wasi:cli/environment@0.2.1#get-colour"
            ]
        );
    }

    #[test]
    fn every_capability_is_linked_under_the_name_that_its_row_says() {
        let engines = Engines::new().unwrap();
        let linkers = Linkers::new(engines.of(Tier::Optimised)).unwrap();
        let known = [
            ("wasi:cli/exit@0.2.12", "exit"),
            ("wasi:sockets/tcp@0.2.12", "[method]tcp-socket.accept"),
            ("wasi:sockets/udp@0.2.12", "[method]udp-socket.stream"),
            ("wasi:sockets/ip-name-lookup@0.2.12", "resolve-addresses"),
            ("wasmpod:ipc/message-queue@0.1.0", "[static]queue.open"),
        ];
        let mut components = linkers.components.clone();
        for (interface, function) in known {
            let functions = [function.to_owned()];
            let missing = missing_of(&linkers.offered, &mut components, interface, &functions);
            assert!(missing.is_empty(), "{missing:?}");
        }
        assert!(
            MODULE_CAPABILITIES
                .iter()
                .any(|row| row.interface == "wasmpod_ipc")
        );
    }
}
