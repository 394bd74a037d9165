//! What a pod says about serving components of `wasi:http`: an annotation, because Kubernetes has no field for it.
//!
//! What it deliberately does not do: say which ports are served. Those are the container's own
//! (`containers[*].ports[*].containerPort`).

use std::time::Duration;

use crate::duration;
use crate::k8s::Pod;

/// The annotation that changes how HTTP components of the pod are served: `NAME=VALUE` pairs, separated by commas or
/// blanks.
pub const SETTINGS: &str = "wasmpod.dev/http";

/// The most requests that one instance may answer after one another.
pub const MAX_INSTANCE_REUSE_COUNT: u32 = 1_000_000;

/// The most requests that may be told to be answered at a time: each has an instance of its own, and each instance
/// takes six of the 65,530 mappings that a Linux process may have.
pub const MAX_CONCURRENT_REQUESTS: u32 = 2_000;

/// The longest time-out that can be set.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// How HTTP components are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Requests that one instance answers, one after the other, before it is dropped; 1 gives each request an instance
    /// of its own, so that nothing of a request is left for the next.
    pub max_instance_reuse_count: u32,
    /// Requests that are answered at a time; further ones wait.
    pub max_concurrent_requests: u32,
    /// How long a request may make no progress: no answer, no piece of a body in either direction.
    pub request_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// How long the head of a request may take from its first byte to its last.
    pub header_timeout: Duration,
}

impl Default for HttpSettings {
    /// One instance a request, as `wasmtime serve` does by default; the times are nginx's (`proxy_read_timeout`,
    /// `keepalive_timeout`) and hyper's (for the head).
    fn default() -> Self {
        Self {
            max_instance_reuse_count: 1,
            max_concurrent_requests: 128,
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            header_timeout: Duration::from_secs(30),
        }
    }
}

impl HttpSettings {
    /// Reads them from a pod that was validated; what is not valid has its default.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let mut settings = Self::default();
        let annotations = pod.metadata.annotations.as_ref();
        let text = annotations.and_then(|annotations| annotations.get(SETTINGS));
        for pair in text.into_iter().flat_map(|text| pairs(text)) {
            // A wrong one changes nothing; validation has told of it.
            let _: Result<(), String> = settings.set(pair);
        }
        settings
    }

    /// Sets what one part of [`SETTINGS`] says.
    pub(crate) fn set(&mut self, pair: &str) -> Result<(), String> {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(format!("{pair:?} is not of the form NAME=VALUE"));
        };
        let number = |most| {
            let number = value.parse().ok();
            let number = number.filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| format!("{name}: must be a number between 1 and {most}"))
        };
        let time = || {
            let time = duration::parse(value);
            let time = time.filter(|time| !time.is_zero() && *time <= MAX_TIMEOUT);
            time.ok_or_else(|| {
                let most = MAX_TIMEOUT.as_secs() / 3600;
                format!("{name}: must be a duration such as 30s or 1m30s, and at most {most}h")
            })
        };
        match name {
            "max-instance-reuse-count" => {
                self.max_instance_reuse_count = number(MAX_INSTANCE_REUSE_COUNT)?;
            }
            "max-concurrent-requests" => {
                self.max_concurrent_requests = number(MAX_CONCURRENT_REQUESTS)?;
            }
            "request-timeout" => self.request_timeout = time()?,
            "idle-timeout" => self.idle_timeout = time()?,
            "header-timeout" => self.header_timeout = time()?,
            _ => {
                return Err(format!(
                    "{name:?} is no setting of HTTP; there are max-instance-reuse-count, max-concurrent-requests, \
                     request-timeout, idle-timeout and header-timeout"
                ));
            }
        }
        Ok(())
    }
}

/// The parts of [`SETTINGS`].
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|pair| !pair.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> HttpSettings {
        let pod = serde_json::json!({"metadata": {"annotations": {SETTINGS: text}}});
        HttpSettings::of(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn the_annotation_changes_what_it_names_and_nothing_else() {
        let changed = HttpSettings {
            max_instance_reuse_count: 128,
            request_timeout: Duration::from_millis(1500),
            ..HttpSettings::default()
        };
        let settings = of("max-instance-reuse-count=128, request-timeout=1s500ms");
        assert_eq!(settings, changed);
        assert_eq!(of(""), HttpSettings::default());
        assert_eq!(HttpSettings::of(&Pod::default()), HttpSettings::default());
        let all = of("max-concurrent-requests=2000 idle-timeout=1m,header-timeout=5s");
        assert_eq!(all.max_concurrent_requests, 2000);
        assert_eq!(all.idle_timeout, Duration::from_secs(60));
        assert_eq!(all.header_timeout, Duration::from_secs(5));
    }

    #[test]
    fn what_is_no_setting_is_told() {
        for (pair, expected) in [
            ("request-timeout", "is not of the form NAME=VALUE"),
            ("colour=red", "is no setting of HTTP"),
            ("max-instance-reuse-count=0", "between 1 and 1000000"),
            ("max-concurrent-requests=2001", "between 1 and 2000"),
            ("request-timeout=30", "must be a duration"),
            ("idle-timeout=0s", "must be a duration"),
            ("header-timeout=25h", "at most 24h"),
        ] {
            let error = HttpSettings::default().set(pair).unwrap_err();
            assert!(error.contains(expected), "{pair}: {error}");
        }
    }
}
