//! Every bound of the virtual network, in one place: value, unit, source, and what happens at it.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Sockets that one container may hold, accepted connections included.
///
/// The usual soft limit of open files (`ulimit -n`, POSIX `RLIMIT_NOFILE`) of a Linux process is 1024, and programs are
/// written for it. At the limit, making or accepting a socket gives `EMFILE`; a connection that could not be accepted
/// stays in its listen queue.
pub const MAX_SOCKETS_PER_CONTAINER: usize = 1024;

/// Sockets that the host itself may hold in one pod: published connections and probes.
///
/// Sixteen publications with all their connections ([`MAX_PUBLISHED_CONNECTIONS`]). At the limit a dial gives `EMFILE`.
pub const MAX_HOST_SOCKETS_PER_POD: usize = 16 * MAX_PUBLISHED_CONNECTIONS;

/// Connections that wait for `accept` when the program named no backlog: 128, as `std::net` and `wasi:sockets` hosts use.
pub const LISTEN_BACKLOG: usize = 128;

/// The largest backlog: Linux `net.core.somaxconn` since 5.4. A larger wish is silently cut to it, as `listen(2)` does.
///
/// When a listen queue is full, further connects wait, as repeated SYNs would, until there is room or the listener closes.
pub const SOMAXCONN: usize = 4096;

/// Ports given to a socket that asks for port 0 or connects unbound.
///
/// Linux `ip_local_port_range` (Documentation/networking/ip-sysctl.rst). When all are taken: `EADDRINUSE` from bind,
/// `EADDRNOTAVAIL` from connect.
pub const EPHEMERAL_PORTS: RangeInclusive<u16> = 32768..=60999;

/// Bytes of a TCP socket's send buffer at first. With [`DEFAULT_RECEIVE_BUFFER_BYTES`] a direction holds 256 KiB, below
/// which a pair of busy guests was measured to switch tasks too often.
pub const DEFAULT_SEND_BUFFER_BYTES: usize = 128 * 1024;

/// Bytes of a TCP socket's receive buffer at first: the default of Linux `tcp_rmem` (131072).
pub const DEFAULT_RECEIVE_BUFFER_BYTES: usize = 128 * 1024;

/// The least that a TCP or UDP buffer can be set to: one page, the minimum of Linux `tcp_rmem` and `tcp_wmem`.
/// A smaller wish is raised to it.
pub const MIN_BUFFER_BYTES: usize = 4096;

/// The most that a TCP or UDP buffer can be set to, 1 MiB. A larger wish is cut to it, as Linux does at `wmem_max`.
pub const MAX_BUFFER_BYTES: usize = 1024 * 1024;

/// The most that one direction of a connection grows to by itself, in bytes: the maximum of Linux `tcp_wmem`. It grows when
/// both ends wait to write, as long as half of [`MAX_POD_BUFFER_BYTES`] is free.
pub const MAX_GROWN_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that all TCP buffers of one pod may promise together, in the manner of Linux `tcp_mem`: 256 MiB, 512 connections
/// with default buffers. A connection beyond it works with the least buffers ([`MIN_BUFFER_BYTES`] for each of the two
/// buffers of each direction, 16 KiB in all), so the bound of a pod is this plus 16 KiB for each of its connections.
pub const MAX_POD_BUFFER_BYTES: u64 = 256 * 1024 * 1024;

/// A write below this many bytes is copied behind the data that already waits, instead of being queued as its own buffer:
/// a guest that writes one byte a time must not make an object of each.
pub const COALESCE_BELOW_BYTES: usize = 1024;

/// A buffer into which small writes are collected grows to at most this many bytes; then the next is begun.
pub const COALESCE_CHUNK_BYTES: usize = 4096;

/// The largest UDP payload over IPv4: 65535 less 8 (UDP header) and 20 (IP header), RFC 768. Beyond it: `EMSGSIZE`.
/// Used for IPv6 too, so that a program behaves alike over both.
pub const MAX_DATAGRAM_BYTES: usize = 65507;

/// Bytes of a UDP socket's receive queue at first: Linux `net.core.rmem_default`. A datagram that does not fit is dropped
/// and counted. These queues are bounded by the container's sockets, not by [`MAX_POD_BUFFER_BYTES`].
pub const DEFAULT_UDP_BUFFER_BYTES: usize = 212_992;

/// Datagrams that a UDP socket's receive queue holds, whatever their size; the next is dropped and counted.
/// The host's cost for each is below 128 bytes, so empty datagrams cannot take more than 128 KiB.
pub const MAX_QUEUED_DATAGRAMS: usize = 1024;

/// Tasks remembered as waiting for one side of one socket. When one more comes, the longest-waiting is woken early and has
/// to ask again: nobody is forgotten.
pub const MAX_WAITING_TASKS: usize = 32;

/// Events that wait to be fetched from a pod's network. At the limit the oldest is dropped.
pub const MAX_PENDING_EVENTS: usize = 64;

/// Things that one pod is told of at most because a policy or the want of a route does not allow them: each destination
/// once, and no more when there were so many, so that a program that scans the network fills no list of events. Ours.
pub const MAX_HINTS: usize = 32;

/// How long a connect waits that a network policy does not allow, before it fails with `ETIMEDOUT`: nobody answers it, as
/// with most network plugins. Ours: long enough that a program's own time-out comes first, short enough for a person (Linux
/// goes on asking for some 130 s, `tcp_syn_retries` of tcp(7)).
pub const UNANSWERED_CONNECT: Duration = Duration::from_secs(30);

/// Names outside of the cluster of which it is remembered what they stood for: the one that was looked up first is
/// forgotten, and has to be looked up again before it is connected to. Ours: below 1 MiB.
pub const MAX_PINNED_NAMES: usize = 1024;

/// Addresses that are remembered of one name; older ones are forgotten. Ours: an answer over UDP has no more.
pub const MAX_PINNED_ADDRESSES: usize = 64;

/// How long the answer of the host's resolver is told again without asking it: it does not say how long it may be kept, and
/// this is the least that providers of content recommend.
pub const NAME_FRESH: Duration = Duration::from_secs(30);

/// How long a name allows an address that it stood for: programs keep addresses for longer than they should, with five
/// minutes as the usual most. After that the name is to be looked up again.
pub const NAME_PINNED: Duration = Duration::from_secs(300);

/// Questions to the host's resolver at a time, of all pods; more wait. Each is a thread.
pub const MAX_UPSTREAM_LOOKUPS: usize = 16;

/// How long the host's resolver may take: the usual two tries of five seconds (`timeout` and `attempts` of resolv.conf(5)).
/// After that the name is not known.
pub const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// Names outside that one question may need: each of a search list, and aliases. With more the answer is what is known.
pub const MAX_OUTSIDE_LOOKUPS: usize = 8;

/// Questions by datagram of one pod that wait for the host's resolver, and connections to the outside and datagrams that
/// wait for the pod's task. A question or a datagram more is lost, a connection more fails with `EMFILE`.
pub const MAX_EGRESS_QUEUED: usize = 128;

/// Connections of one pod to the outside that are carried at a time; more wait to be made.
pub const MAX_EGRESS_CONNECTIONS: usize = 1024;

/// Flows of datagrams of one pod to the outside, each of which is a real socket; one more ends the one that was silent
/// longest.
pub const MAX_EGRESS_FLOWS: usize = 256;

/// How long a connection to the outside may take to be made: what Linux itself tries (`tcp_syn_retries` of tcp(7)).
/// After that it fails with `ETIMEDOUT`.
pub const EGRESS_CONNECT_TIMEOUT: Duration = Duration::from_secs(127);

/// Connections of one published port that wait in the host kernel's listen queue: tokio's and mio's usual number. Beyond it
/// clients try again, as TCP has them do.
pub const PUBLISH_BACKLOG: u32 = 1024;

/// Connections that one publication carries at a time. At the limit no more are accepted: they wait in the host kernel's
/// own listen queue.
pub const MAX_PUBLISHED_CONNECTIONS: usize = 1024;

/// The least and the most that a published connection reads from the host socket at once, in bytes; between them it adapts
/// to what arrives.
pub const PUBLISH_READ_BYTES: RangeInclusive<usize> = 8 * 1024..=128 * 1024;

/// Bytes taken from the pod's side of a published connection before they are given to the host socket.
pub const PUBLISH_WRITE_BYTES: usize = 256 * 1024;

/// Buffers handed to one vectored write on the host socket; `IOV_MAX` is 1024 on Linux, more than 16 no longer helps.
pub const PUBLISH_WRITE_SLICES: usize = 16;

/// Transfers that one published connection may make each way before other tasks get their turn.
pub const PUBLISH_TRANSFERS_PER_TURN: usize = 16;

/// How long a publication waits after the host refused to accept (for example for want of file descriptors).
pub const PUBLISH_ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Clients of one published UDP port that can be answered at a time. A datagram of one more replaces the flow that has been
/// idle longest.
pub const MAX_UDP_FLOWS: usize = 1024;

/// How long a published UDP client can be answered after its last datagram: Linux `nf_conntrack_udp_timeout_stream`.
pub const UDP_FLOW_IDLE: Duration = Duration::from_secs(120);

/// Captures of one pod's traffic at a time. One more is refused: each costs a copy of the references to all that passes.
pub const MAX_CAPTURES_PER_POD: usize = 8;

/// Writes, datagrams and other happenings that wait for the reader of a capture, each below 256 bytes besides its payload.
/// At the limit what passes is not captured, and counted as dropped.
pub const MAX_CAPTURED_PASSAGES: usize = 8192;

/// Payload of what waits for the reader of a capture, in bytes; the same again may wait to be made into packets. At the
/// limit as [`MAX_CAPTURED_PASSAGES`].
pub const MAX_CAPTURED_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of a capture's file that are made at once, before they are given to its reader; one write more at most.
pub const CAPTURE_BATCH_BYTES: usize = 256 * 1024;

/// Payload of a captured TCP segment: what an IPv4 packet of 65535 bytes has room for behind two headers of 20. A larger
/// write is shown as several.
pub const CAPTURE_SEGMENT_BYTES: usize = 65_495;

/// Bytes of a packet that a capture keeps at most: all, since no packet is as large (tcpdump's `-s 0`).
pub const MAX_SNAPLEN_BYTES: u32 = 262_144;

/// Bytes of a packet that a capture keeps at least: the headers of IPv6 and TCP.
pub const MIN_SNAPLEN_BYTES: u32 = 68;

/// Addresses that the host can give to pods at a time: those of [`crate::POD_CIDR`] without its first two and its last.
pub const MAX_POD_ADDRESSES: usize = 65_533;

/// Clients that one port of a service with `sessionAffinity: ClientIP` remembers: more than a host has pods in practice,
/// below 1 MiB. The client that was away longest is forgotten, and gets a new endpoint.
pub const MAX_AFFINITY_CLIENTS: usize = 8192;

/// Services to which one UDP socket may talk at a time and still be answered. One more replaces the one that it has not
/// sent to for longest.
pub const MAX_SERVICE_FLOWS: usize = 64;

/// How long a UDP socket keeps the endpoint of a service after its last datagram there: Linux
/// `nf_conntrack_udp_timeout_stream`, as kube-proxy's connections have it.
pub const SERVICE_FLOW_IDLE: Duration = UDP_FLOW_IDLE;

/// Connections that were accepted for a service on the host and wait for their pod to take them. At the limit the next is
/// reset: the pod's thread is far behind.
pub const MAX_HANDED_OVER: usize = 128;

/// The largest question to the name server, in bytes. A question has one name (255 bytes, RFC 1035 3.1) and a few options
/// (RFC 6891); a larger one is not answered over UDP and ends the connection over TCP.
pub const MAX_DNS_QUERY_BYTES: usize = 4096;

/// The largest answer over UDP to who does not say what it can take: RFC 1035 4.2.1. A larger one is cut and marked.
pub const MIN_DNS_UDP_BYTES: usize = 512;

/// The largest answer over UDP to who can take more (RFC 6891 6.2.5 suggests 4096). A larger one is cut and marked.
pub const MAX_DNS_UDP_BYTES: usize = 4096;

/// The largest answer over TCP, in bytes: its length has 16 bits (RFC 1035 4.2.2). A larger one is cut and marked.
pub const MAX_DNS_TCP_BYTES: usize = 65535;

/// Connections of one pod to its name server that are served at a time; more wait in the listen queue.
pub const MAX_DNS_CONNECTIONS: usize = 32;

/// How long a connection to the name server may be silent; then it is closed (RFC 7766 6.2.3: in the order of seconds).
pub const DNS_IDLE: Duration = Duration::from_secs(10);

/// How long an answer of the name server may be kept, in seconds: CoreDNS's for names of the cluster.
pub const DNS_TTL_SECONDS: u32 = 5;

/// Aliases that are followed from one name (`ExternalName` of another `ExternalName`); then it has no address.
pub const MAX_ALIASES: usize = 8;
