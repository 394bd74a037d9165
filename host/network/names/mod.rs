//! Names: what a pod's own hosts file says, and what its name server knows.
//!
//! `hosts` is the file, `zone` what the name server knows of services and pods (a pure function), `resolver` the two of
//! them as a program's C library asks them, `message` and `server` the same for programs that bring their own resolver.
//! A name outside of the cluster exists only where `egress` allows that something of it is reached; `outside` has it asked
//! for.

mod hosts;
mod message;
mod outside;
mod resolver;
mod server;
mod zone;

pub(crate) use hosts::Hosts;
pub use hosts::ResolveError;
pub(crate) use outside::{Learnt, resolve_outside};
pub(crate) use resolver::{Resolver, ResolverConfig};
pub(crate) use server::{Answered, Question, answer_datagram, answer_later, converse};
