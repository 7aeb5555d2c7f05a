//! Logs: human or JSON lines.

use crate::config::LogLevel;
use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
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
    // That a line cannot be written must not be told on the same standard error: that would panic, and a panic is told here.
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_target(false);
    let lines = lines.log_internal_errors(false);
    // A second start keeps the settings of the first.
    let _ =
        if json { lines.json().flatten_event(true).try_init() } else { lines.with_ansi(colour).compact().try_init() };
    std::panic::set_hook(Box::new(tell_panic));
    Ok(())
}

/// A panic as lines of the log. What it says may quote a message, so it is for `debug` alone; where it was is what a report of the bug
/// needs.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, ToString::to_string);
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    tracing::error!(place, thread, "a bug in mailmill: it panicked; please report it, with this place");
    let (said, backtrace) = (panic.payload_as_str().unwrap_or("nothing"), Backtrace::capture());
    tracing::debug!(place, said, %backtrace, "what the panic said");
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use tracing::level_filters::LevelFilter;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the log has of a panic, at this level.
    fn log_of_a_panic(level: LevelFilter) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_max_level(level).with_writer(move || writer.clone()).finish();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(tell_panic));
        tracing::subscriber::with_default(log, || {
            let text = String::from("Dear Ann, my password is 1234");
            std::panic::catch_unwind(|| panic!("byte 3 is inside of a character of {text:?}")).unwrap_err();
        });
        std::panic::set_hook(before);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_a_panic_says_is_for_debug_alone() {
        for (level, is_told) in [(LevelFilter::INFO, false), (LevelFilter::DEBUG, true)] {
            let log = log_of_a_panic(level);
            assert!(log.contains("ERROR") && log.contains("telemetry.rs:"), "{log}");
            assert_eq!(log.contains("Dear Ann"), is_told, "{level}: {log}");
        }
    }
}
