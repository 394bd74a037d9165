//! How much of a core a container gets: its limit, its weight, and its account of used time.
//!
//! One [`CpuShare`] is one container with the instances that `exec` runs beside it. Whoever polls a guest asks
//! [`CpuShare::wait_for`] first and says afterwards how long it ran ([`CpuShare::charge`]); what a guest waits for,
//! a file or a message, is not charged.
//!
//! The limit works as the kernel's bandwidth control does (`cpu.max` of cgroup v2), but as a bucket that fills
//! continuously instead of a quota for each 100 ms: a guest that always wants to compute gets short turns at even
//! distances, so that its neighbours wait for a turn and not for a whole quota. What a guest does not use is kept for at
//! most [`BURST`]; a turn that took longer than the bucket held is a debt that is waited off.
//!
//! Requests are weights (`cpu.shares`) between guests that want to compute on the same worker thread. A pod lives on one
//! thread: however high its containers' limits are, together they get no more than one core. Only the instances of an HTTP
//! component get more ([`CpuShare::processors`]); what they use on several threads is charged to the one share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Computing time that a limited container may have saved up. Long enough for five turns of the runtime's 1 ms, so
/// that a small answer after a pause is not slowed down; short enough that neighbours do not notice it.
pub const BURST: Duration = Duration::from_millis(5);

/// The weight of one core of request; of the kubelet's conversion (`MilliCPUToShares`).
pub const SHARES_PER_CORE: u64 = 1024;

/// The least weight, of a container without a request; of the kubelet's conversion.
pub const MIN_SHARES: u64 = 2;

/// The greatest weight; of the kubelet's conversion.
pub const MAX_SHARES: u64 = 262_144;

const MILLICORES_PER_CORE: u64 = 1000;

/// One container's part of its worker's time; cheap to clone, and clones are the same part.
#[derive(Clone, Debug)]
pub struct CpuShare {
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    limit_millicores: Option<u64>,
    shares: u64,
    used_nanoseconds: AtomicU64,
    virtual_nanoseconds: AtomicU64,
    bucket: Mutex<Bucket>,
    /// The pod's, where the pod has a limit: a container may run when both let it.
    pod: Option<CpuShare>,
}

/// What a limited container may still use. Never more than [`BURST`].
#[derive(Debug)]
struct Bucket {
    /// Negative after a turn that took too long.
    nanoseconds: i128,
    /// When it was last filled.
    filled: Option<Instant>,
}

impl CpuShare {
    /// A share with this limit (`None`: no limit; 0 counts as 1) and this request, both in millicores.
    #[must_use]
    pub fn new(limit_millicores: Option<u64>, request_millicores: u64) -> Self {
        Self::make(limit_millicores, request_millicores, None)
    }

    /// The same for a container whose time counts against `self`, its pod's limit, as well.
    #[must_use]
    pub fn within(&self, limit_millicores: Option<u64>, request_millicores: u64) -> Self {
        Self::make(limit_millicores, request_millicores, Some(self.clone()))
    }

    fn make(limit_millicores: Option<u64>, request_millicores: u64, pod: Option<Self>) -> Self {
        let shares = request_millicores.saturating_mul(SHARES_PER_CORE) / MILLICORES_PER_CORE;
        let account = Account {
            limit_millicores: limit_millicores.map(|limit| limit.max(1)),
            shares: shares.clamp(MIN_SHARES, MAX_SHARES),
            used_nanoseconds: AtomicU64::new(0),
            virtual_nanoseconds: AtomicU64::new(0),
            bucket: Mutex::new(Bucket {
                nanoseconds: nanoseconds(BURST),
                filled: None,
            }),
            pod,
        };
        Self {
            account: Arc::new(account),
        }
    }

    /// No limit and no request: `BestEffort`.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(None, 0)
    }

    /// Time that the container's guests have run.
    #[must_use]
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.account.used_nanoseconds.load(Ordering::Relaxed))
    }

    /// The weight among guests that want to compute: [`MIN_SHARES`] to [`MAX_SHARES`].
    #[must_use]
    pub fn shares(&self) -> u64 {
        self.account.shares
    }

    /// The limit in millicores.
    #[must_use]
    pub fn limit_millicores(&self) -> Option<u64> {
        self.account.limit_millicores
    }

    /// How many processors the container could use up at a time: its limit and its pod's, rounded up; `None`: all.
    #[must_use]
    pub fn processors(&self) -> Option<u64> {
        let own = self.account.limit_millicores;
        let own = own.map(|limit| limit.div_ceil(MILLICORES_PER_CORE));
        let pod = self.account.pod.as_ref().and_then(Self::processors);
        match (own, pod) {
            (Some(own), Some(pod)) => Some(own.min(pod)),
            (own, pod) => own.or(pod),
        }
    }

    /// Used time divided by weight, in nanoseconds of a container with one core of request: between guests that want
    /// to compute it is the turn of the one with the least.
    #[must_use]
    pub fn virtual_time(&self) -> u64 {
        self.account.virtual_nanoseconds.load(Ordering::Relaxed)
    }

    /// Moves the virtual time up to `floor`, for a guest that begins to compute: what it did not use before is gone.
    pub fn raise_virtual_time(&self, floor: u64) {
        self.account
            .virtual_nanoseconds
            .fetch_max(floor, Ordering::Relaxed);
    }

    /// How long the container must wait before it may run; `None` when it may run now. Costs nothing without a limit.
    #[must_use]
    pub fn wait_for(&self) -> Option<Duration> {
        let pod = self.account.pod.as_ref().and_then(Self::wait_for);
        self.wait_for_own().max(pod)
    }

    fn wait_for_own(&self) -> Option<Duration> {
        let limit = self.account.limit_millicores?;
        let mut bucket = self
            .account
            .bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        bucket.wait_for(limit, Instant::now())
    }

    /// The container ran for `ran`.
    pub fn charge(&self, ran: Duration) {
        let account = &*self.account;
        let ran_nanoseconds = u64::try_from(ran.as_nanos()).unwrap_or(u64::MAX);
        account
            .used_nanoseconds
            .fetch_add(ran_nanoseconds, Ordering::Relaxed);
        let weighted = ran_nanoseconds.saturating_mul(SHARES_PER_CORE) / account.shares;
        account
            .virtual_nanoseconds
            .fetch_add(weighted, Ordering::Relaxed);
        if account.limit_millicores.is_some() {
            let mut bucket = account
                .bucket
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            bucket.nanoseconds -= nanoseconds(ran);
        }
        if let Some(pod) = &account.pod {
            pod.charge(ran);
        }
    }
}

impl Default for CpuShare {
    fn default() -> Self {
        Self::unlimited()
    }
}

impl Bucket {
    fn wait_for(&mut self, limit_millicores: u64, now: Instant) -> Option<Duration> {
        let per_core = i128::from(MILLICORES_PER_CORE);
        let limit = i128::from(limit_millicores);
        if let Some(filled) = self.filled {
            let gained = nanoseconds(now.saturating_duration_since(filled)) * limit / per_core;
            self.nanoseconds = (self.nanoseconds + gained).min(nanoseconds(BURST));
        }
        self.filled = Some(now);
        if self.nanoseconds > 0 {
            return None;
        }
        let debt = 1 - self.nanoseconds;
        let wait = debt * per_core / limit + 1;
        Some(Duration::from_nanos(
            u64::try_from(wait).unwrap_or(u64::MAX),
        ))
    }
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_become_the_kubelets_shares() {
        for (request, shares) in [
            (0, 2),
            (1, 2),
            (100, 102),
            (500, 512),
            (1000, 1024),
            (2500, 2560),
        ] {
            assert_eq!(CpuShare::new(None, request).shares(), shares, "{request}m");
        }
    }

    #[test]
    fn a_limit_says_how_many_processors_can_be_of_use() {
        for (limit, processors) in [(1, 1), (1000, 1), (1001, 2), (4000, 4)] {
            assert_eq!(CpuShare::new(Some(limit), 0).processors(), Some(processors));
        }
        assert_eq!(CpuShare::unlimited().processors(), None);
        let pod = CpuShare::new(Some(2000), 0);
        assert_eq!(pod.within(None, 0).processors(), Some(2));
        assert_eq!(pod.within(Some(3500), 0).processors(), Some(2));
        assert_eq!(pod.within(Some(500), 0).processors(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_always_computes_gets_its_limit() {
        for limit in [1, 100, 500, 1000, 2000] {
            let share = CpuShare::new(Some(limit), 0);
            let turn = Duration::from_micros(1_300);
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(100) {
                while let Some(wait) = share.wait_for() {
                    tokio::time::advance(wait).await;
                }
                tokio::time::advance(turn).await;
                share.charge(turn);
            }
            let part = share.used().as_secs_f64() / start.elapsed().as_secs_f64();
            let wanted = (f64::from(u32::try_from(limit).unwrap()) / 1000.0).min(1.0);
            assert!((part / wanted - 1.0).abs() < 0.08, "{limit}m got {part}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn saved_time_is_bounded_and_a_debt_is_waited_off() {
        let share = CpuShare::new(Some(100), 0);
        assert_eq!(share.wait_for(), None);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(share.wait_for(), None);
        share.charge(BURST + Duration::from_millis(1));
        let wait = share.clone().wait_for().unwrap();
        assert_eq!(wait.as_millis(), 10, "1 ms of debt at a tenth of a core");
        tokio::time::advance(wait).await;
        assert_eq!(share.wait_for(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn containers_together_stay_within_their_pod() {
        let pod = CpuShare::new(Some(200), 0);
        let (own, none) = (pod.within(Some(100), 0), pod.within(None, 0));
        none.charge(BURST + Duration::from_millis(1));
        assert_eq!(own.wait_for().unwrap().as_millis(), 5, "the pod's debt");
        own.charge(BURST);
        let wait = own.wait_for().unwrap();
        assert_eq!(wait.as_millis(), 30, "the pod's is the longer one");
        assert_eq!(none.used(), BURST + Duration::from_millis(1));
        assert_eq!(pod.used(), own.used() + none.used());
    }

    #[test]
    fn virtual_time_runs_slower_for_those_who_asked_for_more() {
        let (one, half) = (CpuShare::new(None, 1000), CpuShare::new(None, 500));
        one.charge(Duration::from_millis(10));
        half.charge(Duration::from_millis(5));
        assert_eq!(one.virtual_time(), half.virtual_time());
        half.raise_virtual_time(1);
        assert_eq!(one.virtual_time(), half.virtual_time());
        assert_eq!(one.used(), Duration::from_millis(10));
    }
}
