//! Looking at the traffic of a pod: what `wasmpod net capture` writes.
//!
//! There are no packets in this network, so a capture makes them: of every connection, write, datagram, close and reset
//! that a pod's sockets see, the IP packets that a kernel would have sent for it, in a pcapng file that Wireshark and its
//! like read.
//!
//! ```text
//!  sockets ──(one load: does anybody capture?)──► tap ──► ring, bounded ──► Capture ──► packet ──► pcapng
//!  the pod's thread                                       drops when full   the reader's thread
//! ```
//!
//! * `tap`: where sockets tell what passes, and the bounded queue to each who captures
//! * `packet`: the packets of what passed; pure
//! * `pcapng`: the blocks of the file; pure
//! * `stream`: [`Capture`], which puts these together
//!
//! Followed: RFC 9293 (TCP), RFC 768 (UDP), RFC 791 and 8200 (IP), draft-ietf-opsawg-pcapng.
//!
//! What is shown is what the pod's own sockets see: the address of a Service and not of its endpoint, the gateway for
//! clients of a published port. What passes between two containers is shown once, at the one that sends. Segments are as
//! large as writes, at most one IP packet each, and are acknowledged at once, because a neighbour has received them then.
//! Not shown: windows (they are constant; the queues are in `wasmpod net ls`), retransmissions (there are none),
//! attempts that still wait for room in a listen queue (a handshake is shown when it is complete), ICMP.

mod packet;
mod pcapng;
mod stream;
mod tap;

#[cfg(test)]
mod tests;

pub use stream::{Capture, CaptureError, CaptureOptions, Interface};
pub(crate) use tap::{Party, Place, Segment, Switch, Tap, TcpEnd, show_tcp};
