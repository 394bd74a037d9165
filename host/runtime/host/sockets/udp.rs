//! `wasi:sockets/udp` and `udp-create-socket`.

use std::future::poll_fn;
use std::net::SocketAddr;

use bytes::Bytes;
use wasmpod_network::limits::MAX_DATAGRAM_BYTES;
use wasmpod_network::{Errno, UdpSocket};
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    self as wit, IncomingDatagram, IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream,
};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket;
use wasmtime_wasi::p2::{SocketError, SocketResult, UdpSocket as Handle};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::error::{code, code_of_send};
use super::{View, family, give, own, wit_family, wit_size};

/// Datagrams that one call sends or receives at most; a guest asks again for more.
const MAX_DATAGRAMS: usize = 16;

/// Bytes after which one call receives no further datagram: with one more of the greatest length it bounds what the
/// host allocates for the call.
const MAX_RECEIVE_BYTES: usize = 64 * 1024;

/// One socket of a guest.
struct Udp {
    socket: UdpSocket,
    is_binding: bool,
}

/// The receiving side of a socket.
struct Incoming {
    socket: UdpSocket,
}

/// The sending side of a socket.
struct Outgoing {
    socket: UdpSocket,
    permit: usize,
}

#[async_trait]
impl Pollable for Udp {
    /// Binding is the only operation of the socket itself, and is done at once.
    async fn ready(&mut self) {}
}

#[async_trait]
impl Pollable for Incoming {
    async fn ready(&mut self) {
        poll_fn(|cx| self.socket.poll_recv_ready(cx)).await;
    }
}

#[async_trait]
impl Pollable for Outgoing {
    async fn ready(&mut self) {
        poll_fn(|cx| self.socket.poll_send_ready(cx)).await;
    }
}

impl View<'_> {
    fn udp(&self, handle: &Resource<Handle>) -> SocketResult<&UdpSocket> {
        Ok(&self.table.get(&own::<Udp, _>(handle))?.socket)
    }
}

impl udp_create_socket::Host for View<'_> {
    async fn create_udp_socket(&mut self, of: IpAddressFamily) -> SocketResult<Resource<Handle>> {
        let socket = self.network.udp_socket(family(of)).map_err(code)?;
        Ok(give(&self.table.push(Udp {
            socket,
            is_binding: false,
        })?))
    }
}

impl wit::Host for View<'_> {}

impl wit::HostUdpSocket for View<'_> {
    async fn start_bind(
        &mut self,
        this: Resource<Handle>,
        network: Resource<Network>,
        local_address: IpSocketAddress,
    ) -> SocketResult<()> {
        self.check_network(&network)?;
        let udp = self.table.get_mut(&own::<Udp, _>(&this))?;
        if udp.is_binding {
            return Err(ErrorCode::ConcurrencyConflict.into());
        }
        if udp.socket.local_addr().is_ok() {
            return Err(ErrorCode::InvalidState.into());
        }
        udp.socket
            .bind(SocketAddr::from(local_address))
            .map_err(code)?;
        udp.is_binding = true;
        Ok(())
    }

    fn finish_bind(&mut self, this: Resource<Handle>) -> SocketResult<()> {
        let udp = self.table.get_mut(&own::<Udp, _>(&this))?;
        if !std::mem::take(&mut udp.is_binding) {
            return Err(ErrorCode::NotInProgress.into());
        }
        Ok(())
    }

    async fn stream(
        &mut self,
        this: Resource<Handle>,
        remote_address: Option<IpSocketAddress>,
    ) -> SocketResult<(
        Resource<IncomingDatagramStream>,
        Resource<OutgoingDatagramStream>,
    )> {
        let this = own::<Udp, _>(&this);
        let has_streams = self
            .table
            .iter_children(&this)?
            .any(|child| child.is::<Incoming>() || child.is::<Outgoing>());
        if has_streams {
            return Err(SocketError::trap(wasmtime::Error::msg(
                "the former streams of a UDP socket must be dropped before new ones are made",
            )));
        }
        let socket = self.table.get(&this)?.socket.clone();
        if socket.local_addr().is_err() {
            return Err(ErrorCode::InvalidState.into());
        }
        match remote_address {
            Some(address) => socket.connect(SocketAddr::from(address)).map_err(code)?,
            None => match socket.disconnect() {
                Ok(()) | Err(Errno::NotConn) => {}
                Err(errno) => return Err(code(errno).into()),
            },
        }
        let incoming = self.table.push_child(
            Incoming {
                socket: socket.clone(),
            },
            &this,
        )?;
        let outgoing = self
            .table
            .push_child(Outgoing { socket, permit: 0 }, &this)?;
        Ok((give(&incoming), give(&outgoing)))
    }

    fn local_address(&mut self, this: Resource<Handle>) -> SocketResult<IpSocketAddress> {
        Ok(self
            .udp(&this)?
            .local_addr()
            .map_err(|_| ErrorCode::InvalidState)?
            .into())
    }

    fn remote_address(&mut self, this: Resource<Handle>) -> SocketResult<IpSocketAddress> {
        Ok(self
            .udp(&this)?
            .peer_addr()
            .map_err(|_| ErrorCode::InvalidState)?
            .into())
    }

    fn address_family(&mut self, this: Resource<Handle>) -> Result<IpAddressFamily> {
        Ok(wit_family(
            self.table.get(&own::<Udp, _>(&this))?.socket.family(),
        ))
    }

    fn unicast_hop_limit(&mut self, this: Resource<Handle>) -> SocketResult<u8> {
        Ok(self.udp(&this)?.hop_limit())
    }

    fn set_unicast_hop_limit(&mut self, this: Resource<Handle>, value: u8) -> SocketResult<()> {
        Ok(self.udp(&this)?.set_hop_limit(value).map_err(code)?)
    }

    fn receive_buffer_size(&mut self, this: Resource<Handle>) -> SocketResult<u64> {
        Ok(wit_size(self.udp(&this)?.receive_buffer_bytes()))
    }

    fn set_receive_buffer_size(&mut self, this: Resource<Handle>, value: u64) -> SocketResult<()> {
        Ok(self
            .udp(&this)?
            .set_receive_buffer_bytes(value)
            .map_err(code)?)
    }

    fn send_buffer_size(&mut self, this: Resource<Handle>) -> SocketResult<u64> {
        Ok(wit_size(self.udp(&this)?.send_buffer_bytes()))
    }

    fn set_send_buffer_size(&mut self, this: Resource<Handle>, value: u64) -> SocketResult<()> {
        Ok(self
            .udp(&this)?
            .set_send_buffer_bytes(value)
            .map_err(code)?)
    }

    fn subscribe(&mut self, this: Resource<Handle>) -> Result<Resource<DynPollable>> {
        subscribe(self.table, own::<Udp, _>(&this))
    }

    fn drop(&mut self, this: Resource<Handle>) -> Result<()> {
        self.table.delete(own::<Udp, _>(&this))?;
        Ok(())
    }
}

impl wit::HostIncomingDatagramStream for View<'_> {
    fn receive(
        &mut self,
        this: Resource<IncomingDatagramStream>,
        max_results: u64,
    ) -> SocketResult<Vec<IncomingDatagram>> {
        let socket = &self.table.get(&own::<Incoming, _>(&this))?.socket;
        let max = usize::try_from(max_results)
            .unwrap_or(usize::MAX)
            .min(MAX_DATAGRAMS);
        let mut datagrams = Vec::new();
        let mut bytes = 0;
        while datagrams.len() < max && bytes < MAX_RECEIVE_BYTES {
            match socket.try_recv_from(MAX_DATAGRAM_BYTES) {
                Ok(datagram) => {
                    bytes += datagram.data.len();
                    let (data, remote_address) = (datagram.data.into(), datagram.from.into());
                    datagrams.push(IncomingDatagram {
                        data,
                        remote_address,
                    });
                }
                Err(Errno::Again) => break,
                Err(errno) if datagrams.is_empty() => return Err(code(errno).into()),
                Err(_) => break,
            }
        }
        Ok(datagrams)
    }

    fn subscribe(
        &mut self,
        this: Resource<IncomingDatagramStream>,
    ) -> Result<Resource<DynPollable>> {
        subscribe(self.table, own::<Incoming, _>(&this))
    }

    fn drop(&mut self, this: Resource<IncomingDatagramStream>) -> Result<()> {
        self.table.delete(own::<Incoming, _>(&this))?;
        Ok(())
    }
}

impl wit::HostOutgoingDatagramStream for View<'_> {
    fn check_send(&mut self, this: Resource<OutgoingDatagramStream>) -> SocketResult<u64> {
        let outgoing = self.table.get_mut(&own::<Outgoing, _>(&this))?;
        outgoing.permit = MAX_DATAGRAMS;
        Ok(wit_size(outgoing.permit))
    }

    fn send(
        &mut self,
        this: Resource<OutgoingDatagramStream>,
        datagrams: Vec<OutgoingDatagram>,
    ) -> SocketResult<u64> {
        let outgoing = self.table.get_mut(&own::<Outgoing, _>(&this))?;
        if datagrams.is_empty() {
            return Ok(0);
        }
        if datagrams.len() > std::mem::take(&mut outgoing.permit) {
            return Err(SocketError::trap(wasmtime::Error::msg(
                "send of more datagrams than check-send permitted",
            )));
        }
        let mut sent = 0;
        for OutgoingDatagram {
            data,
            remote_address,
        } in datagrams
        {
            let to = remote_address.map(SocketAddr::from);
            match outgoing.socket.try_send_to(&Bytes::from(data), to) {
                Ok(()) => sent += 1,
                Err(Errno::Again) => break,
                Err(errno) if sent == 0 => return Err(code_of_send(errno).into()),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn subscribe(
        &mut self,
        this: Resource<OutgoingDatagramStream>,
    ) -> Result<Resource<DynPollable>> {
        subscribe(self.table, own::<Outgoing, _>(&this))
    }

    async fn drop(&mut self, this: Resource<OutgoingDatagramStream>) -> Result<()> {
        self.table.delete(own::<Outgoing, _>(&this))?;
        Ok(())
    }
}
