//! Loads on shared memory.

use wasmpod_ipc::{OpenOptions, SharedMemory};

use crate::Failure;
use crate::figures::{Figures, Stopwatch};

/// The segment in which random places are read, in bytes: more than the caches next to a core hold.
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
const RANDOM_BYTES: usize = 16 * 1024 * 1024;
/// Bytes that are read at a time. It is known to the compiler, as it is in programs that have records.
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
const RANDOM_SIZE: usize = 64;
/// Random reads in one step: reading the clock costs more than one of them.
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
const STEP: usize = 1000;
/// Random reads in one turn of the loop: a guest asks in each turn whether it has to stop, which takes loads of its own.
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
const TURN: usize = 4;

fn make(name: &str, size: usize) -> Result<SharedMemory, Failure> {
    let options = OpenOptions::new().write(true).create(true).truncate(true);
    let memory = SharedMemory::open(name, options)?;
    memory.truncate(u64::try_from(size)?)?;
    Ok(memory)
}

/// What both sides' memory begins at a multiple of, in bytes: how fast a copy is depends on where its ends are, which
/// each allocator decides differently.
const PAGE: usize = 4096;

fn whole_pages(memory: &mut [u8], size: usize) -> &mut [u8] {
    let start = memory.as_ptr().align_offset(PAGE);
    memory.get_mut(start..start + size).unwrap_or_default()
}

/// Bytes in one step of copying, at least: reading the clock costs as much as a short copy.
const STEP_BYTES: usize = 1024 * 1024;

/// Copies `size` bytes in and out in turns; each copy counts.
fn copies(
    size: usize,
    count: usize,
    mut put: impl FnMut(&[u8]) -> Result<(), Failure>,
    mut get: impl FnMut(&mut [u8]) -> Result<(), Failure>,
) -> Result<Figures, Failure> {
    let (mut data, mut copy) = (vec![0x5a; size + PAGE], vec![0; size + PAGE]);
    let (data, copy) = (whole_pages(&mut data, size), whole_pages(&mut copy, size));
    // The first round touches every page.
    put(data)?;
    get(copy)?;
    let step = STEP_BYTES.div_ceil(size.max(1));
    let mut watch = Stopwatch::start(count / step);
    for number in 1..=count {
        if number.is_multiple_of(2) {
            put(data)?;
        } else {
            get(copy)?;
        }
        if number.is_multiple_of(step) {
            watch.step();
        }
    }
    let figures = watch.finish(size, count, step);
    if copy == data {
        Ok(figures)
    } else {
        Err("what came out is not what went in".into())
    }
}

pub(crate) fn copied(name: &str, size: usize, count: usize) -> Result<Figures, Failure> {
    let memory = make(name, size)?;
    let figures = copies(
        size,
        count,
        |data| Ok(memory.write(0, data)?),
        |copy| {
            memory.read(0, copy)?;
            Ok(())
        },
    )?;
    SharedMemory::unlink(name)?;
    Ok(figures)
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
pub(crate) fn mapped(name: &str, size: usize, count: usize) -> Result<Figures, Failure> {
    let map = make(name, size)?.map(true)?;
    let figures = copies(
        size,
        count,
        |data| Ok(map.write(0, data)?),
        |copy| Ok(map.read(0, copy)?),
    )?;
    SharedMemory::unlink(name)?;
    Ok(figures)
}

/// The records of the segment.
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
type Records<'a> =
    wasmpod_ipc::Records<'a, { RANDOM_SIZE / size_of::<u64>() }, { RANDOM_BYTES / RANDOM_SIZE }>;

/// Reads one step's records and adds up their numbers. Apart from the clock, so that no compiler keeps its results in
/// memory over a call.
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
#[inline(never)]
fn read_records(records: Records<'_>, place: &mut u32) -> u64 {
    let (mut random, mut sum) = (*place, 0_u64);
    for _ in 0..STEP / TURN {
        let mut lanes = lanes::ZERO;
        for _ in 0..TURN {
            // Numerical Recipes' generator; the upper bits are random enough for places.
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (random >> 8) as usize % (RANDOM_BYTES / RANDOM_SIZE);
            if let Some(record) = records.get(number) {
                lanes = lanes::add(lanes, record);
            }
        }
        sum = sum.wrapping_add(lanes::sum(lanes));
    }
    *place = random;
    sum
}

/// Sums of numbers at even and at odd places: a vector of 16 bytes, which compilers use by themselves in programs for
/// 64-bit processors.
#[cfg(not(target_arch = "wasm32"))]
mod lanes {
    pub(super) const ZERO: [u64; 2] = [0; 2];

    pub(super) fn add<const N: usize>(sum: [u64; 2], words: [u64; N]) -> [u64; 2] {
        words
            .as_chunks::<2>()
            .0
            .iter()
            .fold(sum, |[even, odd], [a, b]| {
                [even.wrapping_add(*a), odd.wrapping_add(*b)]
            })
    }

    pub(super) fn sum([even, odd]: [u64; 2]) -> u64 {
        even.wrapping_add(odd)
    }
}

/// The same for Wasm, whose compiler must be told: with twice as many loads half as many records are under way at a time.
#[cfg(all(
    target_arch = "wasm32",
    not(all(target_os = "wasi", target_env = "p2"))
))]
mod lanes {
    use core::arch::wasm32::{i64x2_add, u64x2, u64x2_extract_lane, v128};

    pub(super) const ZERO: v128 = u64x2(0, 0);

    #[target_feature(enable = "simd128")]
    pub(super) fn add<const N: usize>(sum: v128, words: [u64; N]) -> v128 {
        let pairs = words.as_chunks::<2>().0.iter();
        pairs.fold(sum, |sum, [a, b]| i64x2_add(sum, u64x2(*a, *b)))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn sum(sum: v128) -> u64 {
        u64x2_extract_lane::<0>(sum).wrapping_add(u64x2_extract_lane::<1>(sum))
    }
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
pub(crate) fn random(name: &str, size: usize, count: usize) -> Result<Figures, Failure> {
    if size != RANDOM_SIZE {
        return Err(format!("random places are read {RANDOM_SIZE} bytes at a time").into());
    }
    let map = make(name, RANDOM_BYTES)?.map(true)?;
    map.write(0, &vec![1; RANDOM_BYTES])?;
    let records = map.records(0)?;
    let (mut sum, mut place) = (0_u64, 1);
    let mut watch = Stopwatch::start(count / STEP);
    for _ in 0..count / STEP {
        sum = sum.wrapping_add(read_records(records, &mut place));
        watch.step();
    }
    let count = count / STEP * STEP;
    let figures = watch.finish(size, count, STEP);
    SharedMemory::unlink(name)?;
    let words = u64::try_from(count * size.div_ceil(size_of::<u64>()))?;
    if sum == words.wrapping_mul(u64::from_ne_bytes([1; 8])) {
        Ok(figures)
    } else {
        Err("what was read is not what was written".into())
    }
}

#[cfg(all(target_os = "wasi", target_env = "p2"))]
pub(crate) fn mapped(_: &str, _: usize, _: usize) -> Result<Figures, Failure> {
    Err("a component maps nothing".into())
}

#[cfg(all(target_os = "wasi", target_env = "p2"))]
pub(crate) fn random(_: &str, _: usize, _: usize) -> Result<Figures, Failure> {
    Err("a component maps nothing".into())
}

/// On the kernel's memory, where these tests run.
#[cfg(test)]
mod tests {
    use super::*;

    fn name(test: &str) -> String {
        format!("/wasmpod-bench-{test}-{}", std::process::id())
    }

    #[test]
    fn what_goes_in_comes_out() {
        let (by_call, in_place) = (name("copied"), name("mapped"));
        assert_eq!(copied(&by_call, 4096, 100).unwrap().count, 100);
        assert_eq!(mapped(&in_place, 4096, 100).unwrap().count, 100);
    }

    #[test]
    fn every_random_place_is_read() {
        assert_eq!(random(&name("random"), 64, 2000).unwrap().size, 64);
    }
}
