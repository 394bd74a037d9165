//! What a pod says about its IPC: parameters, limits, and whether opening waits.
//!
//! * `spec.securityContext.sysctls` may set the parameters of the kernel's IPC that are kept for each IPC namespace
//!   (`ipc_namespaces(7)`); a pod has no other part of a kernel.
//! * The annotation [`LIMITS`] sets the same parameters where a manifest cannot have sysctls, and what Linux keeps as
//!   resource limits of processes and sizes of file systems; it wins.
//! * The annotation [`WAIT_FOR_OPEN`] makes opening wait for what a neighbour has not created yet.
//!
//! Here it is only read; which numbers a parameter may have is known where it is used.

use std::time::Duration;

use crate::k8s::Pod;
use crate::{duration, quantity};

/// The annotation with limits: `NAME=NUMBER`, separated by commas or blanks. The numbers may be quantities (`64Mi`).
pub const LIMITS: &str = "wasmpod.dev/ipc-limits";

/// The annotation that makes opening wait: a duration such as `10s`. Opening without O_CREAT (getting without IPC_CREAT)
/// waits so long for the object to be created, before it fails with `ENOENT`.
pub const WAIT_FOR_OPEN: &str = "wasmpod.dev/ipc-wait-for-open";

/// The longest time for which opening may be told to wait: longer starts are no race.
pub const MAX_WAIT_FOR_OPEN: Duration = Duration::from_secs(3600);

/// The parameters of a pod's IPC, and of how many numbers each consists.
pub(crate) const SYSCTLS: &[(&str, usize)] = &[
    ("fs.mqueue.msg_default", 1),
    ("fs.mqueue.msg_max", 1),
    ("fs.mqueue.msgsize_default", 1),
    ("fs.mqueue.msgsize_max", 1),
    ("fs.mqueue.queues_max", 1),
    ("kernel.msgmax", 1),
    ("kernel.msgmnb", 1),
    ("kernel.msgmni", 1),
    ("kernel.sem", 4),
    ("kernel.shm_rmid_forced", 1),
    ("kernel.shmall", 1),
    ("kernel.shmmax", 1),
    ("kernel.shmmni", 1),
];

/// What [`LIMITS`] may set besides: limits that are no parameters of the kernel.
pub(crate) const OTHER_LIMITS: &[&str] = &[
    "mqueue-bytes",
    "open-descriptors",
    "semaphores",
    "shm-bytes",
    "shm-objects",
    "system-v-bytes",
];

/// The names of all parameters and limits.
pub fn limit_names() -> impl Iterator<Item = &'static str> {
    let sysctls = SYSCTLS.iter().map(|(name, _)| *name);
    sysctls.chain(OTHER_LIMITS.iter().copied())
}

/// What a pod says about its IPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpcSettings {
    /// Parameters and limits by name, in the order in which they are to be set. Values are decimal numbers, separated by
    /// blanks where there are several.
    pub limits: Vec<(String, String)>,
    /// How long opening waits for what is not there yet; zero for not at all.
    pub wait_for_open: Duration,
}

impl IpcSettings {
    /// Reads them from a pod that was validated; what is not valid is left out.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let context = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.security_context.as_ref());
        let sysctls = context.and_then(|context| context.sysctls.as_deref());
        let mut limits: Vec<_> = sysctls
            .unwrap_or_default()
            .iter()
            .filter_map(|sysctl| {
                let name = canonical_name(&sysctl.name);
                let value = sysctl_value(&name, &sysctl.value).ok()?;
                Some((name, value))
            })
            .collect();
        let annotation = |name| {
            let annotations = pod.metadata.annotations.as_ref();
            annotations.and_then(|annotations| annotations.get(name))
        };
        if let Some(text) = annotation(LIMITS) {
            limits.extend(pairs(text).filter_map(|pair| limit(pair).ok()));
        }
        let wait = annotation(WAIT_FOR_OPEN).and_then(|text| wait_for_open(text).ok());
        Self {
            limits,
            wait_for_open: wait.unwrap_or_default(),
        }
    }
}

/// The name of a parameter with points; Kubernetes takes slashes too.
pub(crate) fn canonical_name(name: &str) -> String {
    name.replace('/', ".")
}

/// The value of a parameter, its numbers separated by one blank.
pub(crate) fn sysctl_value(name: &str, value: &str) -> Result<String, String> {
    let Some((_, count)) = SYSCTLS.iter().find(|(known, _)| *known == name) else {
        return Err(format!("{name} is no parameter of a pod's IPC"));
    };
    let numbers: Vec<&str> = value.split_whitespace().collect();
    let are_numbers = numbers.iter().all(|number| number.parse::<u64>().is_ok());
    match (*count, numbers.len()) {
        (1, 1) if are_numbers => {}
        (1, _) => return Err("must be a number that is not negative".to_owned()),
        (wanted, found) if found == wanted && are_numbers => {}
        (wanted, _) => return Err(format!("must be {wanted} numbers that are not negative")),
    }
    Ok(numbers.join(" "))
}

/// The parts of [`LIMITS`]. The four numbers of `kernel.sem` are separated by colons there.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|pair| !pair.is_empty())
}

/// One part of [`LIMITS`]: its name and its value in plain numbers.
pub(crate) fn limit(pair: &str) -> Result<(String, String), String> {
    let Some((name, value)) = pair.split_once('=') else {
        return Err(format!("{pair:?} is not of the form NAME=NUMBER"));
    };
    let name = canonical_name(name);
    if !OTHER_LIMITS.contains(&name.as_str()) && SYSCTLS.iter().all(|(known, _)| *known != name) {
        return Err(format!("{name:?} is no limit of a pod's IPC"));
    }
    let numbers: Option<Vec<String>> = value
        .split(':')
        .map(|number| Some(quantity::parse_bytes(number).ok()?.to_string()))
        .collect();
    let Some(numbers) = numbers else {
        return Err(format!(
            "{name}: {value:?} is not a number that is not negative"
        ));
    };
    let value = numbers.join(" ");
    if OTHER_LIMITS.contains(&name.as_str()) {
        return match numbers.len() {
            1 => Ok((name, value)),
            _ => Err(format!("{name}: {value:?} is more than one number")),
        };
    }
    let value = sysctl_value(&name, &value).map_err(|detail| format!("{name}: {detail}"))?;
    Ok((name, value))
}

/// The value of [`WAIT_FOR_OPEN`].
pub(crate) fn wait_for_open(text: &str) -> Result<Duration, String> {
    let wait = duration::parse(text).ok_or("must be a duration such as 10s, 500ms or 1m30s")?;
    if wait > MAX_WAIT_FOR_OPEN {
        let most = MAX_WAIT_FOR_OPEN.as_secs();
        return Err(format!("must be at most {most}s"));
    }
    Ok(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: serde_json::Value) -> Pod {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_annotation_comes_after_the_sysctls_and_so_wins() {
        let pod = pod(serde_json::json!({
            "metadata": {"annotations": {
                LIMITS: "kernel.msgmnb=64Ki, shm-bytes=1Gi kernel.sem=250:32000:100:128",
                WAIT_FOR_OPEN: "1m30s",
            }},
            "spec": {"containers": [], "securityContext": {"sysctls": [
                {"name": "kernel/msgmnb", "value": "100"},
                {"name": "kernel.sem", "value": "1\t2 3  4"},
            ]}},
        }));
        let settings = IpcSettings::of(&pod);
        let limits: Vec<_> = settings
            .limits
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            limits,
            [
                "kernel.msgmnb=100",
                "kernel.sem=1 2 3 4",
                "kernel.msgmnb=65536",
                "shm-bytes=1073741824",
                "kernel.sem=250 32000 100 128",
            ]
        );
        assert_eq!(settings.wait_for_open, Duration::from_secs(90));
    }

    #[test]
    fn a_pod_that_says_nothing_sets_nothing() {
        assert_eq!(IpcSettings::of(&Pod::default()), IpcSettings::default());
    }

    #[test]
    fn what_is_no_limit_is_told() {
        for (pair, expected) in [
            ("kernel.msgmax", "is not of the form NAME=NUMBER"),
            ("kernel.panic=1", "is no limit of a pod's IPC"),
            ("kernel.msgmax=many", "is not a number that is not negative"),
            ("kernel.msgmax=-1", "is not a number that is not negative"),
            ("kernel.msgmax=1:2", "must be a number"),
            ("kernel.sem=1:2:3", "must be 4 numbers"),
            ("shm-bytes=1:2", "is more than one number"),
        ] {
            let error = limit(pair).unwrap_err();
            assert!(error.contains(expected), "{pair}: {error}");
        }
    }

    #[test]
    fn waiting_for_an_object_is_bounded() {
        assert_eq!(wait_for_open("10s"), Ok(Duration::from_secs(10)));
        assert!(wait_for_open("10").is_err());
        assert!(wait_for_open("61m").unwrap_err().contains("at most 3600s"));
    }
}
