//! The two halves of the exchange.
//!
//! # Why nothing is lost when the consumer starts first
//!
//! The containers of a pod start together, so the consumer may look for the queue before the producer
//! has made it. The program after which this one is modelled gives up then, and the pod fails now and
//! then. Here the consumer looks again until the queue is there, for at most [`WAIT_FOR_PRODUCER`].
//! That it comes late costs no message:
//!
//! * The queue holds [`CAPACITY`] messages and the producer sends 501, so it cannot come to its end,
//!   where it removes the name, before somebody has received 491 of them. While the consumer looks
//!   for the name, the name is therefore there, or not there yet.
//! * Messages lie in the queue from the moment of sending; who opens it later receives the oldest first.
//! * Removing the name takes nothing from a consumer that has the queue open: the queue goes with the
//!   last descriptor.
//!
//! The producer does not insist on a queue of its own (no exclusive open, no removing of an old one
//! first). If the name exists, a producer of this pod was killed on its way and has been started
//! again, and a consumer may have that queue open: only in that one can they meet. Its capacity is
//! that of an earlier run of this program, so the first point holds. What the earlier run left in it
//! comes out first; nothing of an earlier *pod* can be in it, since queues end with their pod. (One
//! case stays open, as in the original: a producer killed between sending `done` and removing the
//! name has nobody to send to when it is started again.)

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use wasmpod_ipc::{Attributes, Error, MessageQueue, OpenOptions};

/// How long a consumer waits for the producer to make the queue. Source: half a minute is what a
/// neighbour's slow start (its image is fetched, its module compiled) may take. After it the consumer
/// says that there is no producer, and fails.
pub(crate) const WAIT_FOR_PRODUCER: Duration = Duration::from_secs(30);

/// The pause between two looks for the queue: too short to be noticed, too long to cost anything.
const PAUSE: Duration = Duration::from_millis(20);

/// Numbers that a producer makes.
const MESSAGES: usize = 500;
/// Messages that the queue holds; less than [`MESSAGES`], see above.
const CAPACITY: u32 = 10;
/// The longest message, in bytes.
const MESSAGE_SIZE: u32 = 1024;
/// The last message.
const DONE: &[u8] = b"done";

/// Why the program ends with 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No queue, however long one waited.
    NoProducer { name: String, waited: Duration },
    /// A call on the queue failed.
    Queue { name: String, error: Error },
    /// The output failed.
    Output(io::ErrorKind),
}

/// Makes the queue, sends the numbers and the end, closes the queue and removes its name.
pub(crate) fn produce(name: &str, out: &mut impl Write) -> Result<(), Failure> {
    let failed = |error| Failure::Queue {
        name: name.to_owned(),
        error,
    };
    let size = Attributes {
        max_messages: CAPACITY,
        message_size: MESSAGE_SIZE,
    };
    let options = OpenOptions::new().write(true).create(true).attributes(size);
    let queue = MessageQueue::open(name, options).map_err(failed)?;
    for number in random_bytes().take(MESSAGES) {
        let text = format!("{number:x}");
        print_line(out, "Produced", text.as_bytes())?;
        queue.send(text.as_bytes(), 0).map_err(failed)?;
    }
    queue.send(DONE, 0).map_err(failed)?;
    drop(queue);
    MessageQueue::unlink(name).map_err(failed)
}

/// Prints each message up to the end, which it prints too. Waits for the queue if it is not there.
pub(crate) fn consume(name: &str, patience: Duration, out: &mut impl Write) -> Result<(), Failure> {
    let queue = wait_for_queue(name, patience, || thread::sleep(PAUSE))?;
    print_messages(name, &queue, out)
}

fn print_messages(name: &str, queue: &MessageQueue, out: &mut impl Write) -> Result<(), Failure> {
    let failed = |error| Failure::Queue {
        name: name.to_owned(),
        error,
    };
    let mut text = Vec::new();
    while text != DONE {
        queue.receive_into(&mut text).map_err(failed)?;
        print_line(out, "Consumed", &text)?;
    }
    Ok(())
}

/// Opens the queue as soon as it is there; pauses after each look that did not find it.
fn wait_for_queue(
    name: &str,
    patience: Duration,
    pause: impl Fn(),
) -> Result<MessageQueue, Failure> {
    let start = Instant::now();
    loop {
        match MessageQueue::open(name, OpenOptions::new().read(true)) {
            Err(Error::NoEntry) if start.elapsed() < patience => pause(),
            Err(Error::NoEntry) => {
                return Err(Failure::NoProducer {
                    name: name.to_owned(),
                    waited: patience,
                });
            }
            Err(error) => {
                return Err(Failure::Queue {
                    name: name.to_owned(),
                    error,
                });
            }
            Ok(queue) => return Ok(queue),
        }
    }
}

/// Bytes that differ from run to run. `RandomState` is seeded by the system; no more is needed here.
fn random_bytes() -> impl Iterator<Item = u8> {
    let seed = RandomState::new();
    (0_u64..).map(move |number| {
        let [byte, ..] = seed.hash_one(number).to_le_bytes();
        byte
    })
}

/// One line, out at once: whoever watches the log sees each message when it happens.
fn print_line(out: &mut impl Write, verb: &str, text: &[u8]) -> Result<(), Failure> {
    let mut line = Vec::with_capacity(64);
    for part in [verb.as_bytes(), b": ", text, b"\n"] {
        line.extend_from_slice(part);
    }
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Output(error.kind()))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProducer { name, waited } => {
                let seconds = waited.as_secs();
                write!(
                    f,
                    "the producer has not been started: no queue {name} after {seconds} s"
                )
            }
            Self::Queue { name, error } => write!(f, "queue {name}: {error}"),
            Self::Output(kind) => write!(f, "output: {kind}"),
        }
    }
}

/// On the kernel's queues, where these tests run; each has a name of its own.
#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Once};

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_secs(20);

    fn name(test: &str) -> String {
        format!("/wasmpod-{test}-{}", std::process::id())
    }

    fn lines(out: &[u8], verb: &str) -> Vec<String> {
        let prefix = format!("{verb}: ");
        let text = std::str::from_utf8(out).unwrap();
        text.lines()
            .map(|line| line.strip_prefix(&prefix).unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_consumer_that_starts_first_receives_every_message_in_order() {
        let name = name("consumer-first");
        let (mut produced, mut consumed) = (Vec::new(), Vec::new());
        let has_looked = Barrier::new(2);
        thread::scope(|scope| {
            let (name, has_looked, consumed) = (&name, &has_looked, &mut consumed);
            scope.spawn(move || {
                let first = Once::new();
                let pause = || {
                    first.call_once(|| {
                        has_looked.wait();
                    });
                    thread::sleep(PAUSE);
                };
                let queue = wait_for_queue(name, PATIENCE, pause).unwrap();
                print_messages(name, &queue, consumed).unwrap();
            });
            has_looked.wait();
            produce(name, &mut produced).unwrap();
        });
        let mut expected = lines(&produced, "Produced");
        assert_eq!(expected.len(), 500);
        expected.push("done".to_owned());
        assert_eq!(lines(&consumed, "Consumed"), expected);
        assert_eq!(MessageQueue::unlink(&name), Err(Error::NoEntry));
    }

    #[test]
    fn a_queue_of_a_producer_that_was_killed_is_used_again() {
        let name = name("leftover");
        let size = Attributes {
            max_messages: CAPACITY,
            message_size: MESSAGE_SIZE,
        };
        let left = OpenOptions::new().write(true).create(true).attributes(size);
        MessageQueue::open(&name, left)
            .unwrap()
            .send(b"left", 0)
            .unwrap();
        let (mut produced, mut consumed) = (Vec::new(), Vec::new());
        thread::scope(|scope| {
            scope.spawn(|| produce(&name, &mut produced).unwrap());
            consume(&name, PATIENCE, &mut consumed).unwrap();
        });
        let consumed = lines(&consumed, "Consumed");
        assert_eq!((consumed.len(), consumed[0].as_str()), (502, "left"));
        assert_eq!(consumed[1..501], lines(&produced, "Produced"));
    }

    #[test]
    fn without_a_producer_the_consumer_says_so_and_fails() {
        let name = name("no-producer");
        let failure = consume(&name, SOON, &mut io::sink()).unwrap_err();
        assert_eq!(
            failure,
            Failure::NoProducer {
                name: name.clone(),
                waited: SOON
            }
        );
        let message = format!("the producer has not been started: no queue {name} after 0 s");
        assert_eq!(failure.to_string(), message);
    }

    #[test]
    fn the_numbers_are_spread_over_all_bytes() {
        let mut seen = [false; 256];
        for byte in random_bytes().take(10_000) {
            seen[usize::from(byte)] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
        assert!(random_bytes().take(32).ne(random_bytes().take(32)));
    }
}
