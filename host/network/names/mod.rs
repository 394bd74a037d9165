//! Names: what a pod's own hosts file says, and what its name server knows.
//!
//! `hosts` is the file, `zone` what the name server knows of services and pods (a pure function), `resolver` the two of
//! them as a program's C library asks them, `message` and `server` the same for programs that bring their own resolver.
//! Nothing outside of the pods' network has a name here, because nothing there can be reached.

mod hosts;
mod message;
mod resolver;
mod server;
mod zone;

pub(crate) use hosts::Hosts;
pub use hosts::ResolveError;
pub(crate) use resolver::{Resolver, ResolverConfig};
pub(crate) use server::{answer_datagram, converse};
