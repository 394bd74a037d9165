//! Kubernetes' own node tests, played here: one row for each upstream test of the themes that a single pod can show.
//!
//! A row's id is the upstream test's name. A row that passes is a test of this program: it runs real guests in a pod on
//! virtual time, so that ten minutes of back-off take milliseconds. A row that differs or does not apply says why.
//! `docs/conformance.md` is made from the table (`BLESS=1 cargo nextest run --test conformance` writes it anew), and
//! where the list of upstream's tests is at hand the table is compared with it.
//!
//! Beside them the examples of Kubernetes' documentation, a row each.
//!
//! Two more modules hold what guests see of signals and of their streams, which upstream tests on processes:
//! `signals` and `streams`.
//!
//! In reading order: `table` (what a row is), `themes` and `examples` (the rows), `pod`, `node` and `host` (how a pod,
//! a whole agent, or an agent with its objects is played), `script` (guests that tell what they did when), `objects`,
//! `env`, `files`, `downward` and `stored` (what tests of environments and volumes share), `serving` (what those of
//! services share), `document` (the document).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too"
)]

mod document;
mod downward;
mod env;
mod examples;
mod files;
mod host;
mod node;
mod objects;
mod pod;
mod script;
mod serving;
mod signals;
mod stored;
mod streams;
mod table;
mod themes;
