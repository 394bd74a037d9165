//! UDP as a program sees it: RFC 768 and `udp(7)` at the socket interface.
//!
//! `socket` is the socket with its bounded receive queue, `flows` what it knows of services, `external` the way to clients
//! outside of the pods' network that a publication knows. A datagram whose receiver's queue is full is lost without a word, as it may be; one for which
//! nobody has a socket is refused, of which a connected sender hears.

mod external;
mod flows;
mod queue;
mod socket;

#[cfg(test)]
mod tests;

pub(crate) use external::ExternalPort;
pub(crate) use socket::UdpShared;
pub use socket::{Datagram, UdpSocket};
