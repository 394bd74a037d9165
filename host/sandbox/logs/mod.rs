//! What containers print: one file per container attempt, in the CRI's log format, and readers of these files.
//!
//! * `sink`: where a guest's output goes ([`LogSink`])
//! * `format`: one entry of a file
//! * `file`: the files of one attempt, and their rotation ([`LogFile`])
//! * `container`: the attempts of a container, the containers of a pod ([`PodLogs`])
//! * `reader`: reading and following ([`LogReader`])
//! * `merged`: several readers as one, in the order in which things were said ([`MergedLogs`])
//!
//! The way of a byte is guest, file, reader; there is no other. So a slow reader holds up nobody, memory is bounded
//! by one entry for each stream and one block for each reader, and what was printed before a kill can be read.

mod container;
mod file;
mod format;
mod merged;
mod reader;
mod sink;
mod tail;
#[cfg(test)]
mod tests;

pub use container::{ContainerLog, MAX_LOGGED_ATTEMPTS, PodLogs};
pub use file::{LogFile, LogLimits, MAX_LOG_FILE_BYTES, MAX_LOG_FILES};
pub use format::MAX_ENTRY_TEXT_BYTES;
pub use merged::{MAX_HELD_LINES, MergedLogs};
pub use reader::{LogItem, LogLine, LogOptions, LogReader, READ_BYTES};
pub use sink::{Capture, LogSink, Stream};
pub use tail::last_text;
