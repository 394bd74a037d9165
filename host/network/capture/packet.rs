//! The IP packets that a kernel would have sent for what passed. Pure.
//!
//! A connection keeps no state here: each segment says how much was sent and received before it, so a capture that begins
//! in the middle of a connection has the right numbers from its first packet on. The initial sequence numbers are made as
//! RFC 9293 3.4.1 suggests, of the time of opening and the addresses, so that a port that is used again is a new stream.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement};

use super::tap::{Party, Passage, Place, Segment, What};
use crate::limits::CAPTURE_SEGMENT_BYTES;

/// `IP_TTL` and hop limit: the default of Linux.
const HOP_LIMIT: u8 = 64;

/// The window of every segment, and by how many bits it is shifted: 8 MiB, more than a connection can hold
/// ([`crate::limits::MAX_BUFFER_BYTES`] on each side).
const WINDOW: u16 = u16::MAX;
/// See [`WINDOW`].
const WINDOW_SHIFT: u8 = 7;

/// One packet, to be written by `write` into an empty buffer.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) from: &'a Party,
    pub(super) to: &'a Party,
    transport: Transport,
    payload: Bytes,
}

#[derive(Debug)]
enum Transport {
    Udp,
    Tcp {
        flags: Flags,
        sequence: u32,
        acknowledgment: Option<u32>,
    },
}

/// Control bits besides ACK.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    syn: bool,
    psh: bool,
    fin: bool,
    rst: bool,
}

/// What was written, in pieces that fit into IP packets.
pub(super) fn segments(data: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = data.clone();
    std::iter::from_fn(move || {
        let length = rest.len().min(CAPTURE_SEGMENT_BYTES);
        (length > 0).then(|| rest.split_to(length))
    })
}

/// The packets of what passed, in their order.
pub(super) fn packets(passage: &Passage, mut each: impl FnMut(Packet<'_>)) {
    let (from, to) = (&passage.from, &passage.to);
    let (segment, place) = match &passage.what {
        What::Datagram(data) => {
            return each(Packet {
                from,
                to,
                transport: Transport::Udp,
                payload: data.clone(),
            });
        }
        What::Segment { segment, place } => (segment, place),
    };
    let there = Sequence::of(from.address, to.address, place);
    let back = Sequence::of(to.address, from.address, place);
    let (sent, received) = (place.sent, place.received);
    let tcp = |from, to, flags, sequence, acknowledgment, payload| Packet {
        from,
        to,
        transport: Transport::Tcp {
            flags,
            sequence,
            acknowledgment,
        },
        payload,
    };
    let none = Flags::default();
    let syn = Flags { syn: true, ..none };
    let ack = |sent: u64| {
        let acknowledged = Some(there.at(sent));
        tcp(
            to,
            from,
            none,
            back.at(received),
            acknowledged,
            Bytes::new(),
        )
    };
    let mine = |flags| {
        let acknowledged = Some(back.at(received));
        tcp(from, to, flags, there.at(sent), acknowledged, Bytes::new())
    };
    match segment {
        Segment::Open => {
            each(tcp(from, to, syn, there.initial, None, Bytes::new()));
            let acknowledged = Some(there.at(0));
            each(tcp(to, from, syn, back.initial, acknowledged, Bytes::new()));
            each(mine(none));
        }
        Segment::Refused => {
            each(tcp(from, to, syn, there.initial, None, Bytes::new()));
            // RFC 9293 3.5.2: a reset of a closed port has the sequence number 0.
            let (rst, acknowledged) = (Flags { rst: true, ..none }, Some(there.at(0)));
            each(tcp(to, from, rst, 0, acknowledged, Bytes::new()));
        }
        Segment::Unanswered => each(tcp(from, to, syn, there.initial, None, Bytes::new())),
        Segment::Data(data) => {
            let mut before = sent;
            for piece in segments(data) {
                let after = before.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                let is_last =
                    after == sent.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
                let flags = Flags {
                    psh: is_last,
                    ..none
                };
                let acknowledged = Some(back.at(received));
                each(tcp(from, to, flags, there.at(before), acknowledged, piece));
                before = after;
            }
            each(ack(before));
        }
        Segment::Finish => {
            each(mine(Flags { fin: true, ..none }));
            each(ack(sent.saturating_add(1)));
        }
        Segment::Reset => each(mine(Flags { rst: true, ..none })),
    }
}

/// The sequence numbers of one direction.
#[derive(Clone, Copy, Debug)]
struct Sequence {
    initial: u32,
}

impl Sequence {
    fn of(from: SocketAddr, to: SocketAddr, place: &Place) -> Self {
        let mut hasher = DefaultHasher::new();
        (from, to, place.opened_at).hash(&mut hasher);
        Self {
            initial: low_32(hasher.finish()),
        }
    }

    /// The number of the byte behind `count` others; the SYN is before them.
    fn at(self, count: u64) -> u32 {
        self.initial.wrapping_add(1).wrapping_add(low_32(count))
    }
}

/// Sequence numbers are counted modulo 2^32.
fn low_32(number: u64) -> u32 {
    let [.., a, b, c, d] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl Packet<'_> {
    /// Writes the packet from its IP header on, with right lengths and checksums. Nothing is written for what cannot be a
    /// packet: ends of two families, a payload that is too long. No socket has those.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        let (from, to) = (self.from.address, self.to.address);
        let step = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), HOP_LIMIT)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                PacketBuilder::ipv6(from.octets(), to.octets(), HOP_LIMIT)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return,
        };
        if self.write_transport(step, buffer).is_none() {
            buffer.clear();
        }
    }

    fn write_transport(
        &self,
        step: PacketBuilderStep<IpHeaders>,
        buffer: &mut Vec<u8>,
    ) -> Option<()> {
        let (source, destination) = (self.from.address.port(), self.to.address.port());
        match self.transport {
            Transport::Udp => step
                .udp(source, destination)
                .write(buffer, &self.payload)
                .ok(),
            Transport::Tcp {
                flags,
                sequence,
                acknowledgment,
            } => {
                let mut header = TcpHeader::new(source, destination, sequence, WINDOW);
                header.syn = flags.syn;
                header.psh = flags.psh;
                header.fin = flags.fin;
                header.rst = flags.rst;
                header.ack = acknowledgment.is_some();
                header.acknowledgment_number = acknowledgment.unwrap_or(0);
                if flags.syn {
                    let largest = u16::try_from(CAPTURE_SEGMENT_BYTES).ok()?;
                    let options = [
                        TcpOptionElement::MaximumSegmentSize(largest),
                        TcpOptionElement::Noop,
                        TcpOptionElement::WindowScale(WINDOW_SHIFT),
                    ];
                    header.set_options(&options).ok()?;
                }
                step.tcp_header(header).write(buffer, &self.payload).ok()
            }
        }
    }
}
