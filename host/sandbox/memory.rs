//! How much linear memory a container may have: its limit, within that of its pod, and its account.
//!
//! One [`MemoryShare`] is one container with the instances that `exec` runs beside it, as the kernel's memory cgroup is
//! (`memory.max` of cgroup v2); the pod's own limit (`spec.resources`) is a share around those of its containers. The
//! kernel chooses a victim when a group is full; here it is the guest that wanted more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One container's part of the host's memory; cheap to clone, and clones are the same part.
#[derive(Clone, Debug)]
pub struct MemoryShare {
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    limit_bytes: u64,
    used_bytes: AtomicU64,
    pod: Option<MemoryShare>,
}

/// Someone wanted more memory than there is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory limit exceeded: {wanted_bytes} bytes wanted, limit is {limit_bytes}")]
pub struct MemoryLimitExceeded {
    /// What would have been used, in bytes.
    pub wanted_bytes: u64,
    /// The limit of the container, or of its pod, in bytes.
    pub limit_bytes: u64,
}

impl MemoryShare {
    /// A share of its own with this limit in bytes.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self::make(limit_bytes, None)
    }

    /// A share with this limit whose use counts against `self` as well.
    #[must_use]
    pub fn within(&self, limit_bytes: u64) -> Self {
        Self::make(limit_bytes, Some(self.clone()))
    }

    fn make(limit_bytes: u64, pod: Option<Self>) -> Self {
        Self {
            account: Arc::new(Account {
                limit_bytes,
                used_bytes: AtomicU64::new(0),
                pod,
            }),
        }
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.account.limit_bytes
    }

    /// What is taken now, in bytes.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.account.used_bytes.load(Ordering::Relaxed)
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    ///
    /// When the container's or the pod's limit is below that; then nothing is taken.
    pub fn take(&self, bytes: u64) -> Result<(), MemoryLimitExceeded> {
        let account = &*self.account;
        if let Some(pod) = &account.pod {
            pod.take(bytes)?;
        }
        let taken = account
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let wanted = used.checked_add(bytes)?;
                (wanted <= account.limit_bytes).then_some(wanted)
            });
        taken.map(drop).map_err(|used| {
            if let Some(pod) = &account.pod {
                pod.give_back(bytes);
            }
            MemoryLimitExceeded {
                wanted_bytes: used.saturating_add(bytes),
                limit_bytes: account.limit_bytes,
            }
        })
    }

    /// Gives back bytes that were taken.
    pub fn give_back(&self, bytes: u64) {
        self.account.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(pod) = &self.account.pod {
            pod.give_back(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_one_share() {
        let share = MemoryShare::new(100);
        let exec = share.clone();
        assert_eq!(share.take(60), Ok(()));
        assert_eq!(exec.take(40), Ok(()));
        let error = exec.take(1).unwrap_err();
        assert_eq!((error.wanted_bytes, error.limit_bytes), (101, 100));
        share.give_back(60);
        assert_eq!(exec.take(60), Ok(()));
        assert_eq!(share.used_bytes(), 100);
    }

    #[test]
    fn containers_together_stay_within_their_pod() {
        let pod = MemoryShare::new(100);
        let (one, other) = (pod.within(80), pod.within(80));
        assert_eq!(one.take(70), Ok(()));
        let error = other.take(40).unwrap_err();
        assert_eq!((error.wanted_bytes, error.limit_bytes), (110, 100));
        assert_eq!(other.used_bytes(), 0, "nothing is taken");
        let error = one.take(20).unwrap_err();
        assert_eq!((error.wanted_bytes, error.limit_bytes), (90, 80));
        assert_eq!(pod.used_bytes(), 70, "what did not work is given back");
        assert_eq!(other.take(30), Ok(()));
    }

    #[test]
    fn sizes_that_no_number_holds_are_refused() {
        let share = MemoryShare::new(u64::MAX);
        assert_eq!(share.take(1), Ok(()));
        assert!(share.take(u64::MAX).is_err());
    }
}
