//! What a client says of a write besides the object: `dryRun`, `fieldValidation`, `fieldManager`.

use wasmpod_manifest::UnknownFields;

use crate::Status;
use crate::server::error;
use crate::server::query::Query;

/// The longest `fieldManager`, in characters (`FieldManagerMaxLength`). Longer ones are refused.
const MAX_MANAGER_CHARS: usize = 128;

/// How a write is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriteOptions {
    /// Nothing is written, but checked and answered as if it were.
    pub(super) is_dry_run: bool,
    pub(super) unknown: UnknownFields,
}

impl WriteOptions {
    /// `options` is the name of the options of this verb, for messages.
    pub(super) fn of(options: &str, query: &Query) -> Result<Self, Status> {
        let unsupported = |field: &str, value: &str, supported: &str| {
            let detail = format!("Unsupported value: \"{value}\": supported values: {supported}");
            error::invalid(options, field, &detail)
        };
        let mut dry_run = query.all("dryRun").filter(|value| !value.is_empty());
        let is_dry_run = match dry_run.next() {
            None => false,
            Some("All") => match dry_run.find(|value| *value != "All") {
                None => true,
                Some(other) => return Err(unsupported("dryRun", other, "\"All\"")),
            },
            Some(other) => return Err(unsupported("dryRun", other, "\"All\"")),
        };
        let unknown = match query.text("fieldValidation") {
            None | Some("Warn") => UnknownFields::Warn,
            Some("Strict") => UnknownFields::Refuse,
            Some("Ignore") => UnknownFields::Ignore,
            Some(other) => {
                let supported = "\"Ignore\", \"Strict\", \"Warn\"";
                return Err(unsupported("fieldValidation", other, supported));
            }
        };
        let manager = query.text("fieldManager").unwrap_or_default();
        if manager.chars().count() > MAX_MANAGER_CHARS {
            let detail = format!("Too long: may not be more than {MAX_MANAGER_CHARS} bytes");
            return Err(error::invalid(options, "fieldManager", &detail));
        }
        Ok(Self {
            is_dry_run,
            unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<WriteOptions, Status> {
        let query = Query::of(&format!("/x?{query}").parse().unwrap()).unwrap();
        WriteOptions::of("CreateOptions", &query)
    }

    #[test]
    fn options_are_those_of_the_api_server() {
        let found = options("").unwrap();
        assert_eq!(
            (found.is_dry_run, found.unknown),
            (false, UnknownFields::Warn)
        );
        let found = options("dryRun=All&fieldValidation=Strict&fieldManager=kubectl-create");
        let found = found.unwrap();
        assert_eq!(
            (found.is_dry_run, found.unknown),
            (true, UnknownFields::Refuse)
        );
        let long = format!("fieldManager={}", "x".repeat(129));
        for wrong in [
            "dryRun=Some",
            "dryRun=All&dryRun=x",
            "fieldValidation=strict",
            &long,
        ] {
            assert_eq!(options(wrong).unwrap_err().code, 422, "{wrong}");
        }
    }
}
