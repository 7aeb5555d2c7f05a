//! What the Rust plugins of mailmill share: the host's functions as a trait, and the glue to the component model.
//!
//! A plugin's logic is written against [`Host`], so that the same code runs as a component (where the host's
//! functions are imports) and natively (in tests and benches). The types mirror `wit/rules.wit`, which documents
//! them in full.

#[cfg(target_arch = "wasm32")]
pub mod glue;
mod host;
mod json;
pub mod name;
#[cfg(not(target_arch = "wasm32"))]
mod native;
pub mod settings;
pub mod text;
mod value;

pub use host::*;
pub use value::{literal_pattern, number};
