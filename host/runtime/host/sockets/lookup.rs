//! `wasi:sockets/ip-name-lookup`: the names of the pod's `/etc/hosts` and of the cluster. The answer is there at once.

use std::net::IpAddr;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::SocketResult;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{IpAddress, Network};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::error::code_of_lookup;
use super::{View, give, own};

/// The addresses of a name that the guest has not taken yet.
struct Addresses(std::vec::IntoIter<IpAddr>);

#[async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {}
}

impl Host for View<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        self.check_network(&network)?;
        let addresses = self
            .network
            .resolve(&name)
            .map_err(|error| code_of_lookup(&error))?;
        Ok(give(&self.table.push(Addresses(addresses.into_iter()))?))
    }
}

impl HostResolveAddressStream for View<'_> {
    fn resolve_next_address(
        &mut self,
        this: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        let Addresses(left) = self.table.get_mut(&own(&this))?;
        Ok(left.next().map(IpAddress::from))
    }

    fn subscribe(&mut self, this: Resource<ResolveAddressStream>) -> Result<Resource<DynPollable>> {
        subscribe(self.table, own::<Addresses, _>(&this))
    }

    fn drop(&mut self, this: Resource<ResolveAddressStream>) -> Result<()> {
        self.table.delete(own::<Addresses, _>(&this))?;
        Ok(())
    }
}
