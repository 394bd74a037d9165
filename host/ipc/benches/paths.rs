//! The paths that every message and every lock takes, measured alone: `cargo bench -p wasmpod-ipc`.
//!
//! One thread, nobody else: what is measured is the crate, not the engine and not the scheduler. The
//! best of several rounds is shown, because everything else only adds.

#![expect(clippy::print_stdout, reason = "its output is the measurement")]
#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::hint::black_box;
use std::time::Instant;

use wasmpod_ipc::sysv::semaphore_set::SemOp;
use wasmpod_ipc::sysv::{GetFlags, Select};
use wasmpod_ipc::{AtomicOp, Attributes, IpcLimits, OpenFlags, PodIpc};

const ROUNDS: u32 = 15;

/// Prints nanoseconds for each of `count` operations that one call of `run` does.
fn measure(name: &str, count: u32, mut run: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
        })
        .fold(f64::INFINITY, f64::min);
    println!("{name:<44} {best:>8.1} ns  {:>8.2} M/s", 1e3 / best);
}

fn main() {
    let mut limits = IpcLimits::default();
    limits.set_sysctl("kernel.msgmnb", "65536").unwrap();
    let pod = PodIpc::new(limits);
    let container = pod.attach("main");
    let both = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE;
    let data = [7; 64];
    let mut buffer = [0; 64];

    for capacity in [10_u32, 1024] {
        let size = Attributes {
            max_messages: capacity,
            message_bytes: 64,
        };
        let queue = container
            .mq_open(&format!("/q{capacity}"), both, Some(size))
            .unwrap();
        let fills = 1_000_000 / capacity;
        measure(
            &format!("mq send + receive, 64 B, {capacity} at a time"),
            fills * capacity,
            || {
                for _ in 0..fills {
                    for _ in 0..capacity {
                        queue.try_send(black_box(&data), 0).unwrap();
                    }
                    for _ in 0..capacity {
                        queue.try_receive(black_box(&mut buffer)).unwrap();
                    }
                }
            },
        );
    }

    let id = container.msg_get(1, GetFlags::CREATE).unwrap();
    let queue = container.msg_queue(id).unwrap();
    for (name, select) in [("any type", Select::Any), ("its type", Select::Type(1))] {
        measure(
            &format!("msg send + receive, 64 B, 1000 at a time, {name}"),
            1_000_000,
            || {
                for _ in 0..1000 {
                    for _ in 0..1000 {
                        queue.try_send(1, black_box(&data)).unwrap();
                    }
                    for _ in 0..1000 {
                        let copy = |data: &[u8], _| buffer.copy_from_slice(data);
                        queue.try_receive(select, 64, false, copy).unwrap();
                    }
                }
            },
        );
    }

    let semaphore = container.sem_open("/s", OpenFlags::CREATE, 0).unwrap();
    measure("sem post + wait", 1_000_000, || {
        for _ in 0..1_000_000 {
            semaphore.post().unwrap();
            semaphore.try_wait().unwrap();
        }
    });

    let id = container.sem_get(1, 1, GetFlags::CREATE).unwrap();
    let set = container.semaphore_set(id).unwrap();
    for undo in [false, true] {
        let op = |change| SemOp {
            number: 0,
            change,
            no_wait: false,
            undo,
        };
        measure(&format!("semop up + down, undo {undo}"), 1_000_000, || {
            for _ in 0..1_000_000 {
                set.try_operate(black_box(&[op(1)])).unwrap();
                set.try_operate(black_box(&[op(-1)])).unwrap();
            }
        });
    }

    let shared = container.shm_open("/m", both).unwrap();
    shared.truncate(16 << 20).unwrap();
    let segment = shared.segment().unwrap();
    measure("atomic add of 32 bits, plain memory", 1_000_000, || {
        for _ in 0..1_000_000 {
            segment.update_u32(black_box(64), AtomicOp::Add(1)).unwrap();
        }
    });
    for bytes in [64_usize, 4096, 65_536, 1 << 20] {
        let mut block = vec![1; bytes];
        let count = u32::try_from((64 << 20) / bytes).unwrap().min(1_000_000);
        let mut time = |name: &str, copy: &mut dyn FnMut(u64, &mut [u8])| {
            measure(&format!("{name} of {bytes} B, plain memory"), count, || {
                for number in 0..u64::from(count) {
                    let offset = number * u64::try_from(bytes).unwrap() % (16 << 20);
                    copy(offset, black_box(&mut block));
                }
            });
        };
        time("write", &mut |offset, block| {
            segment.write(offset, block).unwrap();
        });
        time("read", &mut |offset, block| {
            segment.read(offset, block);
        });
    }
    let from = vec![1_u8; 1 << 20];
    let mut to = vec![0_u8; 1 << 20];
    measure("memcpy of 1 MiB, for comparison", 64, || {
        for _ in 0..64 {
            black_box(&mut to).copy_from_slice(black_box(&from));
        }
    });
}
