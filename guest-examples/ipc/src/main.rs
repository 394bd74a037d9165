//! The program of the built-in image `allingeek/ch6_ipc`: `./ipc -producer` and `./ipc -consumer`.
//!
//! The producer prints and sends 500 random bytes as hexadecimal text through the POSIX message queue
//! `/ch6_ipc`, then `done`, and removes the queue. The consumer prints what it receives up to `done`.
//! Like that image's program, any argument but `-producer` makes a consumer, and none a producer.
//!
//! Unlike it, the consumer may start first: see `exchange`, which says why no message is lost.

mod exchange;

use std::env;
use std::io;
use std::process::ExitCode;

use exchange::Failure;

/// The name that both containers know.
const QUEUE: &str = "/ch6_ipc";

fn main() -> ExitCode {
    let role = env::args_os().nth(1);
    let is_producer = role.is_none_or(|role| role == "-producer");
    let mut stdout = io::stdout().lock();
    let result = if is_producer {
        exchange::produce(QUEUE, &mut stdout)
    } else {
        exchange::consume(QUEUE, exchange::WAIT_FOR_PRODUCER, &mut stdout)
    };
    match result {
        // Nobody reads any more: that ends the program and is nobody's fault.
        Ok(()) | Err(Failure::Output(io::ErrorKind::BrokenPipe)) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ipc: {failure}");
            ExitCode::FAILURE
        }
    }
}
