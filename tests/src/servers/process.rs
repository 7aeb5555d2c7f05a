//! What it takes to run any of the servers: programs, ports, a folder, and an end.

use super::Endpoint;
use crate::installation::target;
use crate::wait::wait_until;
use anyhow::{Context, Result, bail};
use std::fs::Permissions;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What every error about a missing program ends with.
pub(super) const SET_UP: &str = "run `cargo xtask test`, which sets it up";
/// Someone else may take a free port between choosing it and listening on it.
const START_ATTEMPTS: u32 = 5;
/// Below those that the system gives to clients: one that a client has is not free when the server comes for it.
const FIRST_PORT: u16 = 12_000;
const PORT_BLOCK: u16 = 16;
const PORT_BLOCKS: u32 = 1250;
/// How many servers one test can start before it comes to the ports of the next process.
const BLOCKS_PER_PROCESS: u32 = 8;
/// How many blocks this process has tried.
static TURN: AtomicU32 = AtomicU32::new(0);
/// Who owns the mail when root runs the tests: the servers refuse to serve root's.
const MAIL_OWNER: &str = "nobody";

/// Tries `attempt` until a server starts.
pub(super) fn started<T>(name: &str, attempt: impl Fn() -> Result<T>) -> Result<T> {
    let mut failures = Vec::new();
    for _ in 0..START_ATTEMPTS {
        match attempt() {
            Ok(server) => return Ok(server),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    failures.dedup();
    bail!("{name} did not start in {START_ATTEMPTS} attempts:\n{}", failures.join("\n"))
}

/// The root folder of a server that `cargo xtask test` unpacks instead of installing it, with `program` in it.
///
/// The servers drop root, and then start further programs. Where the target directory is closed to others, they get a
/// copy in `folder`.
pub(super) fn unpacked(name: &str, program: &str, folder: &TempDir) -> Result<PathBuf> {
    let root = target().join("servers").join(name);
    if !root.join(program).is_file() {
        bail!("no {name} in {}: {SET_UP}", root.display());
    }
    let root = root.canonicalize()?;
    if me()? != "root" || root.ancestors().all(is_open) {
        return Ok(root);
    }
    let copy = folder.path().join(name);
    run(Command::new("cp").arg("-a").arg(&root).arg(&copy))?;
    Ok(copy)
}

fn is_open(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
}

/// A folder for one server. It is open to all: the servers drop root, and must still get in.
pub(super) fn folder(name: &str) -> Result<TempDir> {
    let mode = Permissions::from_mode(0o755);
    Ok(tempfile::Builder::new().prefix(&format!("mailmill-{name}-")).permissions(mode).tempdir()?)
}

/// Different free ports: a block that no other test takes at the same time, unless process numbers lie far apart.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    for _ in 0..PORT_BLOCKS {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let block = std::process::id().wrapping_mul(BLOCKS_PER_PROCESS).wrapping_add(turn) % PORT_BLOCKS;
        let first = FIRST_PORT + u16::try_from(block)? * PORT_BLOCK;
        let free = (first..first + PORT_BLOCK).filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
        if let Ok(ports) = <[u16; N]>::try_from(free.take(N).collect::<Vec<_>>()) {
            return Ok(ports);
        }
    }
    bail!("no {N} free ports between {FIRST_PORT} and {}", u32::from(FIRST_PORT) + PORT_BLOCKS * u32::from(PORT_BLOCK))
}

/// Waits until a server, whose process number is given to `is_up`, is up, unless it ends first.
pub(super) fn wait_until_up(name: &str, process: &mut Child, is_up: impl Fn(u32) -> bool) -> Result<()> {
    wait_until(&format!("{name} to start"), || {
        if let Some(status) = process.try_wait()? {
            bail!("{name} ended with {status}");
        }
        Ok(is_up(process.id()).then_some(()))
    })
}

/// Whether something listens at all endpoints.
pub(super) fn is_listening(endpoints: &[Endpoint]) -> bool {
    endpoints.iter().all(|endpoint| TcpStream::connect((endpoint.host, endpoint.port)).is_ok())
}

/// The user who runs the tests.
pub(super) fn me() -> Result<String> {
    run(Command::new("id").arg("-un"))
}

/// The user who owns the mail.
pub(super) fn mail_owner() -> Result<String> {
    let me = me()?;
    Ok(if me == "root" { MAIL_OWNER.to_owned() } else { me })
}

/// Gives a path and all below it to the owner of the mail.
pub(super) fn give_to_mail_owner(paths: &[&Path]) -> Result<()> {
    if me()? == "root" {
        run(Command::new("chown").arg("-R").arg(MAIL_OWNER).args(paths))?;
    }
    Ok(())
}

/// Runs a program to its end and gives what it wrote, without the last line end.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// How long the processes of a server have to end by themselves.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Ends a process at once, and then those that it started.
///
/// A master process that is asked to end waits for the others, up to 30 seconds; too long for every test. The others are
/// asked: one that is killed while it writes leaves its lock on the mailbox behind.
pub(super) fn kill(mut process: Child) -> Result<()> {
    let id = process.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    process.kill()?;
    process.wait()?;
    signal_all("TERM", &children)?;
    let deadline = Instant::now() + LEAVE_MAX;
    while children.split_whitespace().any(is_running) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    signal_all("KILL", &children)
}

/// Sends a signal to processes, of which some may have ended.
fn signal_all(name: &str, processes: &str) -> Result<()> {
    run(Command::new("sh").arg("-c").arg(format!("kill -{name} {processes} 2>/dev/null || true"))).map(drop)
}

/// Whether a process has not ended yet; one that nobody has waited for has no command line any more.
fn is_running(process: &str) -> bool {
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|command| !command.is_empty())
}

/// Sends a signal through the shell, the one way without unsafe code and without a further dependency.
pub(crate) fn signal(name: &str, process: u32) -> Result<()> {
    run(Command::new("sh").arg("-c").arg(format!("kill -{name} {process}"))).map(drop)
}
