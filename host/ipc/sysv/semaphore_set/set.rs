//! The values of a set, and what a container's end gives back. No waiting here.

use crate::Errno;
use crate::account::Charge;
use crate::limits::{SEMAEM, SEMVMX};
use crate::owner::Owner;

use super::SemOp;

/// One semaphore.
#[derive(Debug, Clone, Copy, Default)]
struct Semaphore {
    value: u16,
    /// The instance that operated on it last: `GETPID`.
    last_pid: i32,
}

/// What to add to a semaphore when an instance ends.
#[derive(Debug)]
struct Adjustment {
    pid: i32,
    number: u16,
    change: i32,
}

/// Bytes charged for an adjustment; the vector of them may have doubled.
const ADJUSTMENT_BYTES: u64 = 2 * size_of::<Adjustment>() as u64;

/// Bytes charged for a semaphore.
pub(super) const SEMAPHORE_BYTES: u64 = size_of::<Semaphore>() as u64;

/// Where an operation that has to wait stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) number: u16,
    /// It waits for zero, and not for more.
    pub(super) for_zero: bool,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// All is done.
    Done,
    /// Nothing is done; it has to wait.
    Blocked(Block),
    /// Nothing is done, and will not be.
    Failed(Errno),
}

/// The semaphores of a set.
#[derive(Debug)]
pub(super) struct Semaphores {
    semaphores: Vec<Semaphore>,
    /// In the order of instance and number. Those of 0 stay until the instance ends, so that locking
    /// and unlocking in turn makes no memory.
    adjustments: Vec<Adjustment>,
    charge: Charge,
}

impl Semaphores {
    /// So many semaphores of value 0, charged already.
    pub(super) fn new(count: u32, charge: Charge) -> Result<Self, Errno> {
        let count = usize::try_from(count).map_err(|_| Errno::NoMemory)?;
        let mut semaphores = Vec::new();
        semaphores
            .try_reserve_exact(count)
            .map_err(|_| Errno::NoMemory)?;
        semaphores.resize(count, Semaphore::default());
        Ok(Self {
            semaphores,
            adjustments: Vec::new(),
            charge,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.semaphores.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = u16> {
        self.semaphores.iter().map(|semaphore| semaphore.value)
    }

    fn semaphore(&mut self, number: u16) -> Result<&mut Semaphore, Errno> {
        let semaphore = self.semaphores.get_mut(usize::from(number));
        semaphore.ok_or(Errno::FileTooBig)
    }

    /// Value and last instance of a semaphore.
    pub(super) fn get(&self, number: u16) -> Option<(u16, i32)> {
        let semaphore = self.semaphores.get(usize::from(number))?;
        Some((semaphore.value, semaphore.last_pid))
    }

    /// Sets a value; what was to be given back to it at the end of containers is forgotten.
    pub(super) fn set(&mut self, number: u16, value: u16, pid: i32) -> Result<(), Errno> {
        let semaphore = self.semaphore(number)?;
        semaphore.value = value;
        semaphore.last_pid = pid;
        for adjustment in &mut self.adjustments {
            if adjustment.number == number {
                adjustment.change = 0;
            }
        }
        Ok(())
    }

    /// Does all operations in their order, or none.
    pub(super) fn attempt(&mut self, ops: &[SemOp], owner: &Owner) -> Attempt {
        for (done, op) in ops.iter().enumerate() {
            let failure = match self.operate(*op, owner) {
                Ok(None) => continue,
                Ok(Some(_)) if op.no_wait => Attempt::Failed(Errno::Again),
                Ok(Some(block)) => Attempt::Blocked(block),
                Err(errno) => Attempt::Failed(errno),
            };
            for op in ops.iter().take(done).rev() {
                self.take_back(*op, owner);
            }
            return failure;
        }
        for op in ops {
            if let Ok(semaphore) = self.semaphore(op.number) {
                semaphore.last_pid = owner.pid();
            }
        }
        Attempt::Done
    }

    /// Does one operation, or says where it has to wait.
    fn operate(&mut self, op: SemOp, owner: &Owner) -> Result<Option<Block>, Errno> {
        let semaphore = self.semaphore(op.number)?;
        let block = Block {
            number: op.number,
            for_zero: op.change == 0,
        };
        if op.change == 0 {
            return Ok((semaphore.value != 0).then_some(block));
        }
        let value = i32::from(semaphore.value) + i32::from(op.change);
        let Ok(value) = u16::try_from(value) else {
            return Ok(Some(block));
        };
        if value > SEMVMX {
            return Err(Errno::Range);
        }
        if op.undo {
            let adjustment = self.adjustment(owner.pid(), op.number)?;
            let change = adjustment.change - i32::from(op.change);
            // Linux's range, which is one wider than the name says.
            if !(-SEMAEM - 1..=SEMAEM).contains(&change) {
                return Err(Errno::Range);
            }
            adjustment.change = change;
        }
        self.semaphore(op.number)?.value = value;
        Ok(None)
    }

    /// The reverse of an operation that was just done.
    fn take_back(&mut self, op: SemOp, owner: &Owner) {
        if let Ok(semaphore) = self.semaphore(op.number) {
            let value = i32::from(semaphore.value) - i32::from(op.change);
            semaphore.value = u16::try_from(value).unwrap_or(semaphore.value);
        }
        if op.undo
            && op.change != 0
            && let Ok(adjustment) = self.adjustment(owner.pid(), op.number)
        {
            adjustment.change += i32::from(op.change);
        }
    }

    /// The reverse of operations that were done a while ago, in whole or not at all: not when others
    /// have used up what these gave, or filled up what they took.
    pub(super) fn reverse(&mut self, ops: &[SemOp], owner: &Owner) -> bool {
        // What was to be undone at the end of an instance that has ended is undone already.
        let is_open = |op: &SemOp| op.change != 0 && !(op.undo && owner.has_ended());
        let mut reversed = 0;
        for op in ops.iter().rev().filter(|op| is_open(op)) {
            let value = self
                .get(op.number)
                .map_or(-1, |(value, _)| i32::from(value) - i32::from(op.change));
            if !(0..=i32::from(SEMVMX)).contains(&value) {
                break;
            }
            self.take_back(*op, owner);
            reversed += 1;
        }
        let total = ops.iter().filter(|op| is_open(op)).count();
        if reversed == total {
            return true;
        }
        // The last to be reversed is the first to be done again.
        let again: Vec<_> = ops
            .iter()
            .rev()
            .filter(|op| is_open(op))
            .take(reversed)
            .collect();
        for op in again.into_iter().rev() {
            let _fits_as_before = self.operate(*op, owner);
        }
        false
    }

    /// The adjustment of an instance for a semaphore, made if it is not there.
    fn adjustment(&mut self, pid: i32, number: u16) -> Result<&mut Adjustment, Errno> {
        let place = self
            .adjustments
            .binary_search_by_key(&(pid, number), |one| (one.pid, one.number));
        let place = match place {
            Ok(place) => place,
            Err(place) => {
                self.adjustments
                    .try_reserve(1)
                    .map_err(|_| Errno::NoMemory)?;
                if !self.charge.grow(ADJUSTMENT_BYTES) {
                    return Err(Errno::NoMemory);
                }
                let adjustment = Adjustment {
                    pid,
                    number,
                    change: 0,
                };
                self.adjustments.insert(place, adjustment);
                place
            }
        };
        self.adjustments.get_mut(place).ok_or(Errno::NoMemory)
    }

    /// Gives back what an instance that has ended took; values stay within their range.
    pub(super) fn end(&mut self, pid: i32) {
        let first = self.adjustments.partition_point(|one| one.pid < pid);
        let count = self
            .adjustments
            .iter()
            .skip(first)
            .take_while(|one| one.pid == pid)
            .count();
        let ended: Vec<_> = self.adjustments.drain(first..first + count).collect();
        for Adjustment { number, change, .. } in ended {
            self.charge.shrink(ADJUSTMENT_BYTES);
            if let Ok(semaphore) = self.semaphore(number)
                && change != 0
            {
                let value = i32::from(semaphore.value) + change;
                let value = value.clamp(0, i32::from(SEMVMX));
                semaphore.value = u16::try_from(value).unwrap_or(SEMVMX);
                semaphore.last_pid = pid;
            }
        }
    }
}
