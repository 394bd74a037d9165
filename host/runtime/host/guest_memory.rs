//! Places in the memory of a core module, and what its calls return.
//!
//! Whatever a guest gives as a pointer is checked here. WebAssembly's addresses and lengths are unsigned, whatever the
//! type of the import says.

use wasmpod_ipc::Errno;
use wasmtime::{Caller, Extern, Memory};

use crate::host::CoreState;

/// WASI 0.1's errno for success.
const SUCCESS: i32 = 0;
/// WASI 0.1's errno for a pointer outside of the memory.
const FAULT: i32 = 21;

/// Longest name that is looked at, in bytes: more than POSIX allows, so that the ipc crate says `ENAMETOOLONG`.
const MAX_NAME_BYTES: usize = 4096;

/// A core module while it calls the host.
pub(super) type Guest<'a> = Caller<'a, CoreState>;

/// Why a call did nothing: an errno of WASI 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure(i32);

impl Failure {
    /// The failure with this number.
    pub(super) const fn new(errno: i32) -> Self {
        Self(errno)
    }

    /// Its number.
    pub(super) const fn errno(self) -> i32 {
        self.0
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self(i32::from(errno.wasi()))
    }
}

impl From<wasmpod_network::Errno> for Failure {
    fn from(errno: wasmpod_network::Errno) -> Self {
        Self(i32::from(errno.wasi()))
    }
}

/// A pointer outside of the memory.
pub(super) const EFAULT: Failure = Failure(FAULT);

/// What a call returns.
pub(super) type Answer = Result<(), Failure>;

/// The errno of an answer.
pub(super) fn errno(answer: Answer) -> i32 {
    answer.map_or_else(|Failure(errno)| errno, |()| SUCCESS)
}

/// A place in the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    start: usize,
    bytes: usize,
}

impl Place {
    /// `bytes` bytes from `pointer` on.
    pub(super) fn new(pointer: i32, bytes: i32) -> Result<Self, Failure> {
        Self::of(pointer.cast_unsigned(), bytes.cast_unsigned())
    }

    /// The same, of numbers that were read from the guest's memory.
    pub(super) fn of(pointer: u32, bytes: u32) -> Result<Self, Failure> {
        Ok(Self {
            start: usize::try_from(pointer).map_err(|_| EFAULT)?,
            bytes: usize::try_from(bytes).map_err(|_| EFAULT)?,
        })
    }

    /// `count` elements of `size` bytes.
    pub(super) fn elements(pointer: i32, count: i32, size: usize) -> Result<Self, Failure> {
        let all = Self::new(pointer, count)?;
        Ok(Self {
            bytes: all.bytes.checked_mul(size).ok_or(EFAULT)?,
            ..all
        })
    }

    /// A place that is only a part of this one.
    pub(super) fn cut(self, most: usize) -> Self {
        Self {
            bytes: self.bytes.min(most),
            ..self
        }
    }

    /// The element with this number.
    pub(super) fn element(self, index: usize, size: usize) -> Result<Self, Failure> {
        let offset = index.checked_mul(size).ok_or(EFAULT)?;
        Ok(Self {
            start: self.start.checked_add(offset).ok_or(EFAULT)?,
            bytes: size,
        })
    }

    /// How many bytes it has.
    pub(super) const fn bytes(self) -> usize {
        self.bytes
    }

    /// `EFAULT` unless it is in the memory.
    pub(super) fn check(self, memory: &[u8]) -> Result<Self, Failure> {
        self.read(memory).map(|_| self)
    }

    pub(super) fn read(self, memory: &[u8]) -> Result<&[u8], Failure> {
        let end = self.start.checked_add(self.bytes).ok_or(EFAULT)?;
        memory.get(self.start..end).ok_or(EFAULT)
    }

    pub(super) fn write(self, memory: &mut [u8]) -> Result<&mut [u8], Failure> {
        let end = self.start.checked_add(self.bytes).ok_or(EFAULT)?;
        memory.get_mut(self.start..end).ok_or(EFAULT)
    }

    /// `N` bytes, which must be all of it.
    pub(super) fn read_array<const N: usize>(self, memory: &[u8]) -> Result<[u8; N], Failure> {
        self.read(memory)?.try_into().map_err(|_| EFAULT)
    }
}

/// A place for results: `N` bytes, checked before anything is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out<const N: usize>(Place);

impl<const N: usize> Out<N> {
    /// The place that the guest gave for them.
    pub(super) fn new(pointer: i32, memory: &[u8]) -> Result<Self, Failure> {
        let place = Place {
            bytes: N,
            ..Place::new(pointer, 0)?
        };
        place.check(memory).map(Self)
    }

    /// Writes the numbers one after the other, little-endian, as WebAssembly stores them.
    pub(super) fn put(self, memory: &mut [u8], numbers: &[&dyn Number]) -> Answer {
        let mut rest = self.0.write(memory)?;
        for number in numbers {
            rest = number.put(rest).ok_or(EFAULT)?;
        }
        Ok(())
    }
}

/// A number that is written to the guest's memory.
pub(super) trait Number {
    /// Writes it to the beginning of `place`; what is left of that, none if it is too short.
    fn put<'a>(&self, place: &'a mut [u8]) -> Option<&'a mut [u8]>;
}

macro_rules! number {
    ($($type:ty),*) => { $(
        impl Number for $type {
            fn put<'a>(&self, place: &'a mut [u8]) -> Option<&'a mut [u8]> {
                let (here, rest) = place.split_at_mut_checked(size_of::<Self>())?;
                here.copy_from_slice(&self.to_le_bytes());
                Some(rest)
            }
        }
    )* };
}

number!(u8, u16, i32, u32, u64, i64);

/// The guest's memory as the engine knows it. A guest without a memory of the usual name has no place for anything.
pub(super) fn handle(guest: &mut Guest<'_>) -> Result<Memory, Failure> {
    if let Some(memory) = guest.data().memory {
        return Ok(memory);
    }
    let Some(Extern::Memory(memory)) = guest.get_export("memory") else {
        return Err(EFAULT);
    };
    guest.data_mut().memory = Some(memory);
    Ok(memory)
}

/// The guest's memory and its state.
pub(super) fn memory<'a>(
    guest: &'a mut Guest<'_>,
) -> Result<(&'a mut [u8], &'a mut CoreState), Failure> {
    Ok(handle(guest)?.data_and_store_mut(guest))
}

/// A name that the guest gave.
pub(super) fn name(memory: &[u8], pointer: i32, bytes: i32) -> Result<&str, Failure> {
    let place = Place::new(pointer, bytes)?.check(memory)?;
    let name = place.cut(MAX_NAME_BYTES).read(memory)?;
    Ok(std::str::from_utf8(name).map_err(|_| Errno::Invalid)?)
}
