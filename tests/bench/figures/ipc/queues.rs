//! Message queues, POSIX's and System V's: one way, in batches, there and back, and with large messages.

use std::path::Path;

use super::{Load, ROUNDS, of_kernel};
use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::row::{Bar, Row, Unit};
use crate::samples::{in_turns, repeat};

const SHORT: u32 = 64;
const LARGE: u32 = 65_536;
const COUNT: u32 = 1_000_000;
const ROUND_TRIPS: u32 = 30_000;
const LARGE_COUNT: u32 = 20_000;
/// Messages that a queue holds.
const FEW: u32 = 10;
const MANY: u32 = 1024;

/// Millions of messages a second.
fn millions(figures: &GuestFigures) -> anyhow::Result<f64> {
    Ok(figures.rate()? / 1e6)
}

fn p50_us(figures: &GuestFigures) -> anyhow::Result<f64> {
    Ok(figures.nanoseconds("p50_ns")? as f64 / 1e3)
}

fn mebibytes(figures: &GuestFigures) -> anyhow::Result<f64> {
    Ok(figures.bytes_per_second()? / f64::from(1 << 20))
}

/// A kind of queue, and what the kernel allows of it.
struct Kind {
    name: &'static str,
    receive: &'static str,
    send: &'static str,
    ping: &'static str,
    pong: &'static str,
    /// Messages of this size that the kernel's queue may hold.
    native_capacity: fn(u32) -> u32,
}

const POSIX: Kind = Kind {
    name: "message queue",
    receive: "mq-receive",
    send: "mq-send",
    ping: "mq-ping",
    pong: "mq-pong",
    native_capacity: |_| of_kernel("fs/mqueue/msg_max", 10),
};

const SYSTEM_V: Kind = Kind {
    name: "System V message queue",
    receive: "msg-receive",
    send: "msg-send",
    ping: "msg-ping",
    pong: "msg-pong",
    native_capacity: |size| of_kernel("kernel/msgmnb", 16_384) / size.max(1),
};

impl Kind {
    fn one_way(&self, capacity: u32) -> Load<'_> {
        Load {
            measures: self.receive,
            serves: Some(self.send),
            size: SHORT,
            count: COUNT,
            capacity: Some(capacity),
        }
    }

    /// The same load as the kernel allows it.
    fn native(&self, load: &Load<'_>) -> u32 {
        load.capacity
            .unwrap_or_default()
            .min((self.native_capacity)(load.size))
    }

    fn row(
        &self,
        bench: &Bench,
        guests: &str,
        module: &Path,
        capacity: u32,
        bar: f64,
    ) -> anyhow::Result<Row> {
        let ours = self.one_way(capacity);
        let twin = self.one_way(self.native(&ours));
        let what = format!(
            "{}, 64 bytes, capacity {capacity}, two {guests}; twin: the kernel's, capacity {}",
            self.name,
            twin.capacity.unwrap_or_default()
        );
        let (ours, twin) = in_turns(
            ROUNDS,
            || millions(&ours.in_pod(bench, module)?),
            || millions(&twin.native(bench)?),
        )?;
        let row = Row::new(what, Unit::MillionPerSecond, ours).twin(twin);
        Ok(row.bar(Bar::RatioAtLeast(bar)))
    }

    fn rows(&self, bench: &Bench) -> anyhow::Result<Vec<Row>> {
        Ok(vec![
            self.row(bench, "core modules", &bench.module, FEW, 4.0)?,
            self.row(bench, "core modules", &bench.module, MANY, 8.0)?,
            self.row(bench, "components", &bench.component, MANY, 1.5)?,
        ])
    }

    fn round_trip(&self, bench: &Bench, guests: &str, module: &Path) -> anyhow::Result<Row> {
        let load = Load {
            measures: self.ping,
            serves: Some(self.pong),
            size: SHORT,
            count: ROUND_TRIPS,
            capacity: Some(FEW),
        };
        let what = format!(
            "{}, round trip of 64 bytes over two of them, p50, two {guests}; twin: the kernel's",
            self.name
        );
        let (ours, twin) = in_turns(
            ROUNDS,
            || p50_us(&load.in_pod(bench, module)?),
            || p50_us(&load.native(bench)?),
        )?;
        let row = Row::new(what, Unit::Microseconds, ours).twin(twin);
        Ok(row.bar(Bar::RatioAtMost(0.3)))
    }

    /// `native_size`: the longest message that the kernel takes, up to ours.
    fn large(
        &self,
        bench: &Bench,
        guests: &str,
        module: &Path,
        native_size: u32,
    ) -> anyhow::Result<Row> {
        let load = |size: u32| Load {
            size,
            count: LARGE_COUNT,
            ..self.one_way(FEW)
        };
        let (ours, mut twin) = (load(LARGE), load(native_size));
        twin.capacity = Some(self.native(&twin).max(1));
        let what = format!(
            "{}, one way, 64 KiB messages, two {guests}; twin: the kernel's, messages of {native_size} bytes",
            self.name
        );
        let (ours, twin) = in_turns(
            ROUNDS,
            || mebibytes(&ours.in_pod(bench, module)?),
            || mebibytes(&twin.native(bench)?),
        )?;
        let row = Row::new(what, Unit::MebibytesPerSecond, ours).twin(twin);
        Ok(row.bar(Bar::RatioAtLeast(1.0)))
    }
}

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    POSIX.rows(bench)
}

pub(crate) fn system_v(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    SYSTEM_V.rows(bench)
}

/// The kernel has no such calls, so there is no twin.
pub(crate) fn batches(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let load = Load {
        measures: "mq-receive-many",
        serves: Some("mq-send-many"),
        count: 10 * COUNT,
        ..POSIX.one_way(MANY)
    };
    let row = |guests: &str, module: &Path, bar: f64| -> anyhow::Result<Row> {
        let ours = repeat(ROUNDS, || millions(&load.in_pod(bench, module)?))?;
        let what = format!("message queue, 64 bytes, capacity {MANY}, 32 in a call, two {guests}");
        Ok(Row::new(what, Unit::MillionPerSecond, ours).bar(Bar::AtLeast(bar)))
    };
    Ok(vec![
        row("core modules", &bench.module, 30.0)?,
        row("components", &bench.component, 10.0)?,
    ])
}

pub(crate) fn round_trips(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    Ok(vec![
        POSIX.round_trip(bench, "core modules", &bench.module)?,
        POSIX.round_trip(bench, "components", &bench.component)?,
        SYSTEM_V.round_trip(bench, "core modules", &bench.module)?,
    ])
}

pub(crate) fn large(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let posix_size = LARGE.min(of_kernel("fs/mqueue/msgsize_max", 8192));
    let system_v_size = LARGE.min(of_kernel("kernel/msgmax", 8192));
    Ok(vec![
        POSIX.large(bench, "core modules", &bench.module, posix_size)?,
        POSIX.large(bench, "components", &bench.component, posix_size)?,
        SYSTEM_V.large(bench, "core modules", &bench.module, system_v_size)?,
    ])
}
