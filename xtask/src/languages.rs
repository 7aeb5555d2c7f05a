//! What the tests of plugins in other languages need: the tools that an author installs, as the author gets them.

use crate::servers::install;
use anyhow::Result;

/// C: a compiler, its linker and a C library for WebAssembly.
const C: [&str; 4] = ["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32"];
/// Programs that may be there already, from wherever, each with Debian's packages of it.
const PROGRAMS: [(&str, &[&str]); 2] = [("npm", &["nodejs", "npm"]), ("python3", &["python3", "python3-venv"])];

/// Sets up what is missing. What the registries of the languages hold is installed by the tests themselves, as `mailmill
/// plugin build` does it.
pub(crate) fn set_up() -> Result<()> {
    let missing = PROGRAMS.iter().filter(|(program, _)| !is_there(program));
    let packages: Vec<&str> = C.into_iter().chain(missing.flat_map(|(_, packages)| packages.iter().copied())).collect();
    install(&packages, "the tests of plugins in C, JavaScript and Python")
}

fn is_there(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
