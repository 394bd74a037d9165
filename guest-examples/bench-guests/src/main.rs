//! Loads for the benchmarks: run in two containers of a pod, or natively as two processes.
//!
//! ```text
//! bench-guests tcp-echo    ADDRESS                    echoes one connection until its end
//! bench-guests tcp-ping    ADDRESS SIZE COUNT         round trips through tcp-echo
//! bench-guests tcp-sink    ADDRESS                    reads one connection until its end, answers how much
//! bench-guests tcp-stream  ADDRESS SIZE COUNT         writes one way into tcp-sink
//! bench-guests tcp-accept  ADDRESS 0 COUNT            accepts connections and closes them; without end if COUNT is 0
//! bench-guests tcp-connect ADDRESS 0 COUNT            makes connections one after the other
//! bench-guests tcp-serve   ADDRESS                    echoes connections one after the other, without end
//! bench-guests tcp-hold    ADDRESS 0 COUNT            accepts connections and holds them
//! bench-guests tcp-open    ADDRESS 0 COUNT            makes connections and holds them
//! bench-guests udp-echo    ADDRESS SIZE COUNT         echoes datagrams
//! bench-guests udp-ping    ADDRESS SIZE COUNT         round trips through udp-echo
//! bench-guests service     NAME:PORT NAME:PORT COUNT  connects to a Service, and to a pod behind it, in turns
//! bench-guests mq-send     NAME SIZE COUNT CAPACITY   sends one way into a message queue
//! bench-guests mq-receive  NAME SIZE COUNT CAPACITY   receives what mq-send sends, and measures
//! bench-guests mq-pong     NAME SIZE COUNT CAPACITY   sends back what it gets, over two queues
//! bench-guests mq-ping     NAME SIZE COUNT CAPACITY   round trips through mq-pong
//! bench-guests mq-send-many, mq-receive-many          as mq-send and mq-receive, 32 messages in a call
//! bench-guests mq-wait     NAME SIZE COUNT 1          answers how late each message of mq-wake is
//! bench-guests mq-wake     NAME SIZE COUNT READERS    wakes one of many mq-wait (NAME-0, NAME-1, …) at a time
//! bench-guests msg-send, msg-receive, msg-pong, msg-ping KEY SIZE COUNT CAPACITY   the same with System V's queues
//! bench-guests sem-alone   NAME 0 COUNT               posts and waits, one after the other
//! bench-guests sem-pong    NAME 0 COUNT               posts one semaphore when it got the other
//! bench-guests sem-ping    NAME 0 COUNT               hands over to sem-pong and back
//! bench-guests shm-mapped  NAME SIZE COUNT            copies into a mapped segment and out of it
//! bench-guests shm-copied  NAME SIZE COUNT            copies into a segment and out of it by calls
//! bench-guests shm-random  NAME 64 COUNT              reads 64 bytes at random places of a mapped segment of 16 MiB
//! ```
//!
//! The side that measures prints one line of JSON (`figures`); the other prints nothing. Either side
//! may start first. SIZE is in bytes, COUNT in messages; natively the machine limits CAPACITY
//! (`/proc/sys/fs/mqueue/msg_max`).

mod figures;
mod memory;
mod mq;
mod msg;
mod net;
mod semaphore;
mod tcp;
mod wake;

use std::env;
use std::process::ExitCode;
use std::str::FromStr;

/// A whole run's failure, in words.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-guests: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), Failure> {
    let role = argument::<String>(args, 0, "ROLE")?;
    let place = argument::<String>(args, 1, "ADDRESS, NAME or KEY")?;
    let size = || argument(args, 2, "SIZE");
    let count = || argument(args, 3, "COUNT");
    let queue_load = || -> Result<mq::Load, Failure> {
        let (name, size) = (place.clone(), argument(args, 2, "SIZE")?);
        Ok(mq::Load {
            name,
            size,
            count: count()?,
            capacity: argument(args, 4, "CAPACITY")?,
        })
    };
    let key_load = || -> Result<msg::Load, Failure> {
        Ok(msg::Load {
            key: argument(args, 1, "KEY")?,
            size: argument(args, 2, "SIZE")?,
            count: count()?,
            capacity: argument(args, 4, "CAPACITY")?,
        })
    };
    match role.as_str() {
        "tcp-echo" => tcp::echo(&place),
        "tcp-ping" => tcp::ping(&place, size()?, count()?).map(|figures| figures.print(&role)),
        "tcp-sink" => tcp::sink(&place),
        "tcp-stream" => tcp::stream(&place, size()?, count()?).map(|figures| figures.print(&role)),
        "tcp-accept" => net::accept(&place, count()?),
        "tcp-connect" => net::connections(&place, count()?).map(|figures| figures.print(&role)),
        "tcp-serve" => net::serve(&place, &role),
        "tcp-hold" => net::hold(&place, count()?, &role),
        "tcp-open" => net::open(&place, count()?, &role),
        "udp-echo" => net::udp_echo(&place, count()?),
        "udp-ping" => net::udp_ping(&place, size()?, count()?).map(|figures| figures.print(&role)),
        "service" => {
            let pod = argument::<String>(args, 2, "NAME:PORT")?;
            let [service, pod] = net::service(&place, &pod, count()?)?;
            service.print("service");
            pod.print("pod");
            Ok(())
        }
        "mq-send" => mq::send(&queue_load()?),
        "mq-receive" => mq::receive(&queue_load()?).map(|figures| figures.print(&role)),
        "mq-pong" => mq::pong(&queue_load()?),
        "mq-ping" => mq::ping(&queue_load()?).map(|figures| figures.print(&role)),
        "mq-send-many" => mq::send_many(&queue_load()?),
        "mq-receive-many" => mq::receive_many(&queue_load()?).map(|figures| figures.print(&role)),
        "mq-wait" => wake::wait(&queue_load()?),
        "mq-wake" => wake::wake(&queue_load()?).map(|figures| figures.print(&role)),
        "msg-send" => msg::send(&key_load()?),
        "msg-receive" => msg::receive(&key_load()?).map(|figures| figures.print(&role)),
        "msg-pong" => msg::pong(&key_load()?),
        "msg-ping" => msg::ping(&key_load()?).map(|figures| figures.print(&role)),
        "sem-alone" => semaphore::alone(&place, count()?).map(|figures| figures.print(&role)),
        "sem-pong" => semaphore::pong(&place, count()?),
        "sem-ping" => semaphore::ping(&place, count()?).map(|figures| figures.print(&role)),
        "shm-mapped" => {
            memory::mapped(&place, size()?, count()?).map(|figures| figures.print(&role))
        }
        "shm-copied" => {
            memory::copied(&place, size()?, count()?).map(|figures| figures.print(&role))
        }
        "shm-random" => {
            memory::random(&place, size()?, count()?).map(|figures| figures.print(&role))
        }
        _ => Err(format!("no role \"{role}\"").into()),
    }
}

fn argument<T: FromStr>(args: &[String], index: usize, name: &str) -> Result<T, Failure> {
    let text = args
        .get(index)
        .ok_or_else(|| format!("argument {name} is missing"))?;
    text.parse()
        .map_err(|_| format!("argument {name} cannot be \"{text}\"").into())
}
