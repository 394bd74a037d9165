//! Why pods cannot be started.

use std::net::SocketAddr;

use wasmpod_image::ImageError;
use wasmpod_network::publish::PublishError;
use wasmpod_sandbox::{RuntimeError, SandboxError};
use wasmpod_store::{Kind, StoreError};

use crate::admission::publish::NoSuchPort;
use crate::state_dir::StateDirError;

/// Why pods cannot be started. Display leaves out the source; hints come separately.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateDirError),
    /// The host gives no threads.
    #[error("cannot start the worker threads")]
    Workers(#[source] std::io::Error),
    /// A port of the machine for ingresses.
    #[error("cannot serve ingresses on {host}")]
    IngressPort {
        /// The machine's address.
        host: SocketAddr,
        /// What the host says.
        source: std::io::Error,
    },
    /// Addresses for node ports that the machine does not have.
    #[error("cannot open node ports on {block}: this machine has no address of it")]
    NoSuchAddress {
        /// The addresses that are wanted.
        block: ipnet::IpNet,
    },
    /// The image of a container.
    #[error("pod \"{pod}\", container \"{container}\"")]
    Image {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// What is wrong with its image.
        source: ImageError,
    },
    /// The program of a container.
    #[error("pod \"{pod}\", container \"{container}\"")]
    Program {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// What is wrong with its program.
        source: RuntimeError,
    },
    /// A publish rule for a pod that is not there.
    #[error("cannot publish a port of pod \"{pod}\": there is no such pod")]
    NoSuchPod {
        /// The pod as the rule has it.
        pod: String,
        /// The pods that there are.
        pods: Vec<String>,
    },
    /// A publish rule for a port that is not there.
    #[error(transparent)]
    NoSuchPort(#[from] NoSuchPort),
    /// Two wishes for one port of the machine.
    #[error("cannot publish {what} on {host}: \"{other}\" is published there ({source_of_other})")]
    PublishedTwice {
        /// What came second: `pod "web"` or `service "web"`.
        what: String,
        /// The machine's address.
        host: SocketAddr,
        /// The pod or service that came first.
        other: String,
        /// Who asked for the first.
        source_of_other: String,
    },
    /// A port of the machine that cannot be had.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A pod or workload of this name and namespace is there already.
    #[error("{kind} \"{name}\" runs already")]
    AlreadyRuns {
        /// Its kind, such as `pod`.
        kind: &'static str,
        /// `NAMESPACE/NAME`
        name: String,
    },
    /// The namespace of a new object is being deleted.
    #[error(
        "{} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated",
        kind.qualified_plural()
    )]
    Terminating {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The namespace.
        namespace: String,
    },
    /// No place for a pod: the agent is shutting down.
    #[error("the host is shutting down")]
    ShuttingDown,
    /// A sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The store of objects refuses it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Several of these at once, in the manifests' order.
    #[error("{}", .0.iter().map(describe).collect::<Vec<_>>().join("\nerror: "))]
    Several(Vec<Self>),
}

impl NodeError {
    /// One error of all that was found; nothing when nothing was.
    pub(crate) fn of_all(mut errors: Vec<Self>) -> Option<Self> {
        if errors.len() > 1 {
            Some(Self::Several(errors))
        } else {
            errors.pop()
        }
    }

    /// What is likely to help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::IngressPort { host, source } => match source.kind() {
                std::io::ErrorKind::AddrInUse => Some(format!(
                    "another program listens on port {}; stop it or choose another one",
                    host.port()
                )),
                std::io::ErrorKind::PermissionDenied if host.port() < 1024 => Some(
                    "ports below 1024 need privileges this program does not ask for; choose a higher one"
                        .to_owned(),
                ),
                std::io::ErrorKind::AddrNotAvailable => Some(format!(
                    "{} is not an address of this host; use 127.0.0.1",
                    host.ip()
                )),
                _ => None,
            },
            Self::Image { source, .. } => source.hint(),
            Self::Publish(error) => error.hint(),
            Self::Program {
                source: RuntimeError::MissingImports { .. },
                ..
            } => Some(
                "`wasmpod inspect image X.wasm` says of each import whether it is offered"
                    .to_owned(),
            ),
            Self::NoSuchPod { pods, .. } if !pods.is_empty() => {
                Some(format!("pods here are {}", pods.join(", ")))
            }
            Self::PublishedTwice { .. } => Some("choose another port for one of them".to_owned()),
            Self::Several(errors) => {
                let mut hints: Vec<_> = errors.iter().filter_map(Self::hint).collect();
                hints.dedup();
                (!hints.is_empty()).then(|| hints.join("\nhint: "))
            }
            _ => None,
        }
    }
}

/// An error with its causes, on one line.
fn describe(error: &NodeError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
