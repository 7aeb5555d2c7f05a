//! Plugins: WASM components that see one message at a time.

pub mod capabilities;
pub mod patterns;
