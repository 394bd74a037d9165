//! The utilities and built-ins by name, and what they all use: arguments, options, buffered output.

mod call;
pub mod tables;

pub mod awk;
pub mod date;
pub mod files;
pub mod find;
pub mod grep;
pub mod list;
pub mod net;
mod nginx;
pub mod programs;
pub mod sed;
pub mod sort;
pub mod stress;
pub mod system;
mod tar;
pub mod text;

pub use call::{Call, Fail, Options};
pub use tables::{exists, is_builtin, names, run};

/// What a utility gives: its exit status, or why it could not.
pub type Outcome = Result<i32, Fail>;
