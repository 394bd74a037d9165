//! The rules of the annotation about HTTP components.

use super::{Findings, Path};
use crate::http::{self, HttpSettings};
use crate::k8s::ObjectMeta;

/// Holds the rules of the annotation; `path` is that of the metadata.
pub(super) fn annotations(metadata: &ObjectMeta, path: &Path, findings: &mut Findings) {
    let annotations = metadata.annotations.as_ref();
    let Some(text) = annotations.and_then(|annotations| annotations.get(http::SETTINGS)) else {
        return;
    };
    let path = path.field("annotations").key(http::SETTINGS);
    for pair in http::pairs(text) {
        if let Err(detail) = HttpSettings::default().set(pair) {
            findings.invalid("pod/http", &path, text, detail);
        }
    }
}
