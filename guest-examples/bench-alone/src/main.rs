//! Loads of one container by itself: run where its start, its end or its waiting counts.
//!
//! ```text
//! bench-alone end      ends at once
//! bench-alone idle     waits, for as long as it may
//! bench-alone spin     computes without end, and never calls the host
//! bench-alone clock    tells what the clock says when it starts and when it ends
//! ```
//!
//! It imports WASI and nothing else, so that any runtime can run it.

use std::env;
use std::error::Error;
use std::hint;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One wait of an idle guest: far longer than any benchmark.
const WAIT: Duration = Duration::from_secs(24 * 3600);

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("end") => Ok(()),
        Some("idle") => idle(),
        Some("spin") => spin(),
        Some("clock") => clock(),
        role => Err(format!("no role {role:?}").into()),
    }
}

fn idle() -> ! {
    loop {
        thread::sleep(WAIT);
    }
}

fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = hint::black_box(count.wrapping_add(1));
    }
}

/// The wall clock is the only one that host and guests share; both times are read before anything is printed.
fn clock() -> Result<(), Box<dyn Error>> {
    let start_ns = unix_ns()?;
    let line = format!(
        "{{\"role\":\"clock\",\"start_ns\":{start_ns},\"end_ns\":{}}}",
        unix_ns()?
    );
    println!("{line}");
    Ok(())
}

fn unix_ns() -> Result<u128, Box<dyn Error>> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())
}
