//! `wasmpod validate`: reads manifests and says everything that is wrong, without running anything.

use std::io::Write as _;

use crate::args::ValidateArgs;
use crate::report::{self, Outcome};
use crate::sources;

pub(crate) fn run(args: &ValidateArgs) -> anyhow::Result<Outcome> {
    let sources = sources::read(&args.manifests.files())?;
    let manifests = wasmpod::read(&sources)?;
    if args.quiet {
        return Ok(Outcome::Done);
    }
    report::warnings(&manifests.warnings);
    let counts = [
        (manifests.pods.len(), "pod"),
        (manifests.config_maps.len(), "config map"),
        (manifests.secrets.len(), "secret"),
        (manifests.services.len(), "service"),
        (manifests.ingresses.len(), "ingress"),
        (manifests.network_policies.len(), "network policy"),
    ];
    let parts: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| format!("{count} {}", counted(*count, noun)))
        .collect();
    writeln!(
        anstream::stdout().lock(),
        "valid: {}",
        if parts.is_empty() {
            "nothing".to_owned()
        } else {
            parts.join(", ")
        }
    )?;
    Ok(Outcome::Done)
}

fn counted(count: usize, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1 => noun.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    }
}
