//! What goes wrong, as the API says it.

use wasmpod_manifest::Report;
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

pub(super) fn unsupported_media(sent: &str, accepted: &[&str]) -> Status {
    let accepted = accepted.join(", ");
    let mut message = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted} (not {sent})"
    );
    if sent.ends_with("protobuf") {
        // Some verbs of kubectl know no other form, but can write what they would send.
        message
            .push_str("; kubectl: add --dry-run=client -o yaml, and pipe it to kubectl apply -f -");
    }
    Status::failure(415, "UnsupportedMediaType", message)
}

/// What validation has found of an object.
pub(super) fn of_report(resource: &Resource, name: &str, report: &Report) -> Status {
    let problems = report.problems.iter();
    let mut texts: Vec<_> = problems
        .clone()
        .map(|problem| problem.message.as_str())
        .collect();
    let more = format!("and {} more", report.dropped);
    if report.dropped > 0 {
        texts.push(&more);
    }
    if report.is_about_form() {
        let (kind, version) = (resource.kind, resource.api_version());
        let unknown = texts.iter().all(|text| text.starts_with("unknown field "));
        let how = if unknown {
            "strict decoding error: "
        } else {
            ""
        };
        let texts = texts.join(", ");
        return bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {how}{texts}"
        ));
    }
    let listed = match texts.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("[{}]", several.join(", ")),
    };
    let message = format!("{} \"{name}\" is invalid: {listed}", resource.kind);
    let mut status =
        Status::failure(422, "Invalid", message).about(resource.group, resource.kind, name);
    let violations = problems.filter_map(|problem| problem.violation.as_ref());
    let causes = violations.map(|violation| {
        let whole = violation.to_string();
        let message = whole.strip_prefix(&format!("{}: ", violation.path));
        StatusCause {
            reason: violation.kind.reason().to_owned(),
            message: message.unwrap_or(&whole).to_owned(),
            field: violation.path.clone(),
        }
    });
    status.details.get_or_insert_default().causes = causes.collect();
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
        StoreError::Invalid { kind, name, detail } => {
            let mut status = about(422, *kind, name);
            let details = status.details.get_or_insert_default();
            // As the API server: of what is invalid, the kind.
            kind.name().clone_into(&mut details.kind);
            details.causes.extend(cause_of(detail));
            status
        }
        StoreError::Expired { .. } => expired(error.to_string()),
    }
}

/// `path: Kind: value: detail` as a cause.
fn cause_of(detail: &str) -> Option<StatusCause> {
    let (field, message) = detail.split_once(": ")?;
    let reason = match message.split(':').next()? {
        "Forbidden" => "FieldValueForbidden",
        "Required value" => "FieldValueRequired",
        _ => "FieldValueInvalid",
    };
    Some(StatusCause {
        reason: reason.to_owned(),
        message: message.to_owned(),
        field: field.to_owned(),
    })
}

/// Why an object is not created: what cannot work is refused, as by an admission plugin.
pub(super) fn of_admission(error: &NodeError, resource: &Resource, name: &str) -> Status {
    match error {
        NodeError::Image { .. }
        | NodeError::Program { .. }
        | NodeError::NoSuchPod { .. }
        | NodeError::NoSuchPort(_)
        | NodeError::PublishedTwice { .. }
        | NodeError::Publish(_)
        | NodeError::Several(_) => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            let text = text.replace("\nerror: ", "; ");
            let message = format!("{} \"{name}\" is forbidden: {text}", resource.qualified());
            Status::failure(403, "Forbidden", message).about(resource.group, resource.plural, name)
        }
        other => of_node(other),
    }
}

pub(super) fn of_node(error: &NodeError) -> Status {
    match error {
        NodeError::Store(error) => of_store(error),
        NodeError::Terminating {
            kind,
            name,
            namespace,
        } => {
            let mut status = Status::failure(403, "Forbidden", error.to_string()).about(
                kind.group(),
                kind.plural(),
                name,
            );
            let cause = StatusCause {
                reason: "NamespaceTerminating".to_owned(),
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            };
            status.details.get_or_insert_default().causes.push(cause);
            status
        }
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
