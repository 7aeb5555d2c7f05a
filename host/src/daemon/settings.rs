//! The settings while the daemon runs: what of them can change, and the web admin that they ask for.

use super::Error;
use crate::config::Config;
use crate::job::Context;
use crate::rules::Reloader;
use crate::web;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// The settings in force, and their file.
pub(super) struct Settings {
    pub(super) file: PathBuf,
    pub(super) config: Config,
}

impl Settings {
    /// Takes up for how long the log is kept, and says what other changes of the file will mean: they are read at the start.
    pub(super) fn changed(&mut self, retention_days: &watch::Sender<u16>) {
        let read = Config::load(&self.file);
        if let Ok(config) = &read
            && config.incoming_log != self.config.incoming_log
        {
            let days = config.incoming_log.retention_days;
            tracing::info!(days, "the log is kept for so many days from now on");
            self.config.incoming_log = config.incoming_log.clone();
            retention_days.send_replace(days);
        }
        match read {
            Ok(config) if config == self.config => tracing::info!("the settings are again what is in force"),
            Ok(_) => tracing::warn!("the settings have changed: they come into force at the next start"),
            Err(diagnostics) => tracing::error!("the settings have errors: the next start will fail\n{diagnostics}"),
        }
    }
}

/// The web admin, if there is to be one, for as long as the answer is kept.
pub(super) async fn admin(
    file: &Path,
    config: &Config,
    ctx: &Arc<Context>,
    reloader: &Arc<Reloader>,
) -> Result<Option<web::Serving>, Error> {
    let Some(address) = config.web.listen else { return Ok(None) };
    let server = web::Server::bind(address, &config.web).await?;
    Ok(Some(server.begin(ctx.clone(), reloader.clone(), (file, config)).await?))
}
