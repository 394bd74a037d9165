//! `wasmpod image`: the images that this program has.

use std::io::Write as _;

use serde_json::json;

use crate::args::{ImageCommand, ListFormat};
use crate::report::Outcome;

pub(crate) fn run(command: &ImageCommand) -> anyhow::Result<Outcome> {
    match command {
        ImageCommand::Ls {
            output: ListFormat::Text,
        } => list_text(),
        ImageCommand::Ls {
            output: ListFormat::Json,
        } => list_json(),
    }
}

fn list_text() -> anyhow::Result<Outcome> {
    let mut out = anstream::stdout().lock();
    let width = wasmpod::builtins()
        .iter()
        .map(|image| image.name.len())
        .max()
        .unwrap_or(0);
    writeln!(
        out,
        "{:width$}  {:12}  {:>8}  WHAT IT REALLY IS",
        "IMAGE", "DIGEST", "SIZE"
    )?;
    for image in wasmpod::builtins() {
        let program = image.program();
        let digest: String = program.digest.hex().chars().take(12).collect();
        let size = crate::units::bytes(program.bytes()?.len() as u64);
        writeln!(
            out,
            "{:width$}  {digest:12}  {size:>8}  {}",
            image.name, image.summary
        )?;
    }
    writeln!(
        out,
        "\nBuilt-in images are Wasm programs of wasmpod's own with the usual behaviour of the images whose names they\n\
         answer to, with any tag. They are not those images."
    )?;
    Ok(Outcome::Done)
}

fn list_json() -> anyhow::Result<Outcome> {
    let mut images = Vec::new();
    for image in wasmpod::builtins() {
        let program = image.program();
        images.push(json!({
            "name": image.name,
            "aliases": image.aliases,
            "summary": image.summary,
            "builtIn": true,
            "digest": program.digest.to_string(),
            "sizeBytes": program.bytes()?.len(),
        }));
    }
    writeln!(
        anstream::stdout().lock(),
        "{}",
        serde_json::to_string_pretty(&images)?
    )?;
    Ok(Outcome::Done)
}
