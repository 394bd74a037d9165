//! `poll_oneoff` over sockets, clocks, files and the standard streams together.
//!
//! Sockets and clocks are waited for here; the rest is handed to the engine's own poll, on a memory of ours that has
//! only these subscriptions, and both are waited for at once. A descriptor that cannot be waited for is an event with an
//! errno, not an errno of the call: a scheduler that loses one descriptor must not lose the others.
//!
//! A guest of this kind is one task: there is nobody else who could be woken for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use wasmpod_sandbox::Clock;
use wasmtime::{Linker, Result};
use wasmtime_wasi::p1::WasiP1Ctx;

use super::errno::EINVAL;
use super::subscription::{
    ClockId, EVENT_BYTES, Event, Happening, Moment, SUBSCRIPTION_BYTES, Subscription, To,
};
use super::table::Sockets;
use super::{MODULE, files};
use crate::host::CoreState;
use crate::host::guest_memory::{EFAULT, Failure, Guest, Out, Place, memory};

/// The subscriptions that one call may have: more than any scheduler makes (Go's at most 65,535), so that what the host
/// remembers of a call is bounded. More: `EINVAL`, as poll(2).
const MAX_SUBSCRIPTIONS: usize = 1 << 16;

/// The alignment of subscriptions and events.
const ALIGNMENT: usize = 8;

/// What a call waits for.
pub(super) type Waits = Vec<Wait>;

/// One subscription, and what has come of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    subscription: Subscription,
    on: On,
    happened: Option<Happening>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Readable(i32),
    Writable(i32),
    /// A moment; `None` is never.
    Moment(Option<Instant>),
    /// The engine's poll.
    Engine,
    Nothing,
}

impl Wait {
    fn new(subscription: Subscription, sockets: &Sockets, clock: Clock) -> Self {
        let (on, happened) = match subscription.to {
            To::Read(fd) | To::Write(fd) if !sockets.owns(fd) => (On::Engine, None),
            To::Read(fd) | To::Write(fd) if sockets.get(fd).is_err() => {
                (On::Nothing, sockets.get(fd).err().map(Happening::Failed))
            }
            To::Read(fd) => (On::Readable(fd), None),
            To::Write(fd) => (On::Writable(fd), None),
            To::Clock(id, moment) => (On::Moment(instant(id, moment, clock)), None),
            To::NoClock => (On::Nothing, Some(Happening::Failed(EINVAL))),
        };
        Self {
            subscription,
            on,
            happened,
        }
    }

    /// Looks whether it has happened; if not, the task is woken when it may have.
    fn poll(&mut self, sockets: &mut Sockets, now: Instant, cx: &mut Context<'_>) {
        let happened = match self.on {
            On::Readable(fd) => sockets.get_mut(fd).map_or_else(
                |failure| Some(Happening::Failed(failure)),
                |socket| {
                    let is_ready = socket.poll_readable(cx).is_ready();
                    is_ready.then(|| socket.readable())
                },
            ),
            On::Writable(fd) => sockets.get_mut(fd).map_or_else(
                |failure| Some(Happening::Failed(failure)),
                |socket| {
                    let is_ready = socket.poll_writable(cx).is_ready();
                    is_ready.then_some(Happening::Ready)
                },
            ),
            On::Moment(at) => at.is_some_and(|at| at <= now).then_some(Happening::Ready),
            On::Engine | On::Nothing => self.happened,
        };
        self.happened = happened;
    }

    const fn event(&self) -> Option<Event> {
        match self.happened {
            Some(happening) => Some(self.subscription.event(happening)),
            None => None,
        }
    }
}

/// When a moment comes on tokio's clock; `None` is never.
fn instant(id: ClockId, moment: Moment, clock: Clock) -> Option<Instant> {
    let from_now = match moment {
        Moment::In(nanoseconds) => Duration::from_nanos(nanoseconds),
        Moment::At(nanoseconds) => {
            let now = match id {
                ClockId::Realtime => clock.since_1970(),
                ClockId::Monotonic => clock.elapsed(),
            };
            Duration::from_nanos(nanoseconds).saturating_sub(now)
        }
    };
    Instant::now().checked_add(from_now)
}

/// The engine's poll of the subscriptions that are not ours, on a memory of its own:
/// `subscriptions | events | number of events`.
struct EnginePoll {
    memory: Vec<u8>,
    /// Where the first subscription is: at the alignment that the engine asks for.
    start: usize,
    count: usize,
}

impl EnginePoll {
    fn new(subscriptions: &[u8]) -> Self {
        let count = subscriptions.len() / SUBSCRIPTION_BYTES;
        let bytes = subscriptions.len() + count * EVENT_BYTES + ALIGNMENT + ALIGNMENT;
        let mut memory = vec![0; bytes];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let place = memory.iter_mut().skip(start);
        place
            .zip(subscriptions)
            .for_each(|(place, byte)| *place = *byte);
        Self {
            memory,
            start,
            count,
        }
    }

    const fn events(&self) -> usize {
        self.count * SUBSCRIPTION_BYTES
    }

    const fn number(&self) -> usize {
        self.events() + self.count * EVENT_BYTES
    }

    /// Waits for one of them at least; gives the errno.
    async fn wait(&mut self, wasi: &mut WasiP1Ctx) -> Result<i32> {
        let place = |place: usize| i32::try_from(place).unwrap_or(i32::MAX);
        let (events, number, count) = (
            place(self.events()),
            place(self.number()),
            place(self.count),
        );
        let memory = self.memory.get_mut(self.start..).unwrap_or_default();
        files::poll(wasi, memory, (0, events), count, number).await
    }

    /// The events, each as the guest reads it.
    fn told(&self) -> impl Iterator<Item = &[u8]> {
        let memory = self.memory.get(self.start..).unwrap_or_default();
        let number = memory.get(self.number()..).and_then(<[u8]>::first_chunk);
        let number = number.map_or(0, |number| u32::from_le_bytes(*number));
        let events = memory.get(self.events()..self.number());
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        events
            .unwrap_or_default()
            .chunks_exact(EVENT_BYTES)
            .take(number)
    }
}

/// The arguments of a call, checked.
struct Call {
    subscriptions: Place,
    events: Place,
    out: Out<4>,
}

impl Call {
    fn new(
        (subscriptions, events): (i32, i32),
        count: i32,
        out: i32,
        memory: &[u8],
    ) -> std::result::Result<Self, Failure> {
        let subscriptions = Place::elements(subscriptions, count, SUBSCRIPTION_BYTES)?;
        if subscriptions.bytes() > MAX_SUBSCRIPTIONS * SUBSCRIPTION_BYTES {
            return Err(EINVAL);
        }
        Ok(Self {
            subscriptions: subscriptions.check(memory)?,
            events: Place::elements(events, count, EVENT_BYTES)?.check(memory)?,
            out: Out::new(out, memory)?,
        })
    }

    /// Reads all subscriptions into `waits`; true if one of them is to a socket. Those for the engine are copied too.
    fn read(
        &self,
        memory: &[u8],
        state: &CoreState,
        waits: &mut Waits,
        for_engine: &mut Vec<u8>,
    ) -> std::result::Result<bool, Failure> {
        let mut has_sockets = false;
        let all = self.subscriptions.read(memory)?;
        for bytes in all.chunks_exact(SUBSCRIPTION_BYTES) {
            let subscription = Subscription::read(bytes.try_into().map_err(|_| EFAULT)?)?;
            let wait = Wait::new(subscription, &state.sockets, state.clock);
            if wait.on == On::Engine {
                for_engine.extend_from_slice(bytes);
            }
            has_sockets |= matches!(
                subscription.to,
                To::Read(_) | To::Write(_) if wait.on != On::Engine
            );
            waits.push(wait);
        }
        Ok(has_sockets)
    }

    /// Writes the events and their number.
    fn tell(
        &self,
        waits: &Waits,
        engine: Option<&EnginePoll>,
        memory: &mut [u8],
    ) -> std::result::Result<(), Failure> {
        let mut places = self.events.write(memory)?.chunks_exact_mut(EVENT_BYTES);
        let mut number = 0_u32;
        let mut put = |event: &[u8]| {
            if let Some(place) = places.next() {
                place.copy_from_slice(event);
                number = number.saturating_add(1);
            }
        };
        for event in waits.iter().filter_map(Wait::event) {
            put(&event.to_bytes());
        }
        engine
            .into_iter()
            .flat_map(EnginePoll::told)
            .for_each(&mut put);
        self.out.put(memory, &[&number])
    }
}

/// Waits until something of `waits`, or of what the engine polls, has happened. The errno of the engine's poll, if that has
/// come to an end.
async fn wait(
    waits: &mut Waits,
    sockets: &mut Sockets,
    mut engine: Option<(&mut EnginePoll, &mut WasiP1Ctx)>,
) -> Result<Option<i32>> {
    let moments = waits.iter().filter_map(|wait| match wait.on {
        On::Moment(at) => at,
        _ => None,
    });
    let first = moments.min();
    let mut sleep: Option<Pin<Box<Sleep>>> = None;
    let mut polled = engine
        .as_mut()
        .map(|(engine, wasi)| Box::pin(engine.wait(wasi)));
    poll_fn(|cx| {
        let now = Instant::now();
        waits
            .iter_mut()
            .for_each(|wait| wait.poll(sockets, now, cx));
        let told = match polled.as_mut().map(|polled| polled.as_mut().poll(cx)) {
            Some(Poll::Ready(told)) => Some(told?),
            _ => None,
        };
        if told.is_some() || waits.iter().any(|wait| wait.happened.is_some()) {
            return Poll::Ready(Ok(told));
        }
        if let Some(first) = first {
            let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(first)));
            ready!(sleep.as_mut().poll(cx));
            // The moment has come: the next look sees it.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

/// The whole call, once it is known to concern a socket.
async fn poll_sockets(
    guest: &mut Guest<'_>,
    call: &Call,
    waits: &mut Waits,
    for_engine: &[u8],
) -> Result<std::result::Result<(), Failure>> {
    let mut engine = (!for_engine.is_empty()).then(|| EnginePoll::new(for_engine));
    let state = guest.data_mut();
    let other = engine.as_mut().map(|engine| (engine, &mut state.wasi));
    let told = wait(waits, &mut state.sockets, other).await?;
    if let Some(errno) = told.filter(|errno| *errno != 0) {
        // One of the files cannot be waited for; which one is not told.
        for wait in waits.iter_mut().filter(|wait| wait.on == On::Engine) {
            wait.happened = Some(Happening::Failed(Failure::new(errno)));
        }
    }
    let engine = engine.filter(|_| told == Some(0));
    Ok(memory(guest).and_then(|(memory, _)| call.tell(waits, engine.as_ref(), memory)))
}

/// `poll_oneoff`; calls without sockets are the engine's.
async fn poll_oneoff(
    guest: &mut Guest<'_>,
    places: (i32, i32),
    count: i32,
    out: i32,
) -> Result<i32> {
    let mut waits = std::mem::take(&mut guest.data_mut().sockets.waits);
    waits.clear();
    let mut for_engine = Vec::new();
    let call = memory(guest).and_then(|(memory, state)| {
        let call = Call::new(places, count, out, memory)?;
        let has_sockets = call.read(memory, state, &mut waits, &mut for_engine)?;
        Ok((call, has_sockets))
    });
    let answer = match call {
        Ok((call, true)) => poll_sockets(guest, &call, &mut waits, &for_engine).await?,
        Ok((_, false)) => return engine_alone(guest, places, count, out).await,
        Err(failure) => Err(failure),
    };
    guest.data_mut().sockets.waits = waits;
    Ok(answer.map_or_else(Failure::errno, |()| 0))
}

async fn engine_alone(
    guest: &mut Guest<'_>,
    (subscriptions, events): (i32, i32),
    count: i32,
    out: i32,
) -> Result<i32> {
    let (mut memory, wasi) = files::engine_view(guest)?;
    wasmtime_wasi::p1::wasi_snapshot_preview1::poll_oneoff(
        wasi,
        &mut memory,
        subscriptions,
        events,
        count,
        out,
    )
    .await
}

/// Defines the function, and WasmEdge's `epoll_oneoff`, which differs in how often it tells what its caller left undone.
///
/// # Errors
/// A bug of this host: a function is defined twice.
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    for name in ["poll_oneoff", "epoll_oneoff"] {
        linker.func_wrap_async(
            MODULE,
            name,
            |mut guest: Guest<'_>, (subscriptions, events, count, out): (i32, i32, i32, i32)| {
                Box::new(async move {
                    poll_oneoff(&mut guest, (subscriptions, events), count, out).await
                })
            },
        )?;
    }
    Ok(())
}
