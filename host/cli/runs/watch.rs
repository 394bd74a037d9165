//! A merged watch: what every running wasmpod lists, then what changes in each, also in those that start meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};
use wasmpod_api::client::{Accept, Client, ClientError};

use super::{Query, Run, Runs, target_of, text};

/// How often a follower looks for wasmpods that have started.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many changes wait to be taken; beyond it the connections wait.
const WAITING: usize = 64;

/// The version before every other: whoever asks for the changes since it gets the whole history of a server.
const FIRST_VERSION: &str = "1";

/// What a watch tells.
#[derive(Debug)]
pub(crate) enum Item {
    /// A server's list, or its table: how things are.
    List(Value),
    /// Something changed: `ADDED`, `MODIFIED` or `DELETED`, and the object or its table.
    Change(String, Value),
}

/// A merged watch. Dropping it ends its connections.
#[derive(Debug)]
pub(crate) struct Watch {
    path: String,
    query: Query,
    accept: Accept,
    state_dir: std::path::PathBuf,
    seen: HashSet<String>,
    items: mpsc::Receiver<Item>,
    sender: mpsc::Sender<Item>,
    tasks: JoinSet<Result<(), ClientError>>,
    look: Interval,
    /// Are wasmpods that start later followed too?
    takes_new: bool,
}

impl Watch {
    pub(super) fn new(runs: &Runs, path: String, query: Query, accept: Accept) -> Self {
        let (sender, items) = mpsc::channel(WAITING);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watch = Self {
            path,
            query,
            accept,
            state_dir: runs.state_dir().to_owned(),
            seen: HashSet::new(),
            items,
            sender,
            tasks: JoinSet::new(),
            look,
            takes_new: false,
        };
        for run in runs.all() {
            watch.follow(&run.name, run.client.clone(), None);
        }
        watch
    }

    /// Follows one server.
    pub(crate) fn of_one(run: &Run, path: String, query: Query, accept: Accept) -> Self {
        Self::new(&Runs::of_one(run), path, query, accept)
    }

    /// Follows also the wasmpods that start from now on, from their first change. With none yet, waits for one.
    pub(crate) fn with_new_runs(mut self) -> Self {
        self.takes_new = true;
        self
    }

    fn follow(&mut self, name: &str, client: Client, since: Option<&'static str>) {
        self.seen.insert(name.to_owned());
        self.tasks.spawn(follow(
            client,
            self.path.clone(),
            self.query.clone(),
            self.accept,
            since,
            self.sender.clone(),
        ));
    }

    /// What comes next; nothing when the last wasmpod has ended. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            let is_over = self.tasks.is_empty() && !(self.takes_new && self.seen.is_empty());
            if is_over {
                return Ok(self.items.try_recv().ok());
            }
            tokio::select! {
                biased;
                Some(item) = self.items.recv() => return Ok(Some(item)),
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Err(error)) if !error.is_gone() => return Err(error.into()),
                    Ok(_) => {}
                    Err(error) => return Err(error.into()),
                },
                _ = self.look.tick(), if self.takes_new => {
                    for run in Runs::find(&self.state_dir).runs {
                        if !self.seen.contains(&run.name) {
                            self.follow(&run.name, run.client, Some(FIRST_VERSION));
                        }
                    }
                }
            }
        }
    }
}

/// Follows one server to its end.
async fn follow(
    client: Client,
    path: String,
    query: Query,
    accept: Accept,
    mut since: Option<&'static str>,
    items: mpsc::Sender<Item>,
) -> Result<(), ClientError> {
    loop {
        let version = match since.take() {
            Some(version) => version.to_owned(),
            None => {
                let list = client.get(&target_of(&path, &query), accept).await?;
                let version = text(&list, "/metadata/resourceVersion");
                if items.send(Item::List(list)).await.is_err() {
                    return Ok(());
                }
                version
            }
        };
        let mut query = query.clone();
        query.push(("watch", "true".to_owned()));
        query.push(("resourceVersion", version));
        let mut events = match client.watch(&target_of(&path, &query), accept).await {
            Ok(events) => events,
            // Its history does not go back so far.
            Err(error) if error.code() == Some(EXPIRED) => continue,
            Err(error) => return Err(error),
        };
        loop {
            let Some(mut event) = events.next().await? else {
                return Ok(());
            };
            let object = event.get_mut("object").map(Value::take).unwrap_or_default();
            match text(&event, "/type").as_str() {
                "BOOKMARK" => {}
                "ERROR" if object.get("code").and_then(Value::as_u64) == Some(EXPIRED.into()) => {
                    break;
                }
                "ERROR" => {
                    let status: wasmpod_api::Status =
                        serde_json::from_value(object).map_err(ClientError::Answer)?;
                    return Err(status.into());
                }
                kind => {
                    let change = Item::Change(kind.to_owned(), object);
                    if items.send(change).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// The code of a server that does not know the changes since a version any more (410 Gone, reason `Expired`).
const EXPIRED: u16 = 410;
