//! The rows of the metadata that all kinds share.

use super::{Field, Table};

const SERVER: &str = "the server sets it";

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[Table {
    definition: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    title: "Metadata",
    fields: &[
        Field::yes("annotations"),
        Field::ignored("creationTimestamp", SERVER),
        Field::ignored("deletionGracePeriodSeconds", SERVER),
        Field::ignored("deletionTimestamp", SERVER),
        Field::ignored("finalizers", "nothing waits before an object is removed"),
        Field::yes("generateName"),
        Field::ignored("generation", SERVER),
        Field::yes("labels"),
        Field::ignored("managedFields", SERVER),
        Field::yes("name"),
        Field::yes("namespace"),
        Field::ignored(
            "ownerReferences",
            "an object of a manifest belongs to nobody",
        ),
        Field::ignored("resourceVersion", SERVER),
        Field::ignored("selfLink", SERVER),
        Field::ignored("uid", SERVER),
    ],
}];
