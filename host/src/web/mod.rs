//! The web admin: what people look at. Pages rendered here, small enhancements in the browser, and the API that scripts use.
//!
//! Only this module answers HTTP. It does nothing by itself: it reads the store, writes down wishes there, and changes the same files
//! that people edit.

mod access;
mod api;
mod assets;
mod error;
mod form;
mod history;
pub mod observe;
mod page;
mod pages;
mod plugins;
mod trial;

use crate::config::Config;
use crate::job::Context;
use crate::rules::Reloader;
use access::{Limiter, Setup};
use axum::Router;
use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a browser is told on every page: scripts, styles and pictures come from here and nowhere else, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A place to listen at that is taken, before anybody is answered there.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

/// What the pages show and work upon.
#[derive(Debug)]
pub(crate) struct Site {
    /// What the jobs share.
    pub(crate) ctx: Arc<Context>,
    /// The rules.
    pub(crate) reloader: Arc<Reloader>,
    /// The settings in force.
    pub(crate) config: Config,
    /// The way in before there is any user.
    setup: Setup,
    /// Who has tried too often to log in.
    limiter: Limiter,
    /// Who is asked to let a job in.
    grants: pages::Grants,
}

/// Why there is no web admin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened at.
    #[error("cannot listen at {address} (`listen` under [web] in the settings): {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// Passwords would cross the network in clear text.
    #[error(
        "the web admin would listen at {0}, which other hosts reach, and speaks plain HTTP: anyone on the way could read \
         passwords. Listen at 127.0.0.1, with a proxy before it that speaks HTTPS; or, if that proxy is on another host, set \
         `behind_https_proxy = true` under [web]"
    )]
    Exposed(SocketAddr),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// There are no random numbers.
    #[error("the system has no random numbers to make a secret of")]
    Random,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// If the system does not give it, or it is one that other hosts reach and nothing says that this is wanted.
    pub async fn bind(address: SocketAddr, behind_https_proxy: bool) -> Result<Self, Error> {
        if !address.ip().is_loopback() && !behind_https_proxy {
            return Err(Error::Exposed(address));
        }
        let listener = TcpListener::bind(address).await.map_err(|error| Error::Listen { address, error })?;
        Ok(Self { listener })
    }

    /// Answers from now on, until what this returns is dropped. Prints the link for the first password if nobody has one.
    ///
    /// # Errors
    /// If the store fails, or there are no random numbers.
    pub async fn begin(
        self,
        ctx: Arc<Context>,
        reloader: Arc<Reloader>,
        config: &Config,
    ) -> Result<JoinSet<()>, Error> {
        let limiter = Limiter::default();
        let grants = pages::Grants::default();
        let site = Arc::new(Site { ctx, reloader, config: config.clone(), setup: Setup::new()?, limiter, grants });
        if let Ok(address) = self.listener.local_addr() {
            tracing::info!("the web admin is at http://{address}/");
            if let Some(link) = access::first_password_link(&site, address).await? {
                // Whoever starts the daemon reads it; it is good once.
                tracing::info!("nobody can log in yet; set the administrator's password here: {link}");
            }
        }
        let mut task = JoinSet::new();
        task.spawn(self.serve(site));
        Ok(task)
    }

    async fn serve(self, site: Arc<Site>) {
        let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
        if let Err(error) = axum::serve(self.listener, service).await {
            tracing::error!(%error, "the web admin is served no more");
        }
    }
}

fn router(site: Arc<Site>) -> Router {
    let routes = Router::new().route("/assets/{name}", get(assets::serve));
    let routes = routes.merge(access::routes()).merge(pages::routes()).merge(api::routes());
    routes.fallback(error::not_found).layer(from_fn(with_policy)).with_state(site)
}

/// Adds what browsers are to be told, unless the answer says it itself.
async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// An answer of this kind with a text.
fn plain(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
