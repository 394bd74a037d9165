//! Configuration: from the text of nginx.conf to what is served from.
//!
//! `token` → `tree` (checked against `directives`) → `build`, `settings`, `rules`, `upstream` → `model`.

pub mod build;
pub mod directives;
pub mod error;
pub mod model;
mod rules;
mod settings;
pub mod template;
#[cfg(test)]
mod tests;
pub mod token;
pub mod tree;
mod upstream;
pub mod value;
