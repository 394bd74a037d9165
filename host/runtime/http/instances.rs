//! The instances of an HTTP component: made when a request needs one, and kept for the next where that is allowed.
//!
//! By default an instance answers one request and is gone, so that nothing of a request is left for the next one. With
//! `max-instance-reuse-count` one that has answered waits for the next request, the one that answered last first, so that
//! those that are not needed become old and are dropped. Those that answer few requests come from the pool. Where the
//! container's memory has no room for one more (`room`), the request waits for its turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::Instant;
use wasmtime::{Result, Store};

use super::body::RequestBody;
use super::handler::{Answer, Handler};
use super::room::{Room, Seat};
use crate::container::guard;
use crate::host::{ComponentState, Held, Setting};
use crate::link::Linked;
use crate::pool::{self, Pooled};
use crate::ticker::Ticker;
use crate::turn::Turn;

/// How long an instance waits for a next request before it is dropped with its memory. Longer than the second of
/// `wasmtime serve`: what it holds is the container's own memory and nobody else's.
const IDLE_INSTANCE_TIMEOUT: Duration = Duration::from_secs(10);

/// Uses of an instance up to which it comes from the pool. One that answers more requests costs each of them little, and
/// keeps its place while it waits.
const MAX_POOLED_USES: u32 = 16;

/// All instances of a component, except those that answer now.
pub(crate) struct Instances {
    linked: Arc<Linked>,
    setting: Setting,
    held: Held,
    max_uses: u32,
    /// What interrupts them.
    ticker: Arc<Ticker>,
    /// The oldest first.
    idle: Mutex<Vec<(Instant, Instance)>>,
    /// Something was put into an empty list.
    first_idle: Notify,
    room: Arc<Room>,
    /// Who waits for room: first come first served.
    queue: AsyncMutex<()>,
    /// How many they are. While there are none the queue is left alone: each thread would wait for the others in it.
    waiting: AtomicUsize,
}

/// Which instance answers a request.
enum Place {
    Idle(Instance),
    New(Seat),
}

/// One instance; its code runs in [`make`](Self::make) and [`answer`](Self::answer) only.
pub(super) struct Instance {
    linked: Arc<Linked>,
    store: Store<ComponentState>,
    proxy: Option<Handler>,
    uses: u32,
    pub(super) turn: Arc<Turn>,
    /// Its place in the pool, if it is there; after the store.
    pooled: Option<pool::Seat>,
    /// Left when all else is gone.
    seat: Seat,
}

impl Instances {
    /// No instance yet. Each gets what is in `setting` and shares what is `held`.
    ///
    /// # Errors
    /// A directory of the container cannot be opened.
    pub(crate) fn new(
        linked: Arc<Linked>,
        mut setting: Setting,
        held: Held,
        max_uses: u32,
        ticker: &Arc<Ticker>,
    ) -> std::result::Result<Self, String> {
        setting.open()?;
        Ok(Self {
            linked,
            room: Room::new(setting.memory.clone()),
            queue: AsyncMutex::default(),
            waiting: AtomicUsize::new(0),
            setting,
            held,
            max_uses,
            ticker: Arc::clone(ticker),
            idle: Mutex::default(),
            first_idle: Notify::new(),
        })
    }

    /// One that waits for a request, or a new one when there is room for it.
    ///
    /// # Errors
    /// What it holds of the host cannot be made.
    pub(super) async fn take(&self) -> std::result::Result<Instance, String> {
        let nobody_waits = self.waiting.load(Ordering::Relaxed) == 0;
        let place = nobody_waits.then(|| self.place()).flatten();
        let place = match place {
            Some(place) => place,
            None => self.wait().await,
        };
        match place {
            Place::Idle(instance) => Ok(instance),
            Place::New(seat) => self.new_one(seat),
        }
    }

    fn place(&self) -> Option<Place> {
        let idle = self.idle().pop();
        match idle {
            Some((_, instance)) => Some(Place::Idle(instance)),
            None => self.room.try_enter().map(Place::New),
        }
    }

    /// Waits for a place, behind all who came before.
    async fn wait(&self) -> Place {
        let _waiting = Waiting::new(&self.waiting);
        let _turn = self.queue.lock().await;
        loop {
            if let Some(place) = self.place() {
                return place;
            }
            self.room.changed().await;
        }
    }

    /// A new one, of which no code has run.
    ///
    /// # Errors
    /// What it holds of the host cannot be made.
    fn new_one(&self, seat: Seat) -> std::result::Result<Instance, String> {
        let state = ComponentState::new(&self.setting, self.held.clone())?;
        let pooled = self
            .pooled()
            .and_then(|pooled| Some((pooled, pooled.seat()?)));
        let (engine, pooled) = match pooled {
            Some((pooled, place)) => (pooled.proxy.engine(), Some(place)),
            None => (self.linked.engine(), None),
        };
        let mut store = Store::new(engine, state);
        let turn = Turn::new(Arc::clone(&self.ticker));
        guard(&mut store, |state| &mut state.limits, &turn);
        Ok(Instance {
            linked: Arc::clone(&self.linked),
            store,
            proxy: None,
            uses: 0,
            turn,
            pooled,
            seat,
        })
    }

    /// The component in the pool, if its instances may be there.
    fn pooled(&self) -> Option<&Pooled> {
        match &*self.linked {
            Linked::Http(http) if self.max_uses <= MAX_POOLED_USES => http.pooled.as_ref(),
            _ => None,
        }
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
        drop(idle);
        self.room.tell();
    }

    /// Whether they import what containers of a pod share in memory.
    pub(super) fn touch_their_pod(&self) -> bool {
        self.linked.imports_ipc()
    }

    /// Drops all that wait.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
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

/// One who waits for room, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
            let pooled = component.pooled.as_ref().filter(|_| self.pooled.is_some());
            let proxy = pooled.map_or(&component.proxy, |pooled| &pooled.proxy);
            let proxy = proxy.instantiate_async(&mut self.store).await?;
            self.proxy = Some(proxy);
            self.seat.was_made(self.memory_bytes());
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
        let handled = proxy.answer(&mut self.store, request, answer).await;
        self.seat.has_answered(self.memory_bytes());
        handled
    }

    fn memory_bytes(&self) -> u64 {
        self.store.data().limits.memory_bytes()
    }
}
