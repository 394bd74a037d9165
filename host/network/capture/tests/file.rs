//! A capture read back with a library that is not the one that wrote it, and what must hold of TCP in it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use etherparse::{NetHeaders, PacketHeaders, TcpHeader, TransportHeader};
use pcap_parser::pcapng::{Block, parse_block_le};
use pcap_parser::traits::PcapNGPacketBlock;

use crate::Capture;

/// What a future has now.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// A packet as it was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) interface: String,
    pub(super) is_outbound: bool,
    pub(super) time: u64,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// None for UDP.
    pub(super) tcp: Option<TcpHeader>,
    pub(super) payload: Vec<u8>,
}

/// A file as it was read.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Name and description.
    pub(super) interfaces: Vec<(String, String)>,
    pub(super) packets: Vec<Read>,
    /// Received and dropped packets by interface, as was said last.
    pub(super) statistics: HashMap<String, (u64, u64)>,
    pub(super) writer: String,
}

/// All that a capture has now, and whether it has ended.
pub(super) fn fetch(capture: &mut Capture) -> (Bytes, bool) {
    let mut all = BytesMut::new();
    loop {
        match now(capture.next()) {
            Some(Some(bytes)) => all.extend_from_slice(&bytes),
            Some(None) => return (all.freeze(), true),
            None => return (all.freeze(), false),
        }
    }
}

/// All that a capture has now, read.
pub(super) fn read(capture: &mut Capture) -> File {
    File::of(&fetch(capture).0)
}

impl File {
    /// Reads whole blocks; everything in them must be well formed, every checksum good.
    pub(super) fn of(mut bytes: &[u8]) -> Self {
        let mut file = Self::default();
        while !bytes.is_empty() {
            let (rest, block) = parse_block_le(bytes).expect("a block");
            bytes = rest;
            match block {
                Block::SectionHeader(header) => {
                    assert_eq!((header.major_version, header.minor_version), (1, 0));
                    file.writer = header.shb_userappl().unwrap().unwrap().to_owned();
                }
                Block::InterfaceDescription(interface) => {
                    assert_eq!(interface.linktype.0, 101);
                    assert_eq!(interface.if_tsresol, 9);
                    let name = interface.if_name().unwrap().unwrap().to_owned();
                    let description = interface.if_description().unwrap().unwrap().to_owned();
                    file.interfaces.push((name, description));
                }
                Block::EnhancedPacket(packet) => {
                    let index = usize::try_from(packet.if_id).unwrap();
                    let (interface, _) = &file.interfaces[index];
                    let mut read = Read::of(packet.packet_data());
                    read.interface.clone_from(interface);
                    read.time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                    let mut options = packet.options.iter();
                    let flags = options.find(|option| option.code.0 == 2).unwrap();
                    read.is_outbound = flags.as_bytes().unwrap()[0] & 3 == 2;
                    file.packets.push(read);
                }
                Block::InterfaceStatistics(statistics) => {
                    let (name, _) = &file.interfaces[usize::try_from(statistics.if_id).unwrap()];
                    let received = statistics.isb_ifrecv().unwrap().unwrap();
                    let dropped = statistics.isb_ifdrop().unwrap().unwrap();
                    file.statistics.insert(name.clone(), (received, dropped));
                }
                other => panic!("{other:?}"),
            }
        }
        file
    }

    /// The TCP packets in a line each: sender's interface, flags, bytes.
    pub(super) fn lines(&self) -> Vec<String> {
        self.packets.iter().map(Read::line).collect()
    }

    /// Checks what RFC 9293 says of each connection in it: no byte is missing or comes twice, nothing is acknowledged that
    /// was not sent, and all that was sent is acknowledged. Gives the bytes of each direction.
    pub(super) fn check_tcp(&self) -> HashMap<(SocketAddr, SocketAddr), Vec<u8>> {
        let mut next: HashMap<(SocketAddr, SocketAddr), u32> = HashMap::new();
        let mut acknowledged = HashMap::new();
        let mut bytes: HashMap<_, Vec<u8>> = HashMap::new();
        for packet in &self.packets {
            let Some(tcp) = &packet.tcp else { continue };
            let (there, back) = ((packet.from, packet.to), (packet.to, packet.from));
            let line = packet.line();
            // A reset of a closed port has no place.
            let is_refusal = tcp.rst && tcp.sequence_number == 0;
            if !is_refusal {
                let expected = *next.entry(there).or_insert(tcp.sequence_number);
                assert_eq!(tcp.sequence_number, expected, "{line}: sequence");
            }
            if tcp.ack {
                let sent = *next.entry(back).or_insert(tcp.acknowledgment_number);
                assert_eq!(tcp.acknowledgment_number, sent, "{line}: acknowledgment");
                acknowledged.insert(back, tcp.acknowledgment_number);
            }
            let controls = u32::from(tcp.syn) + u32::from(tcp.fin);
            let length = u32::try_from(packet.payload.len()).unwrap() + controls;
            if let Some(next) = next.get_mut(&there) {
                *next = next.wrapping_add(length);
            }
            bytes
                .entry(there)
                .or_default()
                .extend_from_slice(&packet.payload);
        }
        for (direction, next) in &next {
            let told = acknowledged.get(direction);
            assert!(
                told.is_none_or(|told| told == next),
                "{direction:?}: all is acknowledged"
            );
        }
        bytes
    }
}

impl Read {
    fn of(data: &[u8]) -> Self {
        let packet = PacketHeaders::from_ip_slice(data).expect("an IP packet");
        let payload = packet.payload.slice().to_vec();
        let net = packet.net.unwrap();
        let transport = packet.transport.unwrap();
        let (from, to, good): (IpAddr, IpAddr, u16) = match (&net, &transport) {
            (NetHeaders::Ipv4(ip, _), transport) => {
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                assert_eq!(usize::from(ip.total_len), data.len());
                let good = match transport {
                    TransportHeader::Tcp(tcp) => tcp.calc_checksum_ipv4(ip, &payload).unwrap(),
                    TransportHeader::Udp(udp) => udp.calc_checksum_ipv4(ip, &payload).unwrap(),
                    other => panic!("{other:?}"),
                };
                (ip.source.into(), ip.destination.into(), good)
            }
            (NetHeaders::Ipv6(ip, _), transport) => {
                assert_eq!(usize::from(ip.payload_length) + 40, data.len());
                let good = match transport {
                    TransportHeader::Tcp(tcp) => tcp.calc_checksum_ipv6(ip, &payload).unwrap(),
                    TransportHeader::Udp(udp) => udp.calc_checksum_ipv6(ip, &payload).unwrap(),
                    other => panic!("{other:?}"),
                };
                (ip.source.into(), ip.destination.into(), good)
            }
            (other, _) => panic!("{other:?}"),
        };
        let (ports, checksum, tcp) = match transport {
            TransportHeader::Tcp(tcp) => (
                (tcp.source_port, tcp.destination_port),
                tcp.checksum,
                Some(tcp),
            ),
            TransportHeader::Udp(udp) => {
                assert_eq!(usize::from(udp.length), payload.len() + 8);
                ((udp.source_port, udp.destination_port), udp.checksum, None)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(checksum, good, "the checksum");
        Self {
            interface: String::new(),
            is_outbound: false,
            time: 0,
            from: (from, ports.0).into(),
            to: (to, ports.1).into(),
            tcp,
            payload,
        }
    }

    /// Interface, arrow of the direction, flags, bytes.
    pub(super) fn line(&self) -> String {
        let arrow = if self.is_outbound { '>' } else { '<' };
        let flags: Vec<_> = match &self.tcp {
            None => vec!["UDP"],
            Some(tcp) => [
                (tcp.syn, "SYN"),
                (tcp.fin, "FIN"),
                (tcp.rst, "RST"),
                (tcp.psh, "PSH"),
                (tcp.ack, "ACK"),
            ]
            .into_iter()
            .filter_map(|(is_set, name)| is_set.then_some(name))
            .collect(),
        };
        format!(
            "{}{arrow} {} {}",
            self.interface,
            flags.join(","),
            self.payload.len()
        )
    }
}
