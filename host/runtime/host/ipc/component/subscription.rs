//! Pollables of IPC objects.

use wasmpod_ipc::Wait;
use wasmtime::Result;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

/// A pollable that is ready when a wait is over. It may be waited for many times, each with a new wait.
struct Subscription<F>(F);

#[async_trait]
impl<F: Fn() -> Wait + Send + 'static> Pollable for Subscription<F> {
    async fn ready(&mut self) {
        // A wait that fails is over too: the call that comes next says why.
        let _ended = (self.0)().await;
    }
}

/// Hands out a pollable that is ready when a wait that `wait` makes is over.
pub(super) fn push(
    table: &mut ResourceTable,
    wait: impl Fn() -> Wait + Send + 'static,
) -> Result<Resource<DynPollable>> {
    let subscription = table.push(Subscription(wait))?;
    subscribe(table, subscription)
}
