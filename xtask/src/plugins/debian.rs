//! The way without rustup and without the network's other ends: Debian's compiler, with the standard library built
//! from the sources that Debian ships, all below the target directory. Nothing is installed.

use super::toolchain::{self, TARGET, Toolchain, output, run};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Debian package of a compiler recent enough for this project (backported to the stable release).
const COMPILER: &str = "rustc-web";

/// Debian's compiler with the guests' target, made on the first call (some minutes).
pub(super) fn toolchain(target_dir: &Path) -> Result<Toolchain> {
    let home = target_dir.join("debian-toolchain");
    let version = candidate()?;
    let release = version.split('.').take(2).collect::<Vec<_>>().join(".");
    let llvm = llvm_version(&release)?;
    let root = home.join("root");
    let rustc = OsString::from(root.join("usr/bin/rustc"));
    if !root.join("complete").exists() {
        unpack(&home, &packages(&release, &llvm))?;
        fs::write(root.join("complete"), &version)?;
    }
    let mut toolchain = Toolchain { cargo: cargo(&root), env: environment(&root, &rustc, &llvm)? };
    toolchain.env.push(("CARGO_TARGET_DIR".into(), target_dir.into()));
    if !toolchain::has_target(&rustc, &toolchain.env) {
        build_library(&home, &rustc, &toolchain)?;
        // What was compiled against another standard library does not fit this one.
        let _ = fs::remove_dir_all(target_dir.join(TARGET));
    }
    Ok(toolchain)
}

/// The version of the compiler that Debian offers.
fn candidate() -> Result<String> {
    let policy = output(Command::new("apt-cache").args(["policy", COMPILER]))?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    match version {
        Some(version) if version != "(none)" => Ok(version.to_owned()),
        _ => bail!("Debian's package {COMPILER} is not known here: run `apt-get update`, or install rustup"),
    }
}

/// The LLVM that the compiler's libraries ask for.
fn llvm_version(release: &str) -> Result<String> {
    let depends = output(Command::new("apt-cache").args(["depends", &format!("libstd-rust-web-{release}")]))?;
    let llvm = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: libllvm"));
    llvm.map(str::to_owned).context("Debian's compiler names no LLVM")
}

fn packages(release: &str, llvm: &str) -> Vec<String> {
    let mut packages = vec![
        COMPILER.to_owned(),
        format!("libstd-rust-web-{release}"),
        "libstd-rust-web-dev".to_owned(),
        "rust-web-src".to_owned(),
        format!("libllvm{llvm}"),
        format!("lld-{llvm}"),
    ];
    if !on_path("cargo") {
        packages.push("cargo-web".to_owned());
    }
    packages
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// Downloads the packages and unpacks them, without installing anything.
fn unpack(home: &Path, packages: &[String]) -> Result<()> {
    let (archives, root) = (home.join("packages"), home.join("root"));
    fs::create_dir_all(&archives)?;
    fs::create_dir_all(&root)?;
    let mut apt = Command::new("apt-get");
    // The download goes into our own folder, which apt's own user may not enter.
    apt.args(["--quiet=2", "-o", "APT::Sandbox::User=root", "download"]).args(packages).current_dir(&archives);
    run(&mut apt)?;
    for archive in fs::read_dir(&archives)? {
        run(Command::new("dpkg").arg("-x").arg(archive?.path()).arg(&root))?;
    }
    Ok(())
}

fn cargo(root: &Path) -> OsString {
    let own = root.join("usr/bin/cargo");
    if own.exists() { own.into() } else { std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()) }
}

/// What cargo needs to use the unpacked compiler and its linker.
fn environment(root: &Path, rustc: &OsString, llvm: &str) -> Result<Vec<(OsString, OsString)>> {
    let usr_lib = root.join("usr/lib");
    let mut libraries = vec![usr_lib.join(multiarch()?)];
    libraries.extend(std::env::var_os("LD_LIBRARY_PATH").iter().flat_map(std::env::split_paths));
    let linker = usr_lib.join(format!("llvm-{llvm}/bin/wasm-ld"));
    Ok(vec![
        ("RUSTC".into(), rustc.clone()),
        ("LD_LIBRARY_PATH".into(), std::env::join_paths(libraries)?),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".into(), linker.into()),
    ])
}

/// The folder of this machine's libraries, such as `x86_64-linux-gnu`.
fn multiarch() -> Result<PathBuf> {
    output(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"))
        .map(PathBuf::from)
        .or_else(|_| Ok(PathBuf::from(format!("{}-linux-gnu", std::env::consts::ARCH))))
}

/// Builds the target's standard library from source and puts it where the compiler looks for it.
fn build_library(home: &Path, rustc: &OsString, toolchain: &Toolchain) -> Result<()> {
    let work = home.join("library");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(work.join("src"))?;
    fs::write(work.join("src/lib.rs"), "")?;
    fs::write(
        work.join("Cargo.toml"),
        "[package]\nname = \"library\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
         [profile.release]\npanic = \"abort\"\n[workspace]\n",
    )?;
    let mut cargo = Command::new(&toolchain.cargo);
    cargo.current_dir(&work).envs(toolchain.env.iter().cloned()).env("CARGO_TARGET_DIR", work.join("target"));
    // A stable compiler builds its own standard library only when told that it bootstraps; the guests' link-time
    // optimisation needs the bitcode.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Cembed-bitcode=yes");
    cargo.args(["build", "--quiet", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
    run(&mut cargo)?;
    let library = toolchain::library_dir(&toolchain::sysroot(rustc, &toolchain.env)?);
    fs::create_dir_all(&library)?;
    for built in fs::read_dir(work.join("target").join(TARGET).join("release/deps"))? {
        let built = built?;
        let name = built.file_name();
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        let ours = name.to_string_lossy().starts_with("liblibrary-");
        if matches!(extension, Some("rlib" | "rmeta")) && !ours {
            fs::copy(built.path(), library.join(name))?;
        }
    }
    fs::remove_dir_all(&work)?;
    Ok(())
}
