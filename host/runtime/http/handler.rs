//! How an instance is asked for an answer, in each version of `wasi:http`.
//!
//! In 0.2 the guest gets the request and a place for its response, and what it sends goes on as long as it runs. That of
//! 0.3, which returns its response and has streams, is in `wasi_0_3`.

use http::{Request, Response};
use wasmtime::component::Component;
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView as _};

use super::body::RequestBody;
#[cfg(feature = "wasi-0-3")]
use super::wasi_0_3::{self, Service, ServicePre};
use crate::host::ComponentState;

/// What a guest answers.
pub(super) type Answer = std::result::Result<Response<WasiBody>, Error>;

/// A component that handles requests, of which instances can be made.
pub(crate) enum HandlerPre {
    /// It exports `wasi:http/incoming-handler` 0.2.
    V0_2(ProxyPre<ComponentState>),
    /// It exports `wasi:http/handler` 0.3.
    #[cfg(feature = "wasi-0-3")]
    V0_3(ServicePre<ComponentState>),
}

/// One instance.
pub(super) enum Handler {
    V0_2(Proxy),
    #[cfg(feature = "wasi-0-3")]
    V0_3(Service),
}

impl HandlerPre {
    /// The engine for which it was made.
    pub(crate) fn engine(&self) -> &Engine {
        self.component().engine()
    }

    /// Its code.
    pub(crate) fn component(&self) -> &Component {
        match self {
            Self::V0_2(proxy) => proxy.instance_pre().component(),
            #[cfg(feature = "wasi-0-3")]
            Self::V0_3(service) => service.instance_pre().component(),
        }
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// It trapped, or may not have the memory that it declares.
    pub(super) async fn instantiate_async(
        &self,
        store: &mut Store<ComponentState>,
    ) -> Result<Handler> {
        Ok(match self {
            Self::V0_2(proxy) => Handler::V0_2(proxy.instantiate_async(store).await?),
            #[cfg(feature = "wasi-0-3")]
            Self::V0_3(service) => {
                wasi_0_3::bound(store);
                Handler::V0_3(service.instantiate_async(store).await?)
            }
        })
    }
}

impl Handler {
    /// Lets the guest handle a request; `answer` gets its answer, which may be long before this returns, or never.
    ///
    /// # Errors
    /// The guest trapped or exited.
    pub(super) async fn answer(
        &self,
        store: &mut Store<ComponentState>,
        request: Request<RequestBody>,
        answer: impl FnOnce(Answer) + Send + Sync + 'static,
    ) -> Result<()> {
        match self {
            Self::V0_2(proxy) => {
                let mut http = store.data_mut().http();
                let request = http.new_incoming_request(Scheme::Http, request)?;
                let outparam = http.new_response_outparam_from_callback(|outcome| {
                    answer(outcome.map_err(Error::from));
                })?;
                let handler = proxy.wasi_http_incoming_handler();
                handler.call_handle(store, request, outparam).await
            }
            #[cfg(feature = "wasi-0-3")]
            Self::V0_3(service) => wasi_0_3::answer(service, store, request, answer).await,
        }
    }
}
