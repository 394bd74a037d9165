//! The socket object with POSIX' verbs: from unbound to listening or connected (diagram in the folder's `mod.rs`).
//!
//! No verb blocks: `EAGAIN` says that there is nothing yet and `poll_*` waits for it. Where POSIX and `wasi:sockets` differ
//! the stricter answer of `wasi:sockets` is given: `listen` needs a `bind`, and a socket whose connect failed is of no use.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::listener::{Connecting, Listener};
use super::options::TcpOptions;
use super::stream::{Shutdown, StreamShared, TcpStream};
use crate::address::check_peer;
use crate::container::{Entry, Registration};
use crate::counters::{Protocol, SocketInfo, SocketState, Traffic};
use crate::event_loops::EventLoops;
use crate::lock::lock;
use crate::pod::PortLease;
use crate::policy::{Opened, Opener};
use crate::{AddressFamily, Errno};

/// A TCP socket of a container. Clones are handles of one socket; when the last is gone, what it did ends: a listener closes,
/// a connect is given up. A connection lives on in its [`TcpStream`]s.
#[derive(Clone, Debug)]
pub struct TcpSocket {
    shared: Arc<TcpShared>,
}

#[derive(Debug)]
pub(crate) struct TcpShared {
    registration: Arc<Registration>,
    family: AddressFamily,
    options: Arc<Mutex<TcpOptions>>,
    opened_at: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Unbound,
    Bound(Arc<PortLease>),
    Listening {
        listener: Arc<Listener>,
        lease: Arc<PortLease>,
    },
    Connecting {
        connecting: Connecting,
        local: SocketAddr,
        lease: Option<Arc<PortLease>>,
    },
    Connected(TcpStream),
    /// Its connect has failed: of no more use, but it still has the address.
    Failed(SocketAddr),
    Closed,
}

impl TcpSocket {
    pub(crate) fn new(registration: Registration, family: AddressFamily) -> Self {
        let socket = Self::with_state(
            Arc::new(registration),
            family,
            Arc::default(),
            State::Unbound,
        );
        if socket
            .shared
            .registration
            .set(Entry::Tcp(Arc::downgrade(&socket.shared)))
            .is_err()
        {
            socket.shared.close();
        }
        socket
    }

    fn with_state(
        registration: Arc<Registration>,
        family: AddressFamily,
        options: Arc<Mutex<TcpOptions>>,
        state: State,
    ) -> Self {
        let opened_at = Instant::now();
        let shared = TcpShared {
            registration,
            family,
            options,
            opened_at,
            state: Mutex::new(state),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The family that the socket was made for.
    #[must_use]
    pub fn family(&self) -> AddressFamily {
        self.shared.family
    }

    /// Takes a local address; port 0 takes an ephemeral port.
    ///
    /// # Errors
    /// `EINVAL` unless unbound, or for an address that is not unicast or is IPv4-mapped; `EAFNOSUPPORT`;
    /// `EADDRNOTAVAIL` when the address is not the pod's; `EADDRINUSE`, with an event when another container has it.
    pub fn bind(&self, address: SocketAddr) -> Result<(), Errno> {
        let mut state = lock(&self.shared.state);
        if !matches!(*state, State::Unbound) {
            return Err(Errno::Inval);
        }
        if AddressFamily::of(address.ip()) != self.shared.family {
            return Err(Errno::AfNoSupport);
        }
        let registration = &self.shared.registration;
        let lease =
            registration
                .pod()
                .bind(Protocol::Tcp, registration.container_name(), address)?;
        *state = State::Bound(Arc::new(lease));
        Ok(())
    }

    /// Begins to accept connections.
    ///
    /// # Errors
    /// `EDESTADDRREQ` when unbound; `EISCONN` when connecting or connected; `EINVAL` when listening already or closed.
    pub fn listen(&self) -> Result<(), Errno> {
        let mut state = lock(&self.shared.state);
        let lease = match &*state {
            State::Bound(lease) => Arc::clone(lease),
            State::Unbound => return Err(Errno::DestAddrReq),
            State::Connecting { .. } | State::Connected(_) => return Err(Errno::IsConn),
            State::Listening { .. } | State::Failed(_) | State::Closed => return Err(Errno::Inval),
        };
        let container = Arc::clone(self.shared.registration.container_name());
        let listener = Arc::new(Listener::new(
            container,
            Arc::clone(&self.shared.options),
            &self.shared.registration.pod().tap,
        ));
        lease.set_listener(Some(Arc::clone(&listener)));
        *state = State::Listening { listener, lease };
        Ok(())
    }

    /// Lets connections that come by published ports be carried on these event loops, instead of on the pod's.
    ///
    /// # Errors
    /// `EINVAL` unless listening.
    pub fn carry_on(&self, event_loops: EventLoops) -> Result<(), Errno> {
        self.listener()?.carry_on(event_loops);
        Ok(())
    }

    /// The next connection, as a connected socket that has this one's options.
    ///
    /// # Errors
    /// `EAGAIN` when none waits; `EINVAL` unless listening; `EMFILE` when the container has no socket left (the connection
    /// stays in the queue); `ENETDOWN` when the container is released meanwhile.
    pub fn try_accept(&self) -> Result<Self, Errno> {
        let listener = self.listener()?;
        let registration = match self.shared.registration.another() {
            Ok(registration) => registration,
            Err(Errno::MFile) if listener.queued() == 0 => return Err(Errno::Again),
            Err(errno) => return Err(errno),
        };
        let end = listener.accept()?;
        let options = lock(&self.shared.options).clone();
        let stream = TcpStream::new(end, registration, options, None)?;
        let (registration, options) = (
            Arc::clone(stream.registration()),
            Arc::clone(stream.options()),
        );
        Ok(Self::with_state(
            registration,
            self.shared.family,
            options,
            State::Connected(stream),
        ))
    }

    /// Ready when [`TcpSocket::try_accept`] would not give `EAGAIN`.
    pub fn poll_accept_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.listener() {
            Ok(listener) => listener.poll_acceptable(cx),
            Err(_) => Poll::Ready(()),
        }
    }

    /// Starts to connect; [`TcpSocket::try_connect`] has the outcome, often at once. A socket that connects to the address that
    /// it is bound to is connected to itself, and reads what it writes.
    ///
    /// # Errors
    /// Only what is wrong with the call: `EAFNOSUPPORT`; `EINVAL` for port 0, a wildcard, multicast or IPv4-mapped address
    /// or a closed socket; `EALREADY`; `EISCONN`; `EOPNOTSUPP` when listening; `EADDRNOTAVAIL` when no ephemeral port is
    /// free.
    pub fn connect(&self, to: SocketAddr) -> Result<(), Errno> {
        let mut state = lock(&self.shared.state);
        let bound = match &*state {
            State::Unbound => None,
            State::Bound(lease) => Some(Arc::clone(lease)),
            State::Listening { .. } => return Err(Errno::OpNotSupp),
            State::Connecting { .. } => return Err(Errno::Already),
            State::Connected(_) => return Err(Errno::IsConn),
            State::Failed(_) | State::Closed => return Err(Errno::Inval),
        };
        check_peer(self.shared.family, to)?;
        let registration = &self.shared.registration;
        let (pod, container) = (registration.pod(), registration.container_name());
        let is_bound = bound.is_some();
        let lease = match bound {
            Some(lease) => lease,
            None => {
                let any_port = SocketAddr::new(pod.addresses.source_for(to.ip()), 0);
                let lease = pod
                    .bind(Protocol::Tcp, container, any_port)
                    .map_err(|errno| match errno {
                        Errno::AddrInUse => Errno::AddrNotAvail,
                        other => other,
                    })?;
                Arc::new(lease)
            }
        };
        let mut local = lease.address;
        if local.ip().is_unspecified() {
            local.set_ip(pod.addresses.source_for(to.ip()));
        }
        let options = lock(&self.shared.options).clone();
        // A simultaneous open with itself (RFC 9293 3.5). Only for who has chosen the port: on Linux a client may be given the
        // ephemeral port that it connects to, and is then taken for the server that is not there.
        let connecting = if is_bound && local == to {
            Connecting::to_itself(pod.origin(container, local, to, &options))
        } else {
            pod.connect(container, local, to, &options)
        };
        *state = State::Connecting {
            connecting,
            local,
            lease: Some(lease),
        };
        Ok(())
    }

    /// The outcome of [`TcpSocket::connect`], once.
    ///
    /// # Errors
    /// `EAGAIN` while it waits for room in the listen queue. Then, after which the socket is closed: `ECONNREFUSED` when
    /// nobody listens there, the listener closed, or a service has no endpoint; `ETIMEDOUT` when a network policy does not
    /// allow it; `ECONNRESET` when one does not any more; `EHOSTUNREACH` for a pod's or service's
    /// address that nobody has; `ENETUNREACH` for one outside of the pods' network; `EINVAL` for one outside of this pod when
    /// bound to the loopback. `EINVAL` also when no connect was started, `EISCONN` when its outcome was taken.
    pub fn try_connect(&self) -> Result<TcpStream, Errno> {
        let mut state = lock(&self.shared.state);
        let (connecting, local, lease) = match &mut *state {
            State::Connecting {
                connecting,
                local,
                lease,
            } => (connecting, *local, lease),
            State::Connected(_) => return Err(Errno::IsConn),
            State::Unbound
            | State::Bound(_)
            | State::Listening { .. }
            | State::Failed(_)
            | State::Closed => return Err(Errno::Inval),
        };
        let outcome = match connecting.take() {
            Err(Errno::Again) => return Err(Errno::Again),
            Err(errno) => Err(errno),
            Ok(end) => {
                let (registration, options) = (
                    Arc::clone(&self.shared.registration),
                    Arc::clone(&self.shared.options),
                );
                TcpStream::with_shared(StreamShared::new(end, registration, options, lease.take()))
            }
        };
        let before = std::mem::replace(
            &mut *state,
            match &outcome {
                Ok(stream) => State::Connected(stream.clone()),
                Err(_) => State::Failed(local),
            },
        );
        drop(state);
        drop(before);
        outcome
    }

    /// Waits for the outcome and takes it, as [`TcpSocket::try_connect`].
    pub fn poll_connect(&self, cx: &mut Context<'_>) -> Poll<Result<TcpStream, Errno>> {
        self.poll_connect_ready(cx).map(|()| self.try_connect())
    }

    /// Ready when [`TcpSocket::try_connect`] would not give `EAGAIN`.
    pub fn poll_connect_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &*lock(&self.shared.state) {
            State::Connecting { connecting, .. } => connecting.poll_ready(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Ready when the verb that fits the socket's state would not give `EAGAIN`: accept, or the outcome of connect. In other
    /// states there is nothing to wait for.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.listener() {
            Ok(listener) => listener.poll_acceptable(cx),
            Err(_) => self.poll_connect_ready(cx),
        }
    }

    /// The connection, when connected.
    #[must_use]
    pub fn stream(&self) -> Option<TcpStream> {
        match &*lock(&self.shared.state) {
            State::Connected(stream) => Some(stream.clone()),
            _ => None,
        }
    }

    /// What the socket is doing.
    #[must_use]
    pub fn state(&self) -> SocketState {
        lock(&self.shared.state).name()
    }

    /// The local address.
    ///
    /// # Errors
    /// `EINVAL` when unbound or closed.
    pub fn local_addr(&self) -> Result<SocketAddr, Errno> {
        lock(&self.shared.state).local().ok_or(Errno::Inval)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// `ENOTCONN` unless connected.
    pub fn peer_addr(&self) -> Result<SocketAddr, Errno> {
        self.stream()
            .map(|stream| stream.peer_addr())
            .ok_or(Errno::NotConn)
    }

    /// The options as they are.
    #[must_use]
    pub fn options(&self) -> TcpOptions {
        lock(&self.shared.options).clone()
    }

    /// Changes options, with effect at once: `socket.set_options(|options| options.set_hop_limit(5))`.
    ///
    /// # Errors
    /// What `change` gives; then nothing has changed.
    pub fn set_options(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let (before, after) = {
            let mut options = lock(&self.shared.options);
            let mut changed = options.clone();
            change(&mut changed)?;
            (std::mem::replace(&mut *options, changed.clone()), changed)
        };
        if let Ok(listener) = self.listener() {
            listener.backlog_changed();
        }
        let sizes =
            |options: &TcpOptions| (options.send_buffer_bytes(), options.receive_buffer_bytes());
        if sizes(&before) != sizes(&after)
            && let Some(stream) = self.stream()
        {
            stream.resize(&after);
        }
        Ok(())
    }

    /// Ends one or both directions of the connection.
    ///
    /// # Errors
    /// `ENOTCONN` unless connected, or after a reset.
    pub fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        self.stream().ok_or(Errno::NotConn)?.shutdown(how)
    }

    fn listener(&self) -> Result<Arc<Listener>, Errno> {
        match &*lock(&self.shared.state) {
            State::Listening { listener, .. } => Ok(Arc::clone(listener)),
            _ => Err(Errno::Inval),
        }
    }
}

impl State {
    const fn name(&self) -> SocketState {
        match self {
            Self::Unbound => SocketState::Unbound,
            Self::Bound(_) => SocketState::Bound,
            Self::Listening { .. } => SocketState::Listening,
            Self::Connecting { .. } => SocketState::Connecting,
            Self::Connected(_) => SocketState::Connected,
            Self::Failed(_) | Self::Closed => SocketState::Closed,
        }
    }

    fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Unbound | Self::Closed => None,
            Self::Bound(lease) | Self::Listening { lease, .. } => Some(lease.address),
            Self::Connecting { local, .. } | Self::Failed(local) => Some(*local),
            Self::Connected(stream) => Some(stream.local_addr()),
        }
    }
}

impl TcpShared {
    /// Ends what the socket does; a connection is its streams' affair.
    pub(crate) fn close(&self) {
        let before = std::mem::replace(&mut *lock(&self.state), State::Closed);
        if let State::Listening { listener, lease } = &before {
            lease.set_listener(None);
            listener.close();
        }
    }

    /// Resets the connection that is being opened, or was, if it is forbidden.
    pub(crate) fn reset_if(&self, is_forbidden: &dyn Fn(Opened) -> bool) {
        let state = lock(&self.state);
        match &*state {
            State::Connecting {
                connecting, local, ..
            } => {
                let opened = connecting.server().map(|server| Opened {
                    client: *local,
                    server,
                    by: Opener::Guest,
                });
                if opened.is_some_and(is_forbidden) {
                    connecting.reset();
                }
            }
            State::Connected(stream) => stream.reset_if(is_forbidden),
            State::Unbound
            | State::Bound(_)
            | State::Listening { .. }
            | State::Failed(_)
            | State::Closed => {}
        }
    }

    pub(crate) fn info(&self, container: &Arc<str>) -> SocketInfo {
        let state = lock(&self.state);
        let listening = match &*state {
            State::Listening { listener, .. } => Some(listener.figures()),
            _ => None,
        };
        SocketInfo {
            container: Arc::clone(container),
            protocol: Protocol::Tcp,
            state: state.name(),
            local: state.local(),
            peer: None,
            peer_container: None,
            traffic: Traffic::default(),
            receive_queue_bytes: 0,
            send_queue_bytes: 0,
            listening,
            opened_at: self.opened_at,
        }
    }
}

impl Drop for TcpShared {
    fn drop(&mut self) {
        self.close();
    }
}
