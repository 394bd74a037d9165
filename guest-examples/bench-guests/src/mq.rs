//! Loads on message queues.

use wasmpod_ipc::{Attributes, Error, Message, MessageQueue, OpenOptions};

use crate::Failure;
use crate::figures::{Figures, Stopwatch};

/// Messages in one step of a one-way run: reading the clock costs as much as receiving a message.
const STEP: usize = 100;

/// What is sent, and through which queue. Both sides are told the same, whoever is first makes it.
pub(crate) struct Load {
    pub(crate) name: String,
    pub(crate) size: u32,
    pub(crate) count: usize,
    pub(crate) capacity: u32,
}

impl Load {
    pub(crate) fn open(&self, name: &str) -> Result<MessageQueue, Error> {
        let size = Attributes {
            max_messages: self.capacity,
            message_size: self.size,
        };
        MessageQueue::open(
            name,
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .attributes(size),
        )
    }

    /// The queues to and from the one who answers.
    fn pair(&self) -> [String; 2] {
        [format!("{}-to", self.name), format!("{}-from", self.name)]
    }

    fn data(&self) -> Result<Vec<u8>, Failure> {
        Ok(vec![0x5a; usize::try_from(self.size)?])
    }
}

pub(crate) fn send(load: &Load) -> Result<(), Failure> {
    let (queue, data) = (load.open(&load.name)?, load.data()?);
    for _ in 0..load.count {
        queue.send(&data, 0)?;
    }
    Ok(())
}

/// Measures from the first message to the last: the first has waited for its sender's start.
pub(crate) fn receive(load: &Load) -> Result<Figures, Failure> {
    let queue = load.open(&load.name)?;
    let mut data = load.data()?;
    queue.receive_into(&mut data)?;
    let mut watch = Stopwatch::start(load.count / STEP);
    for number in 1..load.count {
        queue.receive_into(&mut data)?;
        if number.is_multiple_of(STEP) {
            watch.step();
        }
    }
    let figures = watch.finish(data.len(), load.count, STEP);
    MessageQueue::unlink(&load.name)?;
    Ok(figures)
}

/// Messages of one call of a batch.
const BATCH: usize = 32;

fn batch(load: &Load) -> Result<Vec<Message>, Failure> {
    let data = load.data()?;
    Ok(vec![Message { data, priority: 0 }; BATCH])
}

pub(crate) fn send_many(load: &Load) -> Result<(), Failure> {
    let (queue, messages) = (load.open(&load.name)?, batch(load)?);
    let mut left = load.count;
    while left > 0 {
        left -= queue.send_many(messages.get(..left.min(BATCH)).unwrap_or_default())?;
    }
    Ok(())
}

/// Measures from the first batch to the last.
pub(crate) fn receive_many(load: &Load) -> Result<Figures, Failure> {
    let (queue, mut messages) = (load.open(&load.name)?, batch(load)?);
    let mut left = load.count - queue.receive_many(&mut messages)?;
    let (count, size) = (left, load.data()?.len());
    let mut watch = Stopwatch::start(load.count / STEP);
    let mut steps = count / STEP;
    while left > 0 {
        left = left.saturating_sub(queue.receive_many(&mut messages)?);
        if left / STEP < steps {
            steps = left / STEP;
            watch.step();
        }
    }
    let figures = watch.finish(size, count, STEP);
    MessageQueue::unlink(&load.name)?;
    Ok(figures)
}

pub(crate) fn pong(load: &Load) -> Result<(), Failure> {
    let [to, from] = load.pair();
    let (to, from) = (load.open(&to)?, load.open(&from)?);
    let mut data = load.data()?;
    for _ in 0..load.count {
        to.receive_into(&mut data)?;
        from.send(&data, 0)?;
    }
    Ok(())
}

pub(crate) fn ping(load: &Load) -> Result<Figures, Failure> {
    let names = load.pair();
    let [to_name, from_name] = &names;
    let (to, from) = (load.open(to_name)?, load.open(from_name)?);
    let (data, mut answer) = (load.data()?, load.data()?);
    // The first answer says that the other side has started.
    let mut watch = Stopwatch::start(0);
    for number in 0..load.count {
        to.send(&data, 0)?;
        from.receive_into(&mut answer)?;
        if number == 0 {
            watch = Stopwatch::start(load.count);
        } else {
            watch.step();
        }
    }
    let figures = watch.finish(data.len(), load.count.saturating_sub(1), 1);
    names
        .iter()
        .try_for_each(|name| MessageQueue::unlink(name))?;
    Ok(figures)
}

/// On the kernel's queues, where these tests run.
#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn load(test: &str) -> Load {
        let name = format!("/wasmpod-bench-{test}-{}", std::process::id());
        Load {
            name,
            size: 64,
            count: 1001,
            capacity: 10,
        }
    }

    #[test]
    fn one_side_receives_what_the_other_sends() {
        let load = load("one-way");
        let figures = thread::scope(|scope| {
            scope.spawn(|| send(&load).unwrap());
            receive(&load).unwrap()
        });
        assert_eq!((figures.size, figures.count, figures.step), (64, 1001, 100));
        assert!(0 < figures.p50_ns && figures.p50_ns <= figures.p99_ns);
    }

    #[test]
    fn one_side_receives_batches_of_what_the_other_sends() {
        let load = load("batches");
        let figures = thread::scope(|scope| {
            scope.spawn(|| send_many(&load).unwrap());
            receive_many(&load).unwrap()
        });
        assert!(figures.count < 1001 && figures.count >= 1001 - BATCH);
    }

    #[test]
    fn every_ping_is_answered() {
        let load = load("round-trip");
        let figures = thread::scope(|scope| {
            scope.spawn(|| pong(&load).unwrap());
            ping(&load).unwrap()
        });
        assert_eq!((figures.size, figures.count, figures.step), (64, 1000, 1));
    }
}
