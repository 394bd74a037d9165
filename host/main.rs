//! Entry point of the `wasmpod` program.

fn main() {}
