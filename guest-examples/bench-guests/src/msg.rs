//! Loads on System V message queues.

use wasmpod_ipc::Error;
use wasmpod_ipc::system_v::{MessageQueue, Selection};

use crate::Failure;
use crate::figures::{Figures, Stopwatch};

/// Messages in one step of a one-way run: reading the clock costs as much as receiving a message.
const STEP: usize = 100;
/// The type of all messages.
const TYPE: i64 = 1;

/// What is sent, and through which queue; the answers come back through the queue of the next key.
pub(crate) struct Load {
    pub(crate) key: i32,
    pub(crate) size: usize,
    pub(crate) count: usize,
    /// Messages that the queue is to hold.
    pub(crate) capacity: usize,
}

impl Load {
    /// Where the queue may not be made so large (natively without privileges), it stays as it is.
    fn open(&self, key: i32) -> Result<MessageQueue, Failure> {
        let queue = MessageQueue::create(key)?;
        let wanted = u64::try_from(self.size * self.capacity)?;
        match queue.set_max_bytes(wanted) {
            Ok(()) | Err(Error::NotPermitted | Error::Access | Error::Invalid) => Ok(queue),
            Err(error) => Err(error.into()),
        }
    }

    fn data(&self) -> Vec<u8> {
        vec![0x5a; self.size]
    }
}

pub(crate) fn send(load: &Load) -> Result<(), Failure> {
    let (queue, data) = (load.open(load.key)?, load.data());
    for _ in 0..load.count {
        queue.send(TYPE, &data)?;
    }
    Ok(())
}

/// Measures from the first message to the last: the first has waited for its sender's start.
pub(crate) fn receive(load: &Load) -> Result<Figures, Failure> {
    let (queue, mut data, select) = (load.open(load.key)?, load.data(), Selection::default());
    queue.receive(select, load.size, &mut data)?;
    let mut watch = Stopwatch::start(load.count / STEP);
    for number in 1..load.count {
        queue.receive(select, load.size, &mut data)?;
        if number.is_multiple_of(STEP) {
            watch.step();
        }
    }
    let figures = watch.finish(load.size, load.count, STEP);
    queue.remove()?;
    Ok(figures)
}

pub(crate) fn pong(load: &Load) -> Result<(), Failure> {
    let (to, from) = (load.open(load.key)?, load.open(load.key + 1)?);
    let mut data = load.data();
    for _ in 0..load.count {
        to.receive(Selection::default(), load.size, &mut data)?;
        from.send(TYPE, &data)?;
    }
    Ok(())
}

pub(crate) fn ping(load: &Load) -> Result<Figures, Failure> {
    let (to, from) = (load.open(load.key)?, load.open(load.key + 1)?);
    let (data, mut answer) = (load.data(), load.data());
    // The first answer says that the other side has started.
    let mut watch = Stopwatch::start(0);
    for number in 0..load.count {
        to.send(TYPE, &data)?;
        from.receive(Selection::default(), load.size, &mut answer)?;
        if number == 0 {
            watch = Stopwatch::start(load.count);
        } else {
            watch.step();
        }
    }
    let figures = watch.finish(load.size, load.count.saturating_sub(1), 1);
    to.remove()?;
    from.remove()?;
    Ok(figures)
}

/// On the kernel's queues, where these tests run.
#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn load(number: u32) -> Load {
        let key = 0x4c00_0000 + (std::process::id() % 0xfffff) * 16 + number;
        Load {
            key: key.cast_signed(),
            size: 64,
            count: 1001,
            capacity: 10,
        }
    }

    #[test]
    fn one_side_receives_what_the_other_sends() {
        let load = load(0);
        let figures = thread::scope(|scope| {
            scope.spawn(|| send(&load).unwrap());
            receive(&load).unwrap()
        });
        assert_eq!((figures.size, figures.count), (64, 1001));
    }

    #[test]
    fn every_ping_is_answered() {
        let load = load(2);
        let figures = thread::scope(|scope| {
            scope.spawn(|| pong(&load).unwrap());
            ping(&load).unwrap()
        });
        assert_eq!((figures.size, figures.count), (64, 1000));
    }
}
