//! The event loops that may carry the connections of one listening port.
//!
//! Usually a pod's connections are carried on the pod's own thread. A server whose answers have nothing to do with each
//! other can be given the event loops of several threads: each connection that comes by a published port then goes to
//! the next of them, and the server finds out ([`TcpStream::peer_event_loop`](crate::TcpStream::peer_event_loop)) where
//! its peer is, and serves it there. So a connection does not cross threads, and connections use all processors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, Id};

/// Event loops that are taken in turns. Clones share the turns.
#[derive(Clone, Debug)]
pub struct EventLoops {
    all: Arc<[Handle]>,
    turns: Arc<AtomicUsize>,
}

impl EventLoops {
    /// These ones, the first in the first turn.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Handle>) -> Self {
        Self {
            all: all.into_iter().collect(),
            turns: Arc::default(),
        }
    }

    /// The next one; nothing if there are none.
    #[must_use]
    pub fn next(&self) -> Option<&Handle> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        self.all.get(turn.checked_rem(self.all.len())?)
    }

    /// The one of that number, if it is among them.
    #[must_use]
    pub fn with_id(&self, id: Id) -> Option<&Handle> {
        self.all.iter().find(|handle| handle.id() == id)
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
    fn event_loops_are_taken_in_turns() {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
        };
        let (one, two, three) = (runtime(), runtime(), runtime());
        let loops = EventLoops::new([one.handle().clone(), two.handle().clone()]);
        let ids: Vec<_> = (0..4).map(|_| loops.next().unwrap().id()).collect();
        let (first, second) = (one.handle().id(), two.handle().id());
        assert_eq!(ids, [first, second, first, second]);
        assert_eq!(loops.with_id(second).unwrap().id(), second);
        assert!(loops.with_id(three.handle().id()).is_none());
        assert!(EventLoops::new([]).next().is_none());
    }
}
