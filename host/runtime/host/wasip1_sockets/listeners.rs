//! Listeners that are open when a module starts: those of its container's declared ports.
//!
//! WASI 0.1 can accept connections and cannot bind, so somebody else has to. Who can bind itself, by WasmEdge's calls,
//! does so, and would find its ports taken. The protocol is that of `sd_listen_fds(3)`: descriptors from 3 on,
//! `LISTEN_FDS`, `LISTEN_FDNAMES`; not `LISTEN_PID`, because a module has no process id to compare it with.

use wasmpod_network::{AddressFamily, ContainerNetwork, Errno};
use wasmpod_sandbox::DeclaredPort;
use wasmtime::Module;
use wasmtime_wasi::WasiCtxBuilder;

use super::MODULE;
use super::socket::Socket;
use super::table::Sockets;

/// What `LISTEN_FDNAMES` calls a port without a name; sd_listen_fds(3).
const UNNAMED: &str = "unknown";

/// Whether a module finds the ports of its container listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listeners {
    /// It accepts, and cannot bind.
    Preopened,
    /// It has its own, or none.
    Own,
}

impl Listeners {
    /// What this module needs.
    pub(crate) fn of(module: &Module) -> Self {
        let imports = |names: [&str; 2]| {
            let mut imports = module.imports();
            imports.any(|import| import.module() == MODULE && names.contains(&import.name()))
        };
        let accepts = imports(["sock_accept", "sock_accept_v2"]);
        if accepts && !imports(["sock_bind", "sock_bind_v2"]) {
            Self::Preopened
        } else {
            Self::Own
        }
    }
}

impl Sockets {
    /// Listens on all addresses of the pod at these ports; gives the names of the listeners in the order of their
    /// numbers. They do not block, as programs with more than one thing to do need it (and as those that are started
    /// with `wasmtime run --tcplisten` have known it).
    ///
    /// # Errors
    /// A port is taken; the text says which and why.
    pub(in crate::host) fn preopen(
        &mut self,
        ports: &[DeclaredPort],
        network: &ContainerNetwork,
    ) -> Result<Vec<String>, String> {
        for port in ports {
            let mut socket = listen(port.number, network).map_err(|errno| {
                format!(
                    "cannot listen on its containerPort {}: {errno}",
                    port.number
                )
            })?;
            socket.nonblocking = true;
            self.preopened.push(Some(socket));
        }
        let name = |port: &DeclaredPort| port.name.clone().unwrap_or_else(|| UNNAMED.to_owned());
        Ok(ports.iter().map(name).collect())
    }
}

fn listen(port: u16, network: &ContainerNetwork) -> Result<Socket, Errno> {
    let socket = network.tcp_socket(AddressFamily::Ipv4)?;
    socket.bind((AddressFamily::Ipv4.unspecified(), port).into())?;
    socket.listen()?;
    Ok(Socket::tcp(socket))
}

/// Tells the guest of its listeners, unless its own environment has these variables.
pub(in crate::host) fn announce(
    names: &[String],
    env: &[(String, String)],
    wasi: &mut WasiCtxBuilder,
) {
    if names.is_empty() {
        return;
    }
    for (name, value) in [
        ("LISTEN_FDS", names.len().to_string()),
        ("LISTEN_FDNAMES", names.join(":")),
    ] {
        if !env.iter().any(|(known, _)| known == name) {
            wasi.env(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Neighbours;
    use super::*;
    use crate::engine::{Engines, Tier};

    fn port(name: Option<&str>, number: u16) -> DeclaredPort {
        let name = name.map(str::to_owned);
        DeclaredPort { name, number }
    }

    #[test]
    fn the_ports_of_a_container_are_listened_on_under_their_names() {
        let pod = Neighbours::new();
        let mut sockets = Sockets::default();
        let ports = [port(Some("http"), 80), port(None, 81)];
        let names = sockets.preopen(&ports, &pod.server).unwrap();
        assert_eq!(names, ["http", "unknown"]);
        assert!(sockets.get(3).unwrap().nonblocking);
        assert_eq!(
            sockets.get(4).unwrap().local_addr(),
            Ok(([0, 0, 0, 0], 81).into())
        );
    }

    #[test]
    fn a_port_of_a_neighbour_is_told_by_its_number() {
        let pod = Neighbours::new();
        let _neighbour = listen(80, &pod.client).unwrap();
        let refused = Sockets::default().preopen(&[port(None, 80)], &pod.server);
        assert_eq!(
            refused.unwrap_err(),
            "cannot listen on its containerPort 80: EADDRINUSE"
        );
    }

    #[test]
    fn only_a_module_that_accepts_and_cannot_bind_finds_listeners() {
        let engines = Engines::new().unwrap();
        let of = |imports: &[&str]| {
            let imports: String = imports
                .iter()
                .map(|name| format!(r#"(import "{MODULE}" "{name}" (func))"#))
                .collect();
            let wasm = wat::parse_str(format!("(module {imports})")).unwrap();
            Listeners::of(&Module::new(engines.of(Tier::Optimised), wasm).unwrap())
        };
        assert_eq!(of(&["sock_accept"]), Listeners::Preopened);
        assert_eq!(of(&["sock_accept_v2", "fd_read"]), Listeners::Preopened);
        assert_eq!(of(&["sock_accept", "sock_bind"]), Listeners::Own);
        assert_eq!(of(&["sock_bind_v2", "sock_accept"]), Listeners::Own);
        assert_eq!(of(&["sock_send", "sock_recv"]), Listeners::Own);
    }
}
