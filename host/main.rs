//! Entry point of the `wasmpod` program; everything is in `host/cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasmpod_cli::main()
}
