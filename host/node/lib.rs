//! The agent of this machine: makes the running pods match the wanted ones.
//!
//! The objects in its store are what is wanted. Its loop (`reconcile`) starts and stops pods until they match, does
//! what the controllers of Kubernetes would do, and writes into the objects how they are.
//!
//! It has what is one for the whole process (the state directory, the workers, the pods' network, the images) and
//! gives each pod its part. It decides what is published of a pod, and refuses what cannot work before anything
//! starts. What happens inside of a pod is the sandbox's business.

mod admission;
mod agent;
mod claims;
mod delete;
mod done;
mod endpoint_rules;
mod error;
mod events;
mod follow;
mod immutable;
mod ingress;
mod known;
mod machine;
mod node_addresses;
mod node_ports;
mod policies;
mod reconcile;
mod replace;
mod routes;
mod schedule;
mod services;
mod shared;
mod sources;
mod start;
mod state_dir;
#[cfg(test)]
mod tests;

pub use admission::publish::{
    DEFAULT_HOST_IP, NoSuchPort, ParsePublishError, PortRef, PublishRule,
};
pub use agent::{Agent, AgentConfig, Capacity, Threads};
pub use delete::{DeleteOptions, Propagation};
pub use error::NodeError;
pub use ingress::IngressConfig;
pub use known::{KnownPod, PublishedPort, RunningPod};
pub use node_addresses::{NodePortAddress, NodePortAddressError};
pub use replace::Part;
pub use schedule::MAX_PODS;
pub use start::{Started, object_of};
pub use state_dir::{StateDir, StateDirError};
pub use wasmpod_ingress::Scheme;
