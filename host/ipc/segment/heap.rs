//! Plain memory for segments, for hosts that map nothing.
//!
//! Pages of atomic words, made when they are first written to: a large segment costs what is used of
//! it. Copies go word by word with relaxed loads and stores, so racing with another container is
//! defined; the edges of a copy that does not end at a word change only their own bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

use crate::Errno;
use crate::limits::PAGE_BYTES;

use super::memory::{AtomicOp, SegmentMemory, SegmentProvider};

const WORD: usize = size_of::<u64>();

/// One page in bytes, as the host counts.
const PAGE: usize = 4096;

const _: () = assert!(PAGE_BYTES == 4096);

type Page = OnceLock<Box<[AtomicU64]>>;

/// Provides plain memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeapProvider;

impl SegmentProvider for HeapProvider {
    fn make(&self) -> Result<Box<dyn SegmentMemory>, Errno> {
        Ok(Box::<HeapMemory>::default())
    }
}

/// The pages of one segment; no box means zeros. The lock is for the number of pages, not for what is
/// in them.
#[derive(Debug, Default)]
struct HeapMemory {
    pages: RwLock<Vec<Page>>,
}

/// A part of a copy: within one page.
struct Part {
    page: usize,
    start: usize,
    bytes: usize,
}

impl HeapMemory {
    fn pages(&self) -> RwLockReadGuard<'_, Vec<Page>> {
        self.pages.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// One word of 64 bits, little-endian, changed as `change` says; returns what was there.
    fn update(
        &self,
        offset: u64,
        mut change: impl FnMut(u64) -> Option<u64>,
    ) -> Result<u64, Errno> {
        let pages = self.pages();
        let part = parts(offset, WORD).next().ok_or(Errno::Fault)?;
        let page = pages.get(part.page).ok_or(Errno::Fault)?;
        let word = match page.get() {
            Some(words) => words,
            None if change(0).is_none() => return Ok(0),
            None => made(page)?,
        }
        .get(part.start / WORD)
        .ok_or(Errno::Fault)?;
        let result = word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
            change(u64::from_le(word)).map(u64::to_le)
        });
        Ok(u64::from_le(result.unwrap_or_else(|word| word)))
    }
}

impl SegmentMemory for HeapMemory {
    fn resize(&self, old: u64, new: u64) -> Result<(), Errno> {
        let count = usize::try_from(new.div_ceil(PAGE_BYTES)).map_err(|_| Errno::NoMemory)?;
        let mut pages = self.pages.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = count.checked_sub(pages.len()) {
            pages.try_reserve_exact(more).map_err(|_| Errno::NoMemory)?;
            pages.resize_with(count, OnceLock::new);
        } else {
            pages.truncate(count);
            pages.shrink_to_fit();
        }
        // What is cut off of the last page must be zero if it comes back.
        let rest = usize::try_from(new % PAGE_BYTES).map_err(|_| Errno::NoMemory)?;
        if new < old
            && rest > 0
            && let Some(words) = pages.last().and_then(OnceLock::get)
        {
            write_words(words, rest, &ZEROS[rest..]);
        }
        Ok(())
    }

    fn read(&self, offset: u64, into: &mut [u8]) {
        let pages = self.pages();
        let mut rest = into;
        for part in parts(offset, rest.len()) {
            let Some((into, left)) = std::mem::take(&mut rest).split_at_mut_checked(part.bytes)
            else {
                return;
            };
            rest = left;
            match pages.get(part.page).and_then(OnceLock::get) {
                Some(words) => read_words(words, part.start, into),
                None => into.fill(0),
            }
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let pages = self.pages();
        let mut rest = data;
        for part in parts(offset, data.len()) {
            let Some((data, left)) = rest.split_at_checked(part.bytes) else {
                break;
            };
            rest = left;
            // Beyond a new end that this writer did not know of yet, it is lost.
            if let Some(page) = pages.get(part.page) {
                write_words(made(page)?, part.start, data);
            }
        }
        Ok(())
    }

    fn update_u32(&self, offset: u64, op: AtomicOp<u32>) -> Result<u32, Errno> {
        let shift = if offset.is_multiple_of(8) { 0 } else { 32 };
        let half = |word: u64| u32::try_from((word >> shift) & u64::from(u32::MAX)).unwrap_or(0);
        let word = self.update(offset - offset % 8, |word| {
            let new = op.apply(half(word))?;
            Some(word & !(u64::from(u32::MAX) << shift) | u64::from(new) << shift)
        })?;
        Ok(half(word))
    }

    fn update_u64(&self, offset: u64, op: AtomicOp<u64>) -> Result<u64, Errno> {
        self.update(offset, |word| op.apply(word))
    }
}

static ZEROS: [u8; PAGE] = [0; PAGE];

/// The words of a page, which is made if it is not there.
fn made(page: &Page) -> Result<&[AtomicU64], Errno> {
    if let Some(words) = page.get() {
        return Ok(words);
    }
    let mut words = Vec::new();
    words
        .try_reserve_exact(PAGE / WORD)
        .map_err(|_| Errno::NoMemory)?;
    words.resize_with(PAGE / WORD, AtomicU64::default);
    // Another thread may be faster; then this one is dropped.
    Ok(page.get_or_init(|| words.into_boxed_slice()))
}

/// Cuts a range at the ends of pages.
fn parts(offset: u64, bytes: usize) -> impl Iterator<Item = Part> {
    let page = usize::try_from(offset / PAGE_BYTES).unwrap_or(usize::MAX);
    let start = usize::try_from(offset % PAGE_BYTES).unwrap_or(0);
    let mut place = (page, start, bytes);
    std::iter::from_fn(move || {
        let (page, start, left) = place;
        let bytes = left.min(PAGE - start);
        place = (page.saturating_add(1), 0, left - bytes);
        (bytes > 0).then_some(Part { page, start, bytes })
    })
}

fn read_words(words: &[AtomicU64], start: usize, into: &mut [u8]) {
    let mut words = words.iter().skip(start / WORD);
    let before = start % WORD;
    let mut rest = into;
    if before > 0 {
        let head_bytes = rest.len().min(WORD - before);
        let (head, left) = rest.split_at_mut(head_bytes);
        copy_from_word(words.next(), before, head);
        rest = left;
    }
    let mut whole = rest.chunks_exact_mut(WORD);
    for (place, word) in whole.by_ref().zip(words.by_ref()) {
        place.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
    }
    copy_from_word(words.next(), 0, whole.into_remainder());
}

fn copy_from_word(word: Option<&AtomicU64>, start: usize, into: &mut [u8]) {
    if let Some(word) = word {
        let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        for (place, byte) in into.iter_mut().zip(bytes.iter().skip(start)) {
            *place = *byte;
        }
    }
}

fn write_words(words: &[AtomicU64], start: usize, data: &[u8]) {
    let mut words = words.iter().skip(start / WORD);
    let before = start % WORD;
    let mut rest = data;
    if before > 0 {
        let (head, left) = rest.split_at(rest.len().min(WORD - before));
        copy_to_word(words.next(), before, head);
        rest = left;
    }
    let (whole, tail) = rest.as_chunks::<WORD>();
    for (data, word) in whole.iter().zip(words.by_ref()) {
        word.store(u64::from_ne_bytes(*data), Ordering::Relaxed);
    }
    copy_to_word(words.next(), 0, tail);
}

/// Changes only some bytes of a word, whatever happens to the others meanwhile.
fn copy_to_word(word: Option<&AtomicU64>, start: usize, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let Some(word) = word else { return };
    let _always_some = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
        let mut bytes = old.to_ne_bytes();
        for (place, byte) in bytes.iter_mut().skip(start).zip(data) {
            *place = *byte;
        }
        Some(u64::from_ne_bytes(bytes))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(size: u64) -> HeapMemory {
        let memory = HeapMemory::default();
        memory.resize(0, size).unwrap();
        memory
    }

    fn pages_made(memory: &HeapMemory) -> usize {
        memory
            .pages()
            .iter()
            .filter(|page| page.get().is_some())
            .count()
    }

    #[test]
    fn copies_of_every_start_and_length_change_their_own_bytes_only() {
        let memory = memory(3 * PAGE_BYTES);
        let mut expected = vec![0_u8; 3 * PAGE];
        let near_edge = PAGE - 20;
        for start in near_edge..near_edge + 17 {
            for length in [0, 1, 3, 7, 8, 9, 16, 23, 41, PAGE, PAGE + 5] {
                let data: Vec<u8> = (0..length).map(|i| (i + start) as u8 | 1).collect();
                memory.write(start as u64, &data).unwrap();
                expected[start..start + length].copy_from_slice(&data);
                let mut all = vec![0xee; 3 * PAGE];
                memory.read(0, &mut all);
                assert!(all == expected, "{start} {length}");
                let mut same = vec![0xee; length];
                memory.read(start as u64, &mut same);
                assert!(same == data, "{start} {length}");
            }
        }
    }

    #[test]
    fn only_pages_that_were_written_to_take_memory() {
        let memory = memory(1 << 30);
        let mut buffer = [1; 100];
        memory.read(12_345_678, &mut buffer);
        assert_eq!(buffer, [0; 100]);
        assert_eq!(memory.update_u32(4096, AtomicOp::Load), Ok(0));
        let never = AtomicOp::CompareExchange {
            expected: 1,
            new: 2,
        };
        assert_eq!(memory.update_u64(8192, never), Ok(0));
        assert_eq!(pages_made(&memory), 0);
        memory.write(PAGE_BYTES - 1, &[1, 1]).unwrap();
        assert_eq!(pages_made(&memory), 2);
    }

    #[test]
    fn what_was_cut_off_comes_back_as_zeros() {
        let memory = memory(100);
        memory.write(0, &[7; 100]).unwrap();
        memory.resize(100, 51).unwrap();
        memory.resize(51, 10_000).unwrap();
        let mut all = vec![9; 10_000];
        memory.read(0, &mut all);
        assert!(all[..51].iter().all(|byte| *byte == 7));
        assert!(all[51..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn half_words_are_operated_on_alone_and_little_endian() {
        let memory = memory(16);
        memory.write(0, &[1, 0, 0, 0, 2, 0, 0, 0]).unwrap();
        assert_eq!(memory.update_u32(4, AtomicOp::Add(u32::MAX)), Ok(2));
        assert_eq!(memory.update_u32(0, AtomicOp::Exchange(0x0403_0201)), Ok(1));
        let swap = AtomicOp::CompareExchange {
            expected: 1,
            new: 0x80,
        };
        assert_eq!(memory.update_u32(4, swap), Ok(1));
        assert_eq!(memory.update_u32(4, swap), Ok(0x80));
        let mut bytes = [0; 8];
        memory.read(0, &mut bytes);
        assert_eq!(bytes, [1, 2, 3, 4, 0x80, 0, 0, 0]);
        let word = memory.update_u64(0, AtomicOp::Load).unwrap();
        assert_eq!(word, 0x80_0403_0201);
    }
}
