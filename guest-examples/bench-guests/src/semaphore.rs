//! Loads on named semaphores.

use wasmpod_ipc::Semaphore;

use crate::Failure;
use crate::figures::{Figures, Stopwatch};

/// Pairs of post and wait in one step: reading the clock costs more than both.
const STEP: usize = 1000;

/// Posts and waits, with nobody else at the semaphore.
pub(crate) fn alone(name: &str, count: usize) -> Result<Figures, Failure> {
    let semaphore = Semaphore::create(name, 0)?;
    let mut watch = Stopwatch::start(count / STEP);
    for number in 1..=count {
        semaphore.post()?;
        semaphore.wait()?;
        if number.is_multiple_of(STEP) {
            watch.step();
        }
    }
    let figures = watch.finish(0, count, STEP);
    Semaphore::unlink(name)?;
    Ok(figures)
}

/// The semaphores to and from the one who answers.
fn pair(name: &str) -> Result<[Semaphore; 2], Failure> {
    let [to, from] = names(name);
    Ok([Semaphore::create(&to, 0)?, Semaphore::create(&from, 0)?])
}

fn names(name: &str) -> [String; 2] {
    [format!("{name}-to"), format!("{name}-from")]
}

pub(crate) fn pong(name: &str, count: usize) -> Result<(), Failure> {
    let [to, from] = pair(name)?;
    for _ in 0..count {
        to.wait()?;
        from.post()?;
    }
    Ok(())
}

/// A step is a hand-over there and one back.
pub(crate) fn ping(name: &str, count: usize) -> Result<Figures, Failure> {
    let [to, from] = pair(name)?;
    // The first answer says that the other side has started.
    let mut watch = Stopwatch::start(0);
    for number in 0..count {
        to.post()?;
        from.wait()?;
        if number == 0 {
            watch = Stopwatch::start(count);
        } else {
            watch.step();
        }
    }
    let figures = watch.finish(0, count.saturating_sub(1), 1);
    names(name)
        .iter()
        .try_for_each(|name| Semaphore::unlink(name))?;
    Ok(figures)
}

/// On the kernel's semaphores, where these tests run.
#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn posts_are_waited_for() {
        let name = format!("/wasmpod-bench-sem-{}", std::process::id());
        assert_eq!(alone(&name, 5000).unwrap().count, 5000);
    }

    #[test]
    fn every_hand_over_is_answered() {
        let name = format!("/wasmpod-bench-sems-{}", std::process::id());
        let figures = thread::scope(|scope| {
            scope.spawn(|| pong(&name, 500).unwrap());
            ping(&name, 500).unwrap()
        });
        assert_eq!(figures.count, 499);
    }
}
