//! The agent of this machine: makes the running pods match the wanted ones.
//!
//! It has what is one for the whole process (the state directory, the workers, the pods' network, the images) and
//! gives each pod its part. It decides what is published of a pod, and refuses what cannot work before anything
//! starts. What happens inside of a pod is the sandbox's business.

mod admission;
mod agent;
mod delete;
mod error;
mod images;
mod objects;
mod publish;
mod running;
mod state_dir;

pub use agent::{Agent, AgentConfig, Started};
pub use delete::{DeleteOptions, Propagation};
pub use error::NodeError;
pub use publish::{DEFAULT_HOST_IP, NoSuchPort, ParsePublishError, PortRef, PublishRule};
pub use running::{PublishedPort, RunningPod};
pub use state_dir::{StateDir, StateDirError};
