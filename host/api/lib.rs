//! The Kubernetes API of the pods of one process: the server of it, and the client.
//!
//! The process that runs pods serves them in the paths and objects of the Kubernetes API, on a socket that only its
//! user can reach. `wasmpod get` in a second terminal is a plain client of it, and so is `kubectl`. What the server
//! says, it reads from the agent's store; what it is asked to do, the agent does. It decides nothing about pods.
//!
//! Follows the Kubernetes API conventions and what `kubectl` sends and expects: discovery, tables, watches, logs,
//! and `exec` and `attach` over WebSocket; objects are created, replaced and patched. What is not spoken: SPDY,
//! server-side apply, `port-forward`.

pub mod address;
mod channel;
pub mod client;
pub mod kubeconfig;
mod print;
pub mod resource;
pub mod server;
pub mod status;
pub mod table;

pub use address::{Address, discover};
pub use print::human_duration;
pub use resource::Resource;
pub use status::Status;
pub use table::Table;
