//! The way of an accepted connection to the thread on which it is carried.
//!
//! That of a service goes through the pod's [mailbox](crate::mailbox); what is left in there when the pod ends is closed with it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Counters, ProxyProtocol};

/// An accepted connection, in no thread's event loop.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(super) stream: std::net::TcpStream,
    pub(super) client: SocketAddr,
    /// The pod's port.
    pub(super) port: u16,
    pub(super) counters: Arc<Counters>,
    pub(super) proxy: Option<ProxyProtocol>,
    /// Ends with the publication.
    pub(super) permission: watch::Receiver<()>,
}

impl Handover {
    /// The pod's port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}
