//! The shape of each kind, read once from the JSON schemas of the types.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::k8s::{
    ConfigMap, CronJob, DaemonSet, Deployment, Ingress, IngressClass, Job, Namespace,
    NetworkPolicy, PersistentVolume, PersistentVolumeClaim, Pod, ReplicaSet, ReplicationController,
    Secret, Service, ServiceAccount, StatefulSet,
};

/// What a field may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    String,
    /// base64.
    Bytes,
    /// RFC 3339.
    DateTime,
    Boolean,
    Int32,
    Int64,
    Number,
    Quantity,
    IntOrString,
    /// Whatever there is.
    Any,
    Array(Box<Self>),
    Map(Box<Self>),
    /// The name of a definition in [`Shapes`].
    Object(String),
}

/// The fields of all types, by the name of the definition.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    objects: HashMap<String, BTreeMap<String, Shape>>,
}

const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

impl Shapes {
    /// The shapes of all kinds that can be read; made at the first call.
    pub(crate) fn get() -> &'static Self {
        static SHAPES: OnceLock<Shapes> = OnceLock::new();
        SHAPES.get_or_init(|| {
            let mut generator = SchemaGenerator::default();
            let mut shapes = Self::default();
            for schema in [
                generator.subschema_for::<Pod>(),
                generator.subschema_for::<ConfigMap>(),
                generator.subschema_for::<Secret>(),
                generator.subschema_for::<Service>(),
                generator.subschema_for::<Ingress>(),
                generator.subschema_for::<IngressClass>(),
                generator.subschema_for::<ServiceAccount>(),
                generator.subschema_for::<Namespace>(),
                generator.subschema_for::<PersistentVolume>(),
                generator.subschema_for::<PersistentVolumeClaim>(),
                generator.subschema_for::<NetworkPolicy>(),
                generator.subschema_for::<Deployment>(),
                generator.subschema_for::<ReplicaSet>(),
                generator.subschema_for::<ReplicationController>(),
                generator.subschema_for::<DaemonSet>(),
                generator.subschema_for::<StatefulSet>(),
                generator.subschema_for::<Job>(),
                generator.subschema_for::<CronJob>(),
            ] {
                drop(schema);
            }
            for (name, definition) in generator.take_definitions(false) {
                if let Some(fields) = definition.get("properties").and_then(Value::as_object) {
                    let fields = fields
                        .iter()
                        .map(|(name, schema)| (name.clone(), shape(schema)));
                    shapes.objects.insert(name, fields.collect());
                }
            }
            shapes
        })
    }

    /// The fields of the definition with this name.
    pub(crate) fn fields(&self, definition: &str) -> Option<&BTreeMap<String, Shape>> {
        self.objects.get(definition)
    }

    /// The shape of a kind: `Pod`.
    pub(crate) fn kind<K: JsonSchema>() -> Shape {
        Shape::Object(K::schema_name().into_owned())
    }
}

fn shape(schema: &Value) -> Shape {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return match name {
            QUANTITY => Shape::Quantity,
            INT_OR_STRING => Shape::IntOrString,
            _ if name.ends_with(".Time") || name.ends_with(".MicroTime") => Shape::DateTime,
            _ if name.ends_with(".FieldsV1") => Shape::Any,
            _ => Shape::Object(name.to_owned()),
        };
    }
    let format = schema.get("format").and_then(Value::as_str);
    match (schema.get("type").and_then(Value::as_str), format) {
        (Some("string"), Some("byte")) => Shape::Bytes,
        (Some("string"), Some("date-time")) => Shape::DateTime,
        (Some("string"), _) => Shape::String,
        (Some("boolean"), _) => Shape::Boolean,
        (Some("integer"), Some("int32")) => Shape::Int32,
        (Some("integer"), _) => Shape::Int64,
        (Some("number"), _) => Shape::Number,
        (Some("array"), _) => Shape::Array(Box::new(schema.get("items").map_or(Shape::Any, shape))),
        (Some("object"), _) => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => Shape::Map(Box::new(shape(values))),
            _ => Shape::Any,
        },
        _ => Shape::Any,
    }
}
