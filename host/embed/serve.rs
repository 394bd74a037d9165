//! Serving the pods of a host to other programs of the same user: the API server, on a thread of its own.
//!
//! The thread has an event loop of its own, so that no client, slow or busy, takes time from a pod. While the server
//! listens, its address stands in the run's folder, where clients look.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use wasmpod_api::address::AddressFile;
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
}

impl Server {
    /// Listens, tells where, and answers from now on.
    pub(crate) fn start(agent: &Arc<Agent>) -> Result<Self, Error> {
        let run = agent.run_dir().unwrap_or_default();
        let listener = Listener::bind(&run)?;
        let address = listener.address().clone();
        let event_loop = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Serve)?;
        let (running, ended) = oneshot::channel();
        let agent = Arc::clone(agent);
        let work = move || {
            let shutdown = async { drop(ended.await) };
            // A listener that cannot be used after it was bound: whoever connects is told so by the system.
            drop(event_loop.block_on(serve(agent, vec![listener], shutdown)));
        };
        let thread = std::thread::Builder::new()
            .name("wasmpod-api".to_owned())
            .spawn(work)
            .map_err(Error::Serve)?;
        Ok(Self {
            running: Some(running),
            thread: Some(thread),
            address: Some(AddressFile::write(&run, &address).map_err(Error::Serve)?),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.address.take());
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // A panic was already reported by the panic hook.
            drop(thread.join());
        }
    }
}
