//! A UDP socket: verbs of POSIX, a bounded receive queue, counters.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::flows::Flows;
use super::queue::Queue;
use crate::address::check_peer;
use crate::capture::Party;
use crate::container::{Entry, Registration};
use crate::counters::{Protocol, SocketInfo, SocketState, Traffic};
use crate::egress::Outgoing;
use crate::fabric::{Choice, Route};
use crate::limits::{DEFAULT_UDP_BUFFER_BYTES, MAX_DATAGRAM_BYTES};
use crate::lock::lock;
use crate::pod::{Pod, PortLease};
use crate::tcp::options::buffer_bytes;
use crate::wakers::Wakers;
use crate::{AddressFamily, Errno};

/// A received datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its payload, cut to what the receiver asked for.
    pub data: Bytes,
    /// Its sender.
    pub from: SocketAddr,
    /// The payload's length in bytes before it was cut (`MSG_TRUNC`).
    pub full_length: usize,
}

impl Datagram {
    fn cut(mut data: Bytes, from: SocketAddr, max: usize) -> Self {
        let full_length = data.len();
        data.truncate(max);
        Self {
            data,
            from,
            full_length,
        }
    }
}

/// A UDP socket of a container. Clones are handles of one socket, which closes when the last is gone.
#[derive(Clone, Debug)]
pub struct UdpSocket {
    shared: Arc<UdpShared>,
}

#[derive(Debug)]
pub(crate) struct UdpShared {
    registration: Registration,
    family: AddressFamily,
    opened_at: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    closed: bool,
    lease: Option<PortLease>,
    peer: Option<SocketAddr>,
    hop_limit: u8,
    send_buffer_bytes: usize,
    incoming: Queue,
    /// A datagram to the peer has come back (RFC 1122 4.1.3.3): told once, to the next call.
    refused: bool,
    flows: Flows,
    readers: Wakers,
    traffic: Traffic,
}

impl UdpSocket {
    pub(crate) fn new(registration: Registration, family: AddressFamily) -> Self {
        let state = State {
            closed: false,
            lease: None,
            peer: None,
            hop_limit: 64,
            send_buffer_bytes: DEFAULT_UDP_BUFFER_BYTES,
            incoming: Queue::new(DEFAULT_UDP_BUFFER_BYTES),
            refused: false,
            flows: Flows::default(),
            readers: Wakers::default(),
            traffic: Traffic::default(),
        };
        let shared = UdpShared {
            registration,
            family,
            opened_at: Instant::now(),
            state: Mutex::new(state),
        };
        let shared = Arc::new(shared);
        if shared
            .registration
            .set(Entry::Udp(Arc::downgrade(&shared)))
            .is_err()
        {
            shared.close();
        }
        Self { shared }
    }

    /// The family that the socket was made for.
    #[must_use]
    pub fn family(&self) -> AddressFamily {
        self.shared.family
    }

    /// Takes a local address; port 0 takes an ephemeral port.
    ///
    /// # Errors
    /// `EINVAL` when bound, or for an address that is not unicast or is IPv4-mapped; `EAFNOSUPPORT`; `EADDRNOTAVAIL` when
    /// the address is not the pod's; `EADDRINUSE`, with an event when another container has it; `EBADF`.
    pub fn bind(&self, address: SocketAddr) -> Result<(), Errno> {
        if AddressFamily::of(address.ip()) != self.shared.family {
            return Err(Errno::AfNoSupport);
        }
        let mut state = self.shared.open()?;
        if state.lease.is_some() {
            return Err(Errno::Inval);
        }
        self.bind_locked(&mut state, address)
    }

    fn bind_locked(&self, state: &mut State, address: SocketAddr) -> Result<(), Errno> {
        let registration = &self.shared.registration;
        let lease =
            registration
                .pod()
                .bind(Protocol::Udp, registration.container_name(), address)?;
        lease.set_udp_socket(Arc::downgrade(&self.shared));
        state.lease = Some(lease);
        Ok(())
    }

    /// Binds to the wildcard address, as Linux does before a send.
    fn bind_if_unbound(&self, state: &mut State) -> Result<(), Errno> {
        if state.lease.is_some() {
            return Ok(());
        }
        self.bind_locked(state, SocketAddr::new(self.shared.family.unspecified(), 0))
    }

    /// Fixes the peer: sends go there by default, and only datagrams from there are received. What waits stays. Binds the
    /// socket if it is not bound.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`; `EINVAL` for port 0, a wildcard, multicast or IPv4-mapped address; `EADDRINUSE` when no ephemeral
    /// port is free; `EBADF`.
    pub fn connect(&self, to: SocketAddr) -> Result<(), Errno> {
        check_peer(self.shared.family, to)?;
        let mut state = self.shared.open()?;
        self.bind_if_unbound(&mut state)?;
        state.peer = Some(to);
        state.refused = false;
        Ok(())
    }

    /// Undoes [`UdpSocket::connect`].
    ///
    /// # Errors
    /// `ENOTCONN`; `EBADF`.
    pub fn disconnect(&self) -> Result<(), Errno> {
        self.shared
            .open()?
            .peer
            .take()
            .map(drop)
            .ok_or(Errno::NotConn)
    }

    /// Sends one datagram, without a copy and without waiting; `to` may be left out when connected. That it was sent does not
    /// say that it arrived.
    ///
    /// # Errors
    /// `EMSGSIZE` above [`MAX_DATAGRAM_BYTES`]; `EDESTADDRREQ` without a destination; `EISCONN` when connected to another
    /// (as `wasi:sockets` demands); `EHOSTUNREACH` for a pod's or service's address that nobody has; `ENETUNREACH` for one
    /// outside of the pods' network that is no published client's; `ECONNREFUSED` when connected to a service that has no
    /// endpoint, or when a datagram before this one found nobody, and then nothing is sent; `EINVAL` for an address outside
    /// of this pod when bound to the loopback; as [`UdpSocket::connect`] for a bad address; `EBADF`.
    pub fn try_send_to(&self, data: &Bytes, to: Option<SocketAddr>) -> Result<(), Errno> {
        if data.len() > MAX_DATAGRAM_BYTES {
            return Err(Errno::MsgSize);
        }
        let pod = self.shared.registration.pod();
        let (from, to) = {
            let mut state = self.shared.open()?;
            let to = match (state.peer, to) {
                (Some(peer), Some(to)) if peer != to => return Err(Errno::IsConn),
                (Some(peer), _) => peer,
                (None, Some(to)) => to,
                (None, None) => return Err(Errno::DestAddrReq),
            };
            check_peer(self.shared.family, to)?;
            state.take_refusal()?;
            self.bind_if_unbound(&mut state)?;
            let mut from = state.local().ok_or(Errno::Inval)?;
            if from.ip().is_unspecified() {
                from.set_ip(pod.addresses.source_for(to.ip()));
            }
            state.traffic.tx_messages = state.traffic.tx_messages.saturating_add(1);
            state.traffic.tx_bytes = state.traffic.tx_bytes.saturating_add(length(data));
            (from, to)
        };
        if !pod.addresses.contains(to.ip()) {
            return self.send_out(data, from, to);
        }
        let receiver = pod.udp_socket_at(to);
        if pod.tap.switch().is_on() {
            self.show(data, from, to, receiver.as_deref());
        }
        if !receiver.is_some_and(|receiver| receiver.deliver(data.clone(), from, None)) {
            self.shared.refuse(to);
        }
        Ok(())
    }

    /// A datagram that leaves the pod.
    fn send_out(&self, data: &Bytes, from: SocketAddr, to: SocketAddr) -> Result<(), Errno> {
        let pod = self.shared.registration.pod();
        let is_shown = pod.tap.switch().is_on();
        let now = Instant::now();
        let before = lock(&self.shared.state).flows.choice(to, now);
        let (route, generation) = match pod.way_out(from) {
            Ok(fabric) => fabric.route_datagram(from.ip(), to, before),
            Err(errno) => (Route::Nowhere(errno), 0),
        };
        let outside = match route {
            Route::Pod(other, endpoint) => {
                if !self.may_send(pod, &other, from, endpoint) {
                    // Dropped, as on the way.
                    if is_shown {
                        self.show(data, from, to, None);
                    }
                    return Ok(());
                }
                let choice = Choice {
                    endpoint,
                    generation,
                };
                lock(&self.shared.state).flows.note(to, choice, now);
                let receiver = other.udp_socket_at(endpoint);
                let is_own = Arc::ptr_eq(&other, pod);
                if is_shown {
                    self.show(data, from, to, receiver.as_deref().filter(|_| is_own));
                }
                let at = (!is_own).then_some(endpoint);
                if !receiver.is_some_and(|receiver| receiver.deliver(data.clone(), from, at)) {
                    self.shared.refuse(to);
                }
                return Ok(());
            }
            Route::Names => {
                if is_shown {
                    self.show(data, from, to, None);
                }
                if let Err(denied) = pod.may_go_outward(Protocol::Udp, to) {
                    let container = self.shared.registration.container_name();
                    pod.tell_denied(container, Protocol::Udp, to, denied);
                    return Ok(());
                }
                if let Some(answer) = pod.ask(data, from, to) {
                    self.shared.deliver(answer, to, Some(from));
                }
                return Ok(());
            }
            Route::Outside { at, real } => Ok((at, real)),
            Route::Nowhere(errno) => Err(errno),
        };
        // A client of a publication is answered by that, also where egress would lead to it.
        let mut published = pod.external_udp().into_iter();
        if pod.admit(to, Protocol::Udp, from).is_ok()
            && published.any(|external| external.send(from, data, to))
        {
            if is_shown {
                self.show(data, from, to, None);
            }
            return Ok(());
        }
        let errno = match outside {
            Ok((at, real)) => {
                if is_shown {
                    self.show(data, from, to, None);
                }
                self.send_outside(data, from, to, (at, real));
                return Ok(());
            }
            Err(errno) => errno,
        };
        let is_connected = lock(&self.shared.state).peer.is_some();
        if errno == Errno::ConnRefused && !is_connected {
            // The refusal comes back as an ICMP message, which only a connected socket hears of.
            if is_shown {
                self.show(data, from, to, None);
            }
            return Ok(());
        }
        let container = self.shared.registration.container_name();
        pod.tell_unreachable(container, Protocol::Udp, to, errno);
        Err(errno)
    }

    /// Shows captures a datagram that is sent; `receiver` is its receiver's socket if that is in the same pod.
    #[cold]
    fn show(&self, data: &Bytes, from: SocketAddr, to: SocketAddr, receiver: Option<&UdpShared>) {
        let registration = &self.shared.registration;
        let tap = &registration.pod().tap;
        let to = match receiver {
            Some(receiver) => Party::inside(to, receiver.registration.container_name()),
            None => Party::outside(to),
        };
        tap.show_datagram(Party::inside(from, registration.container_name()), to, data);
    }

    /// Leaves a datagram to the pod's task, which sends it from a real socket to `real`; pods know the place as `at`.
    fn send_outside(
        &self,
        data: &Bytes,
        from: SocketAddr,
        to: SocketAddr,
        (at, real): (SocketAddr, SocketAddr),
    ) {
        let pod = self.shared.registration.pod();
        if let Err(denied) = pod.may_go_outward(Protocol::Udp, at) {
            let container = self.shared.registration.container_name();
            return pod.tell_denied(container, Protocol::Udp, at, denied);
        }
        // One too many is lost, as datagrams may be.
        drop(pod.datagrams_out.push(Outgoing {
            data: data.clone(),
            from,
            to,
            real,
        }));
    }

    /// Whether network policies let a datagram through to another pod. One that is let through may be answered.
    fn may_send(&self, pod: &Pod, other: &Arc<Pod>, from: SocketAddr, at: SocketAddr) -> bool {
        let Some(fabric) = pod.fabric().filter(|fabric| fabric.policies.has_any()) else {
            return true;
        };
        if std::ptr::eq(Arc::as_ptr(other), pod) {
            return true;
        }
        let now = Instant::now();
        let judged = fabric
            .policies
            .read()
            .between(pod, other, Protocol::Udp, at);
        match judged {
            Ok(()) => other.replies.note(at, from, now),
            Err(_) if pod.replies.is_reply(from, at, now) => {}
            Err(denied) => {
                let container = self.shared.registration.container_name();
                pod.tell_denied(container, Protocol::Udp, at, denied);
                return false;
            }
        }
        true
    }

    /// The next datagram, its payload cut to `max` bytes; what was cut off is lost.
    ///
    /// # Errors
    /// `ECONNREFUSED` once when a datagram to the peer found nobody; `EAGAIN` when none waits; `EBADF`.
    pub fn try_recv_from(&self, max: usize) -> Result<Datagram, Errno> {
        let mut state = self.shared.open()?;
        state.take_refusal()?;
        let (data, from) = state.incoming.pop().ok_or(Errno::Again)?;
        drop(state);
        Ok(Datagram::cut(data, from, max))
    }

    /// As [`UdpSocket::try_recv_from`], but the datagram stays to be received (`MSG_PEEK`).
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv_from`].
    pub fn try_peek_from(&self, max: usize) -> Result<Datagram, Errno> {
        let mut state = self.shared.open()?;
        state.take_refusal()?;
        let (data, from) = state.incoming.first().ok_or(Errno::Again)?;
        Ok(Datagram::cut(data.clone(), *from, max))
    }

    /// Ready when [`UdpSocket::try_recv_from`] would not give `EAGAIN`.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.shared.state);
        if state.closed || state.refused || !state.incoming.is_empty() {
            return Poll::Ready(());
        }
        state.readers.register(cx.waker());
        Poll::Pending
    }

    /// Always ready: a send never waits.
    pub fn poll_send_ready(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// The local address. For a socket that is connected and bound to the wildcard it is the one that the peer sees.
    ///
    /// # Errors
    /// `EINVAL` when unbound or closed.
    pub fn local_addr(&self) -> Result<SocketAddr, Errno> {
        let state = lock(&self.shared.state);
        let mut local = state.local().ok_or(Errno::Inval)?;
        if let Some(peer) = state.peer.filter(|_| local.ip().is_unspecified()) {
            local.set_ip(
                self.shared
                    .registration
                    .pod()
                    .addresses
                    .source_for(peer.ip()),
            );
        }
        Ok(local)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// `ENOTCONN` unless connected.
    pub fn peer_addr(&self) -> Result<SocketAddr, Errno> {
        lock(&self.shared.state).peer.ok_or(Errno::NotConn)
    }

    /// `IP_TTL` or `IPV6_UNICAST_HOPS`.
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        lock(&self.shared.state).hop_limit
    }

    /// Sets `IP_TTL` or `IPV6_UNICAST_HOPS`; kept, without effect.
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_hop_limit(&self, hops: u8) -> Result<(), Errno> {
        if hops == 0 {
            return Err(Errno::Inval);
        }
        lock(&self.shared.state).hop_limit = hops;
        Ok(())
    }

    /// `SO_RCVBUF` in bytes: payload that waits to be received.
    #[must_use]
    pub fn receive_buffer_bytes(&self) -> usize {
        lock(&self.shared.state).incoming.max_bytes
    }

    /// Sets `SO_RCVBUF`, rounded to [`crate::limits::MIN_BUFFER_BYTES`] to [`crate::limits::MAX_BUFFER_BYTES`].
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_receive_buffer_bytes(&self, bytes: u64) -> Result<(), Errno> {
        lock(&self.shared.state).incoming.max_bytes = buffer_bytes(bytes)?;
        Ok(())
    }

    /// `SO_SNDBUF` in bytes.
    #[must_use]
    pub fn send_buffer_bytes(&self) -> usize {
        lock(&self.shared.state).send_buffer_bytes
    }

    /// Sets `SO_SNDBUF`, rounded as the receive buffer; kept, without effect: a datagram is delivered when it is sent.
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_send_buffer_bytes(&self, bytes: u64) -> Result<(), Errno> {
        lock(&self.shared.state).send_buffer_bytes = buffer_bytes(bytes)?;
        Ok(())
    }
}

impl UdpShared {
    fn open(&self) -> Result<std::sync::MutexGuard<'_, State>, Errno> {
        let state = lock(&self.state);
        if state.closed {
            Err(Errno::BadF)
        } else {
            Ok(state)
        }
    }

    /// Puts a datagram into the queue, or drops it. One that comes from outside of the pod says to which address. Whether
    /// this is the socket for datagrams from there, as a connected one is for its peer's only.
    pub(crate) fn deliver(
        &self,
        data: Bytes,
        from: SocketAddr,
        arrived_at: Option<SocketAddr>,
    ) -> bool {
        let mut state = lock(&self.state);
        let from = state.flows.seen(from);
        let tap = &self.registration.pod().tap;
        if let Some(at) = arrived_at
            && tap.switch().is_on()
        {
            let own = Party::inside(at, self.registration.container_name());
            tap.show_datagram(Party::outside(from), own, &data);
        }
        if state.closed || state.peer.is_some_and(|peer| peer != from) {
            return false;
        }
        let bytes = length(&data);
        if !state.incoming.push(data, from) {
            return true;
        }
        state.traffic.rx_messages = state.traffic.rx_messages.saturating_add(1);
        state.traffic.rx_bytes = state.traffic.rx_bytes.saturating_add(bytes);
        let readers = state.readers.take();
        drop(state);
        readers.wake();
        true
    }

    /// Nobody was there for a datagram to this address: what comes back as an ICMP message, only a connected socket hears.
    fn refuse(&self, to: SocketAddr) {
        let mut state = lock(&self.state);
        if state.peer != Some(to) {
            return;
        }
        state.refused = true;
        let readers = state.readers.take();
        drop(state);
        readers.wake();
    }

    pub(crate) fn close(&self) {
        let (lease, readers) = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.peer = None;
            state.incoming.clear();
            state.flows.clear();
            (state.lease.take(), state.readers.take())
        };
        drop(lease);
        readers.wake();
    }

    pub(crate) fn info(&self, container: &Arc<str>) -> SocketInfo {
        let state = lock(&self.state);
        SocketInfo {
            container: Arc::clone(container),
            protocol: Protocol::Udp,
            state: match (state.closed, state.peer, &state.lease) {
                (true, ..) => SocketState::Closed,
                (_, Some(_), _) => SocketState::Connected,
                (_, None, Some(_)) => SocketState::Bound,
                (_, None, None) => SocketState::Unbound,
            },
            local: state.local(),
            peer: state.peer,
            peer_container: None,
            traffic: state.traffic(),
            receive_queue_bytes: state.incoming.bytes(),
            send_queue_bytes: 0,
            listening: None,
            opened_at: self.opened_at,
        }
    }
}

impl State {
    fn traffic(&self) -> Traffic {
        Traffic {
            rx_dropped: self.incoming.dropped,
            ..self.traffic
        }
    }

    fn take_refusal(&mut self) -> Result<(), Errno> {
        if std::mem::take(&mut self.refused) {
            Err(Errno::ConnRefused)
        } else {
            Ok(())
        }
    }

    fn local(&self) -> Option<SocketAddr> {
        self.lease.as_ref().map(|lease| lease.address)
    }
}

impl Drop for UdpShared {
    fn drop(&mut self) {
        self.close();
        let traffic = lock(&self.state).traffic();
        self.registration.retire(Protocol::Udp, traffic);
    }
}

fn length(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
