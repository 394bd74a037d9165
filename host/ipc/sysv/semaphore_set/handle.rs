//! What a container does with a semaphore set, and the line of those who wait at it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::Errno;
use crate::account::Charge;
use crate::limits::{QUEUE_OVERHEAD_BYTES, SEMVMX};
use crate::lock::lock;
use crate::namespace::Namespace;
use crate::owner::Owner;
use crate::sysv::flags::MODE;
use crate::sysv::{GetFlags, Identity};
use crate::wait::{Ticket, Wait, WaitList, Waitable, Wakes, What};

use super::SemOp;
use super::set::{Attempt, Block, SEMAPHORE_BYTES, Semaphores};

/// What a set is at one moment: `IPC_STAT`, and what `ipcs(1)` shows. Times are seconds since 1970,
/// 0 for never.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreSetInfo {
    /// Its id.
    pub id: i32,
    /// Its key, 0 for none.
    pub key: i32,
    /// Its permission bits.
    pub mode: u32,
    /// The container that made it.
    pub creator: Arc<str>,
    /// Semaphores in it: `sem_nsems`.
    pub count: u32,
    /// Their values.
    pub values: Vec<u16>,
    /// Callers of `semop` that wait.
    pub waiting: u32,
    /// The container that operated on it last.
    pub last_operator: Option<Arc<str>>,
    /// When that was: `sem_otime`.
    pub operated_at: u64,
    /// When it was made, or changed by `semctl(2)`: `sem_ctime`.
    pub changed_at: u64,
}

/// The use of a semaphore set by one container instance.
#[derive(Clone)]
pub struct SemaphoreSet {
    handle: Arc<Handle>,
}

struct Handle {
    set: Arc<Shared>,
    owner: Arc<Owner>,
    namespace: Arc<Namespace>,
}

/// The set itself.
#[derive(Debug)]
pub(crate) struct Shared {
    identity: Identity,
    state: Mutex<State>,
    _semaphores: Charge,
}

#[derive(Debug)]
struct State {
    semaphores: Semaphores,
    line: WaitList<Pending>,
    removed: bool,
    mode: u32,
    last_operator: Option<Arc<str>>,
    operated_at: u64,
    changed_at: u64,
}

/// Operations that wait.
#[derive(Debug)]
struct Pending {
    ops: Arc<[SemOp]>,
    owner: Arc<Owner>,
    block: Block,
    outcome: Option<Result<(), Errno>>,
}

/// A call of `semop` that may wait.
struct Operation {
    handle: Arc<Handle>,
    ops: Arc<[SemOp]>,
}

/// The id of the set of a key, made with `count` semaphores if it is missing and the flags say so.
pub(crate) fn get(
    namespace: &Namespace,
    owner: &Owner,
    key: i32,
    count: i32,
    flags: GetFlags,
) -> Result<i32, Errno> {
    let count = u32::try_from(count).map_err(|_| Errno::Invalid)?;
    if count > namespace.limits.system_v.semmsl {
        return Err(Errno::Invalid);
    }
    let check = |set: &Shared| {
        let has = lock(&set.state).semaphores.len();
        if usize::try_from(count).is_ok_and(|count| count <= has) {
            Ok(())
        } else {
            Err(Errno::Invalid)
        }
    };
    namespace
        .semaphore_sets
        .get(key, flags, owner, check, |identity| {
            if count == 0 {
                return Err(Errno::Invalid);
            }
            let semaphores = namespace
                .system_v_semaphores
                .charge(u64::from(count))
                .ok_or(Errno::NoSpace)?;
            let charge = namespace
                .system_v_bytes
                .charge(QUEUE_OVERHEAD_BYTES + u64::from(count) * SEMAPHORE_BYTES)
                .ok_or(Errno::NoMemory)?;
            Ok(Shared {
                identity,
                state: Mutex::new(State {
                    semaphores: Semaphores::new(count, charge)?,
                    line: WaitList::default(),
                    removed: false,
                    mode: flags.mode(),
                    last_operator: None,
                    operated_at: 0,
                    changed_at: namespace.host.clock.unix_seconds(),
                }),
                _semaphores: semaphores,
            })
        })
}

/// A handle of the set of an id.
pub(crate) fn open(
    namespace: &Arc<Namespace>,
    owner: &Arc<Owner>,
    id: i32,
) -> Result<SemaphoreSet, Errno> {
    Ok(SemaphoreSet {
        handle: Arc::new(Handle {
            set: namespace.semaphore_sets.find(id)?,
            owner: Arc::clone(owner),
            namespace: Arc::clone(namespace),
        }),
    })
}

impl State {
    fn check(&self) -> Result<(), Errno> {
        if self.removed {
            Err(Errno::Invalid)
        } else {
            Ok(())
        }
    }

    /// One attempt of a caller that is here now.
    fn attempt(&mut self, ops: &[SemOp], owner: &Owner, now: u64, wakes: &mut Wakes) -> Attempt {
        let attempt = self.semaphores.attempt(ops, owner);
        if attempt == Attempt::Done {
            owner.note(&mut self.last_operator);
            self.operated_at = now;
            if ops.iter().any(|op| op.change != 0) {
                self.serve(now, wakes);
            }
        }
        attempt
    }

    /// Does what can be done now for those who wait. After each that changed something it begins
    /// with the first again, so that it is always the first for whom it is possible.
    fn serve(&mut self, now: u64, wakes: &mut Wakes) {
        let Self {
            semaphores,
            line,
            last_operator,
            ..
        } = self;
        let mut served = false;
        while line.wake_first(wakes, |pending| {
            if pending.outcome.is_some() {
                return false;
            }
            match semaphores.attempt(&pending.ops, &pending.owner) {
                Attempt::Done => {
                    pending.owner.note(last_operator);
                    served = true;
                    pending.outcome = Some(Ok(()));
                }
                Attempt::Failed(errno) => pending.outcome = Some(Err(errno)),
                Attempt::Blocked(block) => pending.block = block,
            }
            pending.outcome.is_some()
        }) {}
        if served {
            self.operated_at = now;
        }
    }

    fn waiting(&self, block: Block) -> u32 {
        let waiting = self
            .line
            .wants()
            .filter(|pending| pending.outcome.is_none() && pending.block == block);
        u32::try_from(waiting.count()).unwrap_or(u32::MAX)
    }

    /// Leaves the line. What was done meanwhile for one who is not there to hear of it is undone.
    fn leave(&mut self, ticket: Ticket, now: u64, wakes: &mut Wakes) {
        let Some((pending, _)) = self.line.leave(ticket) else {
            return;
        };
        let is_done = pending.outcome == Some(Ok(())) && !self.removed;
        if is_done && self.semaphores.reverse(&pending.ops, &pending.owner) {
            self.serve(now, wakes);
        }
    }
}

impl Shared {
    pub(crate) fn info(&self) -> SemaphoreSetInfo {
        let state = lock(&self.state);
        SemaphoreSetInfo {
            id: self.identity.id,
            key: self.identity.key,
            mode: state.mode,
            creator: Arc::clone(&self.identity.creator),
            count: u32::try_from(state.semaphores.len()).unwrap_or(u32::MAX),
            values: state.semaphores.values().collect(),
            waiting: u32::try_from(state.line.len()).unwrap_or(u32::MAX),
            last_operator: state.last_operator.clone(),
            operated_at: state.operated_at,
            changed_at: state.changed_at,
        }
    }

    /// An instance has ended: it waits no more, and what it did with `SEM_UNDO` is undone.
    pub(crate) fn end(&self, owner: &Owner, now: u64) {
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&self.state);
            let state = &mut *state;
            state.line.change_all(&mut wakes, |pending| {
                if pending.owner.pid() == owner.pid() && pending.outcome.is_none() {
                    pending.outcome = Some(Err(Errno::BadDescriptor));
                }
            });
            state.semaphores.end(owner.pid());
            state.serve(now, &mut wakes);
        }
        wakes.wake();
    }
}

impl SemaphoreSet {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.handle.set.identity.id
    }

    /// Does all operations at once, or none; `semop(2)` where each has `IPC_NOWAIT`.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when it would have to wait; `EINVAL` without operations, or when the set is removed;
    /// `E2BIG` for more than the pod allows in one call; `EFBIG` for a semaphore that the set does
    /// not have; `ERANGE` when a value or an adjustment would leave its range; `ENOMEM` when there is
    /// no memory for an adjustment.
    pub fn try_operate(&self, ops: &[SemOp]) -> Result<(), Errno> {
        let now = self.handle.check(ops)?;
        let mut wakes = Wakes::default();
        let attempt = {
            let mut state = lock(&self.handle.set.state);
            self.handle.check_state(&state, ops)?;
            state.attempt(ops, &self.handle.owner, now, &mut wakes)
        };
        wakes.wake();
        match attempt {
            Attempt::Done => Ok(()),
            Attempt::Blocked(_) => Err(Errno::Again),
            Attempt::Failed(errno) => Err(errno),
        }
    }

    /// Does all operations at once as soon as that is possible, first come first; `semop(2)`, and
    /// `semtimedop(2)` for who drops the wait in time (its error is `EAGAIN` then).
    ///
    /// When the wait is over they are done. Its errors are those of [`Self::try_operate`], `EAGAIN`
    /// only where an operation with `no_wait` would wait, and `EIDRM` when the set is removed.
    pub fn operate(&self, ops: &[SemOp]) -> Wait {
        // More than are allowed are refused when polled, so they need not be kept.
        let most = self.handle.semopm().saturating_add(1);
        let operation = Operation {
            handle: Arc::clone(&self.handle),
            ops: ops.iter().copied().take(most).collect(),
        };
        Wait::new(Arc::new(operation), What::Operation)
    }

    /// The value of a semaphore: `GETVAL`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the set has no such semaphore, or is removed.
    pub fn value(&self, number: u32) -> Result<u16, Errno> {
        Ok(self.one(number)?.0)
    }

    /// The number of the instance that operated on a semaphore last, 0 for none: `GETPID`.
    ///
    /// # Errors
    ///
    /// As [`Self::value`].
    pub fn last_pid(&self, number: u32) -> Result<i32, Errno> {
        Ok(self.one(number)?.1)
    }

    fn one(&self, number: u32) -> Result<(u16, i32), Errno> {
        let number = u16::try_from(number).map_err(|_| Errno::Invalid)?;
        let state = lock(&self.handle.set.state);
        state.check()?;
        state.semaphores.get(number).ok_or(Errno::Invalid)
    }

    /// How many wait for a semaphore to become greater: `GETNCNT`.
    ///
    /// # Errors
    ///
    /// As [`Self::value`].
    pub fn waiting_for_increase(&self, number: u32) -> Result<u32, Errno> {
        self.waiting(number, false)
    }

    /// How many wait for a semaphore to become 0: `GETZCNT`.
    ///
    /// # Errors
    ///
    /// As [`Self::value`].
    pub fn waiting_for_zero(&self, number: u32) -> Result<u32, Errno> {
        self.waiting(number, true)
    }

    fn waiting(&self, number: u32, for_zero: bool) -> Result<u32, Errno> {
        self.one(number)?;
        let number = u16::try_from(number).map_err(|_| Errno::Invalid)?;
        Ok(lock(&self.handle.set.state).waiting(Block { number, for_zero }))
    }

    /// Sets the value of a semaphore: `SETVAL`. What containers were to give back to it at their end
    /// is forgotten.
    ///
    /// # Errors
    ///
    /// `ERANGE` when the value is not 0 to [`SEMVMX`]; else as [`Self::value`].
    pub fn set_value(&self, number: u32, value: i32) -> Result<(), Errno> {
        let value = in_range(value)?;
        let number = u16::try_from(number).map_err(|_| Errno::Invalid)?;
        self.change(|semaphores, pid| {
            let set = semaphores.set(number, value, pid);
            set.map_err(|_| Errno::Invalid)
        })
    }

    /// The values of all semaphores: `GETALL`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the set is removed.
    pub fn values(&self) -> Result<Vec<u16>, Errno> {
        let state = lock(&self.handle.set.state);
        state.check()?;
        Ok(state.semaphores.values().collect())
    }

    /// Sets the values of all semaphores: `SETALL`, else as [`Self::set_value`].
    ///
    /// # Errors
    ///
    /// `ERANGE` when a value is greater than [`SEMVMX`]; `EINVAL` when there are not as many values
    /// as semaphores, or the set is removed.
    pub fn set_values(&self, values: &[u16]) -> Result<(), Errno> {
        for value in values {
            in_range(i32::from(*value))?;
        }
        self.change(|semaphores, pid| {
            if values.len() != semaphores.len() {
                return Err(Errno::Invalid);
            }
            (0..=u16::MAX)
                .zip(values)
                .try_for_each(|(number, value)| semaphores.set(number, *value, pid))
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Semaphores, i32) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let now = self.handle.now();
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&self.handle.set.state);
            state.check()?;
            change(&mut state.semaphores, self.handle.owner.pid())?;
            state.changed_at = now;
            state.serve(now, &mut wakes);
        }
        wakes.wake();
        Ok(())
    }

    /// What it is now; `IPC_STAT` of `semctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is removed.
    pub fn stat(&self) -> Result<SemaphoreSetInfo, Errno> {
        lock(&self.handle.set.state).check()?;
        Ok(self.handle.set.info())
    }

    /// Changes its mode; `IPC_SET` of `semctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is removed.
    pub fn set_mode(&self, mode: u32) -> Result<(), Errno> {
        let mut state = lock(&self.handle.set.state);
        state.check()?;
        state.mode = mode & MODE;
        state.changed_at = self.handle.now();
        Ok(())
    }

    /// Removes it at once; who waits gets `EIDRM`. `IPC_RMID` of `semctl(2)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is removed already.
    pub fn remove(&self) -> Result<(), Errno> {
        let Handle { set, namespace, .. } = &*self.handle;
        namespace.semaphore_sets.remove(set.identity.id)?;
        let mut wakes = Wakes::default();
        {
            let mut state = lock(&set.state);
            state.removed = true;
            state.line.change_all(&mut wakes, |pending| {
                pending.outcome.get_or_insert(Err(Errno::Removed));
            });
        }
        wakes.wake();
        Ok(())
    }
}

fn in_range(value: i32) -> Result<u16, Errno> {
    let value = u16::try_from(value).map_err(|_| Errno::Range)?;
    if value > SEMVMX {
        return Err(Errno::Range);
    }
    Ok(value)
}

impl Handle {
    fn now(&self) -> u64 {
        self.namespace.host.clock.unix_seconds()
    }

    fn semopm(&self) -> usize {
        usize::try_from(self.namespace.limits.system_v.semopm).unwrap_or(usize::MAX)
    }

    /// What can be seen of a call without the set; returns the time.
    fn check(&self, ops: &[SemOp]) -> Result<u64, Errno> {
        match ops.len() {
            0 => Err(Errno::Invalid),
            count if count > self.semopm() => Err(Errno::TooBig),
            _ => Ok(self.now()),
        }
    }

    /// What can be seen before anything is tried.
    fn check_state(&self, state: &State, ops: &[SemOp]) -> Result<(), Errno> {
        state.check()?;
        // Its adjustments are given back already: it must not leave new ones.
        if self.owner.has_ended() {
            return Err(Errno::BadDescriptor);
        }
        let count = state.semaphores.len();
        if ops.iter().any(|op| usize::from(op.number) >= count) {
            return Err(Errno::FileTooBig);
        }
        Ok(())
    }
}

impl Waitable for Operation {
    fn poll_wait(
        &self,
        _what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let handle = &self.handle;
        let mut wakes = Wakes::default();
        let poll = {
            let mut state = lock(&handle.set.state);
            match *seat {
                Some(ticket) => {
                    let outcome = state.line.want_mut(ticket).and_then(|one| one.outcome);
                    match outcome {
                        Some(outcome) => {
                            *seat = None;
                            state.line.leave(ticket);
                            Poll::Ready(outcome)
                        }
                        None => {
                            state.line.stay(ticket, cx);
                            Poll::Pending
                        }
                    }
                }
                None => self.begin(&mut state, seat, cx, &mut wakes),
            }
        };
        wakes.wake();
        poll
    }

    fn leave(&self, _what: What, ticket: Ticket) {
        let now = self.handle.now();
        let mut wakes = Wakes::default();
        lock(&self.handle.set.state).leave(ticket, now, &mut wakes);
        wakes.wake();
    }
}

impl Operation {
    /// The first look of a call.
    fn begin(
        &self,
        state: &mut State,
        seat: &mut Option<Ticket>,
        cx: &Context<'_>,
        wakes: &mut Wakes,
    ) -> Poll<Result<(), Errno>> {
        let Self { handle, ops } = self;
        let checked = match handle.check(ops) {
            // Between an attempt and this wait the set may have gone: the caller had an id then.
            Ok(_) if state.removed => Err(Errno::Removed),
            Ok(now) => handle.check_state(state, ops).map(|()| now),
            Err(errno) => Err(errno),
        };
        let attempt = checked.map(|now| state.attempt(ops, &handle.owner, now, wakes));
        let entered = match attempt {
            Ok(Attempt::Done) => return Poll::Ready(Ok(())),
            Ok(Attempt::Failed(errno)) | Err(errno) => return Poll::Ready(Err(errno)),
            Ok(Attempt::Blocked(block)) => {
                let pending = Pending {
                    ops: Arc::clone(ops),
                    owner: Arc::clone(&handle.owner),
                    block,
                    outcome: None,
                };
                state.line.enter(pending, false, cx)
            }
        };
        match entered {
            Ok(ticket) => {
                *seat = Some(ticket);
                Poll::Pending
            }
            Err(errno) => Poll::Ready(Err(errno)),
        }
    }
}

impl fmt::Debug for SemaphoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphoreSet")
            .field("set", &self.handle.set.info())
            .finish_non_exhaustive()
    }
}
