//! A future that is polled only after it was woken.
//!
//! A task that waits for several things is polled when one of them happens, and asks all of them each time. What seldom
//! happens, a signal, would be asked for with every message that the guest waits for: that takes as long as what the rest
//! of a turn does around the guest, and more of the processor's caches.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;

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
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<F: Future> Woken<F> {
    /// `future`, which is polled the first time that this is.
    pub(crate) fn new(future: F) -> Self {
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(true),
            task: AtomicWaker::new(),
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
            this.bell.task.register(cx.waker());
            this.task = Some(cx.waker().clone());
        }
        if !this.bell.rung.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        this.bell.rung.swap(false, Ordering::Acquire);
        // To wake takes the waker out, and the next to ring needs one.
        this.bell.task.register(cx.waker());
        this.future
            .as_mut()
            .poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

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
        Arc<AtomicWaker>,
    ) {
        let (polls, waker) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicWaker::new()));
        let future = {
            let (polls, waker) = (Arc::clone(&polls), Arc::clone(&waker));
            poll_fn(move |cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                waker.register(cx.waker());
                Poll::Pending
            })
        };
        (Woken::new(future), polls, waker)
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
            waker.wake();
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
        waker.wake();
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

    #[tokio::test]
    async fn no_wake_from_another_thread_is_lost() {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        let sender =
            std::thread::spawn(move || (0..10_000).for_each(|number| send.send(number).unwrap()));
        for number in 0..10_000 {
            assert_eq!(Woken::new(receive.recv()).await, Some(number));
        }
        sender.join().unwrap();
    }
}
