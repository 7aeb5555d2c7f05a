//! The languages that a project can be written in.

use crate::plugin::World;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Rust, with cargo.
    Rust,
    /// JavaScript, which runs on `QuickJS`.
    Js,
    /// Python, which runs on `CPython`.
    Python,
    /// C, with clang.
    C,
}

/// A file of a project: where it goes, and what it says.
pub(super) type File = (&'static str, &'static str);

/// What a template of files says; each is found at compile time.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../templates/", $path))
    };
}
pub(super) use template;

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Js, Self::Python, Self::C];

    /// Its name on the command line and in `plugin.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// Its name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Js => "JavaScript",
            Self::Python => "Python",
            Self::C => "C",
        }
    }

    /// Where the plugin's own source is.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Js => "plugin.js",
            Self::Python => "plugin.py",
            Self::C => "plugin.c",
        }
    }

    /// The example of a plugin of this world, in pieces.
    pub(super) fn example(self, world: World) -> Vec<&'static str> {
        match (self, world) {
            (Self::Rust, World::Preprocessor) => vec![template!("rust/preprocessor.rs")],
            (Self::Rust, World::Extractor) => vec![template!("rust/extractor.rs")],
            (Self::Rust, World::Processor) => vec![template!("rust/processor.rs")],
            (Self::Js, World::Preprocessor) => vec![template!("js/preprocessor.js"), template!("js/common.js")],
            (Self::Js, World::Extractor) => vec![template!("js/extractor.js"), template!("js/common.js")],
            (Self::Js, World::Processor) => vec![template!("js/processor.js"), template!("js/common.js")],
            (Self::Python, World::Preprocessor) => vec![template!("python/preprocessor.py")],
            (Self::Python, World::Extractor) => vec![template!("python/extractor.py")],
            (Self::Python, World::Processor) => vec![template!("python/processor.py")],
            (Self::C, World::Preprocessor) => vec![template!("c/preprocessor.c"), template!("c/common.c")],
            (Self::C, World::Extractor) => vec![template!("c/extractor.c"), template!("c/common.c")],
            (Self::C, World::Processor) => vec![template!("c/processor.c"), template!("c/common.c")],
        }
    }

    /// What its tools want besides the source.
    pub(super) fn files(self) -> &'static [File] {
        match self {
            Self::Rust => &[("Cargo.toml", template!("rust/Cargo.toml"))],
            Self::Js => &[("package.json", template!("js/package.json"))],
            Self::Python => &[
                ("requirements.txt", template!("python/requirements.txt")),
                ("helpers.py", template!("python/helpers.py")),
            ],
            Self::C => &[],
        }
    }

    /// What its tools make, and nobody keeps.
    pub(super) fn ignored(self) -> &'static str {
        match self {
            Self::Rust => "/target/",
            Self::Js => "/node_modules/",
            Self::Python => "/.venv/\n__pycache__/",
            Self::C => "/bindings/\n/core.wasm",
        }
    }

    /// What it is built with, as a paragraph.
    pub(super) fn tools(self) -> &'static str {
        match self {
            Self::Rust => {
                "Building takes cargo and the target `wasm32-unknown-unknown` (`rustup target add wasm32-unknown-unknown`). \
                 The bindings come from the crate `wit-bindgen`; mailmill makes the component."
            }
            Self::Js => {
                "Building takes Node.js with npm, which installs `componentize-qjs` into the project: the plugin runs on \
                 QuickJS. `npm run build` alone builds it, too."
            }
            Self::Python => {
                "Building takes Python 3.10 or newer with `venv`; `componentize-py` is installed into the project's own \
                 `.venv`. A component is 18 MB large, because CPython is in it, and compiling it takes some seconds, once."
            }
            Self::C => {
                "Building takes clang, its linker and a C library for WebAssembly; of Debian: `apt-get install clang lld \
                 wasi-libc libclang-rt-dev-wasm32`. mailmill writes the bindings from `wit/` and makes the component."
            }
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
