//! `cargo xtask plugins`: every guest from source to a component.
//!
//! Guests are plain crates for `wasm32-unknown-unknown`, compiled by one nested cargo and then made components with
//! the contract that their bindings embed. No WASI exists in such a component, so none can be granted by accident;
//! that is checked all the same.

mod component;
mod debian;
mod toolchain;

use crate::command::{root, target_dir};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Less inlining than a program of this machine gets: a tenth of a plugin's size.
const RUSTFLAGS: &str = "-Cllvm-args=-inline-threshold=60";

/// What `cargo xtask plugins` can be told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How to get a compiler for the guests: the first way that works, or this one
    #[arg(long, value_enum, default_value_t)]
    pub(crate) way: Way,
}

/// How to get a compiler for `wasm32-unknown-unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Way {
    /// The first of the others that works
    #[default]
    Auto,
    /// The compiler in use has the target
    Installed,
    /// rustup adds it
    Rustup,
    /// Debian's compiler and its sources, unpacked below the target directory
    Debian,
}

/// A plugin's crate.
struct Guest {
    /// The plugin's name: its folder's, and with underscores its library's.
    name: String,
    /// The crate's package.
    package: String,
    /// Where its component goes.
    folder: PathBuf,
    /// Whether it is for tests alone.
    is_test: bool,
}

/// Builds all guests. Prints a line for each that changed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = root()?;
    let target = target_dir(&root);
    let toolchain = toolchain::find(args.way, &target)?;
    let guests = guests(&root, &target)?;
    compile(&root, &target, &toolchain, &guests)?;
    for guest in &guests {
        let core = target.join(toolchain::TARGET).join("guest").join(format!("{}.wasm", guest.name.replace('-', "_")));
        let core = fs::read(&core).with_context(|| format!("cargo built no {}", core.display()))?;
        let component =
            component::encode(&core, guest.is_test).with_context(|| format!("plugin \"{}\"", guest.name))?;
        install(guest, &component)?;
    }
    Ok(())
}

/// The guests: every crate of `plugins/` and `tests/guests/` that is a dynamic library.
fn guests(root: &Path, target: &Path) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for (crates, components) in [("plugins", "plugins"), ("tests/guests", "test-plugins")] {
        let crates = root.join(crates);
        let entries = fs::read_dir(&crates).with_context(|| format!("cannot list {}", crates.display()))?;
        for entry in entries {
            let manifest = entry?.path().join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&manifest) else { continue };
            if text.contains("\"cdylib\"") {
                let name = manifest.parent().and_then(Path::file_name).context("a crate lies in a folder")?;
                let package = package(&text).with_context(|| format!("{} names no package", manifest.display()))?;
                let name = name.to_string_lossy().into_owned();
                let is_test = components != "plugins";
                guests.push(Guest { name, package, folder: target.join(components), is_test });
            }
        }
    }
    guests.sort_by(|a, b| (&a.folder, &a.name).cmp(&(&b.folder, &b.name)));
    ensure!(!guests.is_empty(), "there is no plugin below {}", root.display());
    Ok(guests)
}

/// The name of the package that a manifest describes.
fn package(manifest: &str) -> Option<String> {
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \""))?;
    Some(name.trim_end_matches('"').to_owned())
}

/// One nested cargo for all guests. The outer `cargo run` has let go of the target directory by now.
fn compile(root: &Path, target: &Path, toolchain: &toolchain::Toolchain, guests: &[Guest]) -> Result<()> {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo.current_dir(root).args(["build", "--quiet", "--lib", "--profile", "guest", "--target", toolchain::TARGET]);
    cargo.env("CARGO_TARGET_DIR", target).envs(toolchain.env.iter().cloned());
    // Flags meant for this machine's processor are none of a guest's business.
    cargo.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS);
    for guest in guests {
        cargo.args(["--package", &guest.package]);
    }
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "the plugins do not compile: see above");
    Ok(())
}

/// Puts the component in place, whole or not at all, and only if it is new: a running daemon watches the folder.
fn install(guest: &Guest, component: &[u8]) -> Result<()> {
    let path = guest.folder.join(format!("{}.wasm", guest.name));
    if fs::read(&path).is_ok_and(|old| old == component) {
        return Ok(());
    }
    fs::create_dir_all(&guest.folder)?;
    let half = guest.folder.join(format!(".{}.wasm.{}", guest.name, std::process::id()));
    fs::write(&half, component).with_context(|| format!("cannot write {}", half.display()))?;
    fs::rename(&half, &path).with_context(|| format!("cannot write {}", path.display()))?;
    #[allow(clippy::print_stdout, reason = "what the verb is for")]
    {
        println!("{:>4} KB  {}", component.len().div_ceil(1024), path.display());
    }
    Ok(())
}
