//! What a plugin may use up.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What one instance may use up, for one message unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// The processor time for one message, patterns that the host runs for it included.
    pub deadline_ms: u64,
    /// The processor time for `describe` and for `configure`, each. Patterns are compiled there.
    pub configure_deadline_ms: u64,
    /// The memory of the instance.
    pub memory_bytes: usize,
    /// Calls of the host's functions.
    pub host_calls: u64,
    /// What a single call may hand over to the host, and what a single result may be.
    pub copied_bytes: usize,
    /// What the names of rules and the texts of replacements may add up to.
    pub output_bytes: usize,
    /// Patterns and selectors that the instance holds at the same time.
    pub handles: usize,
    /// After so many messages a fresh instance takes over, so that a slow leak stays small.
    pub messages: u64,
    /// After so many faults in a row a preprocessing step is suspended until its plugin or its rules change.
    pub faults_in_a_row: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_ms: 100,
            configure_deadline_ms: 5_000,
            memory_bytes: 64 << 20,
            host_calls: 100_000,
            copied_bytes: 8 << 20,
            output_bytes: 8 << 20,
            handles: 1_024,
            messages: 10_000,
            faults_in_a_row: 5,
        }
    }
}

impl Limits {
    /// The time for one message.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}
