//! `metav1.Status`: how the Kubernetes API says that something was done, or why not.
//!
//! Reasons and codes are those of `k8s.io/apimachinery/pkg/api/errors`, and the messages have its form, since
//! `kubectl` prints them unchanged.

use serde::{Deserialize, Serialize};

/// The outcome of a request: every error of the API has this form, and some successes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    #[serde(skip_deserializing)]
    kind: Kind,
    #[serde(skip_deserializing)]
    api_version: ApiVersion,
    metadata: StatusMeta,
    /// `Success` or `Failure`.
    pub status: String,
    /// A sentence for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// One CamelCase word for programs, such as `NotFound`; empty for a success.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What the reason is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<StatusDetails>>,
    /// The HTTP status code; 0 in a status that answers no request of its own.
    #[serde(skip_serializing_if = "is_zero")]
    pub code: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct StatusMeta {
    #[serde(rename = "continue", skip_serializing_if = "String::is_empty")]
    continue_: String,
}

/// Always `Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kind;

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("Status")
    }
}

/// Always `v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ApiVersion;

impl Serialize for ApiVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("v1")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(code: &u16) -> bool {
    *code == 0
}

/// What a [`Status`] is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusDetails {
    /// The object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its resource, such as `pods`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its uid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Each thing that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<StatusCause>,
    /// When to try again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusCause {
    /// One CamelCase word, such as `ExitCode`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is wrong; the number, for `ExitCode`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// The reason of a status that tells a command's exit code.
pub const NON_ZERO_EXIT_CODE: &str = "NonZeroExitCode";

/// The cause that has the exit code as its message.
pub const EXIT_CODE: &str = "ExitCode";

impl Status {
    /// Done.
    #[must_use]
    pub fn success() -> Self {
        Self {
            status: "Success".to_owned(),
            ..Self::default()
        }
    }

    /// Not done.
    #[must_use]
    pub fn failure(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "Failure".to_owned(),
            message: message.into(),
            reason: reason.to_owned(),
            code,
            ..Self::success()
        }
    }

    /// The same, about an object.
    #[must_use]
    pub fn about(mut self, group: &str, resource: &str, name: &str) -> Self {
        let details = self.details.get_or_insert_default();
        group.clone_into(&mut details.group);
        resource.clone_into(&mut details.kind);
        name.clone_into(&mut details.name);
        self
    }

    /// The same, with the token by which a list can go on all the same.
    #[must_use]
    pub fn with_continue(mut self, token: String) -> Self {
        self.metadata.continue_ = token;
        self
    }

    /// The token of [`Status::with_continue`]; empty when there is none.
    #[must_use]
    pub fn continue_token(&self) -> &str {
        &self.metadata.continue_
    }

    /// A command's end, as `exec` tells it.
    #[must_use]
    pub fn of_exit_code(code: i32) -> Self {
        if code == 0 {
            return Self::success();
        }
        let message = format!("command terminated with non-zero exit code: exit code {code}");
        let cause = StatusCause {
            reason: EXIT_CODE.to_owned(),
            message: code.to_string(),
            field: String::new(),
        };
        let mut status = Self::failure(500, NON_ZERO_EXIT_CODE, message);
        status.details.get_or_insert_default().causes.push(cause);
        status
    }

    /// Was it done?
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == "Success"
    }

    /// The exit code of the command that ended so: 0 for a success, nothing when it says something else.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        if self.is_success() {
            return Some(0);
        }
        if self.reason != NON_ZERO_EXIT_CODE {
            return None;
        }
        let mut causes = self.details.iter().flat_map(|details| &details.causes);
        let cause = causes.find(|cause| cause.reason == EXIT_CODE)?;
        cause.message.parse().ok()
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_goes_there_and_back() {
        for code in [0, 1, 42, 137] {
            let text = serde_json::to_string(&Status::of_exit_code(code)).unwrap();
            let back: Status = serde_json::from_str(&text).unwrap();
            assert_eq!(back.exit_code(), Some(code));
        }
        assert_eq!(Status::failure(500, "InternalError", "x").exit_code(), None);
    }

    #[test]
    fn a_status_has_the_form_that_kubernetes_gives_it() {
        let status =
            Status::failure(404, "NotFound", "pods \"a\" not found").about("", "pods", "a");
        let json = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "pods \"a\" not found", "reason": "NotFound",
            "details": {"name": "a", "kind": "pods"}, "code": 404,
        });
        assert_eq!(serde_json::to_value(status).unwrap(), json);
    }
}
