//! wasmpod as a library: run pods of WebAssembly containers inside a program.
//!
//! A [`Host`] runs the pods of this process. Give it manifests ([`read`]) and it starts them ([`Host::start`]); each
//! [`PodHandle`] tells of one pod, reads its logs and stops it. Deployments, Jobs and the like make further pods and
//! replace those that end: [`Host::watch_pods`] tells of them, [`Host::done`] when nothing is left to do. All that the command `wasmpod up` does is done with
//! these calls.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let host = wasmpod::Host::builder().state_dir("state").build()?;
//! let manifests = wasmpod::read(&[wasmpod::Source::new("pod.yaml", std::fs::read("pod.yaml")?)])?;
//! for pod in host.start(manifests).await? {
//!     let end = pod.wait().await;
//!     println!("{}: {:?}", pod.name(), end.status.as_ref().and_then(|status| status.phase.as_ref()));
//! }
//! host.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The calls may come from any tokio runtime; pods run on threads of their own.

mod error;
mod folders;
mod host;
mod inspect;
mod pod;
mod pods;
mod progress;
mod serve;

pub use error::Error;
pub use folders::state_dir;
pub use host::{Host, HostBuilder};
pub use inspect::inspect;
pub use pod::{Event, Events, PodHandle, Watch};
pub use pods::{PodChange, PodWatch, WorkloadState};
pub use progress::{ProgressReader, Step};

pub use wasmpod_image::{
    BuiltIn, Image, ImageError, Origin, Program, builtins, resolve as resolve_image,
};
pub use wasmpod_manifest::report::{Report, Style as ReportStyle, Warning};
pub use wasmpod_manifest::{
    MAX_SOURCE_BYTES as MAX_MANIFEST_BYTES, Manifests, Source, k8s, quantity, read,
};
pub use wasmpod_network::{EgressRule, EgressRuleError, EgressTarget, Protocol};
pub use wasmpod_node::{
    Agent, Capacity, DeleteOptions, NodePortAddress, NodePortAddressError, ParsePublishError,
    Propagation, PublishRule, PublishedPort, Scheme,
};
pub use wasmpod_runtime::{Import, Inspection, Kind};
pub use wasmpod_sandbox::logs::{
    LogItem, LogLine, LogOptions, LogReader, MergedLogs, Stream as LogStream,
};
pub use wasmpod_sandbox::{
    AttachRequest, ExecError, ExecRequest, PodEvent, Progress, Session, Severity, Stage,
};
pub use wasmpod_store as store;
