//! The contract `wit/rules.wit` as Rust: one module for each world. What worlds share is generated once, in
//! [`preprocessor`], which imports the most.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated; `wit/rules.wit` documents every item")]

pub(super) use preprocessor::mailmill::rules;

pub(super) mod preprocessor {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "preprocessor",
        imports: { default: trappable },
        with: {
            "mailmill:rules/patterns.pattern": crate::plugin::state::Pattern,
            "mailmill:rules/patterns.pattern-set": crate::plugin::state::PatternSet,
            "mailmill:rules/patterns.selector": crate::plugin::state::Selector,
        },
    });
}

pub(super) mod extractor {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "extractor",
        with: {
            "mailmill:rules/types": super::rules::types,
            "mailmill:rules/log": super::rules::log,
            "mailmill:rules/patterns": super::rules::patterns,
            "mailmill:rules/mail": super::rules::mail,
            "mailmill:rules/lookup": super::rules::lookup,
        },
    });
}

pub(super) mod processor {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "processor",
        with: {
            "mailmill:rules/types": super::rules::types,
            "mailmill:rules/log": super::rules::log,
            "mailmill:rules/patterns": super::rules::patterns,
            "mailmill:rules/mail": super::rules::mail,
            "mailmill:rules/lookup": super::rules::lookup,
        },
    });
}
