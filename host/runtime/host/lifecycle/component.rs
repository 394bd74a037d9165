//! The interfaces of package `wasmpod:lifecycle` for components, as wit/wasmpod-lifecycle describes them.
//!
//! They are defined by hand and not generated: they hand out pollables of `wasi:io/poll`, which is not ours, and whose
//! text a generator would want to see.

use std::time::Duration;

use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::{Request, Signals};
use crate::host::ComponentState;

/// The interfaces' names.
const TERMINATION: &str = "wasmpod:lifecycle/termination@0.1.0";
const SIGNALS: &str = "wasmpod:lifecycle/signals@0.1.0";

/// `enum action`
#[expect(dead_code, reason = "a guest makes its values")]
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
enum Action {
    #[component(name = "default-action")]
    Default,
    #[component(name = "ignore")]
    Ignore,
    #[component(name = "handle")]
    Handle,
}

impl From<Action> for super::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Default => Self::Default,
            Action::Ignore => Self::Ignore,
            Action::Handle => Self::Handle,
        }
    }
}

/// `enum error-code`
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
enum ErrorCode {
    #[component(name = "invalid")]
    Invalid,
    #[component(name = "no-such-process")]
    NoSuchProcess,
}

impl From<super::Refusal> for ErrorCode {
    fn from(refusal: super::Refusal) -> Self {
        match refusal {
            super::Refusal::Invalid => Self::Invalid,
            super::Refusal::NoSuchProcess => Self::NoSuchProcess,
        }
    }
}

/// What `subscribe` of termination hands out.
struct Requested(Signals);

#[async_trait]
impl Pollable for Requested {
    async fn ready(&mut self) {
        self.0.termination().await;
    }
}

/// What `subscribe` of signals hands out.
struct Pending(Signals);

#[async_trait]
impl Pollable for Pending {
    async fn ready(&mut self) {
        self.0.pending().await;
    }
}

type Store<'a> = StoreContextMut<'a, ComponentState>;

fn pollable<T: Pollable>(store: &mut Store<'_>, of: T) -> Result<Resource<DynPollable>> {
    let (table, _) = store.data_mut().table_and_ipc();
    let of = table.push(of)?;
    subscribe(table, of)
}

/// Defines the interface `termination`.
///
/// # Errors
/// A bug of this host: it is defined twice.
pub(in crate::host) fn link_termination(linker: &mut Linker<ComponentState>) -> Result<()> {
    let mut interface = linker.instance(TERMINATION)?;
    interface.func_wrap("handle", |store: Store<'_>, (handled,): (bool,)| {
        store.data().signals.handle_termination(handled);
        Ok(())
    })?;
    interface.func_wrap("requested", |store: Store<'_>, (): ()| {
        let signals = &store.data().signals;
        signals.handle_termination(true);
        Ok((signals.requested().map(Request::left_nanoseconds),))
    })?;
    interface.func_wrap_async("wait", |store: Store<'_>, (limit,): (Option<u64>,)| {
        let signals = store.data().signals.clone();
        signals.handle_termination(true);
        Box::new(async move {
            let limit = limit.map(Duration::from_nanos);
            let request = signals.wait_for_termination(limit).await;
            Ok((request.map(Request::left_nanoseconds),))
        })
    })?;
    interface.func_wrap("signal", |store: Store<'_>, (): ()| {
        let request = store.data().signals.requested();
        Ok((request.map(|request| request.signal.number()),))
    })?;
    interface.func_wrap("subscribe", |mut store: Store<'_>, (): ()| {
        let signals = store.data().signals.clone();
        signals.handle_termination(true);
        Ok((pollable(&mut store, Requested(signals))?,))
    })
}

/// Defines the interface `signals`.
///
/// # Errors
/// A bug of this host: it is defined twice.
pub(in crate::host) fn link_signals(linker: &mut Linker<ComponentState>) -> Result<()> {
    let mut interface = linker.instance(SIGNALS)?;
    interface.func_wrap(
        "set-action",
        |store: Store<'_>, (signal, action): (u8, Action)| {
            let set = store.data().signals.set_action(signal, action.into());
            Ok((set.map_err(ErrorCode::from),))
        },
    )?;
    interface.func_wrap("take", |store: Store<'_>, (): ()| {
        let signal = store.data().signals.take();
        Ok((signal.map(wasmpod_sandbox::Signal::number),))
    })?;
    interface.func_wrap_async("wait", |store: Store<'_>, (limit,): (Option<u64>,)| {
        let signals = store.data().signals.clone();
        Box::new(async move {
            let signal = signals.wait(limit.map(Duration::from_nanos)).await;
            Ok((signal.map(wasmpod_sandbox::Signal::number),))
        })
    })?;
    interface.func_wrap("subscribe", |mut store: Store<'_>, (): ()| {
        let signals = store.data().signals.clone();
        Ok((pollable(&mut store, Pending(signals))?,))
    })?;
    interface.func_wrap("process-id", |store: Store<'_>, (): ()| {
        Ok((store.data().signals.process_id(),))
    })?;
    interface.func_wrap("main-command", |store: Store<'_>, (): ()| {
        Ok((store.data().signals.main_command().to_vec(),))
    })?;
    interface.func_wrap_async("kill", |store: Store<'_>, (process, signal): (u32, u8)| {
        let sent = store.data().signals.kill(process, signal);
        Box::new(async move {
            // One that the guest has sent to itself does its work before the call returns, as kill(2) has it.
            tokio::task::yield_now().await;
            Ok((sent.map_err(ErrorCode::from),))
        })
    })
}
