//! The host: all pods of this process.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmpod_manifest::Manifests;
use wasmpod_network::{EgressConfig, EgressRule};
use wasmpod_node::{
    Agent, AgentConfig, IngressConfig, KnownPod, NodePortAddress, PublishRule, Scheme, Threads,
};
use wasmpod_runtime::{Runtime, RuntimeConfig};
use wasmpod_sandbox::Clock;
use wasmpod_volume::VolumePolicy;

use crate::progress::{ProgressReader, Step, Steps};
use crate::serve::Server;
use crate::{Error, PodHandle, PodWatch, WorkloadState, folders};

/// How a host is to be.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct HostBuilder {
    state_dir: Option<PathBuf>,
    base_dir: PathBuf,
    workers: Option<NonZeroUsize>,
    publish: Vec<PublishRule>,
    node_port_addresses: Vec<NodePortAddress>,
    allow_egress: Vec<EgressRule>,
    ingress: IngressConfig,
    allow_host_path: Vec<PathBuf>,
    serve: bool,
    port: Option<(SocketAddr, PathBuf)>,
}

impl HostBuilder {
    /// Keeps the files of running pods under `dir`, and compiled code too. By default both are in the places that the
    /// XDG Base Directory specification gives them.
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// The folder from which the names of sources count, the working directory by default: a relative path of a module
    /// counts from the folder of its manifest.
    pub fn base_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.base_dir = dir.into();
        self
    }

    /// Runs pods on this many threads; by default one for each processor.
    pub fn workers(mut self, count: NonZeroUsize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Publishes ports besides those that manifests publish themselves (`hostPort`, NodePort services).
    pub fn publish(mut self, rules: impl IntoIterator<Item = PublishRule>) -> Self {
        self.publish.extend(rules);
        self
    }

    /// Opens the ports of NodePort services at these addresses of the machine. By default on 127.0.0.1 alone.
    pub fn node_port_addresses(
        mut self,
        addresses: impl IntoIterator<Item = NodePortAddress>,
    ) -> Self {
        self.node_port_addresses.extend(addresses);
        self
    }

    /// Lets pods reach something outside of the virtual network, as far as network policies allow it. By default they
    /// reach nothing there, and know no name of it.
    pub fn allow_egress(mut self, rules: impl IntoIterator<Item = EgressRule>) -> Self {
        self.allow_egress.extend(rules);
        self
    }

    /// Serves the Ingress objects of pods over HTTP at this address of the machine; port 0 lets the system pick one. By
    /// default they are served nowhere.
    pub fn ingress_http(mut self, addr: SocketAddr) -> Self {
        self.ingress.http = Some(addr);
        self
    }

    /// Serves them over HTTPS, by the certificates of their `spec.tls`.
    pub fn ingress_https(mut self, addr: SocketAddr) -> Self {
        self.ingress.https = Some(addr);
        self
    }

    /// Lets hostPath volumes reach `prefix` and what is in it. By default they reach nothing.
    pub fn allow_host_path(mut self, prefix: impl Into<PathBuf>) -> Self {
        self.allow_host_path.push(prefix.into());
        self
    }

    /// Serves the pods in the Kubernetes API, on a socket that only this user can reach: what `wasmpod get` and its
    /// like ask. By default it does not.
    pub fn serve(mut self, serve: bool) -> Self {
        self.serve = serve;
        self
    }

    /// Serves the same on a port of the loopback interface (0: one that the system picks), for `kubectl` and other
    /// programs that know no Unix sockets. What they need, a token among it, is written to the file `kubeconfig`, which
    /// only this user can read and which is removed at the end. By default there is no port.
    pub fn serve_on_port(mut self, addr: SocketAddr, kubeconfig: impl Into<PathBuf>) -> Self {
        self.serve = true;
        self.port = Some((addr, kubeconfig.into()));
        self
    }

    /// Makes the host, without pods.
    ///
    /// # Errors
    ///
    /// When its directories cannot be used, or this machine cannot run WebAssembly.
    pub fn build(self) -> Result<Host, Error> {
        let code_store = match (&self.state_dir, std::env::var_os("WASMPOD_CODE_DIR")) {
            (Some(dir), None) => Some(dir.join("code")),
            _ => folders::code(),
        };
        let state_dir = self
            .state_dir
            .or_else(folders::state_dir)
            .ok_or(Error::NoStateDir)?;
        let steps = Steps::new();
        let (notices, preparing) = (steps.clone(), steps.clone());
        let runtime = Runtime::new(&RuntimeConfig {
            code_store,
            notices: Arc::new(move |notice| notices.say(Step::Notice(notice))),
            ..RuntimeConfig::default()
        })?;
        let agent = Agent::new(AgentConfig {
            state_dir,
            base_dir: self.base_dir,
            threads: Threads::Own(self.workers),
            clock: Clock::host(),
            capacity: None,
            volume_policy: VolumePolicy {
                allow_host_path: self.allow_host_path,
                ..VolumePolicy::for_this_host()
            },
            publish: self.publish,
            node_port_addresses: self.node_port_addresses,
            egress: (!self.allow_egress.is_empty()).then(|| EgressConfig::new(self.allow_egress)),
            ingress: self.ingress,
            runtime: Arc::new(runtime),
            progress: Arc::new(move |progress| preparing.say(Step::Preparing(progress))),
            node_name: NODE_NAME.to_owned(),
        })?;
        let server = self
            .serve
            .then(|| Server::start(&agent, self.port.as_ref()))
            .transpose()?;
        Ok(Host {
            server,
            agent,
            steps,
        })
    }
}

/// `spec.nodeName` of the pods of a host that is no node of a cluster.
const NODE_NAME: &str = "wasmpod";

/// All pods of this process. End it with [`Host::shutdown`]; a host that is dropped ends its pods by force.
#[derive(Debug)]
pub struct Host {
    server: Option<Server>,
    agent: Arc<Agent>,
    steps: Steps,
}

impl Host {
    /// How a host is to be.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Starts the pods and workloads of `manifests`, and returns when all are on their way: the pods of the manifests in
    /// their order, then those that workloads have made so far. Everything that can be known to fail is checked first:
    /// images, imports, ports. Workloads make further pods later: see [`Host::watch_pods`].
    ///
    /// # Errors
    ///
    /// When something cannot work; then nothing was started.
    pub async fn start(&self, manifests: Manifests) -> Result<Vec<PodHandle>, Error> {
        let started = self.agent.start(manifests).await?;
        Ok(started
            .pods
            .into_iter()
            .map(|pod| self.handle(pod))
            .collect())
    }

    /// The pods that there are, by namespace and name.
    #[must_use]
    pub fn pods(&self) -> Vec<PodHandle> {
        let known = self.agent.known_pods().into_iter();
        known.map(|pod| self.handle(pod)).collect()
    }

    /// The pods as they come and go, beginning with those that are there.
    #[must_use]
    pub fn watch_pods(&self) -> PodWatch {
        PodWatch::new(Arc::clone(&self.agent))
    }

    /// The workloads of the manifests, as they are now.
    #[must_use]
    pub fn workloads(&self) -> Vec<WorkloadState> {
        WorkloadState::all(&self.agent)
    }

    /// Has every pod ended, and does no workload want another one?
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.agent.is_done()
    }

    /// Waits until [`Host::is_done`].
    pub async fn done(&self) {
        self.agent.done().await;
    }

    /// Asks every pod to end within `grace`, or the grace period of its spec; from now on none is started. Returns when
    /// all have taken note; a second call may shorten the time.
    pub async fn stop(&self, grace: Option<Duration>) {
        self.agent.stop(grace).await;
    }

    /// The agent behind this host: its objects, and all that can be done with them.
    #[must_use]
    pub fn agent(&self) -> &Arc<Agent> {
        &self.agent
    }

    /// Where Ingress objects are served, and how.
    #[must_use]
    pub fn ingress_doors(&self) -> &[(Scheme, SocketAddr)] {
        self.agent.ingress_doors()
    }

    fn handle(&self, pod: Arc<KnownPod>) -> PodHandle {
        PodHandle::new(Arc::clone(&self.agent), pod)
    }

    /// What the host does before pods run, such as compiling their programs, from now on.
    #[must_use]
    pub fn progress(&self) -> ProgressReader {
        self.steps.read()
    }

    /// Stops every pod in its grace period, waits for them, and removes all files of theirs.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub async fn shutdown(self) -> Result<(), Error> {
        let ended = self.agent.shutdown().await;
        // Until here clients see how the pods end. Joining the server's thread blocks.
        drop(tokio::task::spawn_blocking(move || drop(self.server)).await);
        Ok(ended?)
    }
}
