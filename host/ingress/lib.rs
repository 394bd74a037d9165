//! The reverse proxy behind Ingress objects: HTTP from ports of the machine to services of pods.
//!
//! Standards: `services-networking/ingress` of Kubernetes for which request goes where, RFC 9110 and 9112 for what an
//! intermediary does with it, RFC 9113 towards clients over TLS and towards pods whose services say so.
//!
//! This crate knows no objects: whoever does gives it a [`Site`], the rules and certificates that count now, and the
//! [`Door`]s to serve it at. A request goes over the virtual network to an endpoint that the service chooses, never
//! through a socket of the machine. Each request has a connection to its pod of its own, so that every request is
//! balanced, and nothing has to be found out about connections that are kept.
//!
//! * `route`: which backend a request has, pure
//! * `headers`: what is changed in a message on its way, pure
//! * `certificate`: the certificate for a name
//! * `front`: doors, connections, their bounds; `guard` and `tasks` serve it
//! * `proxy`: one request; `spoken`: what its pod speaks; `exchange`: over a connection to it; `tunnel`: a connection that is no longer HTTP

mod certificate;
mod exchange;
mod front;
mod guard;
mod headers;
pub mod limits;
mod proxy;
mod route;
mod spoken;
mod tasks;
#[cfg(test)]
mod tests;
mod tunnel;

pub use certificate::{Certificate, CertificateError, Certificates};
pub use front::{Door, Front, Scheme, Site};
pub use route::{Backend, BackendPort, HostRule, IngressRules, PathMatch, PathRule, Routes};
