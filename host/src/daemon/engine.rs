//! The plugin engine that the settings ask for.

use super::Error;
use crate::config::{Config, PluginLimits};
use crate::plugin::{self, Compiler, Engine, EngineSettings};

/// Makes the plugin engine that the settings ask for; components are compiled in a child process.
///
/// # Errors
/// If the engine cannot be started.
pub fn engine(config: &Config) -> Result<Engine, Error> {
    let exe = std::env::current_exe()
        .map_err(|error| Error::System { what: "the path of this program is not known", error })?;
    let settings = EngineSettings {
        cache_dir: Some(config.plugins_cache.folder()),
        compiler: Compiler::Child(exe),
        limits: limits(&config.plugin_limits),
    };
    Ok(Engine::new(settings)?)
}

/// The limits of plugins, as the plugin host counts them.
fn limits(limits: &PluginLimits) -> plugin::Limits {
    let bytes = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    plugin::Limits {
        deadline_ms: limits.deadline_ms.get(),
        configure_deadline_ms: limits.configure_deadline_ms.get(),
        memory_bytes: bytes(limits.memory_mb.get().saturating_mul(1024 * 1024)),
        host_calls: limits.host_calls_max.get(),
        output_bytes: bytes(limits.output_bytes_max.get()),
        copied_bytes: bytes(limits.copied_bytes_max.get()),
        handles: bytes(limits.handles_max.get()),
        messages: limits.instance_messages_max.get(),
    }
}
