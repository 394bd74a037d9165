//! The fields that Kubernetes knows: unknown fields and wrong types, and the JSON of the rest.
//!
//! The shapes come from the JSON schemas that `k8s-openapi` carries for its types, so they are of
//! the same version as the types themselves ([`shape`]). [`convert`] walks a tree along its shape;
//! what does not fit is a finding and is left out, so that the rest can still be decoded and
//! validated: all that is wrong is to be said at once.

mod convert;
mod prune;
mod shape;
pub(crate) mod suggest;

pub(crate) use convert::convert;
pub(crate) use prune::prune;
pub(crate) use shape::{Shape, Shapes};
