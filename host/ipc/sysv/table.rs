//! The keys and ids of a pod's objects of one kind.
//!
//! An id is a place in the table and how often that place was used before, so that an old id does not
//! mean a new object: `id = uses * 32768 + place`, as on Linux.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::Errno;
use crate::lock::lock;
use crate::owner::Owner;
use crate::wait::{Ticket, WaitList, Wakes};

use super::{GetFlags, IPC_PRIVATE};

/// Places in a table: Linux's `IPCMNI`.
const PLACES: usize = 32_768;

/// What an object is from its beginning.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: i32,
    pub(crate) key: i32,
    /// The container that made it.
    pub(crate) creator: Arc<str>,
    pub(crate) creator_pid: i32,
}

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Table<T> {
    state: Mutex<State<T>>,
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    places: Vec<Place<T>>,
    /// By key, [`IPC_PRIVATE`] excepted.
    keys: BTreeMap<i32, usize>,
    live: usize,
    /// Those who wait for a key to appear. Every new key lets all of them look.
    arrivals: WaitList<()>,
}

#[derive(Debug)]
struct Place<T> {
    /// How often it was used before; wraps around.
    uses: u16,
    key: i32,
    object: Option<Arc<T>>,
}

impl<T> Table<T> {
    /// An empty table for `most` objects.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            state: Mutex::new(State {
                places: Vec::new(),
                keys: BTreeMap::new(),
                live: 0,
                arrivals: WaitList::default(),
            }),
            most: usize::try_from(most).unwrap_or(PLACES).min(PLACES),
        }
    }

    /// The id of the object of a key, made by `make` if it is missing and the flags say so; an
    /// existing one must pass `check`.
    pub(crate) fn get(
        &self,
        key: i32,
        flags: GetFlags,
        owner: &Owner,
        check: impl FnOnce(&T) -> Result<(), Errno>,
        make: impl FnOnce(Identity) -> Result<T, Errno>,
    ) -> Result<i32, Errno> {
        let mut wakes = Wakes::default();
        let id = {
            let mut state = lock(&self.state);
            if key != IPC_PRIVATE {
                if let Some(place) = state.keys.get(&key) {
                    if flags.contains(GetFlags::CREATE | GetFlags::EXCLUSIVE) {
                        return Err(Errno::Exist);
                    }
                    let (id, object) = state.at(*place).ok_or(Errno::NoEntry)?;
                    check(object)?;
                    return Ok(id);
                }
                if !flags.contains(GetFlags::CREATE) {
                    return Err(Errno::NoEntry);
                }
            }
            if state.live >= self.most {
                return Err(Errno::NoSpace);
            }
            let place = state.free_place()?;
            let id = state.id(place).ok_or(Errno::NoSpace)?;
            let object = make(Identity {
                id,
                key,
                creator: Arc::clone(owner.name()),
                creator_pid: owner.pid(),
            })?;
            if let Some(place) = state.places.get_mut(place) {
                place.key = key;
                place.object = Some(Arc::new(object));
            }
            state.live += 1;
            if key != IPC_PRIVATE {
                state.keys.insert(key, place);
                state.arrivals.wake_lookers(&mut wakes);
            }
            id
        };
        wakes.wake();
        Ok(id)
    }

    /// The object of an id.
    pub(crate) fn find(&self, id: i32) -> Result<Arc<T>, Errno> {
        let state = lock(&self.state);
        let place = state.place(id).ok_or(Errno::Invalid)?;
        let (_, object) = state.at(place).ok_or(Errno::Invalid)?;
        Ok(Arc::clone(object))
    }

    /// Takes an object out of the table: id and key are free. `EINVAL` when it is gone already.
    pub(crate) fn remove(&self, id: i32) -> Result<Arc<T>, Errno> {
        let mut state = lock(&self.state);
        let index = state.place(id).ok_or(Errno::Invalid)?;
        let place = state.places.get_mut(index).ok_or(Errno::Invalid)?;
        let object = place.object.take().ok_or(Errno::Invalid)?;
        place.uses = place.uses.wrapping_add(1);
        let key = std::mem::replace(&mut place.key, IPC_PRIVATE);
        state.live -= 1;
        state.keys.remove(&key);
        Ok(object)
    }

    /// Takes the key of an object away; the id stays. False when it had none.
    pub(crate) fn forget_key(&self, id: i32) -> bool {
        let mut state = lock(&self.state);
        let Some(index) = state.place(id) else {
            return false;
        };
        let Some(place) = state.places.get_mut(index) else {
            return false;
        };
        let key = std::mem::replace(&mut place.key, IPC_PRIVATE);
        state.keys.remove(&key);
        key != IPC_PRIVATE
    }

    /// All objects, in the order of their places.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let state = lock(&self.state);
        let objects = state.places.iter();
        objects.filter_map(|place| place.object.clone()).collect()
    }

    /// Ready when there is an object of this key.
    pub(crate) fn poll_creation(
        &self,
        key: i32,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let mut state = lock(&self.state);
        let is_there = state.keys.contains_key(&key);
        state.arrivals.poll_looking(is_there, seat, cx)
    }

    pub(crate) fn leave_arrivals(&self, ticket: Ticket) {
        lock(&self.state).arrivals.leave(ticket);
    }

    /// Lets those look who wait for a key: an instance ended.
    pub(crate) fn wake_arrivals(&self) {
        let mut wakes = Wakes::default();
        lock(&self.state).arrivals.wake_all(&mut wakes);
        wakes.wake();
    }
}

impl<T> State<T> {
    /// The least place that is free; a new one if there is none.
    fn free_place(&mut self) -> Result<usize, Errno> {
        if self.live < self.places.len()
            && let Some(place) = self.places.iter().position(|place| place.object.is_none())
        {
            return Ok(place);
        }
        self.places.try_reserve(1).map_err(|_| Errno::NoMemory)?;
        self.places.push(Place {
            uses: 0,
            key: IPC_PRIVATE,
            object: None,
        });
        Ok(self.places.len() - 1)
    }

    /// The id of a place, as it is used now.
    fn id(&self, place: usize) -> Option<i32> {
        let uses = usize::from(self.places.get(place)?.uses);
        i32::try_from(uses * PLACES + place).ok()
    }

    /// The place of an id, if the id is not an old one.
    fn place(&self, id: i32) -> Option<usize> {
        let place = usize::try_from(id).ok()? % PLACES;
        (self.id(place)? == id).then_some(place)
    }

    fn at(&self, place: usize) -> Option<(i32, &Arc<T>)> {
        let object = self.places.get(place)?.object.as_ref()?;
        Some((self.id(place)?, object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(table: &Table<u8>, key: i32, flags: GetFlags) -> Result<i32, Errno> {
        table.get(key, flags, &Owner::new("main", 1), |_| Ok(()), |_| Ok(7))
    }

    #[test]
    fn an_old_id_does_not_mean_a_new_object() {
        let table = Table::new(10);
        let mut ids = Vec::new();
        for _ in 0..70_000 {
            let id = get(&table, 1, GetFlags::CREATE).unwrap();
            assert!(id >= 0);
            assert_eq!(table.find(id).as_deref(), Ok(&7));
            table.remove(id).unwrap();
            assert_eq!(table.find(id).unwrap_err(), Errno::Invalid);
            ids.push(id);
        }
        ids.truncate(65_536);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 65_536);
    }

    #[test]
    fn ids_that_never_were_are_refused() {
        let table = Table::new(10);
        get(&table, 1, GetFlags::CREATE).unwrap();
        for id in [-1, 1, 32_768, i32::MAX, i32::MIN] {
            assert_eq!(table.find(id).unwrap_err(), Errno::Invalid, "{id}");
            assert_eq!(table.remove(id).unwrap_err(), Errno::Invalid, "{id}");
            assert!(!table.forget_key(id));
        }
    }

    #[test]
    fn a_forgotten_key_is_free_while_the_id_stays() {
        let table = Table::new(10);
        let old = get(&table, 1, GetFlags::CREATE).unwrap();
        assert!(table.forget_key(old) && !table.forget_key(old));
        let new = get(&table, 1, GetFlags::CREATE | GetFlags::EXCLUSIVE).unwrap();
        assert_ne!(old, new);
        assert!(table.find(old).is_ok());
        table.remove(old).unwrap();
        assert_eq!(get(&table, 1, GetFlags::default()), Ok(new));
    }
}
