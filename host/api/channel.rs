//! The channels of `exec` and `attach` (`k8s.io/apimachinery/pkg/util/remotecommand`): what both sides agree on.

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The protocol in which a channel can be closed alone.
pub(crate) const V5: &str = "v5.channel.k8s.io";
/// The one before it.
pub(crate) const V4: &str = "v4.channel.k8s.io";

pub(crate) const STDIN: u8 = 0;
pub(crate) const STDOUT: u8 = 1;
pub(crate) const STDERR: u8 = 2;
/// The final status.
pub(crate) const STATUS: u8 = 3;
/// The terminal's size, as `{"Width":80,"Height":24}`.
pub(crate) const RESIZE: u8 = 4;
/// The payload is the number of the channel that is closed (v5).
pub(crate) const CLOSE: u8 = 255;

/// The longest payload that is sent in one message, in bytes; `kubectl`'s buffers are as large.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 32 * 1024;

/// The longest message that is taken, in bytes: clients choose the size of what they send, and none is known to send
/// more than a pipe of Linux holds. A longer one ends the session.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// How much is kept for a peer that reads slowly, in bytes. A sender waits when it is full.
const MAX_UNSENT_BYTES: usize = 256 * 1024;

pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .read_buffer_size(MAX_PAYLOAD_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNSENT_BYTES)
}
