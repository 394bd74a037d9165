//! A published TCP port: accepts connections, and has each carried where it belongs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpListener, TcpSocket, TcpStream as HostStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::carry::{carry, carry_handed, reset};
use super::handover::Handover;
use super::target::Target;
use super::{Counters, ProxyProtocol};
use crate::counters::Protocol;
use crate::limits::{MAX_PUBLISHED_CONNECTIONS, PUBLISH_ACCEPT_PAUSE, PUBLISH_BACKLOG};
use crate::network::Network;
use crate::service::ServiceName;

#[derive(Debug)]
pub(super) struct Publication {
    listener: TcpListener,
    target: Target,
    counters: Arc<Counters>,
    proxy: Option<ProxyProtocol>,
    /// Dropped with this; whom connections were handed over to sees it.
    permission: watch::Sender<()>,
}

impl Publication {
    pub(super) fn bind(
        host: SocketAddr,
        target: Target,
        proxy: Option<ProxyProtocol>,
        counters: &Arc<Counters>,
    ) -> io::Result<(Self, SocketAddr)> {
        // What `TcpListener::bind` does, without its detour over name lookup.
        let socket = match host {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Elsewhere than on Unix it lets two programs have one port.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Clients that have vanished without a word are found out by the kernel; what it accepts inherits this.
        socket.set_keepalive(true)?;
        socket.bind(host)?;
        let listener = socket.listen(PUBLISH_BACKLOG)?;
        let local = listener.local_addr()?;
        let counters = Arc::clone(counters);
        let this = Self {
            listener,
            target,
            counters,
            proxy,
            permission: watch::Sender::new(()),
        };
        Ok((this, local))
    }

    pub(super) async fn serve(self) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            if connections.len() >= MAX_PUBLISHED_CONNECTIONS {
                // Further clients wait in the kernel's listen queue.
                connections.join_next().await;
                continue;
            }
            match self.listener.accept().await {
                Ok((host, client)) => match &self.target {
                    Target::Pod { pod, port } => {
                        if let Some(event_loop) = pod.pod().event_loop(*port) {
                            if let Some(handover) = self.handover(host, client, *port) {
                                let carrying = carry_handed(handover, pod.clone());
                                connections.spawn_on(carrying, &event_loop);
                            }
                            continue;
                        }
                        let counters = Arc::clone(&self.counters);
                        let to = (pod.clone(), *port);
                        connections.spawn(carry(host, client, to, self.proxy, counters));
                    }
                    Target::Service {
                        network,
                        service,
                        port,
                    } => self.hand_over(host, client, network, service, *port),
                },
                // This client went away again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // This host can take no more now, for example for want of descriptors: the other connections go on.
                Err(_) => tokio::time::sleep(PUBLISH_ACCEPT_PAUSE).await,
            }
        }
    }

    /// Chooses a pod for a connection and leaves it to that.
    fn hand_over(
        &self,
        host: HostStream,
        client: SocketAddr,
        network: &Network,
        service: &ServiceName,
        port: u16,
    ) {
        let chosen = network.endpoint(service, port, Protocol::Tcp, client.ip());
        let found = chosen.and_then(|at| match at.ip() {
            std::net::IpAddr::V4(ip) => Some((network.pod(ip)?, at.port())),
            std::net::IpAddr::V6(_) => None,
        });
        let Some((pod, port)) = found else {
            self.refuse(&host);
            return;
        };
        let Some(handover) = self.handover(host, client, port) else {
            return;
        };
        if let Err(handover) = pod.pod().handovers.push(handover)
            && let Ok(host) = HostStream::from_std(handover.stream)
        {
            self.refuse(&host);
        }
    }

    /// A connection on its way to another thread; nothing if this thread's event loop does not let go of it.
    fn handover(&self, host: HostStream, client: SocketAddr, port: u16) -> Option<Handover> {
        Some(Handover {
            stream: host.into_std().ok()?,
            client,
            port,
            counters: Arc::clone(&self.counters),
            proxy: self.proxy,
            permission: self.permission.subscribe(),
        })
    }

    fn refuse(&self, host: &HostStream) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        reset(host);
    }
}
