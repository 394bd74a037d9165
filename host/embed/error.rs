//! What can go wrong with a host.

use std::path::PathBuf;

use wasmpod_api::server::ListenError;
use wasmpod_node::NodeError;
use wasmpod_runtime::SetupError;
use wasmpod_sandbox::{ExecError, RuntimeError};

/// What can go wrong with a host. Display leaves out the source; hints come separately.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No directory was given, and this user has none where one could be.
    #[error("no place for the state directory: there is no home directory")]
    NoStateDir,
    /// The engine cannot run here.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The agent cannot do what was asked.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Clients cannot be listened to.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The kubeconfig cannot be written.
    #[error("cannot write the kubeconfig `{}`", path.display())]
    Kubeconfig {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The API server cannot be started.
    #[error("cannot serve the pods to other programs")]
    Serve(#[source] std::io::Error),
    /// A pod that has no place yet.
    #[error("pod \"{pod}\" was not started yet")]
    NotStarted {
        /// Its name.
        pod: String,
    },
    /// A command cannot be run in a container.
    #[error(transparent)]
    Exec(ExecError),
    /// A program cannot be run, or even be looked at.
    #[error(transparent)]
    Program(#[from] RuntimeError),
}

impl Error {
    /// What is likely to help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStateDir => Some("choose one with --state-dir".to_owned()),
            Self::Node(error) => error.hint(),
            Self::Kubeconfig { .. }
            | Self::Setup(_)
            | Self::Listen(_)
            | Self::Serve(_)
            | Self::Program(_)
            | Self::NotStarted { .. }
            | Self::Exec(_) => None,
        }
    }
}
