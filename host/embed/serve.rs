//! Serving the pods of a host to other programs of the same user: the API server, on a thread of its own.
//!
//! The thread has an event loop of its own, so that no client, slow or busy, takes time from a pod. While the server
//! listens, its address stands in the run's folder, where clients look.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use wasmpod_api::Address;
use wasmpod_api::address::AddressFile;
use wasmpod_api::kubeconfig::Kubeconfig;
use wasmpod_api::server::{Listener, serve};
use wasmpod_node::Agent;

use crate::Error;

/// The API server of a host. Dropping it ends it, which takes a second at most.
#[derive(Debug)]
pub(crate) struct Server {
    /// The server ends when this is dropped.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    address: Option<AddressFile>,
    kubeconfig: Option<Kubeconfig>,
}

impl Server {
    /// Listens, tells where, and answers from now on. `port` is a port besides the socket, and the kubeconfig of it.
    pub(crate) fn start(
        agent: &Arc<Agent>,
        port: Option<&(SocketAddr, PathBuf)>,
    ) -> Result<Self, Error> {
        let run = agent.run_dir().unwrap_or_default();
        let listener = Listener::bind(&run)?;
        let address = listener.address().clone();
        let mut listeners = vec![listener];
        let mut kubeconfig = None;
        if let Some((addr, path)) = port {
            let listener = Listener::tcp(*addr)?;
            if let Address::Tcp { addr, token } = listener.address() {
                let written = Kubeconfig::write(path, *addr, token);
                kubeconfig = Some(written.map_err(|source| Error::Kubeconfig {
                    path: path.clone(),
                    source,
                })?);
            }
            listeners.push(listener);
        }
        let event_loop = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Serve)?;
        let (running, ended) = oneshot::channel();
        let agent = Arc::clone(agent);
        let work = move || {
            let shutdown = async { drop(ended.await) };
            // A listener that cannot be used after it was bound: whoever connects is told so by the system.
            drop(event_loop.block_on(serve(agent, listeners, shutdown)));
        };
        let thread = std::thread::Builder::new()
            .name("wasmpod-api".to_owned())
            .spawn(work)
            .map_err(Error::Serve)?;
        Ok(Self {
            running: Some(running),
            thread: Some(thread),
            address: Some(AddressFile::write(&run, &address).map_err(Error::Serve)?),
            kubeconfig,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.address.take());
        drop(self.kubeconfig.take());
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // A panic was already reported by the panic hook.
            drop(thread.join());
        }
    }
}
