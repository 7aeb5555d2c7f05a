//! From a component to machine code: in a child process, kept by digest.
//!
//! A component that makes the compiler fail, hang or crash takes a child process along, never the daemon.

use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use wasmtime::{Engine, Precompiled};

/// The hidden subcommand that the child is started with.
pub const COMPILE_SUBCOMMAND: &str = "compile-plugin";
/// How long the compiler may take: 18 MB of Python take 8 s.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(120);
/// What an entry of the cache starts with, before the digest of what follows.
const MAGIC: &[u8; 16] = b"mailmill-cwasm-1";
/// The length of a digest.
const DIGEST_BYTES: usize = 32;

/// Where the compiler runs.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In a child: this executable, started with the argument [`COMPILE_SUBCOMMAND`].
    Child(PathBuf),
    /// In this process: for tests and benches, where the components are our own.
    InProcess,
}

/// The entry point of the child: reads a component from `input`, writes machine code to `output`.
pub fn compile_child(mut input: impl Read, mut output: impl Write) -> ExitCode {
    let compiled = (|| -> wasmtime::Result<()> {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes)?;
        let engine = Engine::new(&super::engine::settings())?;
        output.write_all(&engine.precompile_component(&bytes)?)?;
        Ok(output.flush()?)
    })();
    match compiled {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is how the parent learns the reason.
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The machine code of a component: from the cache if it is there and whole, else compiled and put there.
pub(super) fn machine_code(
    engine: &Engine,
    compiler: &Compiler,
    cache: Option<&Path>,
    bytes: &[u8],
) -> Result<Vec<u8>, String> {
    let entry = cache.map(|folder| folder.join(format!("{}.cwasm", key(engine, bytes))));
    if let Some(code) = entry.as_deref().and_then(read_entry) {
        return Ok(code);
    }
    let code = match compiler {
        Compiler::Child(program) => in_child(program, bytes)?,
        Compiler::InProcess => engine.precompile_component(bytes).map_err(|error| format!("{error:#}"))?,
    };
    if Engine::detect_precompiled(&code) != Some(Precompiled::Component) {
        return Err("the compiler's answer is no machine code".to_owned());
    }
    if let Some(entry) = entry
        && let Err(error) = write_entry(&entry, &code)
    {
        // The plugin works without; only the next start takes longer.
        tracing::warn!(entry = %entry.display(), %error, "compiled plugin not kept");
    }
    Ok(code)
}

/// Makes the cache's folder, for this user alone.
pub(super) fn prepare_cache(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Fails if the folder belongs to someone else, who could then put machine code there.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names what the machine code depends on: the component, and the engine with its version and settings.
fn key(engine: &Engine, bytes: &[u8]) -> String {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let mut key = Sha256::new();
    key.update(MAGIC);
    key.update(settings.finish().to_le_bytes());
    key.update(bytes);
    hexadecimal(&key.finalize())
}

/// The machine code of an entry; none if there is no entry, or it is not what was written.
fn read_entry(path: &Path) -> Option<Vec<u8>> {
    let mut entry = fs::read(path).ok()?;
    let rest = entry.strip_prefix(MAGIC)?;
    let (written, code) = rest.split_at_checked(DIGEST_BYTES)?;
    if Sha256::digest(code).as_slice() != written {
        tracing::warn!(entry = %path.display(), "damaged entry of the plugin cache: compiling again");
        return None;
    }
    Some(entry.split_off(MAGIC.len() + DIGEST_BYTES))
}

/// Writes an entry whole or not at all.
fn write_entry(path: &Path, code: &[u8]) -> io::Result<()> {
    let half = path.with_extension(format!("{}.half", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)?;
    drop(file);
    fs::rename(&half, path)
}

fn in_child(program: &Path, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .arg(COMPILE_SUBCOMMAND)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the compiler {} does not start: {error}", program.display()))?;
    let answer = std::thread::scope(|scope| {
        let (done, answer) = mpsc::channel();
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        scope.spawn(move || input.map(|mut input| input.write_all(bytes)));
        scope.spawn(move || done.send(read_all(output)));
        let errors = scope.spawn(move || read_all(errors));
        let answer = answer.recv_timeout(COMPILE_TIME_MAX);
        if answer.is_err() {
            // Ends the pipes, and with them the threads.
            let _ = child.kill();
        }
        (answer.ok(), errors.join().unwrap_or_default())
    });
    judge(&mut child, answer.0, &answer.1)
}

fn judge(child: &mut Child, answer: Option<Vec<u8>>, errors: &[u8]) -> Result<Vec<u8>, String> {
    let status = child.wait().map_err(|error| format!("the compiler is lost: {error}"))?;
    let Some(code) = answer else {
        return Err(format!("the compiler took longer than {} s", COMPILE_TIME_MAX.as_secs()));
    };
    if status.success() {
        return Ok(code);
    }
    let errors = String::from_utf8_lossy(errors);
    let reason = errors.trim();
    Err(if reason.is_empty() { format!("the compiler ended with {status}") } else { reason.to_owned() })
}

fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // A pipe that breaks is a child that failed, which its status tells.
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}
