//! `wasi:sockets/ip-name-lookup`: the names of the pod's `/etc/hosts` and of the cluster, whose answer is there at once, and
//! names outside of it where egress is allowed, for which the host's resolver is asked.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasmpod_network::ResolveError;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::SocketResult;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::error::code_of_lookup;
use super::{View, give, own};

type Found = std::result::Result<Vec<IpAddr>, ResolveError>;

/// A lookup of a guest.
enum Lookup {
    Waiting(Pin<Box<dyn Future<Output = Found> + Send>>),
    /// The addresses that the guest has not taken yet.
    Found(std::vec::IntoIter<IpAddr>),
    /// Told once; then there are no addresses.
    Failed(ResolveError),
}

impl Lookup {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self::Waiting(waiting) = self else {
            return Poll::Ready(());
        };
        let Poll::Ready(found) = waiting.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        *self = match found {
            Ok(addresses) => Self::Found(addresses.into_iter()),
            Err(error) => Self::Failed(error),
        };
        Poll::Ready(())
    }

    /// The next address, or that there is none yet or any more.
    fn next(&mut self) -> std::result::Result<Option<IpAddr>, ErrorCode> {
        // Only asks: who waits has subscribed.
        let _ = self.poll(&mut Context::from_waker(Waker::noop()));
        match self {
            Self::Waiting(_) => Err(ErrorCode::WouldBlock),
            Self::Found(left) => Ok(left.next()),
            Self::Failed(error) => {
                let code = code_of_lookup(error);
                *self = Self::Found(Vec::new().into_iter());
                Err(code)
            }
        }
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

impl Host for View<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        self.check_network(&network)?;
        let mut lookup = Lookup::Waiting(Box::pin(self.network.lookup(&name)));
        let is_done = lookup.poll(&mut Context::from_waker(Waker::noop()));
        if let (Poll::Ready(()), Lookup::Failed(error)) = (is_done, &lookup) {
            return Err(code_of_lookup(error).into());
        }
        Ok(give(&self.table.push(lookup)?))
    }
}

impl HostResolveAddressStream for View<'_> {
    fn resolve_next_address(
        &mut self,
        this: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        let lookup: &mut Lookup = self.table.get_mut(&own(&this))?;
        Ok(lookup.next()?.map(IpAddress::from))
    }

    fn subscribe(&mut self, this: Resource<ResolveAddressStream>) -> Result<Resource<DynPollable>> {
        subscribe(self.table, own::<Lookup, _>(&this))
    }

    fn drop(&mut self, this: Resource<ResolveAddressStream>) -> Result<()> {
        self.table.delete(own::<Lookup, _>(&this))?;
        Ok(())
    }
}
