//! The interface `wasmpod:lifecycle/termination` for components, as wit/wasmpod-lifecycle describes it.
//!
//! It is defined by hand and not generated: it hands out pollables of `wasi:io/poll`, which is not ours, and whose text
//! a generator would want to see.

use std::time::Duration;

use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::Termination;
use crate::host::ComponentState;

/// The interface's name.
const INTERFACE: &str = "wasmpod:lifecycle/termination@0.1.0";

/// What `subscribe` hands out.
struct Requested(Termination);

#[async_trait]
impl Pollable for Requested {
    async fn ready(&mut self) {
        self.0.requested().await;
    }
}

type Store<'a> = StoreContextMut<'a, ComponentState>;

/// Defines the interface.
///
/// # Errors
/// A bug of this host: it is defined twice.
pub(in crate::host) fn link(linker: &mut Linker<ComponentState>) -> Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    interface.func_wrap("handle", |store: Store<'_>, (handled,): (bool,)| {
        store.data().termination.handle(handled);
        Ok(())
    })?;
    interface.func_wrap("requested", |store: Store<'_>, (): ()| {
        let termination = &store.data().termination;
        termination.handle(true);
        Ok((termination.left_nanoseconds(),))
    })?;
    interface.func_wrap_async("wait", |store: Store<'_>, (limit,): (Option<u64>,)| {
        let termination = store.data().termination.clone();
        termination.handle(true);
        Box::new(async move { Ok((termination.wait(limit.map(Duration::from_nanos)).await,)) })
    })?;
    interface.func_wrap("subscribe", |mut store: Store<'_>, (): ()| {
        let state = store.data_mut();
        state.termination.handle(true);
        let requested = Requested(state.termination.clone());
        let (table, _) = state.table_and_ipc();
        let requested = table.push(requested)?;
        let pollable: Resource<DynPollable> = subscribe(table, requested)?;
        Ok((pollable,))
    })?;
    interface.func_wrap("request", |store: Store<'_>, (): ()| {
        store.data().termination.terminate_main();
        Ok(())
    })
}
