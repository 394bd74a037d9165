//! What two programs do with one object: each waits for the other.

use wasmpod_ipc::system_v::{self, Operation, Selection};
use wasmpod_ipc::{Condition, Error, Mutex, OpenOptions, Semaphore, SharedMemory};

use crate::{Checks, eventually};

const ROUNDS: u32 = 200;

/// Places in the segment.
const MUTEX: u64 = 0;
const MOVED: u64 = 4;
const TURN: u64 = 8;
const COUNT: u64 = 16;
const SIZE: u64 = 4096;

/// Numbers in the set.
const TOKEN: u16 = 0;
const LOOK: u16 = 1;

pub(crate) fn first(checks: &mut Checks) -> Result<(), Error> {
    let ping = Semaphore::create(&checks.name("ping"), 0)?;
    let pong = Semaphore::create(&checks.name("pong"), 0)?;
    for _ in 0..ROUNDS {
        ping.post()?;
        pong.wait()?;
    }
    checks.holds("semaphores are handed over", ping.value()? == 0);

    let memory = open(checks)?;
    turns(checks, &memory, 0)?;

    let queue = system_v::MessageQueue::create(checks.key(4))?;
    queue.set_max_bytes(64)?;
    for number in 0..ROUNDS {
        queue.send(1, &number.to_le_bytes())?;
    }
    let mut data = Vec::new();
    let answer = Selection {
        message_type: 2,
        ..Selection::default()
    };
    let kind = queue.receive(answer, 16, &mut data)?;
    checks.holds(
        "all messages were answered",
        (kind, data.as_slice()) == (2, b"done"),
    );

    let set = system_v::SemaphoreSet::create(checks.key(5), 2)?;
    set.operate(&[Operation::new(TOKEN, 1)])?;
    set.operate(&[Operation::new(LOOK, -1)])?;
    set.operate(&[Operation::new(TOKEN, -1)])?;
    checks.holds("what was taken came back at the end", true);

    set.remove()?;
    queue.remove()?;
    SharedMemory::unlink(&checks.name("turns"))?;
    Semaphore::unlink(&checks.name("ping"))?;
    Semaphore::unlink(&checks.name("pong"))
}

pub(crate) fn second(checks: &mut Checks) -> Result<(), Error> {
    let ping = eventually(|| Semaphore::open(&checks.name("ping")))?;
    let pong = eventually(|| Semaphore::open(&checks.name("pong")))?;
    for _ in 0..ROUNDS {
        ping.wait()?;
        pong.post()?;
    }
    checks.holds("semaphores are handed over", ping.value()? == 0);

    let memory = open(checks)?;
    turns(checks, &memory, 1)?;

    let queue = system_v::MessageQueue::create(checks.key(4))?;
    let (mut data, mut in_order) = (Vec::new(), 0);
    for number in 0..ROUNDS {
        let message = Selection {
            message_type: 1,
            ..Selection::default()
        };
        queue.receive(message, 16, &mut data)?;
        in_order += u32::from(data == number.to_le_bytes());
    }
    checks.holds("messages come in order", in_order == ROUNDS);
    queue.send(2, b"done")?;

    // Ends with the token, which SEM_UNDO gives back.
    let set = system_v::SemaphoreSet::create(checks.key(5), 2)?;
    let take = Operation {
        undo: true,
        ..Operation::new(TOKEN, -1)
    };
    set.operate(&[take])?;
    set.operate(&[Operation::new(LOOK, 1)])
}

/// The bytes of a new segment are a free mutex, and nobody's turn but the first's.
fn open(checks: &Checks) -> Result<SharedMemory, Error> {
    let options = OpenOptions::new().write(true).create(true);
    let memory = SharedMemory::open(&checks.name("turns"), options)?;
    memory.truncate(SIZE)?;
    Ok(memory)
}

fn turns(checks: &mut Checks, memory: &SharedMemory, me: u32) -> Result<(), Error> {
    let (mutex, moved) = (Mutex::at(memory, MUTEX), Condition::at(memory, MOVED));
    for _ in 0..ROUNDS {
        let mut guard = mutex.lock()?;
        while memory.load32(TURN)? != me {
            guard = moved.wait(guard)?;
        }
        memory.swap32(TURN, 1 - me)?;
        // Not atomic, but under the mutex.
        let mut count = [0; 4];
        memory.read(COUNT, &mut count)?;
        memory.write(COUNT, &(u32::from_le_bytes(count) + 1).to_le_bytes())?;
        moved.signal()?;
        drop(guard);
    }
    let guard = mutex.lock()?;
    let count = memory.load32(COUNT)?;
    drop(guard);
    // The one who moves second is the last.
    checks.holds(
        "turns are taken, and all count",
        count >= 2 * ROUNDS - 1 + me,
    );
    Ok(())
}
