//! Lists that are read page by page (`limit` and `continue`).
//!
//! Every page of a list shows the same moment: the list is kept while it is read. A list that is not kept any more
//! gets 410, with a token that goes on from the same place in what there is now, as the API server does after etcd
//! forgot the moment.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use wasmpod_store::{Kind, Object};

use crate::Status;
use crate::server::error;
use crate::server::limits::{MAX_PAGED_LISTS, PAGED_LIST_TIME};

/// The lists that are being read.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<VecDeque<Kept>>);

#[derive(Clone, Debug)]
struct Kept {
    kind: Kind,
    namespace: Option<String>,
    version: u64,
    objects: Arc<[Object]>,
    until: Instant,
}

/// Where a list goes on: the resourceVersion of its moment (nothing: now), and the last object that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) version: Option<u64>,
    namespace: String,
    name: String,
}

impl Token {
    pub(super) fn after(version: Option<u64>, last: &Object) -> Self {
        Self {
            version,
            namespace: last.namespace().unwrap_or_default().to_owned(),
            name: last.name().to_owned(),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Status> {
        let mut parts = text.split('/');
        let token = (|| {
            let version = match parts.next()? {
                "now" => None,
                version => Some(version.parse().ok()?),
            };
            let (namespace, name) = (parts.next()?.to_owned(), parts.next()?.to_owned());
            Some(Self {
                version,
                namespace,
                name,
            })
        })();
        let token = token.filter(|_| parts.next().is_none());
        token.ok_or_else(|| error::bad_request("continue key is not valid"))
    }

    /// Does the object come after the last that was given?
    pub(super) fn is_before(&self, object: &Object) -> bool {
        let place = (object.namespace().unwrap_or_default(), object.name());
        place > (self.namespace.as_str(), self.name.as_str())
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version {
            Some(version) => write!(f, "{version}")?,
            None => f.write_str("now")?,
        }
        write!(f, "/{}/{}", self.namespace, self.name)
    }
}

impl Pages {
    /// Keeps a list for its next pages.
    pub(super) fn keep(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        version: u64,
        objects: Arc<[Object]>,
    ) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        lists.retain(|kept| kept.until > now && !kept.is(kind, namespace, version));
        if lists.len() >= MAX_PAGED_LISTS {
            lists.pop_front();
        }
        lists.push_back(Kept {
            kind,
            namespace: namespace.map(str::to_owned),
            version,
            objects,
            until: now + PAGED_LIST_TIME,
        });
    }

    /// The list whose pages are read.
    pub(super) fn find(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        version: u64,
        token: &Token,
    ) -> Result<Arc<[Object]>, Status> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut kept = lists.iter().filter(|kept| kept.until > now);
        let found = kept.find(|kept| kept.is(kind, namespace, version));
        found.map(|kept| Arc::clone(&kept.objects)).ok_or_else(|| {
            let inconsistent = Token { version: None, ..token.clone() };
            let message = "The provided continue parameter is too old to display a consistent list result. \
                You can start a new list without the continue parameter, or use the continue token in this \
                response to retrieve the remainder of the results.";
            error::expired(message).with_continue(inconsistent.to_string())
        })
    }
}

impl Kept {
    fn is(&self, kind: Kind, namespace: Option<&str>, version: u64) -> bool {
        self.kind == kind && self.version == version && self.namespace.as_deref() == namespace
    }
}
