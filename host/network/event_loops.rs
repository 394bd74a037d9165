//! The event loops that may carry the connections of one listening port.
//!
//! Usually a pod's connections are carried on the pod's own thread. A server whose answers have nothing to do with each
//! other can be given the event loops of several threads: each connection that comes by a published port then goes to
//! the next of them that is free, and the server finds out
//! ([`TcpStream::peer_event_loop`](crate::TcpStream::peer_event_loop)) where its peer is, and serves it there. So a
//! connection does not cross threads, and connections use all processors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, Id};

/// The event loop of a thread, and whether it may be used.
#[derive(Clone, Debug)]
pub struct EventLoop {
    handle: Handle,
    residents: Option<Arc<AtomicUsize>>,
}

impl EventLoop {
    /// One that may always be used.
    #[must_use]
    pub const fn new(handle: Handle) -> Self {
        let residents = None;
        Self { handle, residents }
    }

    /// One that may be used as long as `residents`, those whose own it is, are none.
    #[must_use]
    pub const fn without_residents(handle: Handle, residents: Arc<AtomicUsize>) -> Self {
        let residents = Some(residents);
        Self { handle, residents }
    }

    /// Where tasks are spawned.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Whether it may be used now.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let residents = self.residents.as_ref();
        residents.is_none_or(|residents| residents.load(Ordering::Relaxed) == 0)
    }
}

/// Event loops that are taken in turns. Clones share the turns.
#[derive(Clone, Debug)]
pub struct EventLoops {
    all: Arc<[EventLoop]>,
    turns: Arc<AtomicUsize>,
}

impl EventLoops {
    /// These ones, the first in the first turn.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = EventLoop>) -> Self {
        Self {
            all: all.into_iter().collect(),
            turns: Arc::default(),
        }
    }

    /// The next one that is free, if there is one.
    #[must_use]
    pub fn next(&self) -> Option<&EventLoop> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let (before, behind) = self.all.split_at(turn.checked_rem(self.all.len())?);
        behind.iter().chain(before).find(|one| one.is_free())
    }

    /// The one of that number, if it is among them and free.
    #[must_use]
    pub fn with_id(&self, id: Id) -> Option<&EventLoop> {
        let mut all = self.all.iter();
        all.find(|one| one.handle.id() == id && one.is_free())
    }
}

/// The event loop that runs the caller, if it is one's task.
pub(crate) fn here() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_loops_are_taken_in_turns_as_long_as_they_are_free() {
        let runtimes = [(), (), ()].map(|()| {
            let builder = &mut tokio::runtime::Builder::new_current_thread();
            builder.build().unwrap()
        });
        let handle = |i: usize| runtimes[i].handle().clone();
        let residents = Arc::new(AtomicUsize::new(0));
        let loops = EventLoops::new([
            EventLoop::new(handle(0)),
            EventLoop::without_residents(handle(1), Arc::clone(&residents)),
        ]);
        let ids = || {
            let ids = (0..4).map(|_| loops.next().unwrap().handle().id());
            ids.collect::<Vec<_>>()
        };
        let (one, two, three) = (handle(0).id(), handle(1).id(), handle(2).id());
        assert_eq!(ids(), [one, two, one, two]);
        assert!(loops.with_id(two).is_some());
        assert!(loops.with_id(three).is_none());
        residents.store(1, Ordering::Relaxed);
        assert_eq!(ids(), [one; 4]);
        assert!(loops.with_id(two).is_none());
        assert!(EventLoops::new([]).next().is_none());
    }
}
