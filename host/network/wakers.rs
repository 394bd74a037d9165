//! The tasks that wait for one thing: almost always one, sometimes a few.
//!
//! The first waker is kept inline, so that the usual case allocates nothing. A guest may poll one socket from several
//! pollables, so a second task must not push out the first.

use std::collections::VecDeque;
use std::task::Waker;

use crate::limits::MAX_WAITING_TASKS;

/// Tasks to wake. Take it out from under the lock, then call [`Wakers::wake`].
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    first: Option<Waker>,
    more: VecDeque<Waker>,
}

impl Wakers {
    /// Remembers a task once. Beyond [`MAX_WAITING_TASKS`] the oldest of the others is woken: it will ask again.
    pub(crate) fn register(&mut self, waker: &Waker) {
        match &mut self.first {
            None => self.first = Some(waker.clone()),
            Some(first) if first.will_wake(waker) => {}
            Some(_) => {
                if self.more.iter().any(|known| known.will_wake(waker)) {
                    return;
                }
                if self.more.len() + 1 >= MAX_WAITING_TASKS
                    && let Some(oldest) = self.more.pop_front()
                {
                    oldest.wake();
                }
                self.more.push_back(waker.clone());
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// All waiting tasks, leaving none.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(crate) fn wake(self) {
        if let Some(first) = self.first {
            first.wake();
        }
        for waker in self.more {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::CountingWaker;

    #[test]
    fn every_waiting_task_is_woken_once() {
        let tasks: Vec<_> = (0..3).map(|_| CountingWaker::new()).collect();
        let mut wakers = Wakers::default();
        for task in tasks.iter().chain(&tasks) {
            wakers.register(task.waker());
        }
        wakers.take().wake();
        assert!(wakers.is_empty());
        assert!(tasks.iter().all(|task| task.count() == 1));
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_woken_and_nobody_is_lost() {
        let tasks: Vec<_> = (0..MAX_WAITING_TASKS + 5)
            .map(|_| CountingWaker::new())
            .collect();
        let mut wakers = Wakers::default();
        for task in &tasks {
            wakers.register(task.waker());
        }
        assert_eq!(wakers.more.len() + 1, MAX_WAITING_TASKS);
        wakers.take().wake();
        assert!(tasks.iter().all(|task| task.count() == 1));
    }
}
