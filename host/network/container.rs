//! The sockets of one running container: how many it may have, and that none outlives it.
//!
//! What a socket does is in `tcp` and `udp`; this is the table behind `EMFILE`, behind the list of sockets, and behind the
//! closing of everything when the container ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use crate::counters::{Past, Protocol, SocketInfo, Traffic};
use crate::lock::lock;
use crate::names::{Learnt, resolve_outside};
use crate::pod::{Pod, describe};
use crate::policy::Opened;
use crate::tcp::{StreamShared, TcpShared, TcpSocket};
use crate::udp::{UdpShared, UdpSocket};
use crate::{AddressFamily, Errno};

/// What one container instance may do in its pod's network. Dropping it is [`ContainerNetwork::release`].
#[derive(Debug)]
pub struct ContainerNetwork {
    container: Arc<Container>,
}

impl ContainerNetwork {
    pub(crate) const fn new(container: Arc<Container>) -> Self {
        Self { container }
    }

    /// A new TCP socket, unbound.
    ///
    /// # Errors
    /// `EMFILE` at [`crate::limits::MAX_SOCKETS_PER_CONTAINER`]; `ENETDOWN` after release.
    pub fn tcp_socket(&self, family: AddressFamily) -> Result<TcpSocket, Errno> {
        self.register()
            .map(|registration| TcpSocket::new(registration, family))
    }

    /// A new UDP socket, unbound.
    ///
    /// # Errors
    /// `EMFILE` at [`crate::limits::MAX_SOCKETS_PER_CONTAINER`]; `ENETDOWN` after release.
    pub fn udp_socket(&self, family: AddressFamily) -> Result<UdpSocket, Errno> {
        self.register()
            .map(|registration| UdpSocket::new(registration, family))
    }

    /// The container's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.container.name
    }

    /// The addresses of a name, as [`crate::PodNetwork::resolve`]. It waits for nobody, so of names outside of the
    /// cluster it only knows those that were looked up just now.
    ///
    /// # Errors
    /// As [`crate::PodNetwork::resolve`].
    pub fn resolve(&self, name: &str) -> Result<Vec<std::net::IpAddr>, crate::ResolveError> {
        self.container.pod.resolve(name, &Learnt::default())
    }

    /// As [`ContainerNetwork::resolve`], but also names outside of the cluster where egress is allowed, for which the
    /// host's resolver is asked. Ready at once for every other name.
    ///
    /// # Errors
    /// As [`crate::PodNetwork::resolve`].
    pub fn lookup(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Vec<std::net::IpAddr>, crate::ResolveError>> + Send + use<>
    {
        let (pod, name) = (Arc::clone(&self.container.pod), name.to_owned());
        async move { resolve_outside(&pod, &name).await }
    }

    /// Closes all sockets as the end of a process does: ports are free, listeners refuse, a peer reads what was sent to it
    /// and then EOF, or a reset if this container left data of it unread. No socket can be made any more.
    pub fn release(&self) {
        self.container.close_all(false);
    }

    /// Like [`ContainerNetwork::release`], but every connection is reset, also where nothing was left unread.
    pub fn abort(&self) {
        self.container.close_all(true);
    }

    pub(crate) fn register(&self) -> Result<Registration, Errno> {
        Container::register(&self.container)
    }
}

impl Drop for ContainerNetwork {
    fn drop(&mut self) {
        self.release();
    }
}

#[derive(Debug)]
pub(crate) struct Container {
    name: Arc<str>,
    pod: Arc<Pod>,
    limit: usize,
    /// Shared by all containers of this name.
    past: Arc<Past>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    released: bool,
    next: u64,
    sockets: BTreeMap<u64, Entry>,
}

/// What stands at a place of the table.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The place is counted, the socket is still being made.
    Reserved,
    Tcp(Weak<TcpShared>),
    Stream(Weak<StreamShared>),
    Udp(Weak<UdpShared>),
}

impl Container {
    pub(crate) fn new(name: Arc<str>, pod: Arc<Pod>, limit: usize, past: Arc<Past>) -> Self {
        Self {
            name,
            pod,
            limit,
            past,
            table: Mutex::default(),
        }
    }

    pub(crate) fn register(self: &Arc<Self>) -> Result<Registration, Errno> {
        let mut table = lock(&self.table);
        if table.released || self.pod.is_closed() {
            return Err(Errno::NetDown);
        }
        if table.sockets.len() >= self.limit {
            return Err(Errno::MFile);
        }
        let id = table.next;
        table.next = table.next.wrapping_add(1);
        table.sockets.insert(id, Entry::Reserved);
        Ok(Registration {
            container: Arc::clone(self),
            id,
        })
    }

    pub(crate) fn sockets(&self) -> Vec<SocketInfo> {
        // A description locks its socket, and a dropped socket locks this table: hold both never.
        let entries: Vec<_> = lock(&self.table)
            .sockets
            .values()
            .map(Entry::weak)
            .collect();
        entries
            .iter()
            .filter_map(|entry| describe(&self.name, entry))
            .collect()
    }

    /// Resets every connection that was opened here and is forbidden.
    pub(crate) fn reset_where(&self, is_forbidden: &dyn Fn(Opened) -> bool) {
        let sockets = lock(&self.table)
            .sockets
            .values()
            .map(Entry::weak)
            .collect::<Vec<_>>();
        for entry in sockets {
            match entry {
                Entry::Tcp(socket) => {
                    if let Some(socket) = socket.upgrade() {
                        socket.reset_if(is_forbidden);
                    }
                }
                Entry::Stream(stream) => {
                    if let Some(stream) = stream.upgrade() {
                        stream.reset_if(is_forbidden);
                    }
                }
                // A datagram is judged when it is sent.
                Entry::Udp(_) | Entry::Reserved => {}
            }
        }
    }

    /// Closes everything; `reset` sends a reset to every peer.
    pub(crate) fn close_all(&self, reset: bool) {
        let entries: Vec<_> = {
            let mut table = lock(&self.table);
            table.released = true;
            table.sockets.values().map(Entry::weak).collect()
        };
        for entry in entries {
            match entry {
                Entry::Reserved => {}
                Entry::Tcp(socket) => socket
                    .upgrade()
                    .into_iter()
                    .for_each(|socket| socket.close()),
                Entry::Stream(stream) => stream
                    .upgrade()
                    .into_iter()
                    .for_each(|stream| stream.close(reset)),
                Entry::Udp(socket) => socket
                    .upgrade()
                    .into_iter()
                    .for_each(|socket| socket.close()),
            }
        }
    }
}

impl Entry {
    fn weak(&self) -> Self {
        match self {
            Self::Reserved => Self::Reserved,
            Self::Tcp(socket) => Self::Tcp(Weak::clone(socket)),
            Self::Stream(stream) => Self::Stream(Weak::clone(stream)),
            Self::Udp(socket) => Self::Udp(Weak::clone(socket)),
        }
    }
}

/// One counted socket of a container; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Registration {
    container: Arc<Container>,
    id: u64,
}

impl Registration {
    pub(crate) fn container_name(&self) -> &Arc<str> {
        &self.container.name
    }

    pub(crate) fn pod(&self) -> &Arc<Pod> {
        &self.container.pod
    }

    /// One more socket of the same container.
    pub(crate) fn another(&self) -> Result<Self, Errno> {
        Container::register(&self.container)
    }

    /// Counts the socket to those that are gone.
    pub(crate) fn retire(&self, protocol: Protocol, traffic: Traffic) {
        self.container.past.add(protocol, traffic);
    }

    /// Says what socket this is. `ENETDOWN` when the container was released meanwhile: the caller drops the socket.
    pub(crate) fn set(&self, entry: Entry) -> Result<(), Errno> {
        let mut table = lock(&self.container.table);
        if table.released {
            return Err(Errno::NetDown);
        }
        table.sockets.insert(self.id, entry);
        Ok(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.container.table).sockets.remove(&self.id);
    }
}
