//! What the user wrote: reads Kubernetes manifests, says whether they are legal, fills in defaults.
//!
//! Text goes in ([`Source`]), typed objects come out ([`Manifests`]), or one [`Report`] that says
//! everything that is wrong at once, each mistake with file, line, column, field path, Kubernetes'
//! own words and a hint. The way of a manifest:
//!
//! 1. `reader` turns YAML or JSON into a tree in which every node knows where it was written.
//! 2. `schema` compares the tree with the fields that Kubernetes knows: unknown fields, wrong types.
//! 3. `defaults` fills in what the API server would fill in.
//! 4. `validate` holds the rules of Kubernetes' own validation.
//! 5. [`support`] says which fields this program acts on, and what happens to the others.
//!
//! The crate does no I/O, spawns nothing and reads no clock: the caller brings the bytes.

mod decode;
mod defaults;
mod duration;
pub mod http;
pub mod ipc;
pub mod k8s;
pub mod publishing;
pub mod quantity;
mod reader;
pub mod report;
pub mod schedule;
mod schema;
pub mod support;
mod validate;
mod workload;

pub use decode::{Manifests, Received, Source, UnknownFields, read, receive};
pub use reader::limits::MAX_SOURCE_BYTES;
pub use report::{Report, Violation, Warning};
pub use workload::{Workload, WorkloadKind};
