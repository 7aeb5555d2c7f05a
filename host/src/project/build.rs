//! `mailmill plugin build`: from a project to its component, with the tools of its language.

use super::contract::{self, BINDINGS, BINDINGS_NAME};
use super::{Error, Language, Project, WIT};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The target of guests in Rust: it has no system interface that could be granted.
const RUST_TARGET: &str = "wasm32-unknown-unknown";
/// The target of guests in C: their C library is that of WASI; what asks the system is not linked.
const C_TARGET: &str = "wasm32-wasi";
/// What clang makes, before it becomes a component.
const CORE: &str = "core.wasm";
/// The folder of a project's own Python.
const VENV: &str = ".venv";

const HELP_RUST: &str = "install Rust, with rustup or from your system's packages";
const HELP_RUST_TARGET: &str = "; if the target is missing: rustup target add wasm32-unknown-unknown";
const HELP_JS: &str = "install Node.js with npm";
const HELP_PYTHON: &str = "install Python 3.10 or newer, with its module venv";
const HELP_C: &str = "install clang; of Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32";
const HELP_C_LIBRARY: &str = "; if headers or libraries are missing, of Debian: \
                              apt-get install lld wasi-libc libclang-rt-dev-wasm32";

/// Builds a project's component. What its tools print goes to standard error.
///
/// # Errors
/// If a tool is not there or fails, or what it makes is no component.
pub fn build(project: &Project) -> Result<(), Error> {
    match project.manifest.language {
        Language::Rust => rust(project),
        Language::Js => js(project),
        Language::Python => python(project),
        Language::C => c(project),
    }
}

fn rust(project: &Project) -> Result<(), Error> {
    let mut cargo = command(project, "cargo");
    cargo.args(["build", "--release", "--lib", "--target", RUST_TARGET, "--target-dir", "target"]);
    // Flags meant for this machine's processor are none of a guest's business.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(cargo, HELP_RUST, HELP_RUST_TARGET)?;
    let module = format!("{}.wasm", project.manifest.name.replace('-', "_"));
    install(project, &project.folder.join("target").join(RUST_TARGET).join("release").join(module))
}

fn js(project: &Project) -> Result<(), Error> {
    if !project.folder.join("node_modules").exists() {
        let mut npm = command(project, "npm");
        npm.args(["install", "--no-audit", "--no-fund"]);
        run(npm, HELP_JS, "")?;
    }
    let mut npm = command(project, "npm");
    npm.args(["run", "--silent", "build"]);
    run(npm, HELP_JS, "")
}

fn python(project: &Project) -> Result<(), Error> {
    let tools = Path::new(VENV).join("bin");
    let tool = project.folder.join(&tools).join("componentize-py");
    if !tool.exists() {
        let mut python = command(project, "python3");
        python.args(["-m", "venv", VENV]);
        run(python, HELP_PYTHON, "")?;
        let mut pip = command(project, &tools.join("pip").to_string_lossy());
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"]);
        run(pip, HELP_PYTHON, "")?;
    }
    let component = project.component();
    let mut python = command(project, &tools.join("componentize-py").to_string_lossy());
    python.args(["--quiet", "--wit-path", WIT, "--world", project.manifest.world.name()]);
    python.args(["componentize", "plugin", "--output"]).arg(component.file_name().unwrap_or_default());
    run(python, HELP_PYTHON, "")
}

fn c(project: &Project) -> Result<(), Error> {
    contract::write_c_bindings(project)?;
    let mut clang = command(project, "clang");
    clang.args([&format!("--target={C_TARGET}"), "-mexec-model=reactor", "-O2", "-Wall", "-Wextra"]);
    clang.args(["plugin.c", &format!("{BINDINGS}/{BINDINGS_NAME}.c")]);
    clang.args([&format!("{BINDINGS}/{BINDINGS_NAME}_component_type.o"), "-o", CORE]);
    run(clang, HELP_C, HELP_C_LIBRARY)?;
    install(project, &project.folder.join(CORE))
}

/// Makes a component of a core module and puts it in its place, whole.
fn install(project: &Project, core: &Path) -> Result<(), Error> {
    let component = contract::component(core)?;
    let (path, half) = (project.component(), project.folder.join(format!(".{}.half", project.manifest.name)));
    let written = fs::write(&half, component).and_then(|()| fs::rename(&half, &path));
    written.map_err(|error| Error::File { path, error })
}

fn command(project: &Project, program: &str) -> Command {
    // A path is looked up in the folder that the program is started in, which differs from system to system.
    let path = || std::path::absolute(project.folder.join(program)).unwrap_or_else(|_| program.into());
    let program = if program.contains('/') { path() } else { program.into() };
    let mut command = Command::new(program);
    command.current_dir(&project.folder).stdin(Stdio::null());
    command
}

/// Runs a tool. Its output is for people, and goes where ours for people goes.
fn run(mut command: Command, missing: &'static str, failed: &'static str) -> Result<(), Error> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    command.stdout(std::io::stderr());
    let status = command.status().map_err(|error| Error::Tool { tool, error, help: missing })?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command: shown, status, help: failed }) }
}
