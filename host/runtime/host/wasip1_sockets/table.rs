//! The numbers of a guest's sockets.
//!
//! Files, directories and the standard streams keep the numbers that the engine gives them; sockets have numbers that
//! it does not reach. Listeners that are open from the beginning come right after the standard streams, before the
//! directories: where `sd_listen_fds(3)` has them, and where Wasm programs found them that were started with
//! `wasmtime run --tcplisten`.
//!
//! ```text
//!  0 1 2            3 …                    …                          1024 …
//!  standard streams preopened listeners    directories, opened files  sockets of the guest's own
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use wasmpod_network::limits::MAX_SOCKETS_PER_CONTAINER;

use super::errno::{EBADF, EMFILE};
use super::poll::Waits;
use super::socket::Socket;
use crate::host::guest_memory::Failure;

/// The first number after the standard streams: `SD_LISTEN_FDS_START`.
pub(super) const FIRST_PREOPENED: u32 = 3;

/// The first number of a socket that the guest opens, and so the end of those of files: the usual soft limit of open
/// files (`ulimit -n`). A file that would get a higher number is not opened: `EMFILE`.
pub(super) const FIRST_OPENED: u32 = 1024;

/// The sockets of a guest by their numbers.
#[derive(Debug, Default)]
pub(in crate::host) struct Sockets {
    /// From [`FIRST_PREOPENED`] on. A number stays when its listener is closed: the engine must never give it to a file.
    pub(super) preopened: Vec<Option<Socket>>,
    /// From [`FIRST_OPENED`] on.
    opened: Vec<Option<Socket>>,
    /// The places in `opened` that are free, the lowest first, as POSIX has it.
    free: BinaryHeap<Reverse<usize>>,
    /// What the last poll waited for, kept for its memory.
    pub(super) waits: Waits,
}

/// Where a number belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preopened(usize),
    Opened(usize),
}

impl Sockets {
    fn place(&self, fd: i32) -> Option<Place> {
        let fd = fd.cast_unsigned();
        let index = |first: u32| usize::try_from(fd.checked_sub(first)?).ok();
        match index(FIRST_OPENED) {
            Some(index) => Some(Place::Opened(index)),
            None => index(FIRST_PREOPENED)
                .filter(|index| *index < self.preopened.len())
                .map(Place::Preopened),
        }
    }

    /// Whether the number is one of sockets, open or not; the engine has the others.
    pub(super) fn owns(&self, fd: i32) -> bool {
        self.place(fd).is_some()
    }

    /// Whether the number is that of a listener that was open from the beginning, open or not.
    pub(super) fn is_preopened(&self, fd: i32) -> bool {
        matches!(self.place(fd), Some(Place::Preopened(_)))
    }

    /// The socket with this number, or `EBADF`.
    pub(super) fn get(&self, fd: i32) -> Result<&Socket, Failure> {
        let slot = match self.place(fd).ok_or(EBADF)? {
            Place::Preopened(index) => self.preopened.get(index),
            Place::Opened(index) => self.opened.get(index),
        };
        slot.and_then(Option::as_ref).ok_or(EBADF)
    }

    fn slot(&mut self, fd: i32) -> Result<&mut Option<Socket>, Failure> {
        let slot = match self.place(fd).ok_or(EBADF)? {
            Place::Preopened(index) => self.preopened.get_mut(index),
            Place::Opened(index) => self.opened.get_mut(index),
        };
        slot.ok_or(EBADF)
    }

    /// As [`Sockets::get`], to change it.
    pub(super) fn get_mut(&mut self, fd: i32) -> Result<&mut Socket, Failure> {
        self.slot(fd)?.as_mut().ok_or(EBADF)
    }

    /// Gives a socket the lowest free number.
    ///
    /// # Errors
    /// `EMFILE`; the network counts too, and usually says so first.
    pub(super) fn insert(&mut self, socket: Socket) -> Result<u32, Failure> {
        let index = match self.free.pop() {
            Some(Reverse(index)) => index,
            None if self.opened.len() < MAX_SOCKETS_PER_CONTAINER => {
                self.opened.push(None);
                self.opened.len() - 1
            }
            None => return Err(EMFILE),
        };
        let slot = self.opened.get_mut(index).ok_or(EMFILE)?;
        *slot = Some(socket);
        let index = u32::try_from(index).map_err(|_| EMFILE)?;
        Ok(FIRST_OPENED.saturating_add(index))
    }

    /// Takes the socket out of its number, which is free from then on.
    pub(super) fn remove(&mut self, fd: i32) -> Result<Socket, Failure> {
        let socket = self.slot(fd)?.take().ok_or(EBADF)?;
        if let Some(Place::Opened(index)) = self.place(fd) {
            self.free.push(Reverse(index));
        }
        Ok(socket)
    }

    /// Makes `to`, which is open, the number of `from`'s socket, as dup2(2) and then close(2) of `from` do. What `to`
    /// was before is returned.
    pub(super) fn renumber(&mut self, from: i32, to: i32) -> Result<Option<Socket>, Failure> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let socket = self.remove(from)?;
        Ok(self.slot(to)?.replace(socket))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Neighbours, tcp};
    use super::*;

    #[test]
    fn a_socket_gets_the_lowest_number_that_is_free() {
        let pod = Neighbours::new();
        let mut sockets = Sockets::default();
        let insert = |sockets: &mut Sockets| sockets.insert(tcp(&pod.client)).unwrap();
        assert_eq!(
            [(); 4].map(|()| insert(&mut sockets)),
            [1024, 1025, 1026, 1027]
        );
        for fd in [1026, 1024] {
            sockets.remove(fd).unwrap();
            assert_eq!(sockets.get(fd).err(), Some(EBADF));
            assert_eq!(sockets.remove(fd).err(), Some(EBADF));
        }
        assert_eq!([(); 3].map(|()| insert(&mut sockets)), [1024, 1026, 1028]);
    }

    #[test]
    fn only_numbers_of_sockets_are_ours() {
        let pod = Neighbours::new();
        let mut sockets = Sockets::default();
        assert!(!sockets.owns(3));
        sockets.preopened.push(Some(tcp(&pod.client)));
        let ours: Vec<_> = [-1, 0, 2, 3, 4, 1023, 1024, i32::MAX, i32::MIN]
            .into_iter()
            .filter(|fd| sockets.owns(*fd))
            .collect();
        assert_eq!(ours, [-1, 3, 1024, i32::MAX, i32::MIN]);
        sockets.remove(3).unwrap();
        assert!(sockets.owns(3), "a closed one keeps its number");
        assert_eq!(sockets.get(3).err(), Some(EBADF));
        assert_eq!(sockets.get(-1).err(), Some(EBADF));
    }

    #[test]
    fn renumbering_moves_a_socket_to_a_number_that_is_open() {
        let pod = Neighbours::new();
        let mut sockets = Sockets::default();
        for _ in 0..2 {
            sockets.insert(tcp(&pod.client)).unwrap();
        }
        sockets.get_mut(1024).unwrap().nonblocking = true;
        assert_eq!(sockets.renumber(1024, 1026).err(), Some(EBADF));
        assert!(sockets.renumber(1024, 1024).unwrap().is_none());
        assert!(sockets.renumber(1024, 1025).unwrap().is_some());
        assert!(sockets.get(1025).unwrap().nonblocking);
        assert_eq!(sockets.get(1024).err(), Some(EBADF));
    }
}
