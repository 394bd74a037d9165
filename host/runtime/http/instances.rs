//! The instances of an HTTP component: made when a request needs one, and kept for the next where that is allowed.
//!
//! By default an instance answers one request and is gone, so that nothing of a request is left for the next one. With
//! `max-instance-reuse-count` one that has answered waits for the next request, the one that answered last first, so that
//! those that are not needed become old and are dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use tokio::sync::Notify;
use tokio::time::Instant;
use wasmtime::{Result, Store};

use super::body::RequestBody;
use super::handler::{Answer, Handler};
use crate::container::guard;
use crate::host::{ComponentState, Held, Setting};
use crate::link::Linked;
use crate::polled::Interrupted;

/// How long an instance waits for a next request before it is dropped with its memory. Longer than the second of
/// `wasmtime serve`: what it holds is the container's own memory and nobody else's.
const IDLE_INSTANCE_TIMEOUT: Duration = Duration::from_secs(10);

/// All instances of a component, except those that answer now.
pub(crate) struct Instances {
    linked: Arc<Linked>,
    setting: Setting,
    held: Held,
    max_uses: u32,
    /// The oldest first.
    idle: Mutex<Vec<(Instant, Instance)>>,
    /// Something was put into an empty list.
    first_idle: Notify,
}

/// One instance; its code runs in [`make`](Self::make) and [`answer`](Self::answer) only.
pub(super) struct Instance {
    linked: Arc<Linked>,
    store: Store<ComponentState>,
    proxy: Option<Handler>,
    uses: u32,
    pub(super) interrupted: Interrupted,
}

impl Instances {
    /// No instance yet. Each gets what is in `setting` and shares what is `held`.
    pub(crate) fn new(linked: Arc<Linked>, setting: Setting, held: Held, max_uses: u32) -> Self {
        Self {
            linked,
            setting,
            held,
            max_uses,
            idle: Mutex::default(),
            first_idle: Notify::new(),
        }
    }

    /// One that waits for a request, or a new one.
    ///
    /// # Errors
    /// A directory of the container cannot be opened.
    pub(super) fn take(&self) -> std::result::Result<Instance, String> {
        let waiting = self.idle().pop();
        match waiting {
            Some((_, instance)) => Ok(instance),
            None => self.new_one(),
        }
    }

    /// A new one, of which no code has run.
    ///
    /// # Errors
    /// A directory of the container cannot be opened.
    pub(super) fn new_one(&self) -> std::result::Result<Instance, String> {
        let state = ComponentState::new(&self.setting, self.held.clone())?;
        let mut store = Store::new(self.linked.engine(), state);
        let interrupted = Interrupted::default();
        guard(&mut store, |state| &mut state.limits, &interrupted);
        Ok(Instance {
            linked: Arc::clone(&self.linked),
            store,
            proxy: None,
            uses: 0,
            interrupted,
        })
    }

    /// Keeps one that is whole for the next request, if it may answer another.
    pub(super) fn give_back(&self, instance: Instance) {
        if instance.uses >= self.max_uses {
            return;
        }
        let mut idle = self.idle();
        idle.push((Instant::now(), instance));
        if idle.len() == 1 {
            self.first_idle.notify_one();
        }
    }

    /// Drops instances that nobody needs, for ever.
    pub(super) async fn drop_idle(&self) {
        loop {
            let oldest = self.idle().first().map(|(since, _)| *since);
            let Some(oldest) = oldest else {
                self.first_idle.notified().await;
                continue;
            };
            tokio::time::sleep_until(oldest + IDLE_INSTANCE_TIMEOUT).await;
            let now = Instant::now();
            let old: Vec<_> = {
                let mut idle = self.idle();
                let is_old = |since: Instant| now.duration_since(since) >= IDLE_INSTANCE_TIMEOUT;
                let old = idle.iter().take_while(|(since, _)| is_old(*since)).count();
                idle.drain(..old).collect()
            };
            drop(old);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Instance)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    /// Whether it has been made.
    pub(super) const fn is_made(&self) -> bool {
        self.proxy.is_some()
    }

    /// Instantiates the component, unless that was done.
    ///
    /// # Errors
    /// It trapped, or may not have the memory that it declares.
    pub(super) async fn make(&mut self) -> Result<()> {
        if self.proxy.is_none() {
            let Linked::Http(component) = &*self.linked else {
                return Err(wasmtime::Error::msg("not an HTTP component"));
            };
            let proxy = component.proxy.instantiate_async(&mut self.store).await?;
            self.proxy = Some(proxy);
        }
        Ok(())
    }

    /// Lets the guest handle a request; `answer` gets its answer, which may be long before this returns, or never.
    ///
    /// # Errors
    /// The guest trapped or exited.
    pub(super) async fn answer(
        &mut self,
        request: Request<RequestBody>,
        answer: impl FnOnce(Answer) + Send + Sync + 'static,
    ) -> Result<()> {
        self.uses = self.uses.saturating_add(1);
        let Some(proxy) = &self.proxy else {
            return Err(wasmtime::Error::msg("the instance was not made"));
        };
        proxy.answer(&mut self.store, request, answer).await
    }
}
