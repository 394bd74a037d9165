//! The names of a pod's queues, and the account of what all its queues take.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::lock::lock;
use crate::{Errno, IpcLimits};

use super::name::parse_name;
use super::owner::Owner;
use super::queue::MessageQueue;
use super::{Attributes, OpenFlags, Queue, QueueInfo};

/// The queues of one pod.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    queues: Mutex<Queues>,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct Queues {
    /// By name without its slash; a name keeps its queue alive.
    named: BTreeMap<Box<str>, Arc<MessageQueue>>,
    /// Named or not: all that live, and a few that do not any more.
    all: Vec<Weak<MessageQueue>>,
}

/// What the queues of a pod take. Only a holder of the registry's lock adds; anyone may give back.
#[derive(Debug, Default)]
struct Account {
    queues: AtomicU32,
    bytes: AtomicU64,
}

/// One queue's part of the account, given back when the queue goes.
#[derive(Debug)]
pub(super) struct Charge {
    account: Arc<Account>,
    bytes: u64,
}

impl Registry {
    pub(crate) fn open(
        &self,
        owner: &Arc<Owner>,
        name: &str,
        flags: OpenFlags,
        attributes: Option<Attributes>,
        limits: &IpcLimits,
    ) -> Result<Queue, Errno> {
        let name = parse_name(name)?;
        if !flags.contains(OpenFlags::READ) && !flags.contains(OpenFlags::WRITE) {
            return Err(Errno::Invalid);
        }
        owner.acquire_handle(limits.max_open_handles)?;
        match self.find_or_create(name, flags, attributes, limits) {
            Ok(queue) => Ok(Queue::new(queue, Arc::clone(owner), flags)),
            Err(errno) => {
                owner.release_handle();
                Err(errno)
            }
        }
    }

    fn find_or_create(
        &self,
        name: &str,
        flags: OpenFlags,
        attributes: Option<Attributes>,
        limits: &IpcLimits,
    ) -> Result<Arc<MessageQueue>, Errno> {
        let mut queues = lock(&self.queues);
        match queues.named.get(name) {
            Some(_) if flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) => {
                Err(Errno::Exist)
            }
            Some(queue) => Ok(Arc::clone(queue)),
            None if !flags.contains(OpenFlags::CREATE) => Err(Errno::NoEntry),
            None => {
                let attributes = attributes.unwrap_or_default();
                let charge = self.charge(attributes, limits)?;
                let queue = Arc::new(MessageQueue::new(name, attributes, charge));
                queues.all.retain(|queue| queue.strong_count() > 0);
                queues.all.push(Arc::downgrade(&queue));
                queues.named.insert(name.into(), Arc::clone(&queue));
                Ok(queue)
            }
        }
    }

    /// Adds a new queue to the account. Call it with the registry's lock.
    fn charge(&self, attributes: Attributes, limits: &IpcLimits) -> Result<Charge, Errno> {
        if self.account.queues.load(Ordering::Relaxed) >= limits.max_queues {
            return Err(Errno::NoSpace);
        }
        attributes.check(limits)?;
        let bytes = attributes.charge_bytes();
        let total = self
            .account
            .bytes
            .load(Ordering::Relaxed)
            .saturating_add(bytes);
        if total > limits.max_bytes {
            return Err(Errno::TooManyOpen);
        }
        self.account.queues.fetch_add(1, Ordering::Relaxed);
        self.account.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(Charge {
            account: Arc::clone(&self.account),
            bytes,
        })
    }

    pub(crate) fn unlink(&self, name: &str) -> Result<(), Errno> {
        let name = parse_name(name)?;
        let queue = lock(&self.queues)
            .named
            .remove(name)
            .ok_or(Errno::NoEntry)?;
        queue.unlink();
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<QueueInfo> {
        let mut list: Vec<_> = self.all().iter().map(|queue| queue.info()).collect();
        list.sort_by(|a, b| (a.unlinked, &a.name).cmp(&(b.unlinked, &b.name)));
        list
    }

    /// Wakes whoever waits on any queue of the pod, for an instance that ended.
    pub(crate) fn wake_all(&self) {
        for queue in self.all() {
            queue.wake_all();
        }
    }

    /// All queues; what is done with them is done without the registry's lock.
    fn all(&self) -> Vec<Arc<MessageQueue>> {
        lock(&self.queues)
            .all
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.queues.fetch_sub(1, Ordering::Relaxed);
        self.account.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
