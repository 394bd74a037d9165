//! A client of the API, as `kubectl` is one: requests, watches, logs, `exec` and `attach`.
//!
//! Each request has a connection of its own: connecting to a local socket costs less than keeping one. What is
//! dropped, ends: a dropped [`Lines`] or [`ByteStream`] ends its request, a dropped session its command. The client
//! knows no kinds: objects are JSON.
//!
//! * [`Client`]: one request, one answer
//! * `stream`: answers that go on ([`Lines`], [`ByteStream`])
//! * `session`: `exec` and `attach`
//! * `query`: paths and queries, escaped

mod connection;
mod error;
mod query;
mod session;
mod stream;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, Request, Response};
use serde::Serialize;
use serde_json::Value;

use crate::{Address, Status, Table};
use connection::Connection;
pub use error::ClientError;
pub use query::{escape, target};
pub use session::{
    Session, SessionEvent, SessionInput, SessionOutput, StreamOptions, TerminalSize,
};
pub use stream::{ByteStream, Lines, MAX_LINE_BYTES};

/// The longest answer that is taken whole, in bytes: 10,000 pods of 10 KiB each with room. A longer one is
/// [`ClientError::TooLarge`]; ask with `limit`.
pub const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;

/// In which form objects are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// As they are.
    Json,
    /// As a [`Table`]; the objects in its rows as the query's `includeObject` says.
    Table,
}

impl Accept {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Table => "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        }
    }
}

/// How something is to be deleted: the body of a DELETE. What is `None` is left to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteOptions {
    /// The time that it gets to end, in seconds; 0 is by force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<u64>,
    /// `Background`, `Foreground` or `Orphan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation_policy: Option<String>,
    /// `["All"]` to delete nothing but answer as if.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dry_run: Vec<String>,
    /// What has to hold of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preconditions: Option<Preconditions>,
}

/// What has to hold of an object that is to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preconditions {
    /// Its uid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Its resourceVersion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// POST of a new object to its list.
    Create,
    /// PUT of a whole object.
    Replace,
    /// PATCH with a JSON patch (RFC 6902).
    JsonPatch,
    /// PATCH with a JSON merge patch (RFC 7386).
    MergePatch,
    /// PATCH with a strategic merge patch.
    StrategicMergePatch,
}

impl Write {
    fn method(self) -> Method {
        match self {
            Self::Create => Method::POST,
            Self::Replace => Method::PUT,
            Self::JsonPatch | Self::MergePatch | Self::StrategicMergePatch => Method::PATCH,
        }
    }

    fn media(self) -> &'static str {
        match self {
            Self::Create | Self::Replace => JSON,
            Self::JsonPatch => "application/json-patch+json",
            Self::MergePatch => "application/merge-patch+json",
            Self::StrategicMergePatch => "application/strategic-merge-patch+json",
        }
    }
}

const JSON: &str = "application/json";

/// A client of one server; cheap to clone. Its calls need a tokio runtime with I/O and time.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
}

impl Client {
    /// A client of the server at `address`. Connects when something is asked.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { address }
    }

    /// The same, after trying whether somebody listens there.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`] when nobody does: its process ended.
    pub async fn connect(address: Address) -> Result<Self, ClientError> {
        drop(Connection::open(&address).await?);
        Ok(Self { address })
    }

    /// Where its server is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// GETs an object, a list or anything else that is JSON. `target` is a path and a query; see [`target`].
    ///
    /// # Errors
    ///
    /// [`ClientError::Status`] with what the server says; the others when it cannot be asked.
    pub async fn get(&self, target: &str, accept: Accept) -> Result<Value, ClientError> {
        let response = self
            .send(Method::GET, target, accept.as_str(), None)
            .await?;
        stream::json(response).await
    }

    /// GETs a list or an object as a table, in the columns of `kubectl get`.
    ///
    /// # Errors
    ///
    /// As [`Client::get`]; [`ClientError::Answer`] too when what comes is no table.
    pub async fn table(&self, target: &str) -> Result<Table, ClientError> {
        let value = self.get(target, Accept::Table).await?;
        serde_json::from_value(value).map_err(ClientError::Answer)
    }

    /// GETs a watch: `target` has `watch=true` and `resourceVersion=`. Each line is an event.
    ///
    /// # Errors
    ///
    /// As [`Client::get`]. That a version is too old comes as an event of type `ERROR`.
    pub async fn watch(&self, target: &str, accept: Accept) -> Result<Lines, ClientError> {
        let response = self
            .send(Method::GET, target, accept.as_str(), None)
            .await?;
        Ok(Lines::new(stream::check(response).await?))
    }

    /// GETs bytes as they come, such as a log with `follow=true`.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub async fn bytes(&self, target: &str) -> Result<ByteStream, ClientError> {
        let response = self.send(Method::GET, target, "*/*", None).await?;
        stream::check(response).await
    }

    /// DELETEs an object, or all of a list.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub async fn delete(
        &self,
        target: &str,
        options: &DeleteOptions,
    ) -> Result<Value, ClientError> {
        let body = serde_json::to_vec(options).map_err(ClientError::Answer)?;
        let accept = Accept::Json.as_str();
        let response = self
            .send(Method::DELETE, target, accept, Some((JSON, body.into())))
            .await?;
        stream::json(response).await
    }

    /// Writes an object, or a part of one, and gives it as it is then. `target` names the list for [`Write::Create`].
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub async fn write(
        &self,
        how: Write,
        target: &str,
        body: &Value,
    ) -> Result<Value, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::Answer)?;
        let (accept, body) = (Accept::Json.as_str(), Some((how.media(), body.into())));
        let response = self.send(how.method(), target, accept, body).await?;
        stream::json(response).await
    }

    /// Runs `command` beside a container. Without a container, the pod's only one.
    ///
    /// # Errors
    ///
    /// [`ClientError::Status`] when there is no such pod or container. That the command cannot be started comes as
    /// [`SessionEvent::End`].
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
        streams: StreamOptions,
    ) -> Result<Session, ClientError> {
        let target = session::target(namespace, pod, "exec", container, command, streams);
        Session::open(&self.address, &target).await
    }

    /// Joins a container's standard streams. Without a container, the pod's only one.
    ///
    /// # Errors
    ///
    /// As [`Client::exec`].
    pub async fn attach(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        streams: StreamOptions,
    ) -> Result<Session, ClientError> {
        let target = session::target(namespace, pod, "attach", container, &[], streams);
        Session::open(&self.address, &target).await
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        accept: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<(Response<hyper::body::Incoming>, Connection), ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(ACCEPT, accept);
        if let Some((media, _)) = body {
            request = request.header(CONTENT_TYPE, media);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request.body(Full::new(body));
        let request = request.map_err(|source| ClientError::Target {
            target: target.to_owned(),
            source,
        })?;
        let mut connection = Connection::open(&self.address).await?;
        let response = connection.send(request).await?;
        Ok((response, connection))
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}
