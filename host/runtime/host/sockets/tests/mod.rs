//! The glue of `wasi:sockets`, driven as a guest drives it: handles, two-phase verbs, error codes, streams, pollables.
//!
//! This file is the guest; what it does is in `tcp`, `udp` and `lookup`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use wasmpod_network::{PodNetwork, PodNetworkConfig};
use wasmtime_wasi::p2::TcpSocket;
use wasmtime_wasi::p2::bindings::sockets::instance_network::Host as _;
use wasmtime_wasi::p2::bindings::sockets::network::{IpSocketAddress, Ipv4SocketAddress};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as _;
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi_io::bindings::wasi::io::poll::HostPollable as _;
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, StreamError};

use super::*;

mod lookup;
mod tcp;
mod udp;

/// One container's side: its handles and its seat in the network.
struct Guest {
    table: ResourceTable,
    network: ContainerNetwork,
}

impl Guest {
    fn new(pod: &PodNetwork, name: &str) -> Self {
        Self {
            table: ResourceTable::new(),
            network: pod.attach(name),
        }
    }

    fn view(&mut self) -> View<'_> {
        View {
            table: &mut self.table,
            network: &self.network,
        }
    }

    fn network(&mut self) -> Resource<NetworkHandle> {
        self.view().instance_network().unwrap()
    }

    fn tcp(&mut self) -> Resource<TcpSocket> {
        self.view()
            .create_tcp_socket(IpAddressFamily::Ipv4)
            .unwrap()
    }

    fn bind(&mut self, socket: &Resource<TcpSocket>, to: IpSocketAddress) -> Result<(), ErrorCode> {
        let network = self.network();
        let mut view = self.view();
        now(view.start_bind(again(socket), network, to)).map_err(|e| e.downcast().unwrap())?;
        view.finish_bind(again(socket))
            .map_err(|e| e.downcast().unwrap())
    }

    fn listen(&mut self, port: u16) -> Resource<TcpSocket> {
        let socket = self.tcp();
        self.bind(&socket, localhost(port)).unwrap();
        now(self.view().start_listen(again(&socket))).unwrap();
        self.view().finish_listen(again(&socket)).unwrap();
        socket
    }

    fn connect(&mut self, port: u16) -> (Resource<TcpSocket>, Streams) {
        let (socket, network) = (self.tcp(), self.network());
        self.view()
            .start_connect(again(&socket), network, localhost(port))
            .unwrap();
        let streams = self.view().finish_connect(again(&socket)).unwrap();
        (socket, streams)
    }

    fn pollable(&mut self, socket: &Resource<TcpSocket>) -> Resource<DynPollable> {
        self.view().subscribe(again(socket)).unwrap()
    }

    fn is_ready(&mut self, pollable: &Resource<DynPollable>) -> bool {
        now(self.table.ready(Resource::new_borrow(pollable.rep()))).unwrap()
    }

    fn read(&mut self, (input, _): &Streams, size: usize) -> Result<Bytes, StreamError> {
        self.table.get_mut(input).unwrap().read(size)
    }

    fn write(&mut self, (_, output): &Streams, bytes: &'static [u8]) -> Result<(), StreamError> {
        let output = self.table.get_mut(output).unwrap();
        assert!(output.check_write()? >= bytes.len());
        output.write(Bytes::from_static(bytes))
    }
}

type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// The same handle again, as a guest borrows it for each call.
fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

fn pod() -> PodNetwork {
    PodNetwork::new(PodNetworkConfig {
        hostname: "web".into(),
        ..Default::default()
    })
}

fn localhost(port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port,
        address: (127, 0, 0, 1),
    })
}

/// The result of a call that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the call waits"),
    }
}

fn code_of<T>(result: SocketResult<T>) -> ErrorCode {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => error.downcast().unwrap(),
    }
}
