//! `wasi:sockets/tcp` and `tcp-create-socket`.
//!
//! The states of a socket are the network crate's; here lies only what WASI adds: an operation that was started and
//! must be finished before another may start.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use wasmpod_network::{Errno, Shutdown, SocketState, TcpOptions, TcpSocket, TcpStream};
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self as wit, ShutdownType};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket;
use wasmtime_wasi::p2::{SocketResult, TcpSocket as Handle};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::error::{code, in_state};
use super::streams::{Input, Output};
use super::{View, family, give, own, wit_family, wit_size};

/// One socket of a guest.
pub(super) struct Tcp {
    socket: TcpSocket,
    in_progress: Option<Operation>,
}

/// An operation that was started and not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Bind,
    Connect,
    Listen,
}

impl Tcp {
    const fn new(socket: TcpSocket) -> Self {
        Self {
            socket,
            in_progress: None,
        }
    }

    /// Refuses to start while another operation is in progress.
    fn may_start(&self) -> SocketResult<()> {
        if self.in_progress.is_some() {
            Err(ErrorCode::ConcurrencyConflict.into())
        } else {
            Ok(())
        }
    }

    fn finish(&mut self, operation: Operation) -> SocketResult<()> {
        if self.in_progress != Some(operation) {
            return Err(ErrorCode::NotInProgress.into());
        }
        self.in_progress = None;
        Ok(())
    }
}

#[async_trait]
impl Pollable for Tcp {
    async fn ready(&mut self) {
        poll_fn(|cx| self.socket.poll_ready(cx)).await;
    }
}

impl View<'_> {
    fn tcp(&self, handle: &Resource<Handle>) -> SocketResult<&Tcp> {
        Ok(self.table.get(&own::<Tcp, _>(handle))?)
    }

    fn tcp_mut(&mut self, handle: &Resource<Handle>) -> SocketResult<&mut Tcp> {
        Ok(self.table.get_mut(&own::<Tcp, _>(handle))?)
    }

    fn options(&self, handle: &Resource<Handle>) -> SocketResult<TcpOptions> {
        Ok(self.tcp(handle)?.socket.options())
    }

    fn set_options(
        &self,
        handle: &Resource<Handle>,
        change: impl FnOnce(&mut TcpOptions) -> Result<(), Errno>,
    ) -> SocketResult<()> {
        Ok(self.tcp(handle)?.socket.set_options(change).map_err(code)?)
    }

    /// The streams of a connection, as children of their socket.
    fn push_streams(
        &mut self,
        socket: &Resource<Tcp>,
        stream: TcpStream,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let input: DynInputStream = Box::new(Input::new(stream.clone()));
        let output: DynOutputStream = Box::new(Output::new(stream));
        Ok((
            self.table.push_child(input, socket)?,
            self.table.push_child(output, socket)?,
        ))
    }
}

impl tcp_create_socket::Host for View<'_> {
    fn create_tcp_socket(&mut self, of: IpAddressFamily) -> SocketResult<Resource<Handle>> {
        let socket = self.network.tcp_socket(family(of)).map_err(code)?;
        Ok(give(&self.table.push(Tcp::new(socket))?))
    }
}

impl wit::Host for View<'_> {}

impl wit::HostTcpSocket for View<'_> {
    async fn start_bind(
        &mut self,
        this: Resource<Handle>,
        network: Resource<Network>,
        local_address: IpSocketAddress,
    ) -> SocketResult<()> {
        self.check_network(&network)?;
        let tcp = self.tcp_mut(&this)?;
        tcp.may_start()?;
        let state = tcp.socket.state();
        tcp.socket
            .bind(SocketAddr::from(local_address))
            .map_err(|errno| in_state(state, |state| state == SocketState::Unbound, errno))?;
        tcp.in_progress = Some(Operation::Bind);
        Ok(())
    }

    fn finish_bind(&mut self, this: Resource<Handle>) -> SocketResult<()> {
        self.tcp_mut(&this)?.finish(Operation::Bind)
    }

    fn start_connect(
        &mut self,
        this: Resource<Handle>,
        network: Resource<Network>,
        remote_address: IpSocketAddress,
    ) -> SocketResult<()> {
        self.check_network(&network)?;
        let tcp = self.tcp_mut(&this)?;
        tcp.may_start()?;
        let state = tcp.socket.state();
        tcp.socket
            .connect(SocketAddr::from(remote_address))
            .map_err(|errno| match errno {
                // No ephemeral port is free: WASI has the words of bind for it.
                Errno::AddrNotAvail => ErrorCode::AddressInUse,
                errno => in_state(state, |state| state != SocketState::Closed, errno),
            })?;
        tcp.in_progress = Some(Operation::Connect);
        Ok(())
    }

    fn finish_connect(
        &mut self,
        this: Resource<Handle>,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let tcp = self.tcp_mut(&this)?;
        if tcp.in_progress != Some(Operation::Connect) {
            return Err(ErrorCode::NotInProgress.into());
        }
        let outcome = tcp.socket.try_connect();
        if outcome.as_ref().err() != Some(&Errno::Again) {
            tcp.in_progress = None;
        }
        let stream = outcome.map_err(code)?;
        self.push_streams(&own(&this), stream)
    }

    async fn start_listen(&mut self, this: Resource<Handle>) -> SocketResult<()> {
        let tcp = self.tcp_mut(&this)?;
        tcp.may_start()?;
        let not_in_this_state = |errno| in_state(tcp.socket.state(), |_| false, errno);
        tcp.socket.listen().map_err(not_in_this_state)?;
        tcp.in_progress = Some(Operation::Listen);
        Ok(())
    }

    fn finish_listen(&mut self, this: Resource<Handle>) -> SocketResult<()> {
        self.tcp_mut(&this)?.finish(Operation::Listen)
    }

    fn accept(
        &mut self,
        this: Resource<Handle>,
    ) -> SocketResult<(
        Resource<Handle>,
        Resource<DynInputStream>,
        Resource<DynOutputStream>,
    )> {
        let tcp = self.tcp(&this)?;
        if tcp.in_progress.is_some() {
            return Err(ErrorCode::InvalidState.into());
        }
        let not_in_this_state = |errno| in_state(tcp.socket.state(), |_| false, errno);
        let accepted = tcp.socket.try_accept().map_err(not_in_this_state)?;
        let stream = accepted.stream().ok_or(ErrorCode::ConnectionAborted)?;
        let accepted = self.table.push(Tcp::new(accepted))?;
        let (input, output) = self.push_streams(&accepted, stream)?;
        Ok((give(&accepted), input, output))
    }

    fn local_address(&mut self, this: Resource<Handle>) -> SocketResult<IpSocketAddress> {
        let address = self.tcp(&this)?.socket.local_addr();
        Ok(address.map_err(|_| ErrorCode::InvalidState)?.into())
    }

    fn remote_address(&mut self, this: Resource<Handle>) -> SocketResult<IpSocketAddress> {
        let address = self.tcp(&this)?.socket.peer_addr();
        Ok(address.map_err(|_| ErrorCode::InvalidState)?.into())
    }

    fn is_listening(&mut self, this: Resource<Handle>) -> Result<bool> {
        let tcp = self.table.get(&own::<Tcp, _>(&this))?;
        Ok(tcp.socket.state() == SocketState::Listening)
    }

    fn address_family(&mut self, this: Resource<Handle>) -> Result<IpAddressFamily> {
        Ok(wit_family(
            self.table.get(&own::<Tcp, _>(&this))?.socket.family(),
        ))
    }

    fn set_listen_backlog_size(&mut self, this: Resource<Handle>, value: u64) -> SocketResult<()> {
        if matches!(
            self.tcp(&this)?.socket.state(),
            SocketState::Connecting | SocketState::Connected
        ) {
            return Err(ErrorCode::InvalidState.into());
        }
        self.set_options(&this, |options| options.set_backlog(value))
    }

    fn keep_alive_enabled(&mut self, this: Resource<Handle>) -> SocketResult<bool> {
        Ok(self.options(&this)?.keep_alive())
    }

    fn set_keep_alive_enabled(&mut self, this: Resource<Handle>, value: bool) -> SocketResult<()> {
        self.set_options(&this, |options| {
            options.set_keep_alive(value);
            Ok(())
        })
    }

    fn keep_alive_idle_time(&mut self, this: Resource<Handle>) -> SocketResult<u64> {
        Ok(nanoseconds(self.options(&this)?.keep_alive_idle()))
    }

    fn set_keep_alive_idle_time(&mut self, this: Resource<Handle>, value: u64) -> SocketResult<()> {
        self.set_options(&this, |options| {
            options.set_keep_alive_idle(Duration::from_nanos(value))
        })
    }

    fn keep_alive_interval(&mut self, this: Resource<Handle>) -> SocketResult<u64> {
        Ok(nanoseconds(self.options(&this)?.keep_alive_interval()))
    }

    fn set_keep_alive_interval(&mut self, this: Resource<Handle>, value: u64) -> SocketResult<()> {
        let interval = Duration::from_nanos(value);
        self.set_options(&this, |options| options.set_keep_alive_interval(interval))
    }

    fn keep_alive_count(&mut self, this: Resource<Handle>) -> SocketResult<u32> {
        Ok(self.options(&this)?.keep_alive_count())
    }

    fn set_keep_alive_count(&mut self, this: Resource<Handle>, value: u32) -> SocketResult<()> {
        self.set_options(&this, |options| options.set_keep_alive_count(value))
    }

    fn hop_limit(&mut self, this: Resource<Handle>) -> SocketResult<u8> {
        Ok(self.options(&this)?.hop_limit())
    }

    fn set_hop_limit(&mut self, this: Resource<Handle>, value: u8) -> SocketResult<()> {
        self.set_options(&this, |options| options.set_hop_limit(value))
    }

    fn receive_buffer_size(&mut self, this: Resource<Handle>) -> SocketResult<u64> {
        Ok(wit_size(self.options(&this)?.receive_buffer_bytes()))
    }

    fn set_receive_buffer_size(&mut self, this: Resource<Handle>, value: u64) -> SocketResult<()> {
        self.set_options(&this, |options| options.set_receive_buffer_bytes(value))
    }

    fn send_buffer_size(&mut self, this: Resource<Handle>) -> SocketResult<u64> {
        Ok(wit_size(self.options(&this)?.send_buffer_bytes()))
    }

    fn set_send_buffer_size(&mut self, this: Resource<Handle>, value: u64) -> SocketResult<()> {
        self.set_options(&this, |options| options.set_send_buffer_bytes(value))
    }

    fn subscribe(&mut self, this: Resource<Handle>) -> Result<Resource<DynPollable>> {
        subscribe(self.table, own::<Tcp, _>(&this))
    }

    fn shutdown(&mut self, this: Resource<Handle>, how: ShutdownType) -> SocketResult<()> {
        let how = match how {
            ShutdownType::Receive => Shutdown::Receive,
            ShutdownType::Send => Shutdown::Send,
            ShutdownType::Both => Shutdown::Both,
        };
        let socket = &self.tcp(&this)?.socket;
        match socket.shutdown(how) {
            // A reset has ended both directions already. POSIX says ENOTCONN, for which WASI has only a code that its C
            // library takes for a fault of its own, and aborts the program.
            Err(Errno::NotConn) if socket.state() == SocketState::Connected => Ok(()),
            outcome => Ok(outcome.map_err(code)?),
        }
    }

    fn drop(&mut self, this: Resource<Handle>) -> Result<()> {
        self.table.delete(own::<Tcp, _>(&this))?;
        Ok(())
    }
}

/// A duration as WASI has it.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
