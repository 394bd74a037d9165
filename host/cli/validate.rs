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
        (manifests.pods.len(), "pod", "pods"),
        (manifests.config_maps.len(), "config map", "config maps"),
        (manifests.secrets.len(), "secret", "secrets"),
        (manifests.services.len(), "service", "services"),
        (manifests.ingresses.len(), "ingress", "ingresses"),
    ];
    let counted: Vec<_> = counts
        .iter()
        .filter(|(count, _, _)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    writeln!(
        anstream::stdout().lock(),
        "valid: {}",
        if counted.is_empty() {
            "nothing".to_owned()
        } else {
            counted.join(", ")
        }
    )?;
    Ok(Outcome::Done)
}
