//! Who of the guests that want to compute on one worker thread is next.
//!
//! A guest that was interrupted in a computation takes a seat in its thread's queue; one that waits for something has
//! none, and runs as soon as what it waited for is there. Of those in the queue it is the turn of the one with the least
//! virtual time ([`CpuShare::virtual_time`]: used time divided by weight), so that over time each gets its part in
//! proportion to its CPU request, as with `cpu.shares`. The others sleep until they are woken here: a queue of a
//! thousand costs its worker one look per turn.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use wasmpod_sandbox::CpuShare;

thread_local! {
    static QUEUE: OnceCell<Arc<Queue>> = const { OnceCell::new() };
}

/// The queue of one worker thread.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Vec<Entry>>,
    /// The least virtual time that was seen at the front: who begins to compute starts from here.
    floor: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    seat: u64,
    cpu: CpuShare,
    waker: Waker,
}

/// A guest's place in its worker's queue; dropping it leaves the queue, and the next one is woken.
#[derive(Debug)]
pub(crate) struct Seat {
    queue: Arc<Queue>,
    number: u64,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry whose turn it is; of equals the one that came first.
fn next(waiting: &[Entry]) -> Option<&Entry> {
    waiting.iter().min_by_key(|entry| entry.cpu.virtual_time())
}

impl Seat {
    /// Takes a seat in the queue of this thread.
    pub(crate) fn take(cpu: &CpuShare, waker: &Waker) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let queue = QUEUE.with(|queue| Arc::clone(queue.get_or_init(Arc::default)));
        cpu.raise_virtual_time(queue.floor.load(Ordering::Relaxed));
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        queue.waiting().push(Entry {
            seat: number,
            cpu: cpu.clone(),
            waker: waker.clone(),
        });
        Self { queue, number }
    }

    /// Whether it is this guest's turn. If not, its `waker` is called when it is.
    pub(crate) fn is_next(&self, waker: &Waker) -> bool {
        let mut waiting = self.queue.waiting();
        if next(&waiting).is_some_and(|entry| entry.seat == self.number) {
            return true;
        }
        if let Some(own) = waiting.iter_mut().find(|entry| entry.seat == self.number) {
            own.waker.clone_from(waker);
        }
        // It may have become its turn just now, without a turn of anyone here: what a container's other instances use
        // is charged to the same share.
        self.wake(&waiting);
        false
    }

    /// The guest has had its turn and wants another: it goes behind its equals, and the next one is woken.
    pub(crate) fn pass(&self) {
        let mut waiting = self.queue.waiting();
        if let Some(place) = waiting.iter().position(|entry| entry.seat == self.number) {
            let own = waiting.remove(place);
            waiting.push(own);
        }
        self.wake(&waiting);
    }

    fn wake(&self, waiting: &[Entry]) {
        if let Some(entry) = next(waiting) {
            let time = entry.cpu.virtual_time();
            self.queue.floor.fetch_max(time, Ordering::Relaxed);
            if entry.seat != self.number {
                entry.waker.wake_by_ref();
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.retain(|entry| entry.seat != self.number);
        self.wake(&waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Lets guests with these requests compute for `turns` turns of a millisecond, and gives each one's number of turns.
    fn compute(requests: &[u64], turns: usize) -> Vec<usize> {
        let shares: Vec<_> = requests
            .iter()
            .map(|request| CpuShare::new(None, *request))
            .collect();
        let waker = Waker::noop();
        let seats: Vec<_> = shares
            .iter()
            .map(|share| Seat::take(share, waker))
            .collect();
        let mut had = vec![0; requests.len()];
        for _ in 0..turns {
            let whose: Vec<_> = (0..seats.len())
                .filter(|i| seats[*i].is_next(waker))
                .collect();
            assert_eq!(whose.len(), 1, "exactly one is next");
            had[whose[0]] += 1;
            shares[whose[0]].charge(Duration::from_millis(1));
            seats[whose[0]].pass();
        }
        had
    }

    #[test]
    fn turns_are_shared_in_proportion_to_requests() {
        assert_eq!(compute(&[500, 500], 1000), [500, 500]);
        let had = compute(&[1000, 250, 250], 1500);
        assert!(
            (995..=1005).contains(&had[0]) && (245..=255).contains(&had[1]),
            "{had:?}"
        );
        let had = compute(&[0, 1000], 2000);
        assert!(
            (3..=5).contains(&had[0]),
            "BestEffort beside a core: {had:?}"
        );
    }

    #[test]
    fn who_begins_later_does_not_catch_up_and_who_leaves_does_not_hold_up() {
        let waker = Waker::noop();
        let (old, new) = (CpuShare::new(None, 1000), CpuShare::new(None, 1000));
        let seat = Seat::take(&old, waker);
        for _ in 0..100 {
            old.charge(Duration::from_millis(1));
            seat.pass();
        }
        let late = Seat::take(&new, waker);
        assert!(new.virtual_time() >= old.virtual_time());
        assert!(seat.is_next(waker), "of equals the one that came first");
        drop(seat);
        assert!(late.is_next(waker));
    }
}
