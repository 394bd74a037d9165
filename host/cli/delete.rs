//! `wasmpod delete`: takes objects away; a pod is stopped in its grace period first.

use std::io::Write as _;

use anyhow::bail;
use serde_json::Value;
use tokio::time::timeout;
use wasmpod::k8s::ObjectMeta;
use wasmpod_api::Resource;
use wasmpod_api::client::{Accept, DeleteOptions};

use crate::args::looking::{Cascade, DEFAULT_NAMESPACE, DeleteArgs, DryRun, Span};
use crate::get::Problems;
use crate::report::{self, Outcome};
use crate::runs::watch::{Item, Watch};
use crate::runs::{Run, Runs, name, text};
use crate::selection;
use crate::sources;

/// An object that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    resource: &'static Resource,
    namespace: String,
    name: String,
}

/// An object that was deleted, and may still be ending.
struct Deleted {
    run: Run,
    target: Target,
    uid: String,
}

pub(crate) async fn run(args: &DeleteArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let options = options(args)?;
    let targets = targets(args, &runs).await?;
    if targets.is_empty() {
        report::stderr(format_args!("No resources found"));
        return Ok(Outcome::Done);
    }
    if args.force && options.grace_period_seconds == Some(0) {
        report::warning(format_args!(
            "Immediate deletion does not wait for confirmation that the running resource has been terminated."
        ));
    }
    let mut problems = Problems::new(args.ignore_not_found);
    let mut deleted = Vec::new();
    for target in targets {
        if let Some(done) = problems.sort(delete(args, &runs, &target, &options).await)? {
            deleted.extend(done);
        }
    }
    // Who forces something has no time to wait for it.
    let waits = args.wait.unwrap_or(!args.force) && args.dry_run == DryRun::None;
    if waits {
        let waiting = async {
            for deleted in deleted {
                wait_until_gone(deleted).await?;
            }
            anyhow::Ok(())
        };
        match args.timeout {
            Span::Time(limit) if !limit.is_zero() => match timeout(limit, waiting).await {
                Ok(result) => result?,
                Err(_) => bail!("timed out waiting for the objects to be gone"),
            },
            Span::Time(_) | Span::Negative => waiting.await?,
        }
    }
    Ok(problems.report())
}

fn options(args: &DeleteArgs) -> anyhow::Result<DeleteOptions> {
    let seconds = match args.grace_period {
        _ if args.now => Some(1),
        Some(0) | None if args.force => Some(0),
        // Only --force may end something at once, lest it happens by accident.
        Some(0) => Some(1),
        Some(seconds) if args.force && seconds > 0 => {
            bail!("--force and --grace-period greater than 0 cannot be specified together")
        }
        Some(seconds) => u64::try_from(seconds).ok(),
        None => None,
    };
    let policy = match args.cascade {
        Cascade::Background => "Background",
        Cascade::Foreground => "Foreground",
        Cascade::Orphan => "Orphan",
    };
    let dry_run = match args.dry_run {
        DryRun::Server => vec!["All".to_owned()],
        DryRun::None | DryRun::Client => Vec::new(),
    };
    Ok(DeleteOptions {
        grace_period_seconds: seconds,
        propagation_policy: Some(policy.to_owned()),
        dry_run,
        preconditions: None,
    })
}

async fn targets(args: &DeleteArgs, runs: &Runs) -> anyhow::Result<Vec<Target>> {
    if !args.filenames.is_empty() {
        let manifests = wasmpod::read(&sources::read(&args.filenames)?)?;
        return from_manifests(&manifests);
    }
    let query = args.selectors.query();
    let mut targets = Vec::new();
    for wanted in selection::parse(&args.resources)? {
        let resource = wanted.resource;
        if wanted.names.is_empty() {
            if query.is_empty() && !args.all {
                bail!("resource(s) were provided, but no name was specified");
            }
            for found in runs.list(resource, args.namespace.get(), &query).await? {
                let target = Target {
                    resource,
                    namespace: text(&found.object, "/metadata/namespace"),
                    name: name(&found.object),
                };
                // The same name may be in several wasmpods; each of them is asked anyway.
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        } else if args.all || !query.is_empty() {
            bail!("name cannot be provided when a selector or --all is specified");
        } else if args.namespace.all_namespaces {
            bail!("a resource cannot be retrieved by name across all namespaces");
        }
        targets.extend(wanted.names.into_iter().map(|name| Target {
            resource,
            namespace: args.namespace.one.namespace.clone(),
            name,
        }));
    }
    Ok(targets)
}

/// The objects of manifests, what makes pods before the pods.
fn from_manifests(manifests: &wasmpod::Manifests) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    let mut add = |kind: &str, metadata: &ObjectMeta| {
        targets.push(Target {
            resource: selection::find(kind)?,
            namespace: metadata
                .namespace
                .clone()
                .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            name: metadata.name.clone().unwrap_or_default(),
        });
        anyhow::Ok(())
    };
    for workload in &manifests.workloads {
        add(workload.kind().name(), workload.metadata())?;
    }
    for pod in &manifests.pods {
        add("Pod", &pod.metadata)?;
    }
    for object in &manifests.services {
        add("Service", &object.metadata)?;
    }
    for object in &manifests.network_policies {
        add("NetworkPolicy", &object.metadata)?;
    }
    for object in &manifests.config_maps {
        add("ConfigMap", &object.metadata)?;
    }
    for object in &manifests.secrets {
        add("Secret", &object.metadata)?;
    }
    for object in &manifests.persistent_volume_claims {
        add("PersistentVolumeClaim", &object.metadata)?;
    }
    for object in &manifests.persistent_volumes {
        add("PersistentVolume", &object.metadata)?;
    }
    for object in &manifests.namespaces {
        add("Namespace", &object.metadata)?;
    }
    Ok(targets)
}

/// Deletes an object in every wasmpod that has it, and says so.
async fn delete(
    args: &DeleteArgs,
    runs: &Runs,
    target: &Target,
    options: &DeleteOptions,
) -> anyhow::Result<Vec<Deleted>> {
    let path = target
        .resource
        .path(Some(&target.namespace), Some(&target.name));
    let mut deleted = Vec::new();
    let mut missing = None;
    for run in runs.all() {
        let answer = if args.dry_run == DryRun::Client {
            run.client.get(&path, Accept::Json).await
        } else {
            run.client.delete(&path, options).await
        };
        match answer {
            Ok(answer) => {
                let uid = [
                    text(&answer, "/metadata/uid"),
                    text(&answer, "/details/uid"),
                ];
                say(args, target)?;
                deleted.push(Deleted {
                    run: run.clone(),
                    target: target.clone(),
                    uid: uid
                        .into_iter()
                        .find(|uid| !uid.is_empty())
                        .unwrap_or_default(),
                });
            }
            Err(error) if error.is_not_found() => missing = Some(error),
            Err(error) if error.is_gone() => {}
            Err(error) => return Err(error.into()),
        }
    }
    match missing {
        Some(error) if deleted.is_empty() => Err(error.into()),
        _ => Ok(deleted),
    }
}

fn say(args: &DeleteArgs, target: &Target) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    if args.output.is_some() {
        writeln!(out, "{}", selection::title(target.resource, &target.name))?;
        return Ok(());
    }
    let kind = match target.resource.group {
        "" => target.resource.singular.to_owned(),
        group => format!("{}.{group}", target.resource.singular),
    };
    let verb = if args.force {
        "force deleted"
    } else {
        "deleted"
    };
    let note = match args.dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    writeln!(out, "{kind} \"{}\" {verb}{note}", target.name)?;
    Ok(())
}

/// Waits until an object is gone, or another has taken its name.
async fn wait_until_gone(deleted: Deleted) -> anyhow::Result<()> {
    let Target {
        resource,
        namespace,
        name: own,
    } = &deleted.target;
    let query = vec![("fieldSelector", format!("metadata.name={own}"))];
    let path = resource.path(Some(namespace), None);
    let is_it = |object: &Value| {
        name(object) == *own
            && (deleted.uid.is_empty() || text(object, "/metadata/uid") == deleted.uid)
    };
    let mut changes = Watch::of_one(&deleted.run, path, query, Accept::Json);
    while let Some(item) = changes.next().await? {
        let is_gone = match item {
            Item::List(list) => {
                let items = list.get("items").and_then(Value::as_array);
                !items.into_iter().flatten().any(is_it)
            }
            Item::Change(kind, object) => kind == "DELETED" || !is_it(&object),
        };
        if is_gone {
            return Ok(());
        }
    }
    // Its wasmpod has ended, and everything with it.
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn grace(flags: &str) -> Result<Option<u64>, String> {
        let words = ["wasmpod", "delete", "pod", "web"].into_iter();
        let cli = Cli::try_parse_from(words.chain(flags.split_whitespace())).unwrap();
        let Command::Delete(args) = cli.command else {
            panic!("no delete");
        };
        let options = options(&args).map_err(|error| error.to_string())?;
        Ok(options.grace_period_seconds)
    }

    #[test]
    fn nothing_ends_at_once_without_force() {
        for (flags, expected) in [
            ("", Ok(None)),
            ("--now", Ok(Some(1))),
            ("--grace-period=0", Ok(Some(1))),
            ("--grace-period=7", Ok(Some(7))),
            ("--grace-period=-1", Ok(None)),
            ("--force", Ok(Some(0))),
            ("--force --grace-period=0", Ok(Some(0))),
        ] {
            assert_eq!(grace(flags), expected, "{flags}");
        }
        assert!(grace("--force --grace-period=7").is_err());
    }
}
