//! A pcapng file as it comes, cut into whole blocks: a capture that is interrupted ends with a whole one, and it is known
//! how many packets it has and how many are missing. Only what is needed of the format (draft-ietf-opsawg-pcapng).

use std::collections::BTreeMap;

use anyhow::ensure;

/// The longest block that is taken, in bytes: a packet of 64 KiB has room in it twice. A longer one is no capture of ours.
const MAX_BLOCK_BYTES: usize = 256 * 1024;

/// Type and length, before a block's body.
const HEAD_BYTES: usize = 8;

const ENHANCED_PACKET: u32 = 6;
const INTERFACE_STATISTICS: u32 = 5;
/// `isb_ifdrop`
const DROPPED: u16 = 5;

/// The blocks of a file.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The beginning of a block whose rest has not come.
    rest: Vec<u8>,
    packets: u64,
    /// By interface.
    dropped: BTreeMap<u32, u64>,
}

impl Blocks {
    /// Takes bytes as they come, and gives the whole blocks that there are then.
    pub(super) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.rest.extend_from_slice(bytes);
        let mut whole = 0;
        while let Some(length) = self.whole_block(whole)? {
            let end = whole.saturating_add(length);
            let block = self.rest.get(whole..end).unwrap_or_default().to_vec();
            self.count(&block);
            whole = end;
        }
        let rest = self.rest.split_off(whole);
        Ok(std::mem::replace(&mut self.rest, rest))
    }

    /// The length of the block that begins at `start`, if it is there as a whole.
    fn whole_block(&self, start: usize) -> anyhow::Result<Option<usize>> {
        let there = self.rest.get(start..).unwrap_or_default();
        let Some(length) = u32_at(there, 4) else {
            return Ok(None);
        };
        let length = usize::try_from(length)?;
        ensure!(
            (HEAD_BYTES..=MAX_BLOCK_BYTES).contains(&length),
            "what comes is no capture: a block of {length} bytes"
        );
        Ok((there.len() >= length).then_some(length))
    }

    fn count(&mut self, block: &[u8]) {
        match u32_at(block, 0) {
            Some(ENHANCED_PACKET) => self.packets = self.packets.saturating_add(1),
            Some(INTERFACE_STATISTICS) => {
                if let (Some(interface), Some(dropped)) = (u32_at(block, 8), dropped(block)) {
                    self.dropped.insert(interface, dropped);
                }
            }
            _ => {}
        }
    }

    /// How many packets came.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// How many are missing.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }
}

/// The count of drops among the options of a block of statistics.
fn dropped(block: &[u8]) -> Option<u64> {
    // Behind the head, the interface and the time.
    let mut options = block.get(20..)?;
    loop {
        let code = u16::from_le_bytes(options.get(..2)?.try_into().ok()?);
        let length = usize::from(u16::from_le_bytes(options.get(2..4)?.try_into().ok()?));
        let value = options.get(4..)?.get(..length)?;
        if code == DROPPED {
            return Some(u64::from_le_bytes(value.try_into().ok()?));
        }
        options = options.get(4 + length.next_multiple_of(4)..)?;
    }
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    let four = bytes.get(place..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    }

    fn statistics(interface: u32, dropped: u64) -> Vec<u8> {
        let options = [
            &[4, 0, 8, 0][..],
            &[9; 8],
            &[5, 0, 8, 0],
            &dropped.to_le_bytes(),
            &[0; 4],
        ];
        let body = [&interface.to_le_bytes()[..], &[0; 8], &options.concat()].concat();
        block(INTERFACE_STATISTICS, &body)
    }

    #[test]
    fn blocks_come_whole_however_they_are_cut() {
        let blocks = [
            block(0x0a0d_0d0a, &[1; 16]),
            block(1, &[2; 20]),
            block(ENHANCED_PACKET, &[3; 40]),
            block(ENHANCED_PACKET, &[4; 24]),
            statistics(0, 3),
            statistics(1, 4),
            statistics(0, 5),
        ];
        let file = blocks.concat();
        for size in [1, 7, 64, 1000] {
            let (mut reader, mut got) = (Blocks::default(), Vec::new());
            let ends: Vec<_> = blocks
                .iter()
                .scan(0, |end, block| {
                    *end += block.len();
                    Some(*end)
                })
                .collect();
            for part in file.chunks(size) {
                got.extend(reader.take(part).unwrap());
                assert!(got.is_empty() || ends.contains(&got.len()), "{}", got.len());
            }
            assert_eq!(got, file);
            assert_eq!((reader.packets(), reader.dropped()), (2, 9));
        }
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        for wrong in [
            &[0; 8][..],
            &[0xff; 8],
            b"HTTP/1.1 500",
            &block(5, &[])[..4],
        ] {
            let taken = Blocks::default().take(wrong);
            assert!(taken.is_err() || taken.unwrap().is_empty(), "{wrong:?}");
        }
        assert!(Blocks::default().take(&[0xff; 8]).is_err());
        let mut short = Blocks::default();
        short.take(&block(INTERFACE_STATISTICS, &[0; 13])).unwrap();
        assert_eq!(short.dropped(), 0);
    }
}
