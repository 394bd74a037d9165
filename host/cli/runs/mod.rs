//! The running wasmpods of a state directory, asked as if they were one API server: lists are put together, a named
//! object is looked for in each, watches are merged ([`watch`]).
//!
//! Each wasmpod that runs pods is a server of its own. One that ends while it is asked has nothing any more, which is
//! no error.

pub(crate) mod watch;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wasmpod_api::client::{Accept, Client, ClientError, target};
use wasmpod_api::{Resource, Table, discover};

use crate::report;
use watch::Watch;

/// All running wasmpods of a state directory.
#[derive(Debug)]
pub(crate) struct Runs {
    state_dir: PathBuf,
    runs: Vec<Run>,
}

/// One running wasmpod.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The name of its folder in the state directory.
    pub(crate) name: String,
    /// Asks it.
    pub(crate) client: Client,
}

/// A query, its values not yet escaped.
pub(crate) type Query = Vec<(&'static str, String)>;

/// An object, and the wasmpod that has it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) run: Run,
    pub(crate) object: Value,
}

/// No wasmpod runs pods here.
#[derive(Debug)]
pub(crate) struct NoRuns {
    state_dir: PathBuf,
}

impl fmt::Display for NoRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.state_dir.display();
        write!(f, "no wasmpod runs pods here (state directory `{place}`)")
    }
}

impl std::error::Error for NoRuns {}

impl NoRuns {
    /// What is likely to help.
    pub(crate) const HINT: &str = "start pods in another terminal with `wasmpod up FILE`; if they run with \
                                   --state-dir, give the same here";
}

impl Runs {
    /// Those that run now; there may be none.
    pub(crate) fn find(state_dir: &Path) -> Self {
        let runs = discover(state_dir).into_iter();
        Self {
            state_dir: state_dir.to_owned(),
            runs: runs
                .map(|(name, address)| Run {
                    name,
                    client: Client::new(address),
                })
                .collect(),
        }
    }

    /// Only one of them.
    pub(crate) fn of_one(run: &Run) -> Self {
        Self {
            state_dir: PathBuf::new(),
            runs: vec![run.clone()],
        }
    }

    /// Each of them.
    pub(crate) fn all(&self) -> &[Run] {
        &self.runs
    }

    /// Where they were looked for.
    pub(crate) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// That there are none.
    pub(crate) fn none(&self) -> anyhow::Error {
        anyhow::Error::new(NoRuns {
            state_dir: self.state_dir.clone(),
        })
    }

    /// The same request to each; the answers of those that answer.
    ///
    /// # Errors
    ///
    /// What a server says is wrong; [`NoRuns`] when none answered.
    async fn ask(&self, target: &str, accept: Accept) -> anyhow::Result<Vec<(&Run, Value)>> {
        let mut answers = Vec::new();
        for run in &self.runs {
            match run.client.get(target, accept).await {
                Ok(answer) => answers.push((run, answer)),
                Err(error) if error.is_gone() => {}
                Err(error) => return Err(error.into()),
            }
        }
        if answers.is_empty() {
            return Err(self.none());
        }
        Ok(answers)
    }

    /// All objects of a type, in a namespace or in all.
    pub(crate) async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        query: &Query,
    ) -> anyhow::Result<Vec<Found>> {
        let target = target_of(&resource.path(namespace, None), query);
        let mut found = Vec::new();
        for (run, mut list) in self.ask(&target, Accept::Json).await? {
            let items = list.get_mut("items").map(Value::take).unwrap_or_default();
            let Value::Array(items) = items else {
                continue;
            };
            for mut object in items {
                add_type(&mut object, resource);
                found.push(Found {
                    run: run.clone(),
                    object,
                });
            }
        }
        self.merge(resource, &mut found, |found| &found.object);
        Ok(found)
    }

    /// The same as a table.
    pub(crate) async fn table(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        query: &Query,
    ) -> anyhow::Result<Table> {
        let target = target_of(&resource.path(namespace, None), query);
        let mut merged: Option<Table> = None;
        for (_, table) in self.ask(&target, Accept::Table).await? {
            let table: Table = serde_json::from_value(table).map_err(ClientError::Answer)?;
            match &mut merged {
                None => merged = Some(table),
                Some(merged) => merged.rows.extend(table.rows),
            }
        }
        let mut table = merged.unwrap_or_default();
        self.merge(resource, &mut table.rows, |row| &row.object);
        Ok(table)
    }

    /// One object.
    ///
    /// # Errors
    ///
    /// The last server's words when none has it.
    pub(crate) async fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<Found> {
        let path = resource.path(Some(namespace), Some(name));
        let mut found = self.each_named(&path, Accept::Json).await?;
        let several: Vec<_> = found.iter().map(|(run, _)| run.name.clone()).collect();
        if several.len() > 1 && resource.namespaced {
            report::warning(format_args!(
                "{} wasmpods have {} \"{name}\" (runs {}); this is about the first",
                several.len(),
                resource.singular,
                several.join(", ")
            ));
        }
        let (run, mut object) = found.swap_remove(0);
        add_type(&mut object, resource);
        Ok(Found { run, object })
    }

    /// One object as a table.
    pub(crate) async fn get_table(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<Table> {
        let path = resource.path(Some(namespace), Some(name));
        let mut merged: Option<Table> = None;
        for (_, table) in self.each_named(&path, Accept::Table).await? {
            let table: Table = serde_json::from_value(table).map_err(ClientError::Answer)?;
            match &mut merged {
                None => merged = Some(table),
                Some(merged) if resource.namespaced => merged.rows.extend(table.rows),
                Some(_) => {}
            }
        }
        Ok(merged.unwrap_or_default())
    }

    /// What each server has under a path that names an object; one answer at least.
    async fn each_named(&self, path: &str, accept: Accept) -> anyhow::Result<Vec<(Run, Value)>> {
        let mut found = Vec::new();
        let mut missing = None;
        for run in &self.runs {
            match run.client.get(path, accept).await {
                Ok(object) => found.push((run.clone(), object)),
                Err(error) if error.is_not_found() => missing = Some(error),
                Err(error) if error.is_gone() => {}
                Err(error) => return Err(error.into()),
            }
        }
        match missing {
            _ if !found.is_empty() => Ok(found),
            Some(error) => Err(error.into()),
            None => Err(self.none()),
        }
    }

    /// Lists and follows a type.
    pub(crate) fn watch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        query: &Query,
        accept: Accept,
    ) -> Watch {
        Watch::new(self, resource.path(namespace, None), query.clone(), accept)
    }

    /// Puts what came from several servers into the order in which one would have it; what each of them has, such as
    /// the namespace `default`, is there once.
    fn merge<T>(&self, resource: &Resource, items: &mut Vec<T>, object: impl Fn(&T) -> &Value) {
        if self.runs.len() < 2 {
            return;
        }
        let key = |item: &T| {
            (
                text(object(item), "/metadata/namespace"),
                name(object(item)),
            )
        };
        items.sort_by_key(key);
        if !resource.namespaced {
            items.dedup_by_key(|item| key(item));
        }
    }
}

/// A path with its query.
pub(crate) fn target_of(path: &str, query: &Query) -> String {
    let query: Vec<_> = query
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    target(path, &query)
}

/// The text under a JSON pointer (RFC 6901); empty when there is none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

/// `metadata.name`
pub(crate) fn name(object: &Value) -> String {
    text(object, "/metadata/name")
}

/// The items of a list have no `apiVersion` and `kind` of their own; on their own they need them.
fn add_type(object: &mut Value, resource: &Resource) {
    let Value::Object(fields) = object else {
        return;
    };
    fields
        .entry("apiVersion")
        .or_insert_with(|| resource.api_version().into());
    fields.entry("kind").or_insert_with(|| resource.kind.into());
}
