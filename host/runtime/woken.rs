//! A future that is polled only after it was woken.
//!
//! A task that waits for several things is polled when one of them happens, and asks all of them each time. What seldom
//! happens, a signal, would be asked for with every message that the guest waits for: that takes as long as what the rest
//! of a turn does around the guest, and more of the processor's caches.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The future, apart from what is looked at in each turn.
pub(crate) struct Woken<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// The bell, as the future sees it.
    waker: Waker,
    /// Whom the bell wakes.
    task: Option<Waker>,
}

/// What the future wakes.
struct Bell {
    rung: AtomicBool,
    /// It stays here when it is woken. If ringing took it out, a ring whose future was polled meanwhile, for another reason,
    /// would take the one that was meant for the next.
    task: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.wake_task();
    }
}

impl Bell {
    fn wake_task(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.wake_by_ref();
        }
    }
}

impl<F: Future> Woken<F> {
    /// `future`, which is polled the first time that this is.
    pub(crate) fn new(future: F) -> Self {
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(true),
            task: Mutex::default(),
        });
        Self {
            future: Box::pin(future),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            task: None,
        }
    }
}

impl<F: Future> Future for Woken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        // Before the bell is looked at: who rings it after that wakes this task.
        if !this
            .task
            .as_ref()
            .is_some_and(|task| task.will_wake(cx.waker()))
        {
            let mut task = this
                .bell
                .task
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *task = Some(cx.waker().clone());
            drop(task);
            this.task = Some(cx.waker().clone());
        }
        if !this.bell.rung.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        // Before the future is polled: what happens after that rings again.
        this.bell.rung.swap(false, Ordering::Acquire);
        this.future
            .as_mut()
            .poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, Instant};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Task {
        fn poll<F: Future>(self: &Arc<Self>, woken: &mut Woken<F>) -> Poll<F::Output> {
            let waker = Waker::from(Arc::clone(self));
            Pin::new(woken).poll(&mut Context::from_waker(&waker))
        }
    }

    /// A future that is never ready, how often it was polled, and the waker that it was polled with last.
    fn never() -> (
        Woken<impl Future<Output = ()>>,
        Arc<AtomicUsize>,
        Arc<Mutex<Option<Waker>>>,
    ) {
        let (polls, waker) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let future = {
            let (polls, waker) = (Arc::clone(&polls), Arc::clone(&waker));
            poll_fn(move |cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                *waker.lock().unwrap() = Some(cx.waker().clone());
                Poll::Pending
            })
        };
        (Woken::new(future), polls, waker)
    }

    fn wake(waker: &Mutex<Option<Waker>>) {
        let waker = waker.lock().unwrap().clone();
        waker.unwrap().wake();
    }

    #[test]
    fn it_is_polled_once_and_then_each_time_that_it_was_woken() {
        let (mut woken, polls, waker) = never();
        let task = Arc::new(Task::default());
        for rung in 0..5 {
            for _ in 0..3 {
                assert!(task.poll(&mut woken).is_pending());
                assert_eq!(polls.load(Ordering::Relaxed), rung + 1);
            }
            assert_eq!(task.0.load(Ordering::Relaxed), rung);
            wake(&waker);
            assert_eq!(task.0.load(Ordering::Relaxed), rung + 1);
        }
    }

    #[test]
    fn it_wakes_the_task_that_polled_it_last() {
        let (mut woken, polls, waker) = never();
        let tasks = [(); 3].map(|()| Arc::new(Task::default()));
        for task in &tasks {
            assert!(task.poll(&mut woken).is_pending());
        }
        assert_eq!(
            polls.load(Ordering::Relaxed),
            1,
            "nothing happened meanwhile"
        );
        wake(&waker);
        let wakes = tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed));
        assert_eq!(wakes, [0, 0, 1]);
    }

    #[test]
    fn what_wakes_itself_is_polled_again() {
        let mut turns = 3;
        let mut woken = Woken::new(poll_fn(move |cx| {
            turns -= 1;
            cx.waker().wake_by_ref();
            if turns == 0 {
                Poll::Ready("done")
            } else {
                Poll::Pending
            }
        }));
        let task = Arc::new(Task::default());
        assert!(task.poll(&mut woken).is_pending());
        assert!(task.poll(&mut woken).is_pending());
        assert_eq!(task.0.load(Ordering::Relaxed), 2);
        assert_eq!(task.poll(&mut woken), Poll::Ready("done"));
    }

    #[test]
    fn a_ring_that_is_heard_early_does_not_take_the_next_ones_wake() {
        let (mut woken, polls, waker) = never();
        let task = Arc::new(Task::default());
        assert!(task.poll(&mut woken).is_pending());
        // Another thread rings; the task is polled for another reason before that thread wakes it.
        woken.bell.rung.store(true, Ordering::Release);
        assert!(task.poll(&mut woken).is_pending());
        woken.bell.wake_task();
        assert!(task.poll(&mut woken).is_pending());
        assert_eq!(polls.load(Ordering::Relaxed), 2);
        let before = task.0.load(Ordering::Relaxed);
        wake(&waker);
        assert_eq!(task.0.load(Ordering::Relaxed), before + 1);
    }

    /// Wakes a thread that is parked.
    struct Parked(std::thread::Thread, AtomicBool);

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::Release);
            self.0.unpark();
        }
    }

    /// Another thread counts, waking each time; this one is polled now and then without reason, and must see each number
    /// after being woken for it.
    #[test]
    fn no_wake_from_another_thread_is_lost() {
        const ROUNDS: usize = 100_000;
        let [asked, told, seen] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let waker = Arc::new(Mutex::new(None));
        let future = {
            let (told, seen, waker) = (Arc::clone(&told), Arc::clone(&seen), Arc::clone(&waker));
            poll_fn(move |cx| {
                *waker.lock().unwrap() = Some(cx.waker().clone());
                seen.store(told.load(Ordering::Acquire), Ordering::Relaxed);
                Poll::<()>::Pending
            })
        };
        let teller = {
            let (asked, told, waker) = (Arc::clone(&asked), told, Arc::clone(&waker));
            std::thread::spawn(move || {
                for round in 1..=ROUNDS {
                    while asked.load(Ordering::Acquire) < round {
                        std::thread::yield_now();
                    }
                    told.store(round, Ordering::Release);
                    wake(&waker);
                }
            })
        };
        let parked = Arc::new(Parked(std::thread::current(), AtomicBool::new(true)));
        let task = Waker::from(Arc::clone(&parked));
        let mut woken = Woken::new(future);
        let mut poll = || Pin::new(&mut woken).poll(&mut Context::from_waker(&task));
        assert!(poll().is_pending());
        for round in 1..=ROUNDS {
            asked.store(round, Ordering::Release);
            // Without reason.
            for _ in 0..round % 7 {
                assert!(poll().is_pending());
            }
            let until = Instant::now() + Duration::from_secs(20);
            while seen.load(Ordering::Relaxed) < round {
                let left = until.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "nobody woke it in round {round}");
                if !parked.1.swap(false, Ordering::Acquire) {
                    std::thread::park_timeout(left);
                } else {
                    assert!(poll().is_pending());
                }
            }
        }
        teller.join().unwrap();
    }
}
