//! The objects of a host: typed, with resourceVersion and watch, in memory.
//!
//! [`Store`] keeps Kubernetes objects ([`Object`], of one of the [`Kind`]s) as an API server would: it gives them uid,
//! creationTimestamp, generation and resourceVersion, refuses a write that was made from an old copy, and tells
//! watchers of every change in order. [`selector`] finds objects by labels and fields.
//!
//! It does not know what the objects mean: what happens when one changes is the agent's business. Nor does it know
//! HTTP. And it writes nothing to disk: an object lives as long as the process that runs it, because a pod here is made
//! of tasks of that process and ends with it; a file would only tell of pods that are no more.
//!
//! Standard: `sig-architecture/api-conventions.md` (metadata, concurrency control), `api-concepts` (watch).

mod error;
mod history;
mod kind;
mod names;
mod object;
pub mod selector;
mod store;
#[cfg(test)]
mod tests;
mod watch;

pub use error::StoreError;
pub use history::HISTORY_LENGTH;
pub use kind::Kind;
pub use names::{MAX_GENERATED_BASE, SUFFIX_LENGTH, generate_name, random_suffix};
pub use object::{Object, ObjectRef, WrongKind};
pub use store::{DEFAULT_NAMESPACE, Store};
pub use watch::{Watch, WatchEvent};
