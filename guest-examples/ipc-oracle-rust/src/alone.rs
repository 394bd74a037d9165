//! What one program can see by itself: values, sizes, and the errors of each object.

use std::time::Duration;

use wasmpod_ipc::system_v::{self, Operation, Selection};
use wasmpod_ipc::{
    Attributes, Condition, Error, Message, MessageQueue, Mutex, OpenOptions, Semaphore,
    SharedMemory,
};

use crate::Checks;

const SOON: Duration = Duration::from_millis(10);

pub(crate) fn run(checks: &mut Checks) -> Result<(), Error> {
    queue(checks)?;
    semaphore(checks)?;
    memory(checks)?;
    system_v_queue(checks)?;
    system_v_set(checks)?;
    system_v_segment(checks)
}

fn queue(checks: &mut Checks) -> Result<(), Error> {
    let name = checks.name("queue");
    let size = Attributes {
        max_messages: 4,
        message_size: 16,
    };
    let options = OpenOptions::new().read(true).write(true).create(true);
    let queue = MessageQueue::open(&name, options.exclusive(true).attributes(size))?;
    let again = MessageQueue::open(&name, options.exclusive(true));
    checks.fails("an exclusive open fails", again, Error::AlreadyExists);
    let message = |number: u8| Message {
        data: vec![number; 3],
        priority: number.into(),
    };
    let sent = queue.send_many(&[1, 2, 3, 4, 5, 6].map(message))?;
    checks.holds("of a batch as much is sent as there is space", sent == 4);
    let mut received = vec![Message::default(); 6];
    let count = queue.receive_many(&mut received)?;
    let numbers: Vec<_> = received
        .iter()
        .take(count)
        .map(|message| message.priority)
        .collect();
    checks.holds("a batch comes by priority", numbers == [4, 3, 2, 1]);
    let is_whole = received.first() == Some(&message(4));
    checks.holds("with all its bytes", is_whole);
    checks.fails(
        "an empty queue gives nothing",
        queue.timed_receive(SOON),
        Error::TimedOut,
    );
    notified(checks, &queue)?;
    queue.set_nonblocking(true)?;
    checks.fails("nor does it wait", queue.receive(), Error::WouldBlock);
    checks.fails(
        "a message may be too long",
        queue.send(&[0; 17], 0),
        Error::MessageTooLong,
    );
    MessageQueue::unlink(&name)
}

fn notified(checks: &mut Checks, queue: &MessageQueue) -> Result<(), Error> {
    let mut notification = queue.notify()?;
    checks.fails("one is notified at a time", queue.notify(), Error::Busy);
    let early = notification.timed_wait(SOON);
    checks.fails("not before a message comes", early, Error::TimedOut);
    queue.send(b"news", 0)?;
    notification.wait()?;
    notification.timed_wait(SOON)?;
    checks.holds("a message notifies", queue.receive()?.data == b"news");
    drop(notification);
    drop(queue.notify()?);
    checks.holds("a request is taken back", queue.notify().is_ok());
    Ok(())
}

fn semaphore(checks: &mut Checks) -> Result<(), Error> {
    let name = checks.name("semaphore");
    checks.fails(
        "no semaphore is there",
        Semaphore::open(&name),
        Error::NoEntry,
    );
    let semaphore = Semaphore::create_new(&name, 2)?;
    let again = Semaphore::create_new(&name, 2);
    checks.fails("its name is taken", again, Error::AlreadyExists);
    semaphore.wait()?;
    semaphore.timed_wait(SOON)?;
    checks.holds("two were taken", semaphore.value()? == 0);
    checks.fails(
        "trying gives nothing",
        semaphore.try_wait(),
        Error::WouldBlock,
    );
    checks.fails("waiting ends", semaphore.timed_wait(SOON), Error::TimedOut);
    Semaphore::create(&name, 7)?.post()?;
    checks.holds(
        "another descriptor has the same value",
        semaphore.value()? == 1,
    );
    Semaphore::unlink(&name)
}

fn memory(checks: &mut Checks) -> Result<(), Error> {
    let name = checks.name("memory");
    let read = OpenOptions::new();
    checks.fails(
        "no segment is there",
        SharedMemory::open(&name, read),
        Error::NoEntry,
    );
    let memory = SharedMemory::open(&name, read.write(true).create(true))?;
    checks.holds("a new segment is empty", memory.size()? == 0);
    memory.truncate(100_000)?;
    memory.write(99_990, b"0123456789")?;
    let mut bytes = [1; 16];
    checks.holds(
        "reading ends with it",
        memory.read(99_995, &mut bytes)? == 5,
    );
    checks.holds("byte for byte", bytes.starts_with(b"56789\x01"));
    checks.fails(
        "writing does not make it larger",
        memory.write(99_995, &[0; 6]),
        Error::Invalid,
    );
    let added = memory.add32(8, 5)? == 0 && memory.add32(8, u32::MAX)? == 5;
    checks.holds("adding goes round", added && memory.load32(8)? == 4);
    let exchanged = memory.compare_exchange64(16, 0, 1 << 40)? == 0;
    let kept = memory.compare_exchange64(16, 0, 1)? == 1 << 40;
    checks.holds(
        "comparing decides",
        exchanged && kept && memory.swap64(16, 3)? == 1 << 40,
    );
    checks.holds(
        "64 bits are added to",
        memory.add64(16, 1)? == 3 && memory.load64(16)? == 4,
    );
    checks.fails("a number has its place", memory.load32(6), Error::Invalid);
    checks.fails(
        "another number is not waited for",
        memory.wait(8, 5, None),
        Error::WouldBlock,
    );
    checks.fails(
        "waiting ends",
        memory.wait(8, 4, Some(SOON)),
        Error::TimedOut,
    );
    checks.holds("nobody is woken", memory.wake(8, 1)? == 0);
    let mutex = Mutex::at(&memory, 32);
    let guard = mutex.lock()?;
    checks.fails(
        "a mutex is locked once",
        mutex.try_lock(),
        Error::WouldBlock,
    );
    drop(guard);
    drop(mutex.try_lock()?);
    Condition::at(&memory, 36).broadcast()?;
    let reader = SharedMemory::open(&name, read)?;
    checks.fails(
        "a reader does not write",
        reader.write(0, b"x"),
        Error::Access,
    );
    mapped(checks, &memory)?;
    SharedMemory::unlink(&name)
}

/// A component has no mappings, and says the same without them.
#[cfg(all(target_os = "wasi", target_env = "p2"))]
fn mapped(checks: &mut Checks, _: &SharedMemory) -> Result<(), Error> {
    checks.holds("a mapping shows the segment", true);
    Ok(())
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
fn mapped(checks: &mut Checks, memory: &SharedMemory) -> Result<(), Error> {
    use std::sync::atomic::Ordering::SeqCst;

    let map = memory.map(true)?;
    let mut bytes = [0; 10];
    map.read(99_990, &mut bytes)?;
    map.write(50_000, b"mapped")?;
    let mut copied = [0; 6];
    memory.read(50_000, &mut copied)?;
    map.atomic32(40)?.store(9, SeqCst);
    let is_one = &bytes == b"0123456789" && &copied == b"mapped" && memory.load32(40)? == 9;
    let ends = map.len() == 100_000 && map.read(99_991, &mut bytes) == Err(Error::Invalid);
    checks.holds(
        "a mapping shows the segment",
        is_one && ends && map.atomic64(1).is_err(),
    );
    Ok(())
}

fn system_v_queue(checks: &mut Checks) -> Result<(), Error> {
    let key = checks.key(0);
    checks.fails(
        "no queue has this key",
        system_v::MessageQueue::get(key),
        Error::NoEntry,
    );
    let queue = system_v::MessageQueue::create_new(key)?;
    checks.holds(
        "the key leads to it",
        system_v::MessageQueue::create(key)? == queue,
    );
    for (message_type, text) in [(5, "five"), (3, "three"), (9, "nine")] {
        queue.send(message_type, text.as_bytes())?;
    }
    let mut data = Vec::new();
    let mut take = |message_type, except| {
        let select = Selection {
            message_type,
            except,
            truncate: false,
        };
        queue.try_receive(select, 16, &mut data)
    };
    let chosen = take(-4, false)? == 3 && take(5, true)? == 9;
    checks.holds("types choose", chosen);
    checks.fails("no message has this type", take(7, false), Error::NoMessage);
    let long = queue.try_receive(Selection::default(), 2, &mut data);
    checks.fails("a long message stays", long, Error::TooBig);
    let cut = Selection {
        truncate: true,
        ..Selection::default()
    };
    let kind = queue.receive(cut, 2, &mut data)?;
    checks.holds("or is cut", kind == 5 && data == b"fi");
    queue.set_max_bytes(8)?;
    queue.send(1, b"12345678")?;
    checks.fails(
        "a full queue takes nothing",
        queue.try_send(1, b"9"),
        Error::WouldBlock,
    );
    checks.fails(
        "nor after a while",
        queue.timed_send(1, b"9", SOON),
        Error::TimedOut,
    );
    let status = queue.status()?;
    checks.holds(
        "it tells of itself",
        (status.messages, status.max_bytes) == (1, 8),
    );
    system_v_batch(checks, queue)?;
    queue.remove()?;
    checks.fails("a removed queue is no more", queue.status(), Error::Invalid);
    Ok(())
}

/// The queue has one message of 8 bytes, and room for no more.
fn system_v_batch(checks: &mut Checks, queue: system_v::MessageQueue) -> Result<(), Error> {
    let mut data = Vec::new();
    let any = Selection::default();
    queue.timed_receive(any, 16, &mut data, SOON)?;
    checks.holds("a message is there in time", data == b"12345678");
    let late = queue.timed_receive(any, 16, &mut data, SOON);
    checks.fails("or the time is over", late, Error::TimedOut);
    let message = |number: u8| system_v::Message {
        message_type: number.into(),
        data: vec![number; 3],
    };
    let sent = queue.send_many(&[3, 1, 2].map(message))?;
    checks.holds("of a batch as much is sent as there is space", sent == 2);
    let lowest = Selection {
        message_type: -9,
        ..any
    };
    let mut received = vec![system_v::Message::default(); 4];
    let count = queue.receive_many(lowest, 16, &mut received)?;
    received.truncate(count);
    checks.holds("a batch comes as chosen", received == [1, 3].map(message));
    Ok(())
}

fn system_v_set(checks: &mut Checks) -> Result<(), Error> {
    let set = system_v::SemaphoreSet::create_new(checks.key(1), 2)?;
    set.set_value(0, 3)?;
    let no_wait = Operation {
        no_wait: true,
        ..Operation::new(1, -1)
    };
    let both = set.operate(&[Operation::new(0, -3), no_wait]);
    checks.fails("all or none", both, Error::WouldBlock);
    checks.holds("none it was", set.status(0)?.value == 3);
    set.operate(&[
        Operation::new(0, -3),
        Operation::new(1, 1),
        Operation::new(0, 0),
    ])?;
    checks.holds("all it was", set.status(1)?.value == 1);
    let in_time = set.timed_operate(&[Operation::new(1, -2)], SOON);
    checks.holds("a wait ends in time", in_time.is_err());
    let beyond = set.operate(&[Operation::new(2, 1)]);
    checks.fails("a set has its size", beyond, Error::FileTooBig);
    let many = vec![Operation::new(0, 1); 20];
    set.operate(&many)?;
    checks.holds("many operations at once", set.status(0)?.value == 20);
    set.remove()
}

fn system_v_segment(checks: &mut Checks) -> Result<(), Error> {
    let segment = system_v::Segment::create_new(checks.key(2), 5000)?;
    let memory = segment.attach(false)?;
    memory.write(0, b"attached")?;
    let reader = segment.attach(true)?;
    let mut bytes = [0; 8];
    reader.read(0, &mut bytes)?;
    checks.holds("two attach one segment", &bytes == b"attached");
    checks.fails(
        "a reader does not write",
        reader.write(0, b"x"),
        Error::Access,
    );
    let status = segment.status()?;
    checks.holds(
        "it tells how often",
        (status.size, status.attached) == (5000, 2),
    );
    segment.remove()?;
    let by_key = system_v::Segment::get(checks.key(2));
    checks.fails("its key is free", by_key, Error::NoEntry);
    checks.holds(
        "it stays while it is attached",
        reader.load32(0)? == u32::from_le_bytes(*b"atta"),
    );
    Ok(())
}
