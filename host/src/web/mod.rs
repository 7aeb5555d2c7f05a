//! The web admin: what people look at. Pages rendered here, small enhancements in the browser, and the API that scripts use.
//!
//! Only this module answers HTTP. It does nothing by itself: it reads the store, writes down wishes there, and changes the same files
//! that people edit.

mod access;
mod api;
mod assets;
mod connection;
mod error;
mod form;
mod grants;
mod history;
mod job_files;
mod news;
pub mod observe;
mod page;
mod pages;
mod people;
mod plugins;
mod quarantine;
mod rule_files;
mod sessions;
mod steps;
mod tickets;
mod tls;
mod trial;

use crate::config::{Config, Web, WebTls};
use crate::job::Context;
use crate::rules::Reloader;
use access::{Limiter, Setup};
use axum::Router;
use axum::extract::Request;
use axum::extract::connect_info::Connected;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tls::{Identity, Peer, Tls};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a browser is told on every page: scripts, styles and pictures come from here and nowhere else, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A place to listen at that is taken, before anybody is answered there.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    identity: Option<Arc<Identity>>,
}

/// The web admin while it answers: until this is dropped.
#[derive(Debug)]
pub struct Serving {
    _task: JoinSet<()>,
    identity: Option<Arc<Identity>>,
}

/// What the pages show and work upon.
#[derive(Debug)]
pub(crate) struct Site {
    /// What the jobs share.
    pub(crate) ctx: Arc<Context>,
    /// The rules.
    pub(crate) reloader: Arc<Reloader>,
    /// The file of the settings.
    pub(crate) file: PathBuf,
    /// The settings in force.
    pub(crate) config: Config,
    /// The way in before there is any user.
    setup: Setup,
    /// Who has tried too often to log in.
    limiter: Limiter,
    /// Who is asked to let a job in.
    grants: grants::Grants,
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
         passwords. Give it a certificate: [web.tls] with `certificate` and `key`. Or listen at 127.0.0.1, with a proxy before it \
         that speaks HTTPS; or, if that proxy is on another host, set `behind_https_proxy = true` under [web]"
    )]
    Exposed(SocketAddr),
    /// A file for HTTPS cannot be used.
    #[error("the web admin cannot use {} (`{key}` under [web.tls]): {reason}", path.display())]
    Tls {
        /// Which setting names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody can be answered.
    #[error("the web admin cannot be served: {0}")]
    Serve(String),
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
    /// If the system does not give it, or it is one that other hosts reach and nothing says that this is wanted, or what is needed for
    /// HTTPS cannot be read.
    pub async fn bind(address: SocketAddr, settings: &Web) -> Result<Self, Error> {
        let identity = settings.tls.as_ref().map(Identity::read).transpose()?;
        if !address.ip().is_loopback() && !settings.behind_https_proxy && identity.is_none() {
            return Err(Error::Exposed(address));
        }
        let listener = TcpListener::bind(address).await.map_err(|error| Error::Listen { address, error })?;
        Ok(Self { listener, identity })
    }

    /// Answers from now on, until what this returns is dropped. `file` is that of the settings. Prints the link for the first password if nobody has one.
    ///
    /// # Errors
    /// If the store fails, or there are no random numbers.
    pub async fn begin(
        self,
        ctx: Arc<Context>,
        reloader: Arc<Reloader>,
        (file, config): (&Path, &Config),
    ) -> Result<Serving, Error> {
        let limiter = Limiter::default();
        let grants = grants::Grants::default();
        let (file, config) = (file.to_owned(), config.clone());
        let site = Arc::new(Site { ctx, reloader, file, config, setup: Setup::new()?, limiter, grants });
        if let Ok(address) = self.listener.local_addr() {
            let scheme = if self.identity.is_some() { "https" } else { "http" };
            tracing::info!("the web admin is at {scheme}://{address}/");
            if let Some(link) = access::first_password_link(&site, &format!("{scheme}://{address}")).await? {
                // Whoever starts the daemon reads it; it is good once.
                tracing::info!("nobody can log in yet; set the administrator's password here: {link}");
            }
        }
        let mut task = JoinSet::new();
        let Self { listener, identity } = self;
        match &identity {
            None => _ = task.spawn(serve(listener, site)),
            Some(identity) => _ = task.spawn(serve(Tls::new(listener, identity.clone())?, site)),
        }
        Ok(Serving { _task: task, identity })
    }
}

impl Serving {
    /// Reads the certificate and the key for HTTPS again, if there are any; if they cannot be used, those before stay.
    pub fn read_again(&self) {
        match self.identity.as_ref().map(|identity| identity.read_again()) {
            None => {}
            Some(Ok(())) => tracing::info!("the certificate of the web admin was read again"),
            Some(Err(error)) => tracing::error!(%error, "the web admin keeps the certificate that it has"),
        }
    }
}

/// Whether the files that the settings name for HTTPS can be used.
///
/// # Errors
/// With the file, and what is wrong with it.
pub fn check_tls(files: &WebTls) -> Result<(), Error> {
    tls::check(files)
}

async fn serve<L: Listener<Addr = SocketAddr>>(listener: L, site: Arc<Site>)
where
    Peer: for<'a> Connected<IncomingStream<'a, L>>,
{
    let service = router(site).into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!(%error, "the web admin is served no more");
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
