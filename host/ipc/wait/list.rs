//! The line of those who wait at one object, first come first.
//!
//! A waiter that was woken stays in the line, marked, until it comes back to look or gives up. So the
//! object knows how many turns are under way (`woken`), gives no turn twice, and a turn that nobody
//! takes goes to the next. The object's lock guards the line.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::Errno;
use crate::limits::MAX_WAITERS;

/// A place in a line. Later places have greater numbers.
pub(crate) type Ticket = u64;

/// Places for which an idle line keeps its memory; the rest is given back when the line is empty.
const KEPT_PLACES: usize = 4;

/// Those who wait, each with what it wants.
#[derive(Debug)]
pub(crate) struct WaitList<W> {
    places: VecDeque<Place<W>>,
    next: Ticket,
    /// Waiters that want it alone, and have been woken and not come back.
    woken: usize,
    /// Waiters that only look, and take nothing from others.
    lookers: usize,
}

#[derive(Debug)]
struct Place<W> {
    ticket: Ticket,
    want: W,
    only_looks: bool,
    woken: bool,
    waker: Option<Waker>,
}

/// Tasks to wake when the object's lock is released.
#[derive(Debug, Default)]
#[must_use = "these tasks sleep until they are woken"]
pub(crate) struct Wakes {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

/// What an object says to a waiter that looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// What it wants is there.
    pub(crate) is_there: bool,
    /// And it is more than those need whose turn it is already.
    pub(crate) is_spare: bool,
    /// It only looks, and takes nothing from others.
    pub(crate) only_looks: bool,
}

impl<W> Default for WaitList<W> {
    fn default() -> Self {
        Self {
            places: VecDeque::new(),
            next: 0,
            woken: 0,
            lookers: 0,
        }
    }
}

impl WaitList<()> {
    /// Ready when what all of these wait for is there; they only look, and take nothing from others.
    pub(crate) fn poll_looking(
        &mut self,
        is_there: bool,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let look = Look {
            is_there,
            is_spare: true,
            only_looks: true,
        };
        self.poll(seat, (), look, cx)
    }
}

impl<W> WaitList<W> {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Waiters that want it alone, those whose turn it is included.
    pub(crate) fn waiting(&self) -> usize {
        self.places.len() - self.lookers
    }

    /// Waiters whose turn it is and who have not come back.
    pub(crate) const fn woken(&self) -> usize {
        self.woken
    }

    /// What everybody in the line wants, first come first.
    pub(crate) fn wants(&self) -> impl Iterator<Item = &W> {
        self.places.iter().map(|place| &place.want)
    }

    /// What those want whose turn it is.
    pub(crate) fn woken_wants(&self) -> impl Iterator<Item = &W> {
        let woken = self.places.iter().filter(|place| place.woken);
        woken.map(|place| &place.want)
    }

    /// Changes what everybody in the line wants, and lets them look.
    pub(crate) fn change_all(&mut self, wakes: &mut Wakes, change: impl FnMut(&mut W)) {
        self.places
            .iter_mut()
            .map(|place| &mut place.want)
            .for_each(change);
        self.wake_all(wakes);
    }

    /// One look of a waiter: over, or in the line.
    pub(crate) fn poll(
        &mut self,
        seat: &mut Option<Ticket>,
        want: W,
        look: Look,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let is_mine = |woken: bool| look.is_there && (look.only_looks || look.is_spare || woken);
        let Some(ticket) = *seat else {
            return if is_mine(false) {
                Poll::Ready(Ok(()))
            } else {
                match self.enter(want, look.only_looks, cx) {
                    Ok(ticket) => {
                        *seat = Some(ticket);
                        Poll::Pending
                    }
                    Err(errno) => Poll::Ready(Err(errno)),
                }
            };
        };
        if is_mine(self.is_woken(ticket)) {
            self.leave(ticket);
            *seat = None;
            return Poll::Ready(Ok(()));
        }
        self.stay(ticket, cx);
        Poll::Pending
    }

    /// Lines up at the end.
    pub(crate) fn enter(
        &mut self,
        want: W,
        only_looks: bool,
        cx: &Context<'_>,
    ) -> Result<Ticket, Errno> {
        if self.places.len() >= MAX_WAITERS {
            return Err(Errno::NoMemory);
        }
        self.places.try_reserve(1).map_err(|_| Errno::NoMemory)?;
        let ticket = self.next;
        self.next += 1;
        self.lookers += usize::from(only_looks);
        self.places.push_back(Place {
            ticket,
            want,
            only_looks,
            woken: false,
            waker: Some(cx.waker().clone()),
        });
        Ok(ticket)
    }

    /// Keeps its place, and waits for its turn (again).
    pub(crate) fn stay(&mut self, ticket: Ticket, cx: &Context<'_>) {
        let Some(place) = self.place(ticket).and_then(|i| self.places.get_mut(i)) else {
            return;
        };
        if std::mem::take(&mut place.woken) {
            self.woken -= usize::from(!place.only_looks);
        }
        match &mut place.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Leaves the line; gives back what it wanted, and whether it was its turn.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<(W, bool)> {
        let place = self
            .place(ticket)
            .and_then(|index| self.places.remove(index))?;
        if place.only_looks {
            self.lookers -= 1;
        } else if place.woken {
            self.woken -= 1;
        }
        if self.places.is_empty() && self.places.capacity() > KEPT_PLACES {
            self.places.shrink_to(KEPT_PLACES);
        }
        Some((place.want, place.woken))
    }

    /// Bytes that the line takes beside itself.
    #[cfg(test)]
    pub(crate) fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place<W>>()
    }

    pub(crate) fn is_woken(&self, ticket: Ticket) -> bool {
        self.place(ticket)
            .and_then(|index| self.places.get(index))
            .is_some_and(|place| place.woken)
    }

    pub(crate) fn want_mut(&mut self, ticket: Ticket) -> Option<&mut W> {
        let index = self.place(ticket)?;
        self.places.get_mut(index).map(|place| &mut place.want)
    }

    /// The number of a place; places are in the order of their tickets.
    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.places
            .binary_search_by_key(&ticket, |place| place.ticket)
            .ok()
    }

    /// Gives the turn to the first whose turn it is not yet and for whom `is_enough` holds.
    pub(crate) fn wake_first(
        &mut self,
        wakes: &mut Wakes,
        mut is_enough: impl FnMut(&mut W) -> bool,
    ) -> bool {
        if self.woken == self.waiting() {
            return false;
        }
        let mut waiting = self
            .places
            .iter_mut()
            .filter(|place| !place.woken && !place.only_looks);
        let Some(place) = waiting.find_map(|place| is_enough(&mut place.want).then_some(place))
        else {
            return false;
        };
        place.woken = true;
        self.woken += 1;
        wakes.add(place.waker.take());
        true
    }

    /// Wakes those who only look; each once until it looks again.
    pub(crate) fn wake_lookers(&mut self, wakes: &mut Wakes) {
        if self.lookers > 0 {
            for place in self.places.iter_mut().filter(|place| place.only_looks) {
                wakes.add(place.waker.take());
            }
        }
    }

    /// Lets everybody look, without giving a turn to anyone: the object has changed for good.
    pub(crate) fn wake_all(&mut self, wakes: &mut Wakes) {
        for place in &mut self.places {
            wakes.add(place.waker.take());
        }
    }
}

impl Wakes {
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        match (waker, &mut self.first) {
            (None, _) => {}
            (Some(waker), first @ None) => *first = Some(waker),
            (Some(waker), Some(_)) => self.rest.push(waker),
        }
    }

    /// Wakes them, the oldest first. Call it without a lock: a waker may run anything.
    pub(crate) fn wake(self) {
        if let Some(first) = self.first {
            first.wake();
            for waker in self.rest {
                waker.wake();
            }
        }
    }
}
