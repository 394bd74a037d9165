//! Serving a component that exports `wasi:http/incoming-handler`, or `wasi:http/handler` of WASI 0.3: the container is an
//! HTTP server, and each request is a call into an instance.
//!
//! ```text
//!  the pod's network ─► listener ─► connection ─► exchange ─► instance
//!                       (one a port) (HTTP/1.1, h2c) (one a request)  (new, or reused)
//! ```
//!
//! | file | question that it answers |
//! |---|---|
//! | `mod` | when does it begin and end to serve? |
//! | `connection` | how long does a connection live? |
//! | `exchange` | how does a request become an answer, and a failure too? |
//! | `body` | how is it known that a request makes progress? |
//! | `instances` | which instance answers? |
//! | `handler` | how is it asked? |
//! | `wasi_0_3` | and how in WASI 0.3? (With the feature `wasi-0-3`) |
//! | `status` | which status says what went wrong? |
//!
//! The states of a server:
//!
//! ```text
//!             asked to end (SIGTERM, SIGINT, SIGQUIT)     the last request is answered
//!  Serving ────────────────────────────────────► Draining ──────────────────────────► exit 0
//!     └────────────────── SIGKILL, another signal ───┴─────► Killed: what is left is dropped
//! ```
//!
//! Draining closes the ports, lets each request be answered, and says on its connection that it was the last one.
//!
//! What it deliberately does not do: TLS, HTTP/2 by upgrade or ALPN (a client of h2c says so from the beginning, RFC 9113
//! 3.3), WebSockets and other upgrades (WASI has none). Requests that guests send are in
//! `host/http`.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use wasmpod_network::{
    AddressFamily, ContainerNetwork, Errno, EventLoop, EventLoops, TcpSocket, TcpStream,
};
use wasmpod_sandbox::{CpuShare, Exit, GuestOutput, HttpSettings, PodTasks};

use crate::exit;
use crate::polled::Polled;

mod body;
mod connection;
mod exchange;
mod handler;
mod instances;
mod room;
mod status;
#[cfg(feature = "wasi-0-3")]
mod wasi_0_3;

pub(crate) use handler::HandlerPre;
pub(crate) use instances::Instances;

/// The port that is served by a container that declares none: that of `wasmtime serve`.
const DEFAULT_PORT: u16 = 8080;

/// Connections that a server has at a time; further ones wait in the listen queue. Three quarters of the sockets that a
/// container may have (`wasmpod_network::limits`), so that the others are left for what the component itself connects to.
const MAX_CONNECTIONS: usize = 768;

/// How long no connection is accepted after one could not be, because the guest has taken all of the container's
/// sockets. As long as a user hardly notices, as Go's `net/http` does.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Whether and how the server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Draining,
    Killed,
}

/// An HTTP component with its ports.
pub(crate) struct Server {
    network: Arc<ContainerNetwork>,
    ports: Vec<u16>,
    listeners: Mutex<Vec<TcpSocket>>,
    shared: Arc<Shared>,
    /// The threads that serve.
    event_loops: EventLoops,
}

/// What the server has in common with the tasks of its connections and requests.
struct Shared {
    instances: Instances,
    settings: HttpSettings,
    /// One for each request that may be answered now.
    permits: Arc<Semaphore>,
    /// Every task holds a receiver until its end.
    phase: watch::Sender<Phase>,
    tasks: PodTasks,
    cpu: CpuShare,
    /// Where failures of requests are told.
    log: GuestOutput,
    program: String,
}

/// What a server works with, besides its component and what its instances hold.
pub(crate) struct Surroundings {
    /// The container's sockets.
    pub(crate) network: Arc<ContainerNetwork>,
    /// The container's TCP ports.
    pub(crate) ports: Vec<u16>,
    /// How it serves.
    pub(crate) settings: HttpSettings,
    /// Where its tasks run.
    pub(crate) tasks: PodTasks,
    /// The container's part of its worker's time.
    pub(crate) cpu: CpuShare,
    /// Where failures of requests are told.
    pub(crate) log: GuestOutput,
    /// The component's name.
    pub(crate) program: String,
}

impl Server {
    /// A server that does not listen yet.
    pub(crate) fn new(instances: Instances, surroundings: Surroundings) -> Self {
        let Surroundings {
            network,
            ports,
            settings,
            tasks,
            cpu,
            log,
            program,
        } = surroundings;
        let ports = if ports.is_empty() {
            vec![DEFAULT_PORT]
        } else {
            ports
        };
        let requests = usize::try_from(settings.max_concurrent_requests).unwrap_or(usize::MAX);
        let shared = Shared {
            instances,
            permits: Arc::new(Semaphore::new(requests.min(Semaphore::MAX_PERMITS))),
            settings,
            phase: watch::Sender::new(Phase::Serving),
            tasks,
            cpu,
            log,
            program,
        };
        let event_loops = event_loops(&shared);
        Self {
            network,
            ports,
            listeners: Mutex::default(),
            shared: Arc::new(shared),
            event_loops,
        }
    }

    /// Listens on all addresses of the pod, so that a client finds the ports open as soon as the container runs.
    ///
    /// # Errors
    /// A port is taken, or the container may not have so many sockets.
    pub(crate) fn listen(&self) -> Result<(), String> {
        let mut listeners = Vec::new();
        for port in &self.ports {
            for ip in [
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            ] {
                let address = SocketAddr::new(ip, *port);
                let listener = self.listener(address).map_err(|errno| {
                    let hint = if errno == Errno::AddrInUse {
                        " (hint: an HTTP component is served on the `containerPort`s of its container, or on 8080 if it \
                         has none; give each container of the pod its own)"
                    } else {
                        ""
                    };
                    format!("listen on {address}: {errno}{hint}")
                })?;
                listeners.push(listener);
            }
        }
        *self.listeners() = listeners;
        Ok(())
    }

    fn listener(&self, address: SocketAddr) -> Result<TcpSocket, Errno> {
        let socket = self.network.tcp_socket(AddressFamily::of(address.ip()))?;
        socket.bind(address)?;
        socket.listen()?;
        socket.carry_on(self.event_loops.clone())?;
        Ok(socket)
    }

    /// Serves until it was asked to end and all requests are answered, or until it cannot serve.
    pub(crate) async fn run(&self) -> Exit {
        if let Some(exit) = self.check().await {
            return exit;
        }
        let mut phase = self.shared.phase.subscribe();
        let draining = phase.wait_for(|phase| *phase != Phase::Serving);
        tokio::select! {
            biased;
            _ = draining => {}
            () = self.accept_all() => {}
            () = self.shared.instances.drop_idle() => {}
        }
        drop(phase);
        self.listeners().clear();
        self.shared.phase.closed().await;
        Exit::with_code(0)
    }

    /// Makes the first instance, so that a component that cannot be one ends as another program would. The first request
    /// gets it.
    async fn check(&self) -> Option<Exit> {
        let shared = &self.shared;
        let mut instance = match shared.instances.take().await {
            Ok(instance) => instance,
            Err(detail) => return Some(Exit::internal_error(detail)),
        };
        let turn = Arc::clone(&instance.turn);
        let make = async move {
            let made = instance.make().await;
            made.map(|()| instance)
        };
        match Polled::new(make, turn, shared.cpu.clone()).await {
            Ok(Ok(instance)) => {
                shared.instances.give_back(instance);
                None
            }
            Ok(Err(error)) => Some(exit::of_error(&shared.program, &error)),
            Err(panic) => Some(Exit::internal_error(panic)),
        }
    }

    /// Gives each connection a task, for ever.
    async fn accept_all(&self) {
        let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // Never closed, so it is always given.
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
                return;
            };
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(stream) => {
                    let event_loop = self.event_loop_for(&stream);
                    let shared = Arc::clone(&self.shared);
                    let phase = shared.phase.subscribe();
                    let tasks = shared.tasks.clone();
                    let on = event_loop.clone();
                    let serving = async move {
                        connection::serve(shared, phase, stream, on).await;
                        drop(seat);
                    };
                    // One that the pod has no task for is closed unanswered.
                    drop(match event_loop {
                        Some(event_loop) => tasks.spawn_on(event_loop.handle(), serving),
                        None => tasks.spawn(serving),
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
            }
        }
    }

    /// Where a connection is served: where its client is, so that it does not cross threads; else on the next thread.
    fn event_loop_for(&self, stream: &TcpStream) -> Option<EventLoop> {
        let peer = stream.peer_event_loop();
        let near = peer.and_then(|peer| self.event_loops.with_id(peer));
        near.or_else(|| self.event_loops.next()).cloned()
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<TcpStream, Errno>> {
        for listener in self.listeners().iter() {
            while listener.poll_accept_ready(cx).is_ready() {
                match listener.try_accept() {
                    Ok(socket) => {
                        if let Some(stream) = socket.stream() {
                            return Poll::Ready(Ok(stream));
                        }
                    }
                    Err(Errno::Again) => {}
                    Err(errno) => return Poll::Ready(Err(errno)),
                }
            }
        }
        Poll::Pending
    }

    /// Takes no further connections; requests that there are will be answered.
    pub(crate) fn drain(&self) {
        self.shared.phase.send_if_modified(|phase| {
            let is_new = *phase == Phase::Serving;
            if is_new {
                *phase = Phase::Draining;
            }
            is_new
        });
    }

    /// Drops all requests and connections; resolves when nothing is left of them.
    pub(crate) async fn kill(self) {
        self.shared.phase.send_replace(Phase::Killed);
        self.listeners().clear();
        self.shared.phase.closed().await;
        self.shared.instances.clear();
        self.network.release();
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<TcpSocket>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads that a container's connections may be served on: as many as it could use up by its CPU limit. One that has
/// a limit of more than a processor has asked for it; others use workers on which no pod lives, because a busy server
/// would delay each answer of a pod that does by many of its own.
///
/// A component that imports IPC stays with its pod: what it writes to a shared segment would change while a neighbour's
/// memory, into which that is mapped, is lent to host code (`crate::shared_pages`).
fn event_loops(shared: &Shared) -> EventLoops {
    let asked = shared.cpu.processors();
    let most = match asked {
        _ if shared.instances.touch_their_pod() => 1,
        Some(most) => usize::try_from(most).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let own = shared.tasks.event_loops().take(1);
    let own = own.map(|handle| EventLoop::new(handle.clone()));
    let others = shared.tasks.other_workers().iter().map(|other| {
        let handle = other.handle().clone();
        match asked {
            Some(_) => EventLoop::new(handle),
            None => EventLoop::without_residents(handle, Arc::clone(other.pods())),
        }
    });
    EventLoops::new(own.chain(others).take(most))
}

/// Resolves when the server is killed, or is no more.
async fn killed(phase: &mut watch::Receiver<Phase>) {
    // An error means that the server is gone.
    drop(phase.wait_for(|phase| *phase == Phase::Killed).await);
}
