//! One pod's network namespace: its addresses, port spaces, names, containers and events.
//!
//! A handle is cheap to clone. The last one to go closes what the host itself holds in the pod; containers' sockets belong
//! to their [`ContainerNetwork`]. Decisions about ports are in `ports`, about names in `names`, about what is outside of the
//! pod in `fabric`.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::runtime;

use crate::address::{PodAddresses, behind_gateway, seen_from_pod};
use crate::capture::{Capture, CaptureError, CaptureOptions, Tap};
use crate::container::{Container, ContainerNetwork, Entry};
use crate::counters::{ContainerTraffic, Past, Protocol, SocketInfo};
use crate::egress::{Departure, Outgoing};
use crate::event::{Events, NetworkEvent};
use crate::fabric::{Fabric, Lease, Route};
use crate::limits::{
    MAX_EGRESS_QUEUED, MAX_HANDED_OVER, MAX_HINTS, MAX_HOST_SOCKETS_PER_POD, MAX_POD_BUFFER_BYTES,
    MAX_SOCKETS_PER_CONTAINER,
};
use crate::lock::lock;
use crate::mailbox::Mailbox;
use crate::names::{Answered, Hosts, Learnt, Question, Resolver, ResolverConfig, answer_datagram};
use crate::policy::{Denied, Opened, Replies};
use crate::ports::{BindError, PortTable};
use crate::publish::Handover;
use crate::serve;
use crate::tcp::{BufferBudget, Connecting, Listener, Origin, TcpOptions, TcpStream};
use crate::udp::{ExternalPort, UdpShared};
use crate::{AddressFamily, Errno, ResolveError};

/// The name under which the host's own sockets in a pod are listed: published connections and probes. No container can have
/// it, because a container's name is an RFC 1123 label.
pub const HOST: &str = "(host)";

/// How often sums are taken anew because a socket was closed meanwhile; then one may miss the last that closed.
const MAX_SNAPSHOT_TRIES: usize = 8;

/// What a pod's network is made from.
#[derive(Clone, Debug)]
pub struct PodNetworkConfig {
    /// The pod's IPv4 address; [`crate::Network::create_pod`] sets it.
    pub pod_ip: Ipv4Addr,
    /// The pod's IPv6 address besides `::1`, if it has one.
    pub pod_ip6: Option<Ipv6Addr>,
    /// `spec.hostname`, or the pod's name.
    pub hostname: String,
    /// What follows the hostname in its full name, for a pod with `spec.subdomain`:
    /// `<subdomain>.<namespace>.svc.cluster.local`.
    pub domain: Option<String>,
    /// `spec.hostAliases`.
    pub host_aliases: Vec<(IpAddr, Vec<String>)>,
    /// The pod's namespace.
    pub namespace: String,
    /// What network policies know the pod by: any text that no other pod has, such as its uid.
    pub identity: Arc<str>,
    /// The `search` list of `/etc/resolv.conf`.
    pub search: Vec<String>,
    /// The `nameserver` lines of `/etc/resolv.conf`; the names of services are known to [`crate::NAMESERVER`] only.
    pub nameservers: Vec<IpAddr>,
    /// Whether its name server knows the cluster: not with `dnsPolicy: Default`, which asks the node's.
    pub knows_cluster: bool,
    /// `options ndots:` of `/etc/resolv.conf`: a name with so many dots is tried as it is before the search list.
    pub ndots: usize,
}

impl Default for PodNetworkConfig {
    /// A pod that is alone: the first pod IP, hostname `localhost`.
    fn default() -> Self {
        Self {
            pod_ip: Ipv4Addr::new(10, 244, 0, 2),
            pod_ip6: None,
            hostname: "localhost".to_owned(),
            domain: None,
            host_aliases: Vec::new(),
            namespace: String::new(),
            identity: Arc::from(""),
            search: Vec::new(),
            nameservers: Vec::new(),
            knows_cluster: true,
            ndots: 1,
        }
    }
}

/// A pod's network.
#[derive(Clone, Debug)]
pub struct PodNetwork {
    handle: Arc<Handle>,
}

#[derive(Debug)]
pub(crate) struct Handle {
    pod: Arc<Pod>,
    host: ContainerNetwork,
}

/// What the sockets of a pod share.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) addresses: PodAddresses,
    pub(crate) budget: Arc<BufferBudget>,
    tcp: Mutex<PortTable<Arc<Listener>>>,
    udp: Mutex<PortTable<Weak<UdpShared>>>,
    external_udp: Mutex<Vec<Weak<ExternalPort>>>,
    hostname: String,
    pub(crate) namespace: String,
    pub(crate) identity: Arc<str>,
    /// Whom it may answer.
    pub(crate) replies: Replies,
    resolver: Resolver,
    /// Connections to the name server that nobody serves yet.
    pub(crate) name_server: Arc<Listener>,
    /// Connections from the host that nobody carries yet.
    pub(crate) handovers: Mailbox<Handover>,
    /// What guests ask of the world outside, and the pod's own task does.
    pub(crate) departures: Mailbox<Departure>,
    pub(crate) datagrams_out: Mailbox<Outgoing>,
    pub(crate) questions: Mailbox<Question>,
    events: Events,
    /// Where captures see what passes.
    pub(crate) tap: Arc<Tap>,
    /// What hints were given.
    told: Mutex<BTreeSet<String>>,
    containers: Mutex<Vec<Weak<Container>>>,
    /// One for each name, so as many as the pod has containers.
    past: Mutex<Vec<(Arc<str>, Arc<Past>)>>,
    next_id: AtomicU64,
    closed: AtomicBool,
    /// The way out; a pod that is alone has none.
    lease: Option<Lease>,
}

impl PodNetwork {
    /// A pod's network that belongs to no [`crate::Network`]: its IP is the caller's affair.
    #[must_use]
    pub fn new(config: PodNetworkConfig) -> Self {
        Self::with_lease(config, None)
    }

    pub(crate) fn with_lease(config: PodNetworkConfig, lease: Option<Lease>) -> Self {
        let addresses = PodAddresses {
            ip: config.pod_ip,
            ip6: config.pod_ip6,
        };
        let hosts = Hosts::new(
            addresses,
            &config.hostname,
            config.domain.as_deref(),
            &config.host_aliases,
        );
        let resolver = ResolverConfig {
            nameservers: config.nameservers,
            search: config.search,
            ndots: config.ndots,
            tells_cluster: config.knows_cluster,
        };
        let lone = Arc::default();
        let capturing = lease
            .as_ref()
            .map_or(&lone, |lease| &lease.fabric.capturing);
        let tap = Arc::new(Tap::new(Arc::clone(capturing)));
        let pod = Arc::new(Pod {
            addresses,
            budget: Arc::new(BufferBudget::new(MAX_POD_BUFFER_BYTES)),
            tcp: Mutex::default(),
            udp: Mutex::default(),
            external_udp: Mutex::default(),
            hostname: config.hostname,
            namespace: config.namespace,
            identity: config.identity,
            replies: Replies::default(),
            resolver: Resolver::new(hosts, resolver),
            name_server: Arc::new(Listener::new(Arc::from(HOST), Arc::default(), &tap)),
            handovers: Mailbox::new(MAX_HANDED_OVER),
            departures: Mailbox::new(MAX_EGRESS_QUEUED),
            datagrams_out: Mailbox::new(MAX_EGRESS_QUEUED),
            questions: Mailbox::new(MAX_EGRESS_QUEUED),
            events: Events::default(),
            tap,
            told: Mutex::default(),
            containers: Mutex::default(),
            past: Mutex::default(),
            next_id: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            lease,
        });
        let host = pod.attach(HOST, MAX_HOST_SOCKETS_PER_POD);
        Self {
            handle: Arc::new(Handle { pod, host }),
        }
    }

    /// The sockets of one running container. When it ends, drop this (or call [`ContainerNetwork::release`]).
    #[must_use]
    pub fn attach(&self, container: &str) -> ContainerNetwork {
        self.handle.pod.attach(container, MAX_SOCKETS_PER_CONTAINER)
    }

    /// The pod's IPv4 address.
    #[must_use]
    pub fn pod_ip(&self) -> Ipv4Addr {
        self.handle.pod.addresses.ip
    }

    /// The pod's IPv6 address, if it has one.
    #[must_use]
    pub fn pod_ip6(&self) -> Option<Ipv6Addr> {
        self.handle.pod.addresses.ip6
    }

    /// The pod's host name.
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.handle.pod.hostname
    }

    /// Connects to a port of the pod from outside, as its Service or node would: to the pod's IPv4 address, and if nobody
    /// listens there to its IPv6 address. What listens on the loopback only is not reached. Waits while the listen queue is
    /// full; dropping the future gives the attempt up. `from` is what the pod sees as the peer, except that a loopback
    /// address is shown as the gateway.
    ///
    /// # Errors
    /// `ECONNREFUSED` when nobody listens or the listener closes meanwhile; `EMFILE` when the host has
    /// [`MAX_HOST_SOCKETS_PER_POD`] sockets here; `ENETDOWN` after [`PodNetwork::close`].
    pub async fn dial(&self, from: SocketAddr, to_port: u16) -> Result<TcpStream, Errno> {
        let pod = &self.handle.pod;
        let mut outcome = Err(Errno::ConnRefused);
        for ip in [
            Some(IpAddr::V4(pod.addresses.ip)),
            pod.addresses.ip6.map(IpAddr::V6),
        ]
        .into_iter()
        .flatten()
        {
            let family = AddressFamily::of(ip);
            let local = seen_from_pod(from, family);
            let registration = self.handle.host.register()?;
            let options = TcpOptions::default();
            let connecting = pod.connect(
                registration.container_name(),
                local,
                SocketAddr::new(ip, to_port),
                &options,
            );
            outcome = poll_fn(|cx| connecting.poll_take(cx))
                .await
                .and_then(|end| TcpStream::new(end, registration, options, None));
            if outcome.as_ref().err() != Some(&Errno::ConnRefused) {
                break;
            }
        }
        outcome
    }

    /// As [`PodNetwork::dial`], for a client outside of the pods, which the pod's network policies may not let in; a probe
    /// and whatever else the node does itself is none.
    ///
    /// # Errors
    /// As [`PodNetwork::dial`]; `EACCES` when no policy of the pod allows it.
    pub async fn dial_for(&self, client: SocketAddr, to_port: u16) -> Result<TcpStream, Errno> {
        let pod = self.pod();
        let at = SocketAddr::new(IpAddr::V4(pod.addresses.ip), to_port);
        pod.admit(client, Protocol::Tcp, at)?;
        let stream = self.dial(client, to_port).await?;
        // From here on a change of the policies finds the connection; there may have been one before.
        stream.belongs_to_outsider();
        if let Err(errno) = pod.admit(client, Protocol::Tcp, at) {
            stream.abort();
            return Err(errno);
        }
        Ok(stream)
    }

    /// The text of `/etc/hosts` in the kubelet's format.
    #[must_use]
    pub fn hosts_file(&self) -> String {
        self.handle.pod.resolver.hosts.file()
    }

    /// The addresses of a name as the pod's C library finds them: those of `/etc/hosts`, else those that the name server
    /// knows under the name or one of the search list, or the address that the name is.
    ///
    /// # Errors
    /// The name is none, or is not known in this pod.
    pub fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.handle.pod.resolve(name, &Learnt::default())
    }

    /// All sockets of the pod at this moment, by container and age.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketInfo> {
        let containers: Vec<_> = lock(&self.handle.pod.containers)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        containers
            .iter()
            .flat_map(|container| container.sockets())
            .collect()
    }

    /// What the sockets of each container came to, in the order in which the containers started; the host itself is the
    /// first.
    #[must_use]
    pub fn traffic(&self) -> Vec<ContainerTraffic> {
        let past = || -> Vec<_> {
            let all = lock(&self.handle.pod.past);
            all.iter().map(|(_, past)| past.sums()).collect()
        };
        let mut sums = past();
        let mut sockets = self.sockets();
        for _ in 1..MAX_SNAPSHOT_TRIES {
            // A socket that went in between is in neither.
            let now = past();
            if now == sums {
                break;
            }
            sums = now;
            sockets = self.sockets();
        }
        for socket in &sockets {
            let own = |sum: &&mut ContainerTraffic| sum.container == socket.container;
            if let Some(sum) = sums.iter_mut().find(own) {
                sum.add(socket);
            }
        }
        sums
    }

    /// Begins to capture what passes between the pod's containers, and between them and others.
    ///
    /// # Errors
    /// [`CaptureError::TooMany`] at [`crate::limits::MAX_CAPTURES_PER_POD`]; [`CaptureError::Closed`] after
    /// [`PodNetwork::close`].
    pub fn capture(&self, options: CaptureOptions) -> Result<Capture, CaptureError> {
        let pod = &self.handle.pod;
        let capture = Capture::begin(&pod.tap, options)?;
        // Looked at last: a pod that ends now ends the capture, or is seen here.
        if pod.is_closed() {
            return Err(CaptureError::Closed);
        }
        Ok(capture)
    }

    /// The next event, waiting for it. For one reader: each event is given once.
    pub async fn event(&self) -> NetworkEvent {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, if there is one now.
    pub fn poll_event(&self, cx: &mut Context<'_>) -> Poll<NetworkEvent> {
        self.handle.pod.events.poll(cx)
    }

    /// Ends the network with its pod: every connection is reset, every port freed, and no socket can be made any more
    /// (`ENETDOWN`).
    pub fn close(&self) {
        let pod = &self.handle.pod;
        pod.closed.store(true, Ordering::Release);
        let containers: Vec<_> = lock(&pod.containers)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for container in containers {
            container.close_all(true);
        }
        pod.name_server.close();
        pod.handovers.close();
        pod.tap.close();
        pod.departures.close();
        pod.datagrams_out.close();
        pod.questions.close();
    }

    /// Serves what comes to the pod and is no guest's: connections to its name server, and connections that a publication
    /// of a service has accepted for it. To be spawned once, among the pod's tasks; it ends with the network.
    pub async fn serve(self) {
        serve::serve(&self).await;
    }

    pub(crate) fn weak(&self) -> (Weak<Handle>, Weak<Pod>) {
        (
            Arc::downgrade(&self.handle),
            Arc::downgrade(&self.handle.pod),
        )
    }

    pub(crate) const fn of(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    pub(crate) fn pod(&self) -> &Arc<Pod> {
        &self.handle.pod
    }

    pub(crate) fn host(&self) -> &ContainerNetwork {
        &self.handle.host
    }
}

impl Pod {
    fn attach(self: &Arc<Self>, name: &str, limit: usize) -> ContainerNetwork {
        let (name, past) = self.past_of(name);
        let container = Arc::new(Container::new(name, Arc::clone(self), limit, past));
        let mut containers = lock(&self.containers);
        containers.retain(|known| known.strong_count() > 0);
        containers.push(Arc::downgrade(&container));
        ContainerNetwork::new(container)
    }

    /// The sums of a container, which are made at its first start.
    fn past_of(&self, name: &str) -> (Arc<str>, Arc<Past>) {
        let mut all = lock(&self.past);
        if let Some((name, past)) = all.iter().find(|(known, _)| **known == *name) {
            return (Arc::clone(name), Arc::clone(past));
        }
        let name = Arc::from(name);
        let past = Arc::new(Past::new(&name));
        all.push((Arc::clone(&name), Arc::clone(&past)));
        (name, past)
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Binds an address for a socket; dropping the lease frees it.
    pub(crate) fn bind(
        self: &Arc<Self>,
        protocol: Protocol,
        container: &Arc<str>,
        address: SocketAddr,
    ) -> Result<PortLease, Errno> {
        self.addresses
            .check_bind(AddressFamily::of(address.ip()), address.ip())?;
        let id = self.next_id();
        let bound = match protocol {
            Protocol::Tcp => lock(&self.tcp).bind(id, container, address),
            Protocol::Udp => lock(&self.udp).bind(id, container, address),
        };
        match bound {
            Ok(port) => {
                let address = SocketAddr::new(address.ip(), port);
                Ok(PortLease {
                    pod: Arc::clone(self),
                    protocol,
                    id,
                    address,
                })
            }
            Err(BindError::NoEphemeralPort) => Err(Errno::AddrInUse),
            Err(BindError::InUse { held_by }) => {
                if held_by != *container {
                    let container = Arc::clone(container);
                    self.events.push(NetworkEvent::PortInUse {
                        container,
                        address,
                        protocol,
                        held_by,
                    });
                }
                Err(Errno::AddrInUse)
            }
        }
    }

    /// Starts a TCP connection; the outcome is in what is returned, often at once.
    pub(crate) fn connect(
        &self,
        container: &Arc<str>,
        from: SocketAddr,
        to: SocketAddr,
        options: &TcpOptions,
    ) -> Connecting {
        let from = self.origin(container, from, to, options);
        if self.addresses.contains(to.ip()) {
            self.connect_here(from, to, None)
        } else {
            self.connect_out(from)
        }
    }

    /// Who wants a connection, for `connect`.
    pub(crate) fn origin(
        &self,
        container: &Arc<str>,
        address: SocketAddr,
        dialed: SocketAddr,
        options: &TcpOptions,
    ) -> Origin {
        Origin {
            container: Arc::clone(container),
            address,
            dialed,
            options: options.clone(),
            budget: Arc::clone(&self.budget),
            tap: Arc::clone(&self.tap),
        }
    }

    /// Where the next connection to `port` of this pod is to be carried, if not with the pod.
    pub(crate) fn event_loop(&self, port: u16) -> Option<runtime::Handle> {
        let to = SocketAddr::new(IpAddr::V4(self.addresses.ip), port);
        let listener = lock(&self.tcp).lookup(to).cloned();
        listener?.event_loop()
    }

    /// A connection to an address of this pod; `seen` is what the client sees as the peer's pod, if that is not its own.
    fn connect_here(&self, from: Origin, to: SocketAddr, seen: Option<&str>) -> Connecting {
        let listener = lock(&self.tcp).lookup(to).cloned();
        match listener {
            Some(listener) => listener.connect(from, to, seen),
            None => {
                from.show_refusal(to, &self.tap);
                Connecting::failed(Errno::ConnRefused)
            }
        }
    }

    /// A connection that leaves the pod.
    fn connect_out(&self, mut from: Origin) -> Connecting {
        let fabric = match self.way_out(from.address) {
            Ok(fabric) => fabric,
            Err(errno) => return Connecting::failed(errno),
        };
        // Held until the connection is there: see `policy`.
        let rules = fabric.policies.read();
        match fabric.route(Protocol::Tcp, from.address.ip(), from.dialed) {
            Route::Pod(pod, at) if std::ptr::eq(Arc::as_ptr(&pod), self) => {
                self.connect_here(from, at, None)
            }
            Route::Pod(pod, at) => {
                if let Err(denied) = rules.between(self, &pod, Protocol::Tcp, at) {
                    return self.drop_connect(&from, denied);
                }
                from.container = Arc::from(format!("{}/{}", self.hostname, from.container));
                pod.connect_here(from, at, Some(&pod.hostname))
            }
            Route::Names => {
                let at = from.dialed;
                if let Err(denied) = rules.outward(self, Protocol::Tcp, at) {
                    return self.drop_connect(&from, denied);
                }
                self.name_server.connect(from, at, None)
            }
            Route::Outside { at, real } => {
                if let Err(denied) = rules.outward(self, Protocol::Tcp, at) {
                    return self.drop_connect(&from, denied);
                }
                let (connecting, attempt) = Connecting::elsewhere(from, at, HOST);
                match self.departures.push(Departure { attempt, to: real }) {
                    Ok(()) => connecting,
                    Err(_) => Connecting::failed(Errno::MFile),
                }
            }
            Route::Nowhere(errno) => {
                if errno == Errno::ConnRefused {
                    from.show_refusal(from.dialed, &self.tap);
                }
                self.tell_unreachable(&from.container, Protocol::Tcp, from.dialed, errno);
                Connecting::failed(errno)
            }
        }
    }

    /// What becomes of a connection that a policy does not allow: nobody answers.
    fn drop_connect(&self, from: &Origin, denied: Denied) -> Connecting {
        from.show_unanswered();
        self.tell_denied(&from.container, Protocol::Tcp, from.dialed, denied);
        Connecting::unanswered()
    }

    /// Whether network policies let the pod send to an address that is no pod's.
    pub(crate) fn may_go_outward(&self, protocol: Protocol, to: SocketAddr) -> Result<(), Denied> {
        match self.fabric().filter(|fabric| fabric.policies.has_any()) {
            Some(fabric) => fabric.policies.read().outward(self, protocol, to),
            None => Ok(()),
        }
    }

    /// Lets the user know of something that a policy does not allow.
    pub(crate) fn tell_denied(
        &self,
        container: &Arc<str>,
        protocol: Protocol,
        to: SocketAddr,
        denied: Denied,
    ) {
        self.hint(|| NetworkEvent::PolicyDenied {
            container: Arc::clone(container),
            protocol,
            to,
            by_receiver: denied == Denied::Ingress,
        });
    }

    /// Tells something once, and no more when there was much to tell.
    pub(crate) fn hint(&self, event: impl FnOnce() -> NetworkEvent) {
        let event = event();
        {
            let mut told = lock(&self.told);
            if told.len() >= MAX_HINTS || !told.insert(event.to_string()) {
                return;
            }
        }
        self.events.push(event);
    }

    /// Resets every connection that was opened in this pod and is forbidden.
    pub(crate) fn reset_where(&self, is_forbidden: &dyn Fn(Opened) -> bool) {
        let containers: Vec<_> = lock(&self.containers)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for container in containers {
            container.reset_where(is_forbidden);
        }
    }

    /// The way out of the pod for what has these addresses.
    ///
    /// `ENETUNREACH` when there is none; as Linux `EINVAL` from the loopback, whose addresses leave no host.
    pub(crate) fn way_out(&self, from: SocketAddr) -> Result<&Fabric, Errno> {
        let fabric = self.fabric().ok_or(Errno::NetUnreach)?;
        if from.ip().is_loopback() {
            return Err(Errno::Inval);
        }
        Ok(fabric)
    }

    /// What connects this pod with the others.
    pub(crate) fn fabric(&self) -> Option<&Arc<Fabric>> {
        self.lease.as_ref().map(|lease| &lease.fabric)
    }

    /// The addresses of a name, with what was learnt for it of names outside.
    pub(crate) fn resolve(&self, name: &str, learnt: &Learnt) -> Result<Vec<IpAddr>, ResolveError> {
        let fabric = self.fabric().map(Arc::as_ref);
        let may_ask = fabric.is_none_or(|fabric| {
            !fabric.policies.has_any() || fabric.policies.read().may_ask_names(self)
        });
        let found = self
            .resolver
            .resolve(name, fabric.filter(|_| may_ask), learnt);
        match found {
            Err(ResolveError::Unresolvable { name }) if !may_ask => {
                Err(ResolveError::Temporary { name })
            }
            found => found,
        }
    }

    /// Whether the pod's name server knows the cluster.
    pub(crate) const fn tells_cluster(&self) -> bool {
        self.resolver.tells_cluster()
    }

    /// Asks the name server by a datagram; the answer, if there is one at once.
    pub(crate) fn ask(&self, query: &Bytes, from: SocketAddr, to: SocketAddr) -> Option<Bytes> {
        match answer_datagram(self, query) {
            Answered::Now(answer) => answer,
            Answered::Later => {
                let query = query.clone();
                // One too many is lost, as datagrams may be.
                drop(self.questions.push(Question { query, from, to }));
                None
            }
        }
    }

    /// Lets the user know of something outside that no rule allows.
    pub(crate) fn tell_unreachable(
        &self,
        container: &Arc<str>,
        protocol: Protocol,
        to: SocketAddr,
        errno: Errno,
    ) {
        if errno == Errno::NetUnreach || behind_gateway(to.ip()).is_some() {
            self.hint(|| NetworkEvent::EgressDenied {
                container: Arc::clone(container),
                protocol,
                to,
            });
        }
    }

    /// The UDP socket at an address of this pod.
    pub(crate) fn udp_socket_at(&self, to: SocketAddr) -> Option<Arc<UdpShared>> {
        if !self.addresses.contains(to.ip()) {
            return None;
        }
        lock(&self.udp).lookup(to).and_then(Weak::upgrade)
    }

    /// The publications that may know a client outside of the pod.
    pub(crate) fn external_udp(&self) -> Vec<Arc<ExternalPort>> {
        lock(&self.external_udp)
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// Lets the pod answer the clients of a publication. Once for each publication is enough; more are harmless.
    pub(crate) fn add_external_udp(&self, port: &Arc<ExternalPort>) {
        let mut ports = lock(&self.external_udp);
        ports.retain(|known| known.strong_count() > 0);
        if !ports
            .iter()
            .any(|known| known.as_ptr() == Arc::as_ptr(port))
        {
            ports.push(Arc::downgrade(port));
        }
    }
}

/// A bound port; dropping it frees it.
#[derive(Debug)]
pub(crate) struct PortLease {
    pod: Arc<Pod>,
    protocol: Protocol,
    id: u64,
    pub(crate) address: SocketAddr,
}

impl PortLease {
    pub(crate) fn set_listener(&self, listener: Option<Arc<Listener>>) {
        lock(&self.pod.tcp).set_endpoint(self.id, self.address, listener);
    }

    pub(crate) fn set_udp_socket(&self, socket: Weak<UdpShared>) {
        lock(&self.pod.udp).set_endpoint(self.id, self.address, Some(socket));
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        match self.protocol {
            Protocol::Tcp => lock(&self.pod.tcp).release(self.id, self.address),
            Protocol::Udp => lock(&self.pod.udp).release(self.id, self.address),
        }
    }
}

/// Sorts a container's table into what [`PodNetwork::sockets`] shows.
pub(crate) fn describe(container: &Arc<str>, entry: &Entry) -> Option<SocketInfo> {
    match entry {
        Entry::Reserved => None,
        Entry::Tcp(socket) => socket.upgrade().map(|socket| socket.info(container)),
        Entry::Stream(stream) => stream.upgrade().map(|stream| stream.info(container)),
        Entry::Udp(socket) => socket.upgrade().map(|socket| socket.info(container)),
    }
}
