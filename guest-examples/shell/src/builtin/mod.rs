//! The built-ins: commands that change the shell itself, or that every shell has inside (XCU 2.15).

pub mod control;
pub mod echo;
pub mod options;
pub mod printf;
pub mod read;
pub mod test;
pub mod trap;
pub mod variables;
