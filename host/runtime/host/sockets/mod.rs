//! `wasi:sockets` 0.2 over the pod's virtual network: no guest ever holds a socket of the operating system.
//!
//! This is glue: it keeps the two-phase verbs (`start-…`, `finish-…`), handles and error codes of WASI, and leaves
//! what a socket does to the network crate. Standard: WASI 0.2 `wasi:sockets`, TcpSocketOperationalSemantics.md and
//! UdpSocketOperationalSemantics.md.
//!
//! The generated traits come from wasmtime-wasi. Its resource types serve as names only: a handle of type
//! `wasmtime_wasi::p2::TcpSocket` that a guest holds is the number of a [`tcp::Tcp`] in the guest's table, and no value
//! of theirs is ever made. [`give`] and [`own`] are where the names change.
//!
//! | file | interfaces |
//! |---|---|
//! | `tcp` | `tcp`, `tcp-create-socket` |
//! | `streams` | the byte streams of a connection |
//! | `udp` | `udp`, `udp-create-socket` |
//! | `lookup` | `ip-name-lookup` |
//! | `error` | from errno to `error-code` |

use wasmpod_network::{AddressFamily, ContainerNetwork};
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sockets::network::{
    self, ErrorCode, IpAddressFamily, Network as NetworkHandle,
};
use wasmtime_wasi::p2::bindings::sockets::{
    instance_network, ip_name_lookup, tcp as wit_tcp, tcp_create_socket, udp as wit_udp,
    udp_create_socket,
};
use wasmtime_wasi::p2::{SocketError, SocketResult};

use super::ComponentState;

mod error;
mod lookup;
mod streams;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

struct HasSockets;

impl HasData for HasSockets {
    type Data<'a> = View<'a>;
}

/// What the glue works on: the guest's handles and its container's seat in the pod's network.
struct View<'a> {
    table: &'a mut ResourceTable,
    network: &'a ContainerNetwork,
}

fn view(state: &mut ComponentState) -> View<'_> {
    let (table, network) = state.table_and_network();
    View { table, network }
}

type Components = Linker<ComponentState>;

pub(super) fn link_network(linker: &mut Components) -> Result<()> {
    network::add_to_linker::<_, HasSockets>(linker, &network::LinkOptions::default(), view)
}

pub(super) fn link_instance_network(linker: &mut Components) -> Result<()> {
    instance_network::add_to_linker::<_, HasSockets>(linker, view)
}

pub(super) fn link_tcp(linker: &mut Components) -> Result<()> {
    wit_tcp::add_to_linker::<_, HasSockets>(linker, view)
}

pub(super) fn link_tcp_create_socket(linker: &mut Components) -> Result<()> {
    tcp_create_socket::add_to_linker::<_, HasSockets>(linker, view)
}

pub(super) fn link_udp(linker: &mut Components) -> Result<()> {
    wit_udp::add_to_linker::<_, HasSockets>(linker, view)
}

pub(super) fn link_udp_create_socket(linker: &mut Components) -> Result<()> {
    udp_create_socket::add_to_linker::<_, HasSockets>(linker, view)
}

pub(super) fn link_ip_name_lookup(linker: &mut Components) -> Result<()> {
    ip_name_lookup::add_to_linker::<_, HasSockets>(linker, view)
}

/// A handle for the guest, under the name that the generated code has for it.
fn give<Ours, Theirs: 'static>(handle: &Resource<Ours>) -> Resource<Theirs>
where
    Ours: 'static,
{
    Resource::new_own(handle.rep())
}

/// The handle in our table that a guest's handle stands for.
fn own<Ours: 'static, Theirs: 'static>(handle: &Resource<Theirs>) -> Resource<Ours> {
    if handle.owned() {
        Resource::new_own(handle.rep())
    } else {
        Resource::new_borrow(handle.rep())
    }
}

/// The pod's network, as a guest holds it. There is one, so it carries nothing.
struct PodNetworkHandle;

impl View<'_> {
    /// Checks that the guest has the network: the right to use it lies in the handle.
    fn check_network(&self, network: &Resource<NetworkHandle>) -> SocketResult<()> {
        self.table.get(&own::<PodNetworkHandle, _>(network))?;
        Ok(())
    }
}

impl network::Host for View<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> Result<Option<ErrorCode>> {
        Ok(self.table.get(&error)?.downcast_ref::<ErrorCode>().copied())
    }
}

impl network::HostNetwork for View<'_> {
    fn drop(&mut self, network: Resource<NetworkHandle>) -> Result<()> {
        self.table.delete(own::<PodNetworkHandle, _>(&network))?;
        Ok(())
    }
}

impl instance_network::Host for View<'_> {
    fn instance_network(&mut self) -> Result<Resource<NetworkHandle>> {
        Ok(give(&self.table.push(PodNetworkHandle)?))
    }
}

const fn family(family: IpAddressFamily) -> AddressFamily {
    match family {
        IpAddressFamily::Ipv4 => AddressFamily::Ipv4,
        IpAddressFamily::Ipv6 => AddressFamily::Ipv6,
    }
}

const fn wit_family(family: AddressFamily) -> IpAddressFamily {
    match family {
        AddressFamily::Ipv4 => IpAddressFamily::Ipv4,
        AddressFamily::Ipv6 => IpAddressFamily::Ipv6,
    }
}

/// A size as WASI has it.
fn wit_size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
