//! What goes wrong, as the API says it.

use wasmpod_node::NodeError;
use wasmpod_store::selector::ParseSelectorError;
use wasmpod_store::{Kind, StoreError};

use crate::status::StatusCause;
use crate::{Resource, Status};

pub(super) fn bad_request(message: impl Into<String>) -> Status {
    Status::failure(400, "BadRequest", message)
}

pub(super) fn not_found(resource: &Resource, name: &str) -> Status {
    let message = format!("{} \"{name}\" not found", resource.qualified());
    Status::failure(404, "NotFound", message).about(resource.group, resource.plural, name)
}

/// Nothing is at this path.
pub(super) fn no_such_path() -> Status {
    Status::failure(
        404,
        "NotFound",
        "the server could not find the requested resource",
    )
}

pub(super) fn method_not_allowed() -> Status {
    let message = "the server does not allow this method on the requested resource";
    Status::failure(405, "MethodNotAllowed", message)
}

pub(super) fn expired(message: impl Into<String>) -> Status {
    Status::failure(410, "Expired", message)
}

/// One parameter that does not follow its rule, as validation tells it.
pub(super) fn invalid(kind: &str, field: &str, detail: &str) -> Status {
    let message = format!("{kind} \"\" is invalid: {field}: {detail}");
    let mut status = Status::failure(422, "Invalid", message);
    let cause = StatusCause {
        reason: "FieldValueInvalid".to_owned(),
        message: detail.to_owned(),
        field: field.to_owned(),
    };
    status.details.get_or_insert_default().causes.push(cause);
    status
}

/// The server has as many requests that go on as it takes.
pub(super) fn too_many_requests() -> Status {
    let message = "too many watches, logs and sessions are open, please try again later";
    let mut status = Status::failure(429, "TooManyRequests", message);
    status.details.get_or_insert_default().retry_after_seconds =
        Some(super::limits::RETRY_AFTER_SECONDS);
    status
}

pub(super) fn of_store(error: &StoreError) -> Status {
    let about = |code, kind: Kind, name: &str| {
        Status::failure(code, error.reason(), error.to_string()).about(
            kind.group(),
            kind.plural(),
            name,
        )
    };
    match error {
        StoreError::AlreadyExists { kind, name } | StoreError::Conflict { kind, name, .. } => {
            about(409, *kind, name)
        }
        StoreError::NotFound { kind, name } => about(404, *kind, name),
        StoreError::Invalid { kind, name, .. } => about(422, *kind, name),
        StoreError::Expired { .. } => expired(error.to_string()),
    }
}

pub(super) fn of_node(error: &NodeError) -> Status {
    match error {
        NodeError::Store(error) => of_store(error),
        NodeError::ShuttingDown => Status::failure(503, "ServiceUnavailable", error.to_string()),
        other => Status::failure(
            500,
            "InternalError",
            format!("Internal error occurred: {other}"),
        ),
    }
}

pub(super) fn of_selector(error: &ParseSelectorError) -> Status {
    bad_request(error.to_string())
}
