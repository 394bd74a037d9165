//! Tests of the runtime on tiny guests (tests/guests/*.wat), through the sandbox's port.
//!
//! * `fixture`: a pod with everything that a container needs, and bounded waiting.
//! * `ends`: exit codes, traps, limits, stops, panics. `refusals`: what is not started at all.
//! * `streams`: standard input and output. `lifecycle`: termination and time. `cpu`: limits and weights.
//! * `wasip1_sockets`: sockets of core modules. `http`: HTTP components, and requests that guests send. `ipc`: every import for IPC.
//! * `sharing`: what containers of a pod do to each other. `cache`: code on disk across runtimes.

mod cache;
mod cpu;
mod ends;
mod fixture;
mod http;
mod ipc;
mod lifecycle;
mod refusals;
mod sharing;
mod streams;
mod wasip1_sockets;
