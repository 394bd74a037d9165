//! The figures: what is measured, how, and the bar that is due.

mod cpu_limit;
mod density;
mod fairness;
mod first_page;
mod lifecycle;
mod queues;
mod sockets;
mod start;
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
pub(crate) const FIGURES: [Figure; 15] = [
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
        name: "queues",
        measure: queues::rows,
    },
];
