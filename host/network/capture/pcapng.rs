//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, as far as a capture has them: Section Header,
//! Interface Description, Enhanced Packet, Interface Statistics. Pure.
//!
//! Written here, because the four blocks are less code than a library's types around them.

use bytes::{BufMut, BytesMut};

/// Packets begin with an IP header, version 4 or 6: `LINKTYPE_RAW` of the registry of link types.
const LINKTYPE_RAW: u16 = 101;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// By which a reader learns the order of bytes.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// `opt_endofopt`, `opt_comment`
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;

/// The longest text of an option, in bytes; a longer one is cut. The format has 16 bits, people read less.
const MAX_TEXT_BYTES: usize = 1024;

/// Which way a packet went, seen from its interface (`epb_flags`, bits 0 and 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Inbound,
    Outbound,
}

/// The beginning of the file: who wrote it, and about what.
pub(super) fn section_header(out: &mut BytesMut, comment: &str) {
    block(out, SECTION_HEADER, |out| {
        out.put_u32_le(BYTE_ORDER_MAGIC);
        // Version 1.0, and a section whose length is not known.
        out.put_u16_le(1);
        out.put_u16_le(0);
        out.put_i64_le(-1);
        let (shb_hardware, shb_os, shb_userappl) = (2, 3, 4);
        text(out, COMMENT, comment);
        text(out, shb_hardware, std::env::consts::ARCH);
        text(out, shb_os, std::env::consts::OS);
        text(
            out,
            shb_userappl,
            concat!("wasmpod ", env!("CARGO_PKG_VERSION")),
        );
        end_of_options(out);
    });
}

/// An interface; they are counted from 0 in the order in which they come.
pub(super) fn interface(out: &mut BytesMut, name: &str, description: &str, snaplen: u32) {
    block(out, INTERFACE_DESCRIPTION, |out| {
        out.put_u16_le(LINKTYPE_RAW);
        out.put_u16_le(0);
        out.put_u32_le(snaplen);
        let (if_name, if_description, if_tsresol) = (2, 3, 9);
        text(out, if_name, name);
        text(out, if_description, description);
        // Times are in units of 10^-9 s.
        option(out, if_tsresol, &[9]);
        end_of_options(out);
    });
}

/// A packet, of which at most `snaplen` bytes are written. `time` is in nanoseconds since 1970.
pub(super) fn packet(
    out: &mut BytesMut,
    interface: u32,
    time: u64,
    direction: Direction,
    packet: &[u8],
    snaplen: u32,
) {
    let kept = usize::try_from(snaplen)
        .unwrap_or(usize::MAX)
        .min(packet.len());
    let captured = packet.get(..kept).unwrap_or(packet);
    block(out, ENHANCED_PACKET, |out| {
        out.put_u32_le(interface);
        put_time(out, time);
        out.put_u32_le(length(captured));
        out.put_u32_le(length(packet));
        out.put_slice(captured);
        pad(out, captured.len());
        let epb_flags = 2;
        let flags: u32 = match direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        option(out, epb_flags, &flags.to_le_bytes());
        end_of_options(out);
    });
}

/// How many packets an interface has had, and how many of them are missing in the file.
pub(super) fn statistics(
    out: &mut BytesMut,
    interface: u32,
    times: (u64, u64),
    received: u64,
    dropped: u64,
) {
    let (start, now) = times;
    block(out, INTERFACE_STATISTICS, |out| {
        out.put_u32_le(interface);
        put_time(out, now);
        let (isb_starttime, isb_endtime, isb_ifrecv, isb_ifdrop) = (2, 3, 4, 5);
        for (code, time) in [(isb_starttime, start), (isb_endtime, now)] {
            let mut value = BytesMut::new();
            put_time(&mut value, time);
            option(out, code, &value);
        }
        option(out, isb_ifrecv, &received.to_le_bytes());
        option(out, isb_ifdrop, &dropped.to_le_bytes());
        end_of_options(out);
    });
}

/// A block with its type and its length before and behind it.
fn block(out: &mut BytesMut, kind: u32, body: impl FnOnce(&mut BytesMut)) {
    let mut inside = BytesMut::new();
    body(&mut inside);
    let total = length(&inside).saturating_add(12);
    out.put_u32_le(kind);
    out.put_u32_le(total);
    out.put_slice(&inside);
    out.put_u32_le(total);
}

/// The higher half of a time comes first, whatever the order of bytes.
fn put_time(out: &mut BytesMut, time: u64) {
    let [a, b, c, d, e, f, g, h] = time.to_be_bytes();
    out.put_u32_le(u32::from_be_bytes([a, b, c, d]));
    out.put_u32_le(u32::from_be_bytes([e, f, g, h]));
}

fn text(out: &mut BytesMut, code: u16, text: &str) {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    if end > 0 {
        option(out, code, text.get(..end).unwrap_or(text).as_bytes());
    }
}

fn option(out: &mut BytesMut, code: u16, value: &[u8]) {
    let Ok(length) = u16::try_from(value.len()) else {
        return;
    };
    out.put_u16_le(code);
    out.put_u16_le(length);
    out.put_slice(value);
    pad(out, value.len());
}

fn end_of_options(out: &mut BytesMut) {
    out.put_u16_le(END_OF_OPTIONS);
    out.put_u16_le(0);
}

/// Values end at a multiple of four bytes.
fn pad(out: &mut BytesMut, length: usize) {
    out.put_bytes(0, length.wrapping_neg() % 4);
}

/// Packets and blocks are far below 4 GiB.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
