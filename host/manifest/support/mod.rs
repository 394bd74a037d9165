//! The one table that says of every field what happens to it here.
//!
//! A field is supported, ignored (one warning), or rejected, when ignoring it would change what the
//! pod means or how secure it is. The tables follow the types of the Kubernetes API; a test holds
//! that every field of every type that is reached has its row and that no row is of a field that
//! does not exist. `docs/compatibility.md` is generated from here ([`compatibility_markdown`]).

mod apps;
mod batch;
mod check;
mod claim;
mod cluster;
mod config;
mod container;
mod ingress;
mod markdown;
mod metadata;
mod network_policy;
mod pod;
mod podman;
mod probe;
mod projected;
mod service;
mod storage;
mod volume;

pub(crate) use check::{Ignored, check};
pub use markdown::compatibility_markdown;

/// What happens to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what Kubernetes says; an object's own fields have their own table.
    Supported,
    /// It has no effect; a manifest that sets it gets one warning.
    Ignored {
        /// Why there is no effect.
        reason: &'static str,
    },
    /// A manifest that sets it is refused.
    Rejected {
        /// Why it cannot be ignored.
        reason: &'static str,
        /// What to do instead; empty when there is nothing better than removing it.
        hint: &'static str,
    },
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name as in a manifest.
    pub name: &'static str,
    /// What happens to it.
    pub support: Support,
    /// The values that ask for nothing, and so are neither warned about nor refused.
    pub harmless: &'static [&'static str],
    /// What else is to be said of it; may be empty.
    pub note: &'static str,
}

impl Field {
    const fn yes(name: &'static str) -> Self {
        Self {
            name,
            support: Support::Supported,
            harmless: &[],
            note: "",
        }
    }

    /// A field of which a part has no effect; `note` says which.
    const fn partly(name: &'static str, note: &'static str) -> Self {
        Self {
            name,
            support: Support::Supported,
            harmless: &[],
            note,
        }
    }

    const fn ignored(name: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            support: Support::Ignored { reason },
            harmless: &[],
            note: "",
        }
    }

    const fn rejected(name: &'static str, reason: &'static str, hint: &'static str) -> Self {
        Self {
            name,
            support: Support::Rejected { reason, hint },
            harmless: &[],
            note: "",
        }
    }

    const fn unless(mut self, harmless: &'static [&'static str]) -> Self {
        self.harmless = harmless;
        self
    }
}

/// The rows of one type of the Kubernetes API.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The name of the definition: `io.k8s.api.core.v1.PodSpec`.
    pub definition: &'static str,
    /// The heading in the document: `Pod spec`.
    pub title: &'static str,
    /// The rows, in the order of the alphabet.
    pub fields: &'static [Field],
}

impl Table {
    /// The row of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The anchor of the heading in the document.
    #[must_use]
    pub fn anchor(&self) -> String {
        self.title.to_lowercase().replace(' ', "-")
    }
}

/// All tables, in the order of the document.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    [
        pod::TABLES,
        container::TABLES,
        probe::TABLES,
        volume::TABLES,
        projected::TABLES,
        claim::TABLES,
        storage::TABLES,
        apps::TABLES,
        batch::TABLES,
        config::TABLES,
        service::TABLES,
        ingress::TABLES,
        network_policy::TABLES,
        cluster::TABLES,
        metadata::TABLES,
    ]
    .into_iter()
    .flatten()
}

/// The table of a definition.
#[must_use]
pub fn table(definition: &str) -> Option<&'static Table> {
    tables().find(|table| table.definition == definition)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Support, table, tables};
    use crate::k8s::{
        ConfigMap, CronJob, DaemonSet, Deployment, Ingress, IngressClass, Job, Namespace,
        NetworkPolicy, PersistentVolume, PersistentVolumeClaim, Pod, ReplicaSet,
        ReplicationController, Secret, Service, ServiceAccount, StatefulSet,
    };
    use crate::schema::{Shape, Shapes};

    fn definition_of(shape: &Shape) -> Option<&str> {
        match shape {
            Shape::Object(definition) => Some(definition),
            Shape::Array(inner) | Shape::Map(inner) => definition_of(inner),
            _ => None,
        }
    }

    /// The definitions that a manifest can reach through supported fields.
    fn reached() -> BTreeSet<String> {
        let roots = [
            Shapes::kind::<Pod>(),
            Shapes::kind::<ConfigMap>(),
            Shapes::kind::<Secret>(),
            Shapes::kind::<Service>(),
            Shapes::kind::<Ingress>(),
            Shapes::kind::<IngressClass>(),
            Shapes::kind::<ServiceAccount>(),
            Shapes::kind::<Namespace>(),
            Shapes::kind::<PersistentVolume>(),
            Shapes::kind::<PersistentVolumeClaim>(),
            Shapes::kind::<NetworkPolicy>(),
            Shapes::kind::<Deployment>(),
            Shapes::kind::<ReplicaSet>(),
            Shapes::kind::<ReplicationController>(),
            Shapes::kind::<DaemonSet>(),
            Shapes::kind::<StatefulSet>(),
            Shapes::kind::<Job>(),
            Shapes::kind::<CronJob>(),
        ];
        let mut waiting: Vec<String> = roots
            .iter()
            .filter_map(definition_of)
            .map(str::to_owned)
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(definition) = waiting.pop() {
            if !seen.insert(definition.clone()) {
                continue;
            }
            let fields = Shapes::get()
                .fields(&definition)
                .expect("a definition has fields");
            for (name, shape) in fields {
                let row = table(&definition).and_then(|table| table.field(name));
                if row.is_some_and(|row| row.support == Support::Supported) {
                    waiting.extend(definition_of(shape).map(str::to_owned));
                }
            }
        }
        seen
    }

    #[test]
    fn every_field_of_every_reached_type_has_its_row() {
        let mut missing = Vec::new();
        for definition in reached() {
            let fields = Shapes::get()
                .fields(&definition)
                .expect("a definition has fields");
            for name in fields.keys() {
                if table(&definition)
                    .and_then(|table| table.field(name))
                    .is_none()
                {
                    missing.push(format!("{definition}.{name}"));
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn no_row_is_of_a_field_that_does_not_exist() {
        let mut wrong = Vec::new();
        let reached = reached();
        for table in tables() {
            if !reached.contains(table.definition) {
                wrong.push(table.definition.to_owned());
                continue;
            }
            let fields = Shapes::get()
                .fields(table.definition)
                .expect("a definition has fields");
            for row in table.fields {
                if !fields.contains_key(row.name) {
                    wrong.push(format!("{}.{}", table.definition, row.name));
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }
}
