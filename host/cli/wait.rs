//! `wasmpod wait`: waits until objects are as they should be.

use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use wasmpod_api::Resource;
use wasmpod_api::client::{Accept, ClientError};

use crate::args::looking::{Span, WaitArgs};
use crate::jsonpath::JsonPath;
use crate::report::Outcome;
use crate::runs::watch::Item;
use crate::runs::{Runs, name, text};
use crate::selection::{self, title};

/// How long a negative time-out is, as kubectl has it.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is waited for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// That it is gone.
    Delete,
    /// That it is there.
    Create,
    /// That a condition of its status has a value.
    Status {
        /// `type` of the condition, in any case.
        kind: String,
        /// `status` of it, in any case.
        value: String,
    },
    /// That a field is there, or has a value.
    Field {
        /// Where it is.
        path: JsonPath,
        /// What it is to be; any value without.
        value: Option<String>,
    },
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        if lower == "delete" {
            return Ok(Self::Delete);
        }
        if lower == "create" {
            return Ok(Self::Create);
        }
        if let Some(rest) = text.strip_prefix("condition=") {
            let (kind, value) = rest.split_once('=').unwrap_or((rest, "true"));
            if kind.is_empty() || value.is_empty() {
                return Err("condition= needs the type of a condition".to_owned());
            }
            return Ok(Self::Status {
                kind: kind.to_owned(),
                value: value.to_owned(),
            });
        }
        if let Some(rest) = text.strip_prefix("jsonpath=") {
            let rest = rest.trim_matches('\'');
            let end = rest
                .rfind('}')
                .ok_or("jsonpath= needs a path in braces, e.g. {.status.phase}")?;
            let (path, value) = rest.split_at_checked(end + 1).unwrap_or((rest, ""));
            // Quotes that no shell took away.
            let value = value.trim_start_matches('\'');
            let value = match value.strip_prefix('=') {
                Some("") => return Err("jsonpath= needs a value behind the last =".to_owned()),
                Some(value) => Some(value.trim_matches('\'').to_owned()),
                None if value.is_empty() => None,
                None => return Err("the value stands behind a =".to_owned()),
            };
            return Ok(Self::Field {
                path: path.parse()?,
                value,
            });
        }
        Err(
            "supported are delete, create, condition=NAME[=VALUE] and jsonpath={.PATH}[=VALUE]"
                .to_owned(),
        )
    }
}

impl Condition {
    /// Does it hold of this object? `None` is one that is not there.
    fn holds(&self, object: Option<&Value>) -> bool {
        let Some(object) = object else {
            return *self == Self::Delete;
        };
        match self {
            Self::Delete => false,
            Self::Create => true,
            Self::Status { kind, value } => {
                let conditions = object
                    .pointer("/status/conditions")
                    .and_then(Value::as_array);
                let mut conditions = conditions.into_iter().flatten();
                let found = conditions.find(|one| text(one, "/type").eq_ignore_ascii_case(kind));
                found.is_some_and(|found| {
                    is_current(object, found) && text(found, "/status").eq_ignore_ascii_case(value)
                })
            }
            Self::Field { path, value } => {
                let found = path.texts(object);
                match value {
                    None => !found.is_empty(),
                    Some(value) => found.len() == 1 && found.first() == Some(value),
                }
            }
        }
    }
}

/// Is the condition about the object as it is now, and not as it was before a change?
fn is_current(object: &Value, condition: &Value) -> bool {
    let number = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let generation = number(object, "/metadata/generation");
    let observed = number(condition, "/observedGeneration")
        .or_else(|| number(object, "/status/observedGeneration"));
    match (generation, observed) {
        (Some(generation), Some(observed)) => observed >= generation,
        _ => true,
    }
}

pub(crate) async fn run(args: &WaitArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let (patience, is_once) = match args.timeout {
        Span::Negative => (WEEK, false),
        Span::Time(time) => (time, time.is_zero()),
    };
    let deadline = Instant::now() + patience;
    // What is to be made may be made by a wasmpod that does not run yet.
    if runs.all().is_empty() && args.condition != Condition::Create {
        return Err(runs.none());
    }
    let objects = objects(args, &runs).await?;
    if objects.is_empty() && args.condition != Condition::Delete {
        bail!("no matching resources found");
    }
    for (resource, namespace, own) in objects {
        let waiting = wait_for(&runs, resource, &namespace, &own, &args.condition, is_once);
        match timeout_at(deadline, waiting).await {
            Ok(Ok(true)) => {}
            Ok(Err(error)) => return Err(error),
            Ok(Ok(false)) | Err(_) => bail!(
                "timed out waiting for the condition on {}/{own}",
                resource.qualified()
            ),
        }
        writeln!(
            anstream::stdout().lock(),
            "{} condition met",
            title(resource, &own)
        )?;
    }
    Ok(Outcome::Done)
}

type Object = (&'static Resource, String, String);

/// The objects that are meant, those that are there.
async fn objects(args: &WaitArgs, runs: &Runs) -> anyhow::Result<Vec<Object>> {
    let mut objects: Vec<Object> = Vec::new();
    for wanted in selection::parse(&args.resources)? {
        let resource = wanted.resource;
        let namespace = &args.namespace.one.namespace;
        if wanted.names.is_empty() {
            let query = args.selectors.query();
            if query.is_empty() && !args.all {
                bail!("resource(s) were provided, but no name was specified");
            }
            for found in runs.list(resource, args.namespace.get(), &query).await? {
                let namespace = text(&found.object, "/metadata/namespace");
                objects.push((resource, namespace, name(&found.object)));
            }
            continue;
        }
        for own in wanted.names {
            match args.condition {
                Condition::Create => {}
                _ => match runs.get(resource, namespace, &own).await {
                    Ok(_) => {}
                    // It is gone already.
                    Err(error) if args.condition == Condition::Delete && is_not_found(&error) => {
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            }
            objects.push((resource, namespace.clone(), own));
        }
    }
    Ok(objects)
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<ClientError>()
        .is_some_and(ClientError::is_not_found)
}

/// Follows one object until the condition holds: false when it cannot any more.
pub(crate) async fn wait_for(
    runs: &Runs,
    resource: &'static Resource,
    namespace: &str,
    own: &str,
    condition: &Condition,
    is_once: bool,
) -> anyhow::Result<bool> {
    let query = vec![("fieldSelector", format!("metadata.name={own}"))];
    let scope = resource.namespaced.then_some(namespace);
    let mut changes = runs.watch(resource, scope, &query, Accept::Json);
    if *condition == Condition::Create {
        changes = changes.with_new_runs();
    }
    // The object is gone when no server has it.
    let mut holders = 0_usize;
    let mut lists = runs.all().len();
    while let Some(item) = changes.next().await? {
        match item {
            Item::List(list) => {
                lists = lists.saturating_sub(1);
                let items = list.get("items").and_then(Value::as_array);
                for object in items.into_iter().flatten() {
                    holders += 1;
                    if condition.holds(Some(object)) {
                        return Ok(true);
                    }
                }
                if is_once && lists == 0 && holders > 0 {
                    return Ok(false);
                }
            }
            Item::Change(kind, object) => {
                match kind.as_str() {
                    "ADDED" => holders += 1,
                    "DELETED" => holders = holders.saturating_sub(1),
                    _ => {}
                }
                if kind != "DELETED" && condition.holds(Some(&object)) {
                    return Ok(true);
                }
            }
        }
        if holders == 0 && lists == 0 && condition.holds(None) {
            return Ok(true);
        }
    }
    // Nobody has it any more.
    Ok(condition.holds(None))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(condition: &str, object: &Value) -> bool {
        condition.parse::<Condition>().unwrap().holds(Some(object))
    }

    #[test]
    fn conditions_hold_of_what_they_say() {
        let pod = json!({
            "metadata": {"generation": 2},
            "status": {
                "phase": "Running", "observedGeneration": 2, "startTime": "x",
                "conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "Old", "status": "True", "observedGeneration": 1},
                    {"type": "Initialized", "status": "False"},
                ],
            },
        });
        for (condition, expected) in [
            ("condition=Ready", true),
            ("condition=ready=TRUE", true),
            ("condition=Ready=false", false),
            ("condition=Initialized=False", true),
            ("condition=Old", false),
            ("condition=Missing", false),
            ("jsonpath={.status.phase}=Running", true),
            ("jsonpath='{.status.phase}'=Running", true),
            ("jsonpath={.status.phase}=Pending", false),
            ("jsonpath={.status.startTime}", true),
            ("jsonpath={.status.podIP}", false),
            (
                "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}=True",
                true,
            ),
            ("delete", false),
            ("create", true),
        ] {
            assert_eq!(holds(condition, &pod), expected, "{condition}");
        }
        assert!(Condition::Delete.holds(None));
        assert!(!Condition::Create.holds(None));
    }

    #[test]
    fn what_is_no_condition_is_wrong_usage() {
        for text in [
            "",
            "ready",
            "condition=",
            "condition=Ready=",
            "jsonpath=.status",
            "jsonpath={.a}=",
            "jsonpath={.a}b",
        ] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }
}
