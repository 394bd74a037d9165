//! Which objects of a kind a request means: namespace, labels, fields.

use wasmpod_store::selector::{FieldSelector, LabelSelector};
use wasmpod_store::{Kind, Object};

use crate::Status;
use crate::server::error;
use crate::server::query::Query;

/// Which objects of a kind a request means.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) kind: Kind,
    /// Nothing for all.
    pub(super) namespace: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    pub(super) fn of(
        kind: Kind,
        namespace: Option<&str>,
        name: Option<&str>,
        query: &Query,
    ) -> Result<Self, Status> {
        let labels = query.text("labelSelector").unwrap_or_default().parse();
        let mut fields = query.text("fieldSelector").unwrap_or_default().to_owned();
        if let Some(name) = name {
            // Watching one object is watching a list in which it is alone.
            fields = format!("metadata.name={name},{fields}");
        }
        let fields = FieldSelector::parse(kind, &fields);
        Ok(Self {
            kind,
            namespace: namespace.map(str::to_owned),
            labels: labels.map_err(|wrong| error::of_selector(&wrong))?,
            fields: fields.map_err(|wrong| error::of_selector(&wrong))?,
        })
    }

    /// Is the object meant? (Its kind and namespace are not looked at.)
    pub(super) fn matches(&self, object: &Object) -> bool {
        self.fields.matches(object) && self.labels.matches(object.metadata().labels.as_ref())
    }

    /// Are all objects of the kind and the namespace meant?
    pub(super) fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}
