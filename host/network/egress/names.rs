//! Names outside of the cluster: the question to the host's resolver, bounded in number and time.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::{Egress, Lookup};
use crate::limits::UPSTREAM_TIMEOUT;
use crate::lock::lock;

/// The addresses of a name, some time.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Who knows names outside of the cluster.
pub trait Upstream: fmt::Debug + Send + Sync {
    /// The addresses of a name, which is in lower case and has no last dot; in the order in which they are to be tried.
    fn resolve(&self, name: &str) -> Resolving;
}

/// The resolver of this machine: what every other program on it asks (`getaddrinfo`), with its hosts file, its servers
/// and its order of addresses.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemUpstream;

impl Upstream for SystemUpstream {
    fn resolve(&self, name: &str) -> Resolving {
        let (sender, receiver) = oneshot::channel();
        let name = name.to_owned();
        // A thread of its own, because this call cannot be given up: it holds nothing of any pod, the number of such
        // threads is bounded by the questions under way, and the end of the program does not wait for it.
        let thread = std::thread::Builder::new().name("resolver".to_owned());
        let spawned = thread.spawn(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            let ips = found.map(|all| all.map(|address| address.ip()).collect());
            // Who has asked may have gone.
            drop(sender.send(ips));
        });
        Box::pin(async move {
            spawned?;
            receiver
                .await
                .unwrap_or_else(|gone| Err(io::Error::other(gone)))
        })
    }
}

impl Egress {
    /// Whether the host's resolver may be asked for a name.
    pub(crate) fn asks(&self, name: &str) -> bool {
        lock(&self.allowance).asks(name)
    }

    /// The addresses of a name, as far as they are known without asking.
    pub(crate) fn known(&self, name: &str) -> Option<Vec<IpAddr>> {
        lock(&self.allowance).known(name, Instant::now())
    }

    /// Asks the host's resolver. What it does not know, or not in time, has no address.
    pub(crate) async fn fetch(&self, name: &str) -> Lookup {
        let Ok(permit) = Arc::clone(&self.lookups).acquire_owned().await else {
            return Lookup::default();
        };
        // Somebody else may have asked meanwhile.
        if let Some(allowed) = self.known(name) {
            return Lookup {
                allowed,
                ..Lookup::default()
            };
        }
        let answer = timeout(UPSTREAM_TIMEOUT, self.upstream.resolve(name)).await;
        drop(permit);
        let Ok(Ok(addresses)) = answer else {
            return Lookup::default();
        };
        lock(&self.allowance).learn(name, addresses, Instant::now())
    }
}
