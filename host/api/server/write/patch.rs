//! PATCH: the three forms of patches that are taken, and how one is applied.

use json_patch::Patch;
use serde_json::{Map, Value};
use wasmpod_store::Kind;

use super::operations::{self, JsonPatchError};
use super::{json, strategic};
use crate::server::error;
use crate::server::input::Input;
use crate::{Resource, Status};

/// How often a patch is made anew when somebody else was faster, as in the API server.
pub(super) const MAX_TRIES: usize = 5;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// A patch as it was sent.
#[derive(Debug)]
pub(super) enum Change {
    Json(Patch),
    Merge(Value),
    Strategic(Map<String, Value>),
}

impl Change {
    /// Reads a body, and names the fields that it has twice.
    pub(super) fn of(input: &Input) -> Result<(Self, Vec<String>), Status> {
        let media = input.media.as_deref().unwrap_or("nothing");
        if ![JSON_PATCH, MERGE_PATCH, STRATEGIC].contains(&media) {
            // Server-side apply among them: clients say then that it is not available, and what to do.
            let accepted = [JSON_PATCH, MERGE_PATCH, STRATEGIC];
            return Err(error::unsupported_media(media, &accepted));
        }
        let undecodable =
            |wrong: serde_json::Error| error::bad_request(format!("error decoding patch: {wrong}"));
        let (value, repeated) = json::parse(&input.bytes).map_err(undecodable)?;
        let change = match (media, value) {
            (JSON_PATCH, value) => Self::Json(serde_json::from_value(value).map_err(undecodable)?),
            (MERGE_PATCH, value @ Value::Object(_)) => Self::Merge(value),
            (_, Value::Object(fields)) if media == STRATEGIC => Self::Strategic(fields),
            _ => return Err(error::bad_request("error decoding patch: it is no object")),
        };
        Ok((change, repeated))
    }

    /// Makes of `value` what the patch says. `kind` decides which lists are merged; none when it is nothing.
    pub(super) fn apply(
        &self,
        resource: &Resource,
        kind: Option<Kind>,
        name: &str,
        value: &mut Value,
    ) -> Result<(), Status> {
        match self {
            Self::Json(patch) => {
                operations::apply(value, patch.clone()).map_err(|wrong| match wrong {
                    JsonPatchError::TooMany(_)
                    | JsonPatchError::TooLarge
                    | JsonPatchError::TooDeep => {
                        Status::failure(413, "RequestEntityTooLarge", wrong.to_string())
                    }
                    // As the API server: the patch may be right, but not for this object.
                    JsonPatchError::Failed(_) => {
                        let message =
                            format!("the server rejected our request due to an error in our request: {wrong}");
                        Status::failure(422, "Invalid", message).about(
                            resource.group,
                            resource.plural,
                            name,
                        )
                    }
                })
            }
            Self::Merge(patch) => {
                json_patch::merge(value, patch);
                Ok(())
            }
            Self::Strategic(patch) => {
                let (Value::Object(fields), Some(kind)) = (&*value, kind) else {
                    let accepted = [JSON_PATCH, MERGE_PATCH];
                    return Err(error::unsupported_media(STRATEGIC, &accepted));
                };
                let merged = strategic::apply(kind, fields, patch);
                let merged = merged.map_err(|wrong| error::bad_request(wrong.to_string()))?;
                *value = merged.into();
                Ok(())
            }
        }
    }
}
