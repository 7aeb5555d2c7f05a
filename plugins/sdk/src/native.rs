//! Native builds of a plugin are plain libraries: there is nothing to export.

/// Exports a preprocessor as a component; here, nothing.
#[macro_export]
macro_rules! export_preprocessor {
    ($($plugin:tt)*) => {};
}

/// Exports an extractor as a component; here, nothing.
#[macro_export]
macro_rules! export_extractor {
    ($($plugin:tt)*) => {};
}

/// Exports a processor as a component; here, nothing.
#[macro_export]
macro_rules! export_processor {
    ($($plugin:tt)*) => {};
}
