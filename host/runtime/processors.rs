//! On which processors guests compute, so that the clock which must interrupt them stays away from there.
//!
//! A thread that is woken goes to an idle processor if there is one, else back to its own, and waits there until the kernel
//! takes off who runs: with the slices of Linux' scheduler and a tick of 4 ms that can be four milliseconds, in which a
//! computing guest runs on without a clock. So a worker says where it computes, and the clock's thread moves away when it
//! finds itself there (sched_setaffinity(2)), within the processors that the process was given. Where every processor is
//! computed on, and on systems that cannot say where a thread is, nothing is moved.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many processors are kept apart; guests on others do not count. That of `cpu_set_t`.
const MAX_PROCESSORS: usize = 1024;

/// The processors on which somebody computes.
#[derive(Debug)]
pub(crate) struct Computing([AtomicU64; MAX_PROCESSORS / 64]);

impl Default for Computing {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; MAX_PROCESSORS / 64])
    }
}

impl Computing {
    /// Says that a thread computes on this one, until the guard is dropped. If the system moves the thread meanwhile,
    /// its next turn says so.
    pub(crate) fn on(&self, processor: usize) -> Option<Here<'_>> {
        let here = Here {
            word: self.0.get(processor / 64)?,
            bit: 1 << (processor % 64),
        };
        here.word.fetch_or(here.bit, Ordering::Relaxed);
        Some(here)
    }

    fn contains(&self, processor: usize) -> bool {
        let word = self.0.get(processor / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & 1 << (processor % 64) != 0)
    }
}

/// Proof that a thread is about to compute. Two on one processor, one of which waits, are told apart by nobody: the
/// bit goes with the first and comes back with the next turn.
#[derive(Debug)]
pub(crate) struct Here<'a> {
    word: &'a AtomicU64,
    bit: u64,
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.word.fetch_and(!self.bit, Ordering::Relaxed);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    use super::{Computing, MAX_PROCESSORS};

    /// Where this thread is.
    pub(crate) fn current() -> Option<usize> {
        Some(sched_getcpu())
    }

    /// The processors that a thread may use that wants to stay away from some of them.
    #[derive(Debug)]
    pub(crate) struct Elsewhere {
        /// All that it was given; `None` when the system does not say.
        given: Option<CpuSet>,
    }

    impl Elsewhere {
        /// For this thread.
        pub(crate) fn new() -> Self {
            Self {
                given: sched_getaffinity(None).ok(),
            }
        }

        /// Moves this thread, if somebody computes where it is.
        pub(crate) fn go(&self, computing: &Computing) {
            let Some(given) = &self.given else {
                return;
            };
            if computing.contains(sched_getcpu())
                && let Some(rest) = rest(given, computing)
            {
                // It is for punctuality only: where it is refused, the clock is late at times.
                let _refused = sched_setaffinity(None, &rest);
            }
        }
    }

    /// Those of `given` on which nobody computes; nothing when there are none.
    pub(super) fn rest(given: &CpuSet, computing: &Computing) -> Option<CpuSet> {
        let mut rest = CpuSet::new();
        for processor in 0..MAX_PROCESSORS {
            if given.is_set(processor) && !computing.contains(processor) {
                rest.set(processor);
            }
        }
        (rest.count() > 0).then_some(rest)
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Computing;

    /// Unknown.
    pub(crate) const fn current() -> Option<usize> {
        None
    }

    /// Nothing is moved here.
    #[derive(Debug)]
    pub(crate) struct Elsewhere;

    impl Elsewhere {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) const fn go(&self, _: &Computing) {}
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{Elsewhere, current};
#[cfg(target_os = "linux")]
pub(crate) use linux::{Elsewhere, current};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::thread::{CpuSet, sched_getaffinity};

    use super::*;

    fn set(processors: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        for processor in processors {
            set.set(*processor);
        }
        set
    }

    #[test]
    fn what_is_left_are_the_given_processors_without_those_that_compute() {
        let computing = Computing::default();
        computing.0[0].store(0b101, Ordering::Relaxed);
        computing.0[1].store(0b1, Ordering::Relaxed);
        for (given, left) in [
            (&[0, 1, 2, 3][..], Some(&[1, 3][..])),
            (&[1, 64, 65], Some(&[1, 65])),
            (&[0, 2, 64], None),
            (&[1000, 0], Some(&[1000])),
        ] {
            assert_eq!(
                linux::rest(&set(given), &computing),
                left.map(set),
                "{given:?}"
            );
        }
    }

    #[test]
    fn a_thread_leaves_the_processor_on_which_it_says_that_somebody_computes() {
        let moved = std::thread::spawn(|| {
            let (computing, elsewhere) = (Computing::default(), Elsewhere::new());
            let given = sched_getaffinity(None).unwrap();
            let where_it_was = current().unwrap();
            let here = computing.on(where_it_was).unwrap();
            // The system may have moved the thread in between; then it stays.
            elsewhere.go(&computing);
            drop(here);
            assert!(!computing.contains(where_it_was));
            (given, sched_getaffinity(None).unwrap(), where_it_was)
        });
        let (given, now, where_it_was) = moved.join().unwrap();
        let mut rest = given;
        rest.unset(where_it_was);
        assert!(now == given || now == rest, "{now:?} of {given:?}");
        assert!(now.count() > 0);
    }
}
