//! The figures: what is measured, how, and the bar that is due.

mod cpu_limit;
mod density;
mod fairness;
mod first_page;
mod ipc;
mod lifecycle;
mod net;
mod sockets;
mod start;
mod wasi_http;
mod web;
mod whole_process;

use crate::bench::Bench;
use crate::row::Row;

/// Something that is measured and gives rows of the table.
pub(crate) struct Figure {
    /// What `cargo bench -- WORD` selects by.
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&Bench) -> anyhow::Result<Vec<Row>>,
}

/// All of them, in the order of the table.
pub(crate) const FIGURES: [Figure; 29] = [
    Figure {
        name: "container-start",
        measure: start::rows,
    },
    Figure {
        name: "whole-process",
        measure: whole_process::rows,
    },
    Figure {
        name: "first-page",
        measure: first_page::rows,
    },
    Figure {
        name: "density",
        measure: density::rows,
    },
    Figure {
        name: "echo",
        measure: sockets::echo,
    },
    Figure {
        name: "stream",
        measure: sockets::stream,
    },
    Figure {
        name: "web",
        measure: web::rows,
    },
    Figure {
        name: "net-connect",
        measure: net::connections,
    },
    Figure {
        name: "net-udp",
        measure: net::datagrams,
    },
    Figure {
        name: "net-idle",
        measure: net::idle,
    },
    Figure {
        name: "net-service",
        measure: net::service,
    },
    Figure {
        name: "net-publish",
        measure: net::publish,
    },
    Figure {
        name: "net-chain",
        measure: net::chain,
    },
    Figure {
        name: "wasi-http",
        measure: wasi_http::rows,
    },
    Figure {
        name: "fairness",
        measure: fairness::beside_a_loop,
    },
    Figure {
        name: "cpu-limit",
        measure: cpu_limit::rows,
    },
    Figure {
        name: "cpu-limit-neighbours",
        measure: cpu_limit::neighbours,
    },
    Figure {
        name: "idle-cpu",
        measure: fairness::idle,
    },
    Figure {
        name: "restart",
        measure: lifecycle::restart,
    },
    Figure {
        name: "readiness",
        measure: lifecycle::readiness,
    },
    Figure {
        name: "probes",
        measure: lifecycle::probes,
    },
    Figure {
        name: "ipc-queues",
        measure: ipc::queues,
    },
    Figure {
        name: "ipc-batches",
        measure: ipc::batches,
    },
    Figure {
        name: "ipc-round-trips",
        measure: ipc::round_trips,
    },
    Figure {
        name: "ipc-system-v-queues",
        measure: ipc::system_v,
    },
    Figure {
        name: "ipc-large-messages",
        measure: ipc::large,
    },
    Figure {
        name: "ipc-semaphores",
        measure: ipc::semaphores,
    },
    Figure {
        name: "ipc-memory",
        measure: ipc::memory,
    },
    Figure {
        name: "ipc-wake",
        measure: ipc::wake,
    },
];
