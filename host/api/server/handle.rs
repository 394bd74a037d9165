//! One request: who asks, for what, in which form.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response};
use wasmpod_manifest::k8s::Pod;
use wasmpod_store::{Kind, Object};

use crate::Status;
use crate::server::accept::{self, Form};
use crate::server::body::{self, Body};
use crate::server::door::Door;
use crate::server::query::Query;
use crate::server::route::{Objects, Route, route};
use crate::server::selection::Selection;
use crate::server::shape::{Include, Shape};
use crate::server::{
    AfterUpgrade, Context, capture, delete, discovery, error, exec, ipc, log, log_socket, metrics,
    net, openapi, read, watch, websocket, write,
};

/// Answers a request.
pub(super) async fn handle(
    context: &Arc<Context>,
    door: &Door,
    request: Request<Incoming>,
    after: &AfterUpgrade,
) -> Response<Body> {
    let answer = answer(context, door, request, after).await;
    answer.unwrap_or_else(|status| body::status(&status))
}

async fn answer(
    context: &Arc<Context>,
    door: &Door,
    request: Request<Incoming>,
    after: &AfterUpgrade,
) -> Result<Response<Body>, Status> {
    let path = door.enter(request.uri().path(), request.headers())?;
    let route = route(path).ok_or_else(error::no_such_path)?;
    let Route::Objects(objects) = route else {
        if !is_read(request.method()) {
            return Err(error::method_not_allowed());
        }
        return about_server(&route, request.headers());
    };
    let query = Query::of(request.uri())?;
    match objects.subresource.as_deref() {
        None => of_objects(context, &objects, &query, request).await,
        Some("status") if write::has_status(objects.resource) => {
            of_part(context, &objects, &query, request, write::Target::Status).await
        }
        Some("scale") if write::has_scale(objects.resource) => {
            of_part(context, &objects, &query, request, write::Target::Scale).await
        }
        Some(subresource) => of_pod(context, &objects, subresource, &query, request, after),
    }
}

fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

fn about_server(route: &Route, headers: &HeaderMap) -> Result<Response<Body>, Status> {
    match route {
        Route::Health => {
            accept::plain(headers, "text/plain")?;
            return Ok(body::text("ok"));
        }
        Route::Api => return discovery::groups(headers, true),
        Route::Apis => return discovery::groups(headers, false),
        _ => accept::plain(headers, "application/json")?,
    }
    match route {
        Route::Root => Ok(discovery::root()),
        Route::Version => Ok(discovery::version()),
        Route::Group(group) => Ok(discovery::group(group)),
        Route::GroupVersion(group, version) => Ok(discovery::resources(group, version)),
        Route::OpenApi => Ok(openapi::root()),
        Route::OpenApiVersion(group, version) => Ok(openapi::version(group, version)),
        Route::Health | Route::Api | Route::Apis | Route::Objects(_) => Err(error::no_such_path()),
    }
}

async fn of_objects(
    context: &Arc<Context>,
    objects: &Objects,
    query: &Query,
    request: Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let (agent, store) = (&context.agent, context.agent.store());
    let Objects {
        resource,
        namespace,
        name,
        ..
    } = objects;
    let shape = Shape {
        form: accept::form(request.headers())?,
        include: Include::of(query)?,
        now: store.now(),
    };
    let selection = |kind| Selection::of(kind, namespace.as_deref(), name.as_deref(), query);
    let Some(kind) = resource.stored else {
        // Figures are of the pods and nodes of the same name.
        let kind = if resource.namespaced {
            Kind::Pod
        } else {
            Kind::Node
        };
        if !is_read(request.method()) || query.flag("watch") {
            return Err(error::method_not_allowed());
        }
        if let Form::Metadata(_) = shape.form {
            return Err(accept::not_acceptable());
        }
        return metrics::answer(
            agent,
            &context.metrics,
            resource,
            name.as_deref(),
            &selection(kind)?,
            &shape,
        );
    };
    let selection = selection(kind)?;
    match (request.method(), name) {
        (&Method::GET, _) if query.flag("watch") => watch::watch(context, selection, query, shape),
        (method, Some(name)) if is_read(method) => {
            read::get(store, resource, &selection, name, &shape)
        }
        (method, None) if is_read(method) => {
            read::list(store, &context.pages, &selection, query, &shape)
        }
        (&Method::DELETE, _) => {
            let wanted = delete::Wanted::of(request, query).await?;
            match name {
                Some(name) => delete::one(agent, resource, &selection, name, &wanted),
                // Of all namespaces at once: Kubernetes has no such verb.
                None if resource.namespaced && namespace.is_none() => {
                    Err(error::method_not_allowed())
                }
                None => delete::all(agent, &selection, &wanted, &shape),
            }
        }
        (&Method::POST | &Method::PUT | &Method::PATCH, _) => {
            write::write(agent, objects, query, request, write::Target::Main, &shape).await
        }
        _ => Err(error::method_not_allowed()),
    }
}

/// `status` and `scale`.
async fn of_part(
    context: &Context,
    objects: &Objects,
    query: &Query,
    request: Request<Incoming>,
    target: write::Target,
) -> Result<Response<Body>, Status> {
    let store = context.agent.store();
    let shape = Shape {
        form: accept::form(request.headers())?,
        include: Include::of(query)?,
        now: store.now(),
    };
    if is_read(request.method()) {
        return write::get(store, objects, target, &shape);
    }
    write::write(&context.agent, objects, query, request, target, &shape).await
}

/// What pods have besides themselves: logs, sessions, IPC objects, sockets, captures.
fn of_pod(
    context: &Arc<Context>,
    objects: &Objects,
    subresource: &str,
    query: &Query,
    mut request: Request<Incoming>,
    after: &AfterUpgrade,
) -> Result<Response<Body>, Status> {
    let Objects {
        resource,
        namespace,
        name,
        ..
    } = objects;
    let is_known = resource.stored == Some(Kind::Pod)
        && ["log", "exec", "attach", "ipc", "net", "capture"].contains(&subresource);
    let name = name
        .as_deref()
        .filter(|_| is_known)
        .ok_or_else(error::no_such_path)?;
    let pod = context
        .agent
        .store()
        .get(Kind::Pod, namespace.as_deref(), name);
    let Some(Object::Pod(pod)) = pod else {
        return Err(error::not_found(resource, name));
    };
    match (subresource, request.method()) {
        ("log", _) if websocket::is_wanted(&request) => {
            let pod = present(context, &pod);
            log_socket::open(context, &pod, query, &mut request, after)
        }
        ("log", method) if is_read(method) => {
            log::log(context, &present(context, &pod), query, request.headers())
        }
        ("ipc", method) if is_read(method) => ipc::ipc(context, &pod, query),
        ("net", method) if is_read(method) => net::net(context, &pod, query),
        ("capture", &Method::GET) => capture::capture(context, &present(context, &pod), query),
        ("exec" | "attach", &Method::GET | &Method::POST) => {
            exec::open(context, &pod, subresource, query, &mut request, after)
        }
        _ => Err(error::method_not_allowed()),
    }
}

/// The pod as it is at this moment: the store may learn of it a little later.
fn present(context: &Context, pod: &Arc<Pod>) -> Arc<Pod> {
    let known = context.agent.known(pod);
    known.map_or_else(|| Arc::clone(pod), |known| known.pod())
}
