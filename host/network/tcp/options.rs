//! Options of a TCP socket: stored, bounded, given back.
//!
//! The buffer sizes truly bound a connection. Keep-alive and hop limit are kept for programs that set and read them; a
//! network that loses nothing sends no probes. Bounds are those of Linux `tcp(7)`, as `wasi:sockets` allows rounding.

use std::time::Duration;

use crate::Errno;
use crate::limits::{
    DEFAULT_RECEIVE_BUFFER_BYTES, DEFAULT_SEND_BUFFER_BYTES, LISTEN_BACKLOG, MAX_BUFFER_BYTES,
    MIN_BUFFER_BYTES, SOMAXCONN,
};

/// The longest keep-alive time, in seconds: Linux `MAX_TCP_KEEPIDLE`. A longer one is cut to it.
const MAX_KEEP_ALIVE_SECONDS: u64 = 32767;

/// The most keep-alive probes: Linux `MAX_TCP_KEEPCNT`. More are cut to it.
const MAX_KEEP_ALIVE_COUNT: u32 = 127;

/// A socket's options. Accepted sockets begin with their listener's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    keep_alive: bool,
    keep_alive_idle: Duration,
    keep_alive_interval: Duration,
    keep_alive_count: u32,
    hop_limit: u8,
    send_buffer_bytes: usize,
    receive_buffer_bytes: usize,
    backlog: usize,
}

impl Default for TcpOptions {
    /// Linux' defaults: `tcp_keepalive_time` 7200 s, `tcp_keepalive_intvl` 75 s, `tcp_keepalive_probes` 9,
    /// `ip_default_ttl` 64.
    fn default() -> Self {
        Self {
            keep_alive: false,
            keep_alive_idle: Duration::from_secs(7200),
            keep_alive_interval: Duration::from_secs(75),
            keep_alive_count: 9,
            hop_limit: 64,
            send_buffer_bytes: DEFAULT_SEND_BUFFER_BYTES,
            receive_buffer_bytes: DEFAULT_RECEIVE_BUFFER_BYTES,
            backlog: LISTEN_BACKLOG,
        }
    }
}

impl TcpOptions {
    /// `SO_KEEPALIVE`.
    #[must_use]
    pub const fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Sets `SO_KEEPALIVE`.
    pub const fn set_keep_alive(&mut self, on: bool) {
        self.keep_alive = on;
    }

    /// `TCP_KEEPIDLE`.
    #[must_use]
    pub const fn keep_alive_idle(&self) -> Duration {
        self.keep_alive_idle
    }

    /// Sets `TCP_KEEPIDLE`, rounded to 1 s to 32767 s.
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_keep_alive_idle(&mut self, idle: Duration) -> Result<(), Errno> {
        self.keep_alive_idle = whole_seconds(idle)?;
        Ok(())
    }

    /// `TCP_KEEPINTVL`.
    #[must_use]
    pub const fn keep_alive_interval(&self) -> Duration {
        self.keep_alive_interval
    }

    /// Sets `TCP_KEEPINTVL`, rounded to 1 s to 32767 s.
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_keep_alive_interval(&mut self, interval: Duration) -> Result<(), Errno> {
        self.keep_alive_interval = whole_seconds(interval)?;
        Ok(())
    }

    /// `TCP_KEEPCNT`.
    #[must_use]
    pub const fn keep_alive_count(&self) -> u32 {
        self.keep_alive_count
    }

    /// Sets `TCP_KEEPCNT`, cut to 127.
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_keep_alive_count(&mut self, count: u32) -> Result<(), Errno> {
        self.keep_alive_count = if count == 0 {
            return Err(Errno::Inval);
        } else {
            count.min(MAX_KEEP_ALIVE_COUNT)
        };
        Ok(())
    }

    /// `IP_TTL` or `IPV6_UNICAST_HOPS`.
    #[must_use]
    pub const fn hop_limit(&self) -> u8 {
        self.hop_limit
    }

    /// Sets `IP_TTL` or `IPV6_UNICAST_HOPS`.
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub const fn set_hop_limit(&mut self, hops: u8) -> Result<(), Errno> {
        if hops == 0 {
            return Err(Errno::Inval);
        }
        self.hop_limit = hops;
        Ok(())
    }

    /// `SO_SNDBUF` in bytes.
    #[must_use]
    pub const fn send_buffer_bytes(&self) -> usize {
        self.send_buffer_bytes
    }

    /// Sets `SO_SNDBUF`, rounded to [`MIN_BUFFER_BYTES`] to [`MAX_BUFFER_BYTES`].
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_send_buffer_bytes(&mut self, bytes: u64) -> Result<(), Errno> {
        self.send_buffer_bytes = buffer_bytes(bytes)?;
        Ok(())
    }

    /// `SO_RCVBUF` in bytes.
    #[must_use]
    pub const fn receive_buffer_bytes(&self) -> usize {
        self.receive_buffer_bytes
    }

    /// Sets `SO_RCVBUF`, rounded to [`MIN_BUFFER_BYTES`] to [`MAX_BUFFER_BYTES`].
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_receive_buffer_bytes(&mut self, bytes: u64) -> Result<(), Errno> {
        self.receive_buffer_bytes = buffer_bytes(bytes)?;
        Ok(())
    }

    /// Connections that may wait for `accept`.
    #[must_use]
    pub const fn backlog(&self) -> usize {
        self.backlog
    }

    /// Sets the backlog, rounded to 1 to [`SOMAXCONN`].
    ///
    /// # Errors
    /// `EINVAL` for zero.
    pub fn set_backlog(&mut self, connections: u64) -> Result<(), Errno> {
        if connections == 0 {
            return Err(Errno::Inval);
        }
        self.backlog = usize::try_from(connections).map_or(SOMAXCONN, |wish| wish.min(SOMAXCONN));
        Ok(())
    }
}

fn whole_seconds(time: Duration) -> Result<Duration, Errno> {
    if time.is_zero() {
        return Err(Errno::Inval);
    }
    let seconds = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0));
    Ok(Duration::from_secs(seconds.min(MAX_KEEP_ALIVE_SECONDS)))
}

/// A wish for a buffer size, rounded to what can be; shared with UDP.
pub(crate) fn buffer_bytes(wish: u64) -> Result<usize, Errno> {
    if wish == 0 {
        return Err(Errno::Inval);
    }
    Ok(usize::try_from(wish).map_or(MAX_BUFFER_BYTES, |wish| {
        wish.clamp(MIN_BUFFER_BYTES, MAX_BUFFER_BYTES)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_rounded_to_its_bounds_and_zero_is_refused() {
        let mut options = TcpOptions::default();
        options
            .set_keep_alive_idle(Duration::from_millis(1500))
            .unwrap();
        assert_eq!(options.keep_alive_idle(), Duration::from_secs(2));
        options.set_keep_alive_interval(Duration::MAX).unwrap();
        assert_eq!(options.keep_alive_interval(), Duration::from_secs(32767));
        options.set_keep_alive_count(1000).unwrap();
        assert_eq!(options.keep_alive_count(), 127);
        options.set_send_buffer_bytes(1).unwrap();
        assert_eq!(options.send_buffer_bytes(), MIN_BUFFER_BYTES);
        options.set_receive_buffer_bytes(u64::MAX).unwrap();
        assert_eq!(options.receive_buffer_bytes(), MAX_BUFFER_BYTES);
        options.set_backlog(u64::MAX).unwrap();
        assert_eq!(options.backlog(), SOMAXCONN);
        let before = options.clone();
        for refused in [
            options.set_keep_alive_idle(Duration::ZERO),
            options.set_keep_alive_interval(Duration::ZERO),
            options.set_keep_alive_count(0),
            options.set_hop_limit(0),
            options.set_send_buffer_bytes(0),
            options.set_receive_buffer_bytes(0),
            options.set_backlog(0),
        ] {
            assert_eq!(refused, Err(Errno::Inval));
        }
        assert_eq!(options, before);
    }
}
