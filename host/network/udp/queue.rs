//! A bounded queue of datagrams that drops what does not fit.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::limits::MAX_QUEUED_DATAGRAMS;

/// Datagrams with the address they came from or go to.
#[derive(Debug)]
pub(super) struct Queue {
    datagrams: VecDeque<(Bytes, SocketAddr)>,
    bytes: usize,
    pub(super) max_bytes: usize,
    pub(super) dropped: u64,
}

impl Queue {
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self {
            datagrams: VecDeque::new(),
            bytes: 0,
            max_bytes,
            dropped: 0,
        }
    }

    /// Payload that waits.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Whether it was kept. An empty queue keeps any datagram, so that a small buffer loses large ones only under load.
    pub(super) fn push(&mut self, data: Bytes, address: SocketAddr) -> bool {
        let bytes = self.bytes.saturating_add(data.len());
        if self.datagrams.len() >= MAX_QUEUED_DATAGRAMS
            || (bytes > self.max_bytes && !self.is_empty())
        {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        self.bytes = bytes;
        self.datagrams.push_back((data, address));
        true
    }

    pub(super) fn pop(&mut self) -> Option<(Bytes, SocketAddr)> {
        let (data, address) = self.datagrams.pop_front()?;
        self.bytes = self.bytes.saturating_sub(data.len());
        Some((data, address))
    }

    pub(super) fn first(&self) -> Option<&(Bytes, SocketAddr)> {
        self.datagrams.front()
    }

    pub(super) fn clear(&mut self) {
        self.datagrams = VecDeque::new();
        self.bytes = 0;
    }
}
