//! The names of a pod's objects of one kind. A name keeps its object alive, and so does who has it open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use crate::account::{Account, Charge};
use crate::lock::lock;
use crate::wait::{Ticket, WaitList, Wakes};
use crate::{Errno, OpenFlags};

/// An object that can lose its name.
pub(crate) trait Named {
    /// The name is gone; the object lives for those who have it open.
    fn unlinked(&self);
}

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Names<T> {
    state: Mutex<State<T>>,
    /// How many there are, those without name included.
    objects: Arc<Account>,
}

#[derive(Debug)]
struct State<T> {
    /// By name without its slash.
    named: BTreeMap<Box<str>, Arc<T>>,
    /// Named or not: all that live, and a few that do not any more.
    all: Vec<Weak<T>>,
    /// Those who wait for a name to appear. Every new name lets all of them look.
    arrivals: WaitList<()>,
}

impl<T: Named> Names<T> {
    /// No names; `most` is how many objects there may be.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            state: Mutex::new(State {
                named: BTreeMap::new(),
                all: Vec::new(),
                arrivals: WaitList::default(),
            }),
            objects: Account::new(u64::from(most)),
        }
    }

    /// The object of a name, made by `make` if it is missing and the flags say so.
    ///
    /// `make` gets the object's part of the count. The registry is locked meanwhile.
    pub(crate) fn open(
        &self,
        name: &str,
        flags: OpenFlags,
        make: impl FnOnce(Charge) -> Result<T, Errno>,
    ) -> Result<Arc<T>, Errno> {
        let mut wakes = Wakes::default();
        let object = {
            let mut state = lock(&self.state);
            match state.named.get(name) {
                Some(_) if flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) => {
                    return Err(Errno::Exist);
                }
                Some(object) => return Ok(Arc::clone(object)),
                None if !flags.contains(OpenFlags::CREATE) => return Err(Errno::NoEntry),
                None => {}
            }
            let count = self.objects.charge(1).ok_or(Errno::NoSpace)?;
            let object = Arc::new(make(count)?);
            state.all.retain(|object| object.strong_count() > 0);
            state.all.push(Arc::downgrade(&object));
            state.named.insert(name.into(), Arc::clone(&object));
            state.arrivals.wake_lookers(&mut wakes);
            object
        };
        wakes.wake();
        Ok(object)
    }

    /// Takes a name away.
    pub(crate) fn unlink(&self, name: &str) -> Result<(), Errno> {
        // The object may go with its name: not under the lock.
        let object = lock(&self.state).named.remove(name);
        object.ok_or(Errno::NoEntry)?.unlinked();
        Ok(())
    }

    /// All objects; what is done with them is done without the registry's lock.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        lock(&self.state)
            .all
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// Ready when there is an object of this name.
    pub(crate) fn poll_creation(
        &self,
        name: &str,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let mut state = lock(&self.state);
        let is_there = state.named.contains_key(name);
        state.arrivals.poll_looking(is_there, seat, cx)
    }

    pub(crate) fn leave_arrivals(&self, ticket: Ticket) {
        lock(&self.state).arrivals.leave(ticket);
    }

    /// Lets those look who wait for a name: an instance ended.
    pub(crate) fn wake_arrivals(&self) {
        let mut wakes = Wakes::default();
        lock(&self.state).arrivals.wake_all(&mut wakes);
        wakes.wake();
    }
}
