//! Many readers that wait, each at a queue of its own, and one that wakes them, one at a time. A message says when it
//! was sent, and its reader answers how late it came.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmpod_ipc::{Attributes, MessageQueue, OpenOptions};

use crate::Failure;
use crate::figures::Figures;
use crate::mq::Load;

/// How long a reader may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A queue of one message, a time.
fn open(name: &str) -> Result<MessageQueue, Failure> {
    let size = Attributes {
        max_messages: 1,
        message_size: 8,
    };
    let options = OpenOptions::new().read(true).write(true).create(true);
    Ok(MessageQueue::open(name, options.attributes(size))?)
}

fn answers(load: &Load) -> Result<MessageQueue, Failure> {
    let name = load.name.split('-').next().unwrap_or_default();
    open(&format!("{name}-answers"))
}

/// The clock of the machine: the others of guests begin when they do.
fn now() -> Result<u64, Failure> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(since_epoch.as_nanos())?)
}

/// Ends when its queue is asked for time 0.
pub(crate) fn wait(load: &Load) -> Result<(), Failure> {
    let (queue, answers) = (open(&load.name)?, answers(load)?);
    let mut data = Vec::new();
    loop {
        queue.receive_into(&mut data)?;
        let sent = data
            .first_chunk()
            .map_or(0, |time| u64::from_le_bytes(*time));
        if sent == 0 {
            return Ok(());
        }
        answers.send(&now()?.saturating_sub(sent).to_le_bytes(), 0)?;
    }
}

/// Wakes `count` times; `capacity` is how many wait.
pub(crate) fn wake(load: &Load) -> Result<Figures, Failure> {
    let answers = answers(load)?;
    let name = |reader: u32| format!("{}-{reader}", load.name);
    let queues: Result<Vec<_>, _> = (0..load.capacity)
        .map(|reader| open(&name(reader)))
        .collect();
    let queues = queues?;
    // All have answered once: they have started, and wait.
    for queue in &queues {
        queue.send(&now()?.to_le_bytes(), 0)?;
        answers.timed_receive(PATIENCE)?;
    }
    let start = Instant::now();
    let mut late = Vec::with_capacity(load.count);
    let mut data = Vec::new();
    for number in 0..load.count {
        // Far from each other: no two in a row are neighbours.
        let reader = number.wrapping_mul(617) % queues.len().max(1);
        let queue = queues.get(reader).ok_or("there is no reader")?;
        queue.send(&now()?.to_le_bytes(), 0)?;
        answers.receive_into(&mut data)?;
        late.push(
            data.first_chunk()
                .map_or(0, |time| u64::from_le_bytes(*time)),
        );
    }
    let figures = Figures::of(late, start.elapsed(), 8);
    for (reader, queue) in (0..load.capacity).zip(&queues) {
        queue.send(&0_u64.to_le_bytes(), 0)?;
        MessageQueue::unlink(&name(reader))?;
    }
    MessageQueue::unlink(&format!("{}-answers", load.name))?;
    Ok(figures)
}

/// On the kernel's queues, where these tests run.
#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn each_reader_is_woken_and_told_to_end() {
        let name = format!("/wasmpod_wake_{}", std::process::id());
        let load = |name: String| Load {
            name,
            size: 8,
            count: 30,
            capacity: 3,
        };
        let figures = thread::scope(|scope| {
            for reader in 0..3 {
                let load = load(format!("{name}-{reader}"));
                scope.spawn(move || wait(&load).unwrap());
            }
            wake(&load(name.clone())).unwrap()
        });
        assert_eq!(figures.count, 30);
    }
}
