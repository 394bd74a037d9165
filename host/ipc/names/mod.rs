//! The names of POSIX objects: what a name may be (`rules`), and which names there are (`registry`).

mod registry;
mod rules;

pub(crate) use registry::{Named, Names};
pub(crate) use rules::{parse_queue_name, parse_semaphore_name, parse_shared_memory_name};
