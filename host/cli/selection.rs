//! From the words `TYPE[,TYPE] [NAME…]` and `TYPE/NAME…` to what is meant, by the rules of kubectl's resource builder
//! (cli-runtime pkg/resource).

use anyhow::{Context as _, bail};
use wasmpod_api::Resource;
use wasmpod_api::resource::RESOURCES;

/// The word for all types that people usually want to see.
const ALL: &str = "all";

/// Objects of one type: those of these names, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The type.
    pub(crate) resource: &'static Resource,
    /// The names; empty for all objects.
    pub(crate) names: Vec<String>,
}

/// Reads what a verb is to work on.
pub(crate) fn parse(words: &[String]) -> anyhow::Result<Vec<Wanted>> {
    if words.iter().any(|word| word.contains('/')) {
        return pairs(words);
    }
    let (types, names) = words.split_first().context("no type was given")?;
    let resources = types_of(types)?;
    if resources.len() > 1 && types == ALL && !names.is_empty() {
        bail!("a name needs one type, not \"{ALL}\"");
    }
    Ok(resources
        .into_iter()
        .map(|resource| Wanted {
            resource,
            names: names.to_vec(),
        })
        .collect())
}

/// Reads the one object that a verb is to work on: `NAME` of the usual type, or `TYPE/NAME`.
pub(crate) fn parse_one(word: &str, usual: &str) -> anyhow::Result<(&'static Resource, String)> {
    match word.split_once('/') {
        Some((kind, name)) => Ok((find(kind)?, name_of(word, name)?)),
        None => Ok((find(usual)?, name_of(word, word)?)),
    }
}

fn pairs(words: &[String]) -> anyhow::Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for word in words {
        let Some((kind, name)) = word.split_once('/') else {
            bail!(
                "there is no need to specify a resource type as a separate argument when passing arguments in \
                 resource/name form (e.g. 'wasmpod get resource/<resource_name>' instead of 'wasmpod get resource \
                 resource/<resource_name>'"
            );
        };
        let (resource, name) = (find(kind)?, name_of(word, name)?);
        match wanted.last_mut() {
            Some(last) if last.resource == resource => last.names.push(name),
            _ => wanted.push(Wanted {
                resource,
                names: vec![name],
            }),
        }
    }
    Ok(wanted)
}

fn name_of(word: &str, name: &str) -> anyhow::Result<String> {
    if name.is_empty() || name.contains('/') {
        bail!(
            "arguments in resource/name form may not have more than one slash and need a name: \"{word}\""
        );
    }
    Ok(name.to_owned())
}

fn types_of(words: &str) -> anyhow::Result<Vec<&'static Resource>> {
    let mut found: Vec<&'static Resource> = Vec::new();
    for word in words.split(',') {
        if word == ALL {
            found.extend(RESOURCES.iter().filter(|resource| resource.in_all));
        } else {
            found.push(find(word)?);
        }
    }
    let mut once: Vec<&'static Resource> = Vec::new();
    for resource in found {
        if !once.contains(&resource) {
            once.push(resource);
        }
    }
    Ok(once)
}

/// The type that people call so.
pub(crate) fn find(word: &str) -> anyhow::Result<&'static Resource> {
    Resource::find(word)
        .with_context(|| format!("the server doesn't have a resource type \"{word}\""))
}

/// `pod/web`, `deployment.apps/web`: how kubectl names an object.
pub(crate) fn title(resource: &Resource, name: &str) -> String {
    match resource.group {
        "" => format!("{}/{name}", resource.singular),
        group => format!("{}.{group}/{name}", resource.singular),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Vec<String>, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let wanted = parse(&words).map_err(|error| error.to_string())?;
        Ok(wanted
            .iter()
            .map(|wanted| format!("{}:{}", wanted.resource.plural, wanted.names.join("+")))
            .collect())
    }

    #[test]
    fn every_way_to_name_objects_is_understood() {
        for (line, expected) in [
            ("pods", &["pods:"][..]),
            ("po web db", &["pods:web+db"]),
            ("po,svc", &["pods:", "services:"]),
            ("po,pods,Pod", &["pods:"]),
            ("po,svc web", &["pods:web", "services:web"]),
            ("pod/web", &["pods:web"]),
            ("pod/web po/db svc/web", &["pods:web+db", "services:web"]),
            ("deploy/web", &["deployments:web"]),
            ("deployments.apps", &["deployments:"]),
            ("cm", &["configmaps:"]),
            ("ev", &["events:"]),
            ("no", &["nodes:"]),
            ("ns", &["namespaces:"]),
            ("pv,pvc", &["persistentvolumes:", "persistentvolumeclaims:"]),
            (
                "rs,ds,sts,job,cj,rc",
                &[
                    "replicasets:",
                    "daemonsets:",
                    "statefulsets:",
                    "jobs:",
                    "cronjobs:",
                    "replicationcontrollers:",
                ],
            ),
        ] {
            let expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(parsed(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn all_is_what_runs_and_what_makes_it_run() {
        let all = parsed("all").unwrap();
        assert_eq!(all.first().map(String::as_str), Some("pods:"));
        assert!(all.contains(&"deployments:".to_owned()));
        assert!(!all.contains(&"configmaps:".to_owned()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (line, part) in [
            ("foo", "the server doesn't have a resource type \"foo\""),
            ("po,foo", "\"foo\""),
            ("pod pod/web", "no need to specify a resource type"),
            ("pod/web/x", "more than one slash"),
            ("pod/", "need a name"),
            ("all web", "one type"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn one_object_is_a_pod_unless_said() {
        let (resource, name) = parse_one("web", "pods").unwrap();
        assert_eq!((resource.kind, name.as_str()), ("Pod", "web"));
        let (resource, name) = parse_one("deploy/web", "pods").unwrap();
        assert_eq!(title(resource, &name), "deployment.apps/web");
    }
}
