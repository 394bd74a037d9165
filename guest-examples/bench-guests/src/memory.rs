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

fn make(name: &str, size: usize) -> Result<SharedMemory, Failure> {
    let options = OpenOptions::new().write(true).create(true).truncate(true);
    let memory = SharedMemory::open(name, options)?;
    memory.truncate(u64::try_from(size)?)?;
    Ok(memory)
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
    let (data, mut copy) = (vec![0x5a; size], vec![0; size]);
    // The first round touches every page.
    put(&data)?;
    get(&mut copy)?;
    let step = STEP_BYTES.div_ceil(size.max(1));
    let mut watch = Stopwatch::start(count / step);
    for number in 1..=count {
        if number.is_multiple_of(2) {
            put(&data)?;
        } else {
            get(&mut copy)?;
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

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
pub(crate) fn random(name: &str, size: usize, count: usize) -> Result<Figures, Failure> {
    if size != RANDOM_SIZE {
        return Err(format!("random places are read {RANDOM_SIZE} bytes at a time").into());
    }
    let map = make(name, RANDOM_BYTES)?.map(true)?;
    map.write(0, &vec![1; RANDOM_BYTES])?;
    let (mut sum, mut place) = (0_u64, 1_usize);
    let places = RANDOM_BYTES / RANDOM_SIZE;
    let mut watch = Stopwatch::start(count / STEP);
    for number in 1..=count {
        // Numerical Recipes' generator of 32 bits; the upper ones are random enough for places.
        place = place.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) & 0xffff_ffff;
        let start = ((place >> 8) % places) * RANDOM_SIZE;
        let words: [u64; RANDOM_SIZE / size_of::<u64>()] = map.read_numbers(start)?;
        sum = words.into_iter().fold(sum, u64::wrapping_add);
        if number.is_multiple_of(STEP) {
            watch.step();
        }
    }
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
