//! In which form a client wants its answer: the `Accept` header (RFC 9110 12.5.1) with Kubernetes' parameters `as`,
//! `g` and `v`.
//!
//! All is JSON. The order of the client's list decides; weights (`q`) are not looked at, as no client of Kubernetes
//! sends them.

use hyper::HeaderMap;
use hyper::header::ACCEPT;

use crate::Status;

/// In which form objects are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Objects,
    /// As a table, of this version of `meta.k8s.io`.
    Table(&'static str),
    /// Their metadata alone, of this version of `meta.k8s.io`.
    Metadata(&'static str),
}

/// In which form discovery is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiscoveryForm {
    /// All groups at once, in this version of `apidiscovery.k8s.io`.
    Aggregated(&'static str),
    /// One request a group.
    Legacy,
}

struct Range<'a> {
    media: &'a str,
    as_: Option<&'a str>,
    group: Option<&'a str>,
    version: Option<&'a str>,
}

fn ranges(header: &str) -> impl Iterator<Item = Range<'_>> {
    header.split(',').map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let mut found = Range {
            media,
            as_: None,
            group: None,
            version: None,
        };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key {
                "as" => found.as_ = Some(value),
                "g" => found.group = Some(value),
                "v" => found.version = Some(value),
                _ => {}
            }
        }
        found
    })
}

fn is_json(media: &str) -> bool {
    ["application/json", "application/*", "*/*"].contains(&media)
}

/// The whole header; anything, when there is none.
fn header(headers: &HeaderMap) -> String {
    let all = headers.get_all(ACCEPT).iter();
    let all: Vec<_> = all.filter_map(|value| value.to_str().ok()).collect();
    if all.is_empty() {
        "*/*".to_owned()
    } else {
        all.join(",")
    }
}

/// The form in which this client wants objects. `is_list`: it asks for a list (or a watch, whose events are objects).
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Status> {
    for range in ranges(&header(headers)) {
        if !is_json(range.media) {
            continue;
        }
        let version = match (range.group, range.version) {
            (Some("meta.k8s.io"), Some("v1")) => Some("v1"),
            (Some("meta.k8s.io"), Some("v1beta1")) => Some("v1beta1"),
            _ => None,
        };
        match (range.as_, version) {
            (None, _) => return Ok(Form::Objects),
            (Some("Table"), Some(version)) => return Ok(Form::Table(version)),
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some(version)) => {
                return Ok(Form::Metadata(version));
            }
            _ => {}
        }
    }
    Err(not_acceptable())
}

/// The form in which this client wants discovery.
pub(crate) fn discovery_form(headers: &HeaderMap) -> Result<DiscoveryForm, Status> {
    for range in ranges(&header(headers)).filter(|range| is_json(range.media)) {
        match (range.as_, range.group, range.version) {
            (None, ..) => return Ok(DiscoveryForm::Legacy),
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2")) => {
                return Ok(DiscoveryForm::Aggregated("v2"));
            }
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2beta1")) => {
                return Ok(DiscoveryForm::Aggregated("v2beta1"));
            }
            _ => {}
        }
    }
    Err(not_acceptable())
}

/// Is what is given as it is, such as JSON without a kind or a log, something that this client takes?
pub(crate) fn plain(headers: &HeaderMap, media: &str) -> Result<(), Status> {
    let family = media.split('/').next().unwrap_or_default();
    let takes = |range: Range<'_>| {
        range.media == media
            || range.media == "*/*"
            || range.media.strip_suffix("/*") == Some(family)
            // Kubernetes' clients ask for a log as they ask for objects.
            || range.media == "application/json"
    };
    if ranges(&header(headers)).any(takes) {
        Ok(())
    } else {
        Err(not_acceptable())
    }
}

pub(crate) fn not_acceptable() -> Status {
    let message = "only the following media types are accepted: application/json, \
        application/json;as=Table;v=v1;g=meta.k8s.io";
    Status::failure(406, "NotAcceptable", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        headers
    }

    #[test]
    fn the_first_form_that_there_is_wins() {
        let rows = [
            ("application/json", Form::Objects),
            ("*/*", Form::Objects),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Form::Objects,
            ),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Form::Table("v1"),
            ),
            (
                "application/json;as=Table;v=v2;g=meta.k8s.io, application/json",
                Form::Objects,
            ),
            (
                "application/json; as=PartialObjectMetadataList; v=v1; g=meta.k8s.io",
                Form::Metadata("v1"),
            ),
        ];
        for (accept, expected) in rows {
            assert_eq!(form(&headers(accept)), Ok(expected), "{accept}");
        }
        assert_eq!(form(&HeaderMap::new()), Ok(Form::Objects));
    }

    #[test]
    fn what_cannot_be_given_is_not_acceptable() {
        for accept in [
            "application/yaml",
            "application/json;as=Table;v=v9;g=meta.k8s.io",
            "text/html",
            "",
        ] {
            assert_eq!(form(&headers(accept)).unwrap_err().code, 406, "{accept}");
        }
        assert_eq!(
            plain(&headers("image/png"), "text/plain").unwrap_err().code,
            406
        );
        for accept in ["text/plain", "text/*", "*/*", "application/json, */*"] {
            assert_eq!(plain(&headers(accept), "text/plain"), Ok(()), "{accept}");
        }
    }

    #[test]
    fn discovery_is_given_at_once_to_those_who_know_that() {
        let new = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(
            discovery_form(&headers(new)),
            Ok(DiscoveryForm::Aggregated("v2"))
        );
        assert_eq!(
            discovery_form(&headers("application/json")),
            Ok(DiscoveryForm::Legacy)
        );
    }
}
