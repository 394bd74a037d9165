//! The IPC of a pod: its limits, the memory that its containers share, its time.
//!
//! What the pod says about it is read in `manifest`; what the objects do is in the `ipc` crate.

use std::sync::Arc;
use std::time::Duration;

use wasmpod_ipc::limits::SysctlError;
use wasmpod_ipc::{Host, IpcLimits, PodIpc};
use wasmpod_manifest::ipc::IpcSettings;

use crate::clock::Clock;
use crate::config::SandboxConfig;

/// Why a pod's IPC cannot be as the pod says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpcError {
    /// A parameter has a value that it cannot have.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// A limit is beyond what can be.
    #[error("limit \"{name}\" of the pod's IPC: {value} must be at most {most}")]
    Limit {
        /// Its name in the annotation.
        name: String,
        /// Its value there.
        value: String,
        /// The most that it can be.
        most: u64,
    },
}

/// A pod's IPC, with what the pod says about opening.
#[derive(Debug)]
pub(crate) struct Ipc {
    pub(crate) pod: PodIpc,
    pub(crate) wait_for_open: Duration,
}

impl Ipc {
    /// Makes it, empty.
    pub(crate) fn acquire(config: &SandboxConfig) -> Result<Self, IpcError> {
        let settings = IpcSettings::of(&config.pod);
        let mut limits = config.ipc_limits.clone();
        for (name, value) in &settings.limits {
            set(&mut limits, name, value)?;
        }
        let host = Host {
            clock: Arc::new(Time(config.clock)),
            memory: config.runtime.shared_memory(&limits),
        };
        Ok(Self {
            pod: PodIpc::with_host(limits, host),
            wait_for_open: settings.wait_for_open,
        })
    }
}

fn set(limits: &mut IpcLimits, name: &str, value: &str) -> Result<(), IpcError> {
    if IpcLimits::is_sysctl(name) {
        return Ok(limits.set_sysctl(name, value)?);
    }
    let wide = value.parse();
    let narrow = value.parse();
    let beyond = |most: u64| IpcError::Limit {
        name: name.to_owned(),
        value: value.to_owned(),
        most,
    };
    match name {
        "mqueue-bytes" => limits.max_bytes = wide.map_err(|_| beyond(u64::MAX))?,
        "shm-bytes" => limits.max_shared_memory_bytes = wide.map_err(|_| beyond(u64::MAX))?,
        "system-v-bytes" => limits.system_v.max_bytes = wide.map_err(|_| beyond(u64::MAX))?,
        _ => {
            let number = narrow.map_err(|_| beyond(u32::MAX.into()))?;
            match name {
                "open-descriptors" => limits.max_open_handles = number,
                "semaphores" => limits.max_semaphores = number,
                "shm-objects" => limits.max_shared_memory_objects = number,
                // Names are checked with the manifest.
                _ => {}
            }
        }
    }
    Ok(())
}

/// The pod's time as System V's objects keep it.
struct Time(Clock);

impl wasmpod_ipc::Clock for Time {
    fn unix_seconds(&self) -> u64 {
        self.0.seconds_since_1970()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysctls_of_the_pods_ipc_are_its_limits() {
        let mut limits = IpcLimits::default();
        for (name, value) in [
            ("fs.mqueue.queues_max", "3"),
            ("kernel.sem", "1 2 3 4"),
            ("shm-bytes", "1048576"),
            ("shm-objects", "7"),
            ("semaphores", "8"),
            ("open-descriptors", "9"),
            ("mqueue-bytes", "10"),
            ("system-v-bytes", "11"),
        ] {
            set(&mut limits, name, value).unwrap();
        }
        let set = (
            limits.max_queues,
            limits.max_semaphores,
            limits.max_open_handles,
        );
        assert_eq!(set, (3, 8, 9));
        assert_eq!((limits.system_v.semmsl, limits.system_v.semmni), (1, 4));
        assert_eq!((limits.max_bytes, limits.system_v.max_bytes), (10, 11));
        let shared = (
            limits.max_shared_memory_bytes,
            limits.max_shared_memory_objects,
        );
        assert_eq!(shared, (1 << 20, 7));
    }

    #[test]
    fn a_value_that_cannot_be_is_told_with_its_name() {
        let mut limits = IpcLimits::default();
        let error = set(&mut limits, "fs.mqueue.msg_max", "0").unwrap_err();
        assert!(error.to_string().contains("fs.mqueue.msg_max"), "{error}");
        let error = set(&mut limits, "shm-objects", "4294967296").unwrap_err();
        assert_eq!(
            error.to_string(),
            "limit \"shm-objects\" of the pod's IPC: 4294967296 must be at most 4294967295"
        );
        assert_eq!(limits, IpcLimits::default());
    }

    #[test]
    fn every_name_of_a_manifest_sets_a_limit() {
        for name in wasmpod_manifest::ipc::limit_names() {
            let mut limits = IpcLimits::default();
            let value = match name {
                "kernel.sem" => "11 12 13 14",
                "kernel.shm_rmid_forced" => "1",
                _ => "1234",
            };
            set(&mut limits, name, value).unwrap();
            assert_ne!(limits, IpcLimits::default(), "{name}");
        }
    }
}
