//! Logs: human or JSON lines.

use crate::config::LogLevel;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The libraries below us that see mail or secrets: the IMAP client logs whatever is received at `trace`.
const HELD_DOWN: [&str; 4] = ["async_imap=off", "imap_proto=off", "rustls=warn", "sqlx=warn"];

/// Starts logging to `lines`. The environment variable `MAILMILL_LOG` wins over `level`: a level, or a filter such
/// as `mailmill::mailbox=debug`. Only the first call has an effect.
///
/// # Errors
/// If the variable cannot be read.
pub fn start(
    json: bool,
    level: LogLevel,
    colour: bool,
    lines: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> Result<(), String> {
    let wanted = std::env::var("MAILMILL_LOG").unwrap_or_else(|_| name(level).to_owned());
    let directives = if wanted.contains(['=', ',']) { wanted.clone() } else { format!("warn,mailmill={wanted}") };
    let filter = EnvFilter::try_new(&directives)
        .map_err(|error| format!("the log level \"{wanted}\" of MAILMILL_LOG cannot be read: {error}"))?;
    let held_down = HELD_DOWN.iter().filter_map(|directive| directive.parse().ok());
    let filter = held_down.fold(filter, EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_target(false);
    // A second start keeps the settings of the first.
    let _ =
        if json { lines.json().flatten_event(true).try_init() } else { lines.with_ansi(colour).compact().try_init() };
    Ok(())
}

fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}
