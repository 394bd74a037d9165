//! `wasmpod inspect`: what a module is, and whether this host offers all that it imports.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use wasmpod::{Inspection, Origin};

use crate::args::{InspectCommand, ListFormat};
use crate::paint::{self, paint};
use crate::report::Outcome;
use crate::units;

pub(crate) fn run(command: &InspectCommand) -> anyhow::Result<Outcome> {
    let InspectCommand::Image {
        image: reference,
        output,
    } = command;
    // A path on the command line is relative to where the user is, not to a manifest.
    let image = wasmpod::resolve_image(reference, Path::new(""))?;
    let own = image.config.entrypoint.first().or(image.config.cmd.first());
    let program = image.program(own.map_or("", String::as_str));
    let inspection = wasmpod::inspect(program)?;
    match output {
        ListFormat::Text => {
            let origin = match &image.origin {
                Origin::BuiltIn(name) => {
                    format!("{name} (built-in image: a Wasm program of wasmpod's own)")
                }
                Origin::File(path) => path.display().to_string(),
            };
            text(&origin, &program.digest.to_string(), &inspection)?;
        }
        ListFormat::Json => {
            let imports: Vec<_> = inspection
                .imports
                .iter()
                .map(|import| json!({"name": import.name, "offered": import.missing.is_empty(), "missing": import.missing}))
                .collect();
            let shown = json!({
                "image": reference,
                "builtIn": matches!(image.origin, Origin::BuiltIn(_)),
                "digest": program.digest.to_string(),
                "kind": inspection.kind.to_string(),
                "sizeBytes": inspection.size_bytes,
                "isCommand": inspection.is_command,
                "handlesHttp": inspection.handles_http,
                "imports": imports,
                "exports": inspection.exports,
            });
            writeln!(
                anstream::stdout().lock(),
                "{}",
                serde_json::to_string_pretty(&shown)?
            )?;
        }
    }
    let is_runnable =
        (inspection.is_command || inspection.handles_http) && inspection.missing().is_empty();
    Ok(if is_runnable {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

fn text(origin: &str, digest: &str, inspection: &Inspection) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "Image:    {origin}")?;
    writeln!(out, "Digest:   {digest}")?;
    writeln!(out, "Kind:     {}", inspection.kind)?;
    writeln!(out, "Size:     {}", units::bytes(inspection.size_bytes))?;
    writeln!(out, "Imports:")?;
    for import in &inspection.imports {
        if import.missing.is_empty() {
            writeln!(out, "  {}  {}", paint(paint::GOOD, "offered"), import.name)?;
        } else {
            writeln!(
                out,
                "  {}  {}",
                paint(paint::ERROR, "missing"),
                import.missing.join(", ")
            )?;
        }
    }
    if inspection.imports.is_empty() {
        writeln!(out, "  none")?;
    }
    writeln!(
        out,
        "Exports:  {}",
        if inspection.exports.is_empty() {
            "none".to_owned()
        } else {
            inspection.exports.join(", ")
        }
    )?;
    let missing = inspection.missing().len();
    let verdict = if inspection.handles_http_0_3() && !inspection.handles_http {
        paint(
            paint::ERROR,
            "no: it handles HTTP requests by WASI 0.3, which needs a build with the feature wasi-0-3",
        )
    } else if !inspection.is_command && !inspection.handles_http {
        paint(
            paint::ERROR,
            "no: it has no entry point (_start, wasi:cli/run, or wasi:http/incoming-handler)",
        )
    } else if missing > 0 {
        paint(
            paint::ERROR,
            format!("no: {missing} of its imports are not offered"),
        )
    } else if inspection.handles_http {
        paint(paint::GOOD, "yes, as an HTTP server")
    } else {
        paint(paint::GOOD, "yes")
    };
    writeln!(out, "Runs here: {verdict}")?;
    Ok(())
}
