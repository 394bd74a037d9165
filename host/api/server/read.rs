//! GET of an object, and LIST.

use std::sync::Arc;

use hyper::Response;
use hyper::header::HeaderValue;
use wasmpod_store::{Object, Store};

use crate::server::body::{self, Body};
use crate::server::error;
use crate::server::pages::{Pages, Token};
use crate::server::query::Query;
use crate::server::selection::Selection;
use crate::server::shape::{ListMeta, Shape};
use crate::status::StatusCause;
use crate::{Resource, Status};

pub(super) fn get(
    store: &Store,
    resource: &Resource,
    selection: &Selection,
    name: &str,
    shape: &Shape,
) -> Result<Response<Body>, Status> {
    let object = store.get(selection.kind, selection.namespace.as_deref(), name);
    let object = object.ok_or_else(|| error::not_found(resource, name))?;
    written(shape.object(&object, true))
}

/// The objects that are meant, all at once.
pub(super) fn select(store: &Store, selection: &Selection) -> Vec<Object> {
    let (mut objects, _) = store.list(selection.kind, selection.namespace.as_deref());
    objects.retain(|object| selection.matches(object));
    objects
}

pub(super) fn list(
    store: &Store,
    pages: &Pages,
    selection: &Selection,
    query: &Query,
    shape: &Shape,
) -> Result<Response<Body>, Status> {
    let (kind, namespace) = (selection.kind, selection.namespace.as_deref());
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let token = query.text("continue").map(Token::parse).transpose()?;
    let (objects, version): (Arc<[Object]>, u64) = match &token {
        Some(
            found @ Token {
                version: Some(version),
                ..
            },
        ) => (pages.find(kind, namespace, *version, found)?, *version),
        Some(_) | None => {
            let (objects, version) = store.list(kind, namespace);
            check_version(query, version)?;
            (objects.into(), version)
        }
    };
    let is_next = |object: &&Object| token.as_ref().is_none_or(|token| token.is_before(object));
    let mut wanted = objects
        .iter()
        .filter(is_next)
        .filter(|object| selection.matches(object));
    let page: Vec<Object> = wanted.by_ref().take(limit).cloned().collect();
    let remaining = wanted.count();
    let mut metadata = ListMeta {
        resource_version: version.to_string(),
        ..ListMeta::default()
    };
    if remaining > 0
        && let Some(last) = page.last()
    {
        // What began as "from now on" stays so: its moments differ anyway.
        let is_kept = token.as_ref().is_none_or(|token| token.version.is_some());
        metadata.continue_ = Some(Token::after(is_kept.then_some(version), last).to_string());
        metadata.remaining_item_count = selection.is_all().then_some(remaining);
        if is_kept {
            pages.keep(kind, namespace, version, Arc::clone(&objects));
        }
    }
    written(shape.list(kind, &page, &metadata))
}

/// Can a list of the present moment be given to one who asks for this resourceVersion? (`api-concepts#semantics-for-get-and-list`)
fn check_version(query: &Query, present: u64) -> Result<(), Status> {
    let how = query.text("resourceVersionMatch");
    let Some(wanted) = version(query)? else {
        return match how {
            Some(_) => Err(error::invalid(
                "ListOptions",
                "resourceVersionMatch",
                "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            )),
            None => Ok(()),
        };
    };
    if wanted > present {
        return Err(too_large(wanted, present));
    }
    match how {
        None | Some("NotOlderThan") => Ok(()),
        Some("Exact") if wanted == present => Ok(()),
        Some("Exact") if wanted == 0 => Err(error::invalid(
            "ListOptions",
            "resourceVersionMatch",
            "Forbidden: resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
        )),
        Some("Exact") => Err(error::expired(format!(
            "The resourceVersion for the provided list is too old: {wanted}"
        ))),
        Some(other) => Err(error::invalid(
            "ListOptions",
            "resourceVersionMatch",
            &format!(
                "Unsupported value: \"{other}\": supported values: \"Exact\", \"NotOlderThan\""
            ),
        )),
    }
}

/// The parameter `resourceVersion`.
pub(super) fn version(query: &Query) -> Result<Option<u64>, Status> {
    let text = query.text("resourceVersion");
    text.map(|text| {
        text.parse().map_err(|_| {
            error::bad_request(format!(
                "Invalid value: \"{text}\": resourceVersion is not a number"
            ))
        })
    })
    .transpose()
}

/// A version that was never given.
pub(super) fn too_large(wanted: u64, present: u64) -> Status {
    let message = format!("Too large resource version: {wanted}, current: {present}");
    let mut status = Status::failure(504, "Timeout", format!("Timeout: {message}"));
    let details = status.details.get_or_insert_default();
    details.retry_after_seconds = Some(super::limits::RETRY_AFTER_SECONDS);
    details.causes.push(StatusCause {
        reason: "ResourceVersionTooLarge".to_owned(),
        message: "Too large resource version".to_owned(),
        field: String::new(),
    });
    status
}

/// A response of what was written.
pub(super) fn written(text: serde_json::Result<Vec<u8>>) -> Result<Response<Body>, Status> {
    let mut text =
        text.map_err(|wrong| Status::failure(500, "InternalError", wrong.to_string()))?;
    text.push(b'\n');
    Ok(body::streamed(
        HeaderValue::from_static("application/json"),
        Body::Whole(Some(text.into())),
    ))
}
