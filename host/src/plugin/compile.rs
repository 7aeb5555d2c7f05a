//! From a component to machine code: in a child process, kept in a [cache](super::cache).
//!
//! A component that makes the compiler fail, hang or crash takes a child process along, never the daemon.

use super::cache::Cache;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use wasmtime::{Engine, Precompiled};

/// The hidden subcommand that the child is started with.
pub const COMPILE_SUBCOMMAND: &str = "compile-plugin";
/// How long the compiler may take: 18 MB of Python take 8 s.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(120);

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
    cache: Option<&Cache>,
    bytes: &[u8],
) -> Result<Vec<u8>, String> {
    if let Some(code) = cache.and_then(|cache| cache.read(engine, bytes)) {
        return Ok(code);
    }
    let code = match compiler {
        Compiler::Child(program) => in_child(program, bytes)?,
        Compiler::InProcess => engine.precompile_component(bytes).map_err(|error| format!("{error:#}"))?,
    };
    if Engine::detect_precompiled(&code) != Some(Precompiled::Component) {
        return Err("the compiler's answer is no machine code".to_owned());
    }
    if let Some(cache) = cache {
        cache.write(engine, bytes, &code);
    }
    Ok(code)
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits.
pub(super) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
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
