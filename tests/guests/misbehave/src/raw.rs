//! What Rust rules out and WebAssembly does not: texts that are none, and handles that nobody gave.
#![allow(unsafe_code, reason = "a plugin in another language could do all this: the host must not care")]

/// The size of an answer that fits into no memory.
const GIANT_BYTES: usize = 1 << 30;

/// A text that is no UTF-8.
pub(crate) fn not_utf8() -> String {
    // SAFETY: wrong on purpose. Nothing here looks into the text: it goes to the host as it is.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xFF, 0xFE, b'z']) }
}

/// A text that claims to be one GiB long.
pub(crate) fn giant() -> String {
    let start = Box::leak(Box::new(0u8));
    // SAFETY: wrong on purpose. It is never freed and never read here: its place and length go to the host.
    unsafe { String::from_raw_parts(start, GIANT_BYTES, GIANT_BYTES) }
}

/// Uses a pattern after it was dropped.
#[cfg(target_arch = "wasm32")]
pub(crate) fn use_after_drop() {
    use mailmill_sdk::glue::bindings::mailmill::rules::patterns::Pattern;
    let Ok(pattern) = Pattern::compile("a") else { return };
    let handle = pattern.handle();
    drop(pattern);
    use_handle(handle);
}

/// Uses handles that nobody gave to this plugin: whatever they are, they may be another one's.
#[cfg(target_arch = "wasm32")]
pub(crate) fn guess_handles() {
    (100..200).for_each(use_handle);
}

/// Passes off one kind of resource as another.
#[cfg(target_arch = "wasm32")]
pub(crate) fn confuse_kinds() {
    use mailmill_sdk::glue::bindings::mailmill::rules::patterns::Selector;
    if let Ok(selector) = Selector::compile("p") {
        use_handle(selector.handle());
    }
}

#[cfg(target_arch = "wasm32")]
fn use_handle(handle: u32) {
    use mailmill_sdk::glue::bindings::mailmill::rules::{mail, patterns::Pattern, types::Field};
    // SAFETY: wrong on purpose: the host has to refuse the handle.
    let pattern = std::mem::ManuallyDrop::new(unsafe { Pattern::from_handle(handle) });
    std::hint::black_box(mail::matches(&Field::Body, &pattern));
}

/// There are no handles outside of WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn use_after_drop() {}

/// There are no handles outside of WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn guess_handles() {}

/// There are no handles outside of WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn confuse_kinds() {}
