//! What a guest has open, by number.

use wasmpod_ipc::Errno;

/// Objects by descriptor. As with files the lowest free number is given; how many there can be is bounded by the ipc
/// crate's limits.
#[derive(Debug)]
pub(super) struct Table<T> {
    first: u32,
    open: Vec<Option<T>>,
}

impl<T> Table<T> {
    /// An empty table whose numbers begin with `first`.
    pub(super) const fn new(first: u32) -> Self {
        Self {
            first,
            open: Vec::new(),
        }
    }

    fn index(&self, number: i32) -> Result<usize, Errno> {
        let number = number.cast_unsigned().checked_sub(self.first);
        number
            .and_then(|number| usize::try_from(number).ok())
            .ok_or(Errno::BadDescriptor)
    }

    /// Gives `object` a number.
    pub(super) fn insert(&mut self, object: T) -> Result<u32, Errno> {
        let free = self.open.iter().position(Option::is_none);
        let index = free.unwrap_or(self.open.len());
        let number = u32::try_from(index).ok();
        let number = number.and_then(|number| self.first.checked_add(number));
        let number = number.ok_or(Errno::TooManyOpen)?;
        match self.open.get_mut(index) {
            Some(place) => *place = Some(object),
            None => self.open.push(Some(object)),
        }
        Ok(number)
    }

    /// The object with this number; `EBADF` if there is none.
    pub(super) fn get(&self, number: i32) -> Result<&T, Errno> {
        let object = self.open.get(self.index(number)?);
        object.and_then(Option::as_ref).ok_or(Errno::BadDescriptor)
    }

    /// Takes the object with this number out; `EBADF` if there is none.
    pub(super) fn remove(&mut self, number: i32) -> Result<T, Errno> {
        let index = self.index(number)?;
        let object = self.open.get_mut(index).and_then(Option::take);
        object.ok_or(Errno::BadDescriptor)
    }
}

/// System V objects that were used last, by identifier: finding one in the pod takes the lock of all of a kind.
///
/// It keeps nothing that matters: an object that was removed says so whoever still has it.
#[derive(Debug)]
pub(super) struct Recent<T> {
    entries: Vec<(i32, T)>,
    oldest: usize,
}

/// Entries of a [`Recent`]: programs use a handful of queues or sets, and searching more would cost more than it saves.
const RECENT: usize = 8;

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            oldest: 0,
        }
    }
}

impl<T> Recent<T> {
    /// The object with this identifier; `find` looks for one that is not here.
    pub(super) fn get(
        &mut self,
        id: i32,
        find: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<&T, Errno> {
        let index = match self.entries.iter().position(|(known, _)| *known == id) {
            Some(index) => index,
            None => self.remember((id, find()?)),
        };
        let entry = self.entries.get(index);
        entry.map(|(_, object)| object).ok_or(Errno::Invalid)
    }

    fn remember(&mut self, entry: (i32, T)) -> usize {
        if self.entries.len() < RECENT {
            self.entries.push(entry);
            return self.entries.len() - 1;
        }
        let index = self.oldest;
        if let Some(place) = self.entries.get_mut(index) {
            *place = entry;
        }
        self.oldest = (index + 1) % RECENT;
        index
    }

    /// Forgets one that was removed.
    pub(super) fn forget(&mut self, id: i32) {
        self.entries.retain(|(known, _)| *known != id);
        self.oldest = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given() {
        let mut table = Table::new(100);
        let numbers: Vec<_> = ["a", "b", "c"].map(|name| table.insert(name)).into();
        assert_eq!(numbers, [Ok(100), Ok(101), Ok(102)]);
        assert_eq!(table.remove(101), Ok("b"));
        assert_eq!(table.remove(101), Err(Errno::BadDescriptor));
        assert_eq!(table.insert("d"), Ok(101));
        assert_eq!(table.get(102), Ok(&"c"));
        for number in [0, 99, 103, -1, i32::MIN] {
            assert_eq!(table.get(number), Err(Errno::BadDescriptor));
        }
    }

    #[test]
    fn only_the_last_used_are_kept_and_each_is_the_right_one() {
        let mut recent = Recent::default();
        for id in (0..20).chain([3, 3, 19, 0]) {
            assert_eq!(recent.get(id, || Ok(id * 10)), Ok(&(id * 10)));
            assert!(recent.entries.len() <= RECENT);
        }
        assert_eq!(recent.get(0, || Err(Errno::Invalid)), Ok(&0), "it is kept");
        recent.forget(0);
        assert_eq!(recent.get(0, || Err(Errno::Invalid)), Err(Errno::Invalid));
    }
}
