//! Every bound of the reverse proxy, in one place: value, unit, source, and what happens at it.

use std::time::Duration;

/// Connections of clients that are served at a time, at all doors together. Further ones wait in the host kernel's listen
/// queue. Half of what nginx has for each of its processes here is still far above what one machine's pods serve.
pub const MAX_CONNECTIONS: usize = 1024;

/// The largest head of a request or answer, in bytes: nginx' four buffers of 8 KiB, doubled. A larger head of a request is
/// answered with 431, a larger one of an answer is a 502.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Header fields of a request or answer: hyper's default. More are answered with 431.
pub const MAX_HEADERS: usize = 100;

/// Requests of one HTTP/2 connection at a time: nginx' `http2_max_concurrent_streams`. Further ones wait at the client.
pub const MAX_STREAMS: u32 = 128;

/// Bytes that a client may send of one HTTP/2 request, and of all of a connection, before the pod has taken them: the
/// window of RFC 9113 6.9.2 and four of these.
pub const STREAM_WINDOW_BYTES: u32 = 65_535;
/// See [`STREAM_WINDOW_BYTES`].
pub const CONNECTION_WINDOW_BYTES: u32 = 4 * STREAM_WINDOW_BYTES;

/// How long a TLS handshake may take; then the connection is closed. A slow link needs a second.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of a request may take from when the connection could have one, so also how long a connection is kept
/// between two requests: half of nginx' `client_header_timeout`. Then it is closed.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long nothing may move on a client's connection: nginx' `keepalive_timeout`, longer than [`ANSWER_TIMEOUT`], so that a
/// client learns why. Then it is closed, and with it what it was waiting for.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long nothing may move on a connection that is no longer HTTP (a WebSocket): HAProxy's advice for `timeout tunnel`.
/// Then it is closed. Clients that are silent for longer send pings.
pub const TUNNEL_IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long a pod's full listen queue is waited for: `proxy-connect-timeout` of the Ingress controller for nginx. Then 504.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Endpoints that are tried before a request is refused, when nobody listens there: `proxy-next-upstream-tries` of the
/// Ingress controller for nginx. Nothing was sent yet, so this repeats no request.
pub const MAX_DIALS: usize = 3;

/// How long a pod may take to begin its answer after the last that it got of the request: `proxy-read-timeout` of the
/// Ingress controller for nginx. Then 504.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long nothing is accepted after the host refused it (for want of file descriptors, for example).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
