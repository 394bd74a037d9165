//! An object of any kind.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;
use wasmpod_manifest::k8s;
use wasmpod_manifest::k8s::{Metadata, ObjectMeta, OwnerReference};

use crate::Kind;
use crate::kind::for_all_kinds;

/// A value that is no object of the kind that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum WrongKind {
    /// A kind that the store does not keep.
    #[error("no kind \"{kind}\" in version \"{api_version}\"")]
    Unknown {
        /// `apiVersion`
        api_version: String,
        /// `kind`
        kind: String,
    },
    /// Its fields are not those of its kind.
    #[error("{kind} cannot be decoded")]
    Undecodable {
        /// Its kind.
        kind: Kind,
        /// What is wrong with them.
        source: serde_json::Error,
    },
}

macro_rules! objects {
    ($($name:ident $singular:literal [$($short:literal)*] [$($category:literal)*] $namespaced:literal $counted:literal;)*) => {
        /// An object of any kind; cheap to clone. Written as JSON with `apiVersion` and `kind`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Object {
            $(
                #[doc = concat!("A `", stringify!($name), "`.")]
                $name(Arc<k8s::$name>),
            )*
        }

        impl Object {
            /// Its kind.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self { $(Self::$name(_) => Kind::$name,)* }
            }

            /// Its metadata.
            #[must_use]
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$name(object) => object.metadata(),)* }
            }

            /// Its metadata, to change it. Copies the object if others hold it too.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$name(object) => Arc::make_mut(object).metadata_mut(),)* }
            }

            /// Reads an object of this kind; `apiVersion` and `kind` may be missing.
            ///
            /// # Errors
            /// The value is of another kind, or not like this kind.
            pub fn from_json(kind: Kind, mut value: Value) -> Result<Self, WrongKind> {
                if let Value::Object(fields) = &mut value {
                    fields.entry("apiVersion").or_insert_with(|| kind.api_version().into());
                    fields.entry("kind").or_insert_with(|| kind.name().into());
                }
                let undecodable = |source| WrongKind::Undecodable { kind, source };
                match kind {
                    $(Kind::$name => serde_json::from_value(value).map(|object| Self::$name(Arc::new(object))),)*
                }
                .map_err(undecodable)
            }

            /// Is this the same copy, without looking inside?
            pub(crate) fn is_same_copy(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$name(a), Self::$name(b)) => Arc::ptr_eq(a, b),)*
                    _ => false,
                }
            }
        }

        $(
            impl From<k8s::$name> for Object {
                fn from(object: k8s::$name) -> Self {
                    Self::$name(Arc::new(object))
                }
            }

            impl From<Arc<k8s::$name>> for Object {
                fn from(object: Arc<k8s::$name>) -> Self {
                    Self::$name(object)
                }
            }

            impl<'a> TryFrom<&'a Object> for &'a Arc<k8s::$name> {
                type Error = Kind;

                /// The object, or the kind that it has instead.
                fn try_from(object: &'a Object) -> Result<Self, Kind> {
                    match object {
                        Object::$name(object) => Ok(object),
                        other => Err(other.kind()),
                    }
                }
            }

            impl TryFrom<Object> for Arc<k8s::$name> {
                type Error = Kind;

                /// The object, or the kind that it has instead.
                fn try_from(object: Object) -> Result<Self, Kind> {
                    match object {
                        Object::$name(object) => Ok(object),
                        other => Err(other.kind()),
                    }
                }
            }
        )*

        impl Serialize for Object {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(object) => object.serialize(serializer),)* }
            }
        }
    };
}
for_all_kinds!(objects);

impl Object {
    /// Reads an object that says its own `apiVersion` and `kind`.
    ///
    /// # Errors
    /// No kind of the store's, or not like its kind.
    pub fn from_typed_json(value: Value) -> Result<Self, WrongKind> {
        let text = |field: &str| {
            let text = value.get(field).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        match Kind::from_type(&api_version, &kind) {
            Some(kind) => Self::from_json(kind, value),
            None => Err(WrongKind::Unknown { api_version, kind }),
        }
    }

    /// `metadata.name`; empty when it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// `metadata.namespace`; nothing for objects of the cluster.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.metadata().namespace.as_deref()
    }

    /// `metadata.uid`; empty before it was created.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.metadata().uid.as_deref().unwrap_or_default()
    }

    /// `metadata.resourceVersion` as a number; 0 before it was created.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        let version = self.metadata().resource_version.as_deref();
        version.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The owner that manages it (`controller: true`).
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        let owners = self.metadata().owner_references.iter().flatten();
        owners
            .into_iter()
            .find(|owner| owner.controller == Some(true))
    }

    /// Is this uid among its owners?
    #[must_use]
    pub fn is_owned_by(&self, uid: &str) -> bool {
        let mut owners = self.metadata().owner_references.iter().flatten();
        owners.any(|owner| owner.uid == uid)
    }

    /// Which object this is.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            kind: self.kind(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// Does its `spec` differ from that of `other`? Only asked of kinds that count generations.
    pub(crate) fn spec_differs(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pod(a), Self::Pod(b)) => {
                let node =
                    |pod: &k8s::Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
                // Giving a pod its node is no change of what is wanted: the API server's `binding` does not count it.
                node(a) == node(b) && a.spec != b.spec
            }
            (Self::ReplicationController(a), Self::ReplicationController(b)) => a.spec != b.spec,
            (Self::DaemonSet(a), Self::DaemonSet(b)) => a.spec != b.spec,
            (Self::Deployment(a), Self::Deployment(b)) => a.spec != b.spec,
            (Self::ReplicaSet(a), Self::ReplicaSet(b)) => a.spec != b.spec,
            (Self::StatefulSet(a), Self::StatefulSet(b)) => a.spec != b.spec,
            (Self::Job(a), Self::Job(b)) => a.spec != b.spec,
            (Self::CronJob(a), Self::CronJob(b)) => a.spec != b.spec,
            (Self::Ingress(a), Self::Ingress(b)) => a.spec != b.spec,
            (Self::IngressClass(a), Self::IngressClass(b)) => a.spec != b.spec,
            _ => false,
        }
    }
}

/// Which object is meant: its key in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; nothing for objects of the cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}
