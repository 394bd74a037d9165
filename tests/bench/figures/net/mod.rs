//! The network of pods: connections, datagrams, Services, publishing, and a chain of servers. The twin of a row is the same
//! native program on the kernel's loopback.

mod between;
mod chain;
mod idle;
mod publish;
mod service;

pub(super) use between::{connections, datagrams};
pub(super) use chain::rows as chain;
pub(super) use idle::rows as idle;
pub(super) use publish::rows as publish;
pub(super) use service::rows as service;
