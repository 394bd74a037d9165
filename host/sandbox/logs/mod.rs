//! What containers print: one file per container attempt, in the CRI's log format, and readers of these files.
//!
//! * [`sink`]: where a guest's output goes ([`LogSink`])

mod sink;

pub use sink::{Capture, LogSink, Stream};
