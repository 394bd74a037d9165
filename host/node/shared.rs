//! What the agent's loop and its callers share.
//!
//! Lock order: `known` before the store; none of the others is held while another is taken.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};
use wasmpod_ingress::{Door, Scheme};
use wasmpod_lifecycle::HostFacts;
use wasmpod_network::{Network, Protocol};
use wasmpod_sandbox::{Placement, Workers};
use wasmpod_store::{Kind, Object, ObjectRef, Store, StoreError};

use crate::admission::Held;
use crate::admission::images::Images;
use crate::agent::{AgentConfig, Threads};
use crate::error::NodeError;
use crate::events::Recorder;
use crate::immutable;
use crate::ingress::Ingresses;
use crate::known::{KnownPods, lock};
use crate::machine::HOST_IP;
use crate::node_addresses;
use crate::node_ports::NodePorts;
use crate::schedule::Allocatable;
use crate::state_dir::StateDir;

/// The places of an agent in its state directory.
#[derive(Debug)]
pub(crate) struct Folders {
    pub(crate) pods: PathBuf,
    pub(crate) logs: PathBuf,
    /// Of claims: those that stay, and those that go with their pod.
    pub(crate) volumes: PathBuf,
    pub(crate) ephemeral: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: AgentConfig,
    pub(crate) store: Store,
    pub(crate) recorder: Recorder,
    pub(crate) images: Arc<Images>,
    pub(crate) network: Arc<Network>,
    pub(crate) node_ports: Arc<NodePorts>,
    pub(crate) ingresses: Ingresses,
    pub(crate) known: KnownPods,
    pub(crate) machine: Allocatable,
    pub(crate) folders: Folders,
    /// Nothing; when pods run on the caller's runtime.
    pub(crate) workers: Mutex<Option<Workers>>,
    /// What somebody besides the store wants to have looked at.
    asked: Mutex<BTreeSet<ObjectRef>>,
    pub(crate) wake: Notify,
    /// The agent ends: no pod is started any more.
    closing: AtomicBool,
    /// The resourceVersion up to which the loop has done everything that follows at once.
    pub(crate) settled: watch::Sender<u64>,
}

impl Shared {
    /// With the doors of its ingresses, which nobody serves yet.
    pub(crate) fn new(
        config: AgentConfig,
        state: &StateDir,
    ) -> Result<(Self, Vec<Door>), NodeError> {
        let egress = config.egress.clone();
        let network = Arc::new(egress.map_or_else(Network::new, Network::with_egress));
        let node_ports = node_addresses::resolve(
            &config.node_port_addresses,
            node_addresses::of_this_machine,
            node_addresses::is_of_this_machine,
        )?;
        let (ingresses, doors) = Ingresses::open(config.ingress, &network)?;
        let workers = match config.threads {
            Threads::Own(Some(count)) => Some(Workers::start(count.get())),
            Threads::Own(None) => Some(Workers::one_per_core()),
            Threads::Callers => None,
        };
        let clock = config.clock;
        let store = Store::new(move || clock.timestamp());
        let this = Self {
            recorder: Recorder::new(store.clone(), &config.node_name),
            store,
            images: Arc::default(),
            network,
            node_ports: Arc::new(NodePorts::new(node_ports)),
            ingresses,
            known: KnownPods::default(),
            machine: config.allocatable(),
            folders: Folders {
                pods: state.pods(),
                logs: state.logs(),
                volumes: state.volumes(),
                ephemeral: state.ephemeral(),
            },
            workers: Mutex::new(workers.transpose().map_err(NodeError::Workers)?),
            asked: Mutex::default(),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
            settled: watch::Sender::new(0),
            config,
        };
        Ok((this, doors))
    }

    /// A seat for a pod; nothing when the agent has ended.
    pub(crate) fn place(&self) -> Option<Placement> {
        match self.config.threads {
            Threads::Own(_) => lock(&self.workers).as_ref()?.place(),
            Threads::Callers => Some(Placement::current()),
        }
    }

    pub(crate) fn host_facts(&self) -> HostFacts {
        HostFacts {
            node_name: self.config.node_name.clone(),
            host_ips: vec![HOST_IP.to_owned()],
        }
    }

    /// The ports of the machine that this process has, and who has them.
    pub(crate) fn held(&self) -> Vec<Held> {
        let known = self.known.all();
        let running = known
            .iter()
            .filter_map(|known| Some((known, known.occupies()?)));
        let of_pods = running.flat_map(|(known, running)| {
            let publications = running.publications.iter();
            publications.map(|held| Held {
                host: held.host,
                protocol: held.protocol,
                by: known.name().to_owned(),
                source: held.source.to_string(),
            })
        });
        let doors = self.ingresses.doors.iter().map(|(scheme, host)| Held {
            host: *host,
            protocol: Protocol::Tcp,
            by: "ingress".to_owned(),
            source: match scheme {
                Scheme::Http => "--ingress-http",
                Scheme::Https => "--ingress-https",
            }
            .to_owned(),
        });
        let all = of_pods.chain(self.node_ports.held()).chain(doors);
        all.filter(|held| held.host.port() != 0).collect()
    }

    /// Has the loop look at this object.
    pub(crate) fn ask(&self, object: ObjectRef) {
        lock(&self.asked).insert(object);
        self.wake.notify_one();
    }

    pub(crate) fn take_asked(&self) -> BTreeSet<ObjectRef> {
        std::mem::take(&mut *lock(&self.asked))
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The object, if it has this uid.
    pub(crate) fn get_by_uid(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        uid: &str,
    ) -> Option<Object> {
        let found = self.store.get(kind, namespace, name)?;
        (found.uid() == uid).then_some(found)
    }

    /// As [`Store::update`], with what the API server's validation of updates forbids.
    pub(crate) fn update(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        change: &mut dyn FnMut(&mut Object) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        let change = &mut checked(kind, name, change);
        self.store.update(kind, namespace, name, change)
    }

    /// What [`Shared::update`] would make of the object; nothing is written.
    pub(crate) fn would_update(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        change: &mut dyn FnMut(&mut Object) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        let change = &mut checked(kind, name, change);
        self.store.would_update(kind, namespace, name, change)
    }
}

/// A change that is refused when it touches what must stay.
fn checked(
    kind: Kind,
    name: &str,
    change: &mut dyn FnMut(&mut Object) -> Result<(), StoreError>,
) -> impl FnMut(&mut Object) -> Result<(), StoreError> {
    move |object| {
        let old = object.clone();
        change(object)?;
        match immutable::forbidden(&old, object) {
            Some(detail) => Err(StoreError::Invalid {
                kind,
                name: name.to_owned(),
                detail,
            }),
            None => Ok(()),
        }
    }
}
