//! The end of a log as text, for `terminationMessagePolicy: FallbackToLogsOnError`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::container::ContainerLog;
use super::reader::{LogItem, LogOptions};

/// The last lines of an attempt that has ended: at most `max_lines`, and of those at most the last `max_bytes`.
///
/// # Errors
/// The log cannot be read.
pub async fn last_text(
    log: &Arc<ContainerLog>,
    max_lines: usize,
    max_bytes: usize,
) -> io::Result<String> {
    let tail = u64::try_from(max_lines).ok();
    let mut reader = log.read(LogOptions {
        tail,
        ..LogOptions::default()
    });
    let mut bytes = VecDeque::new();
    while let Some(item) = reader.next().await? {
        if let LogItem::Line(line) = item {
            bytes.extend(line.text);
            if !line.is_partial {
                bytes.push_back(b'\n');
            }
            let excess = bytes.len().saturating_sub(max_bytes);
            bytes.drain(..excess);
        }
    }
    Ok(String::from_utf8_lossy(bytes.make_contiguous()).into_owned())
}
