//! What one server takes on, so that no client costs more than its share.
//!
//! Clients are processes of the same user, so the limits guard against mistakes and runaway scripts: the process that
//! runs pods must not end up without file descriptors or memory because somebody watches.

use std::time::Duration;

/// How many connections are open at once. Each costs a file descriptor, of which a process has 1,024 by default, and up
/// to [`MAX_HEAD_BYTES`]. One more is answered with 429 at once and closed.
pub const MAX_CONNECTIONS: usize = 512;

/// How many of them may be requests that go on: watches, followed logs, `exec`, `attach`. Leaves room for short
/// requests, so that looking in stays possible. One more gets 429 `TooManyRequests`.
pub const MAX_LONG_REQUESTS: usize = 384;

/// The longest request body, in bytes, as in the API server (`MaxRequestBodyBytes`). A longer one gets 413.
pub const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

/// The longest head of a request, in bytes, and with it the read buffer of a connection. A command of `exec` stands in
/// it. A longer one gets 431.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The most headers of a request; Go's clients send a dozen. More get 431.
pub const MAX_HEADERS: usize = 64;

/// How long a connection may be idle or take for a request's head; Go's clients close idle connections after 90 s
/// themselves. It is closed then.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a request's body may take. The request gets 408 then.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a watch that wants bookmarks gets one; the API server's interval is about as long.
pub const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// How long requests may go on when the server ends.
pub const CLOSING_TIME: Duration = Duration::from_secs(1);

/// How many continued lists are remembered. A list that is forgotten gets 410 `Expired` at its next page, and begins
/// anew. A list holds pointers only, and the old copies of what changed since.
pub const MAX_PAGED_LISTS: usize = 16;

/// How long a continued list is remembered; etcd compacts as often.
pub const PAGED_LIST_TIME: Duration = Duration::from_secs(5 * 60);

/// When a client that got 429 may try again, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 1;
