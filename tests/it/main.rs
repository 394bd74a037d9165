//! The whole program, as a user meets it.

mod bad_input;
mod command_line;
mod four_pods;
mod support;
