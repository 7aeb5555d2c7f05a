//! The program is killed (SIGKILL) at every fault point and at random times while mail comes in by IMAP and by POP3: every
//! message is handled exactly once, and what it causes is sent at least once, under the same name.
//!
//! `cargo xtask soak --kills 1000` runs the same with more kills.

mod desk;
mod receiver;

use anyhow::{Context, Result, ensure};
use desk::{Desk, JOBS};
use mailmill_tests::Daemon;
use std::process::Command;
use std::time::{Duration, Instant};

/// How many kills, beside those at each point with each protocol once.
const FURTHER_KILLS: &str = "MAILMILL_CRASH_FURTHER_KILLS";
const FURTHER_KILLS_DEFAULT: usize = 12;
/// After how many minutes there are no further kills, if not before.
const MINUTES: &str = "MAILMILL_CRASH_MINUTES";
/// Where the random numbers start.
const SEED: &str = "MAILMILL_CRASH_SEED";
/// Passed only where a mailbox is seen for the first time.
const ONCE: &str = "sight.noted";
/// Passed for each message, of which there are at least two.
const FOR_EACH_MESSAGE: [&str; 5] = ["fetch.message", "parse.after", "thread.after", "rules.after", "commit.answered"];
/// How long a daemon lives at most: long enough to start and to handle what is there.
const LIFE_MAX_MS: usize = 3000;

/// The fault points, as the program lists them.
fn points(desk: &Desk) -> Result<Vec<String>> {
    let output = desk.installation.command()?.env("MAILMILL_FAULT", "?").args(["run", "--once"]).output()?;
    let text = String::from_utf8(output.stderr)?;
    let (_, list) = text.split_once("the points are ").with_context(|| format!("no list of points: {text}"))?;
    Ok(list.split_whitespace().map(str::to_owned).collect())
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> Result<T> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.parse().ok().with_context(|| format!("{name}={text}"))
}

/// Numbers that look like chance, and are the same again for the same seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or_default()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Result<&'a T> {
        all.get(self.below(all.len())).context("there is nothing to choose from")
    }
}

/// Mail comes in while the daemon starts and works; at some time it is killed.
fn kill_at_any_time(desk: &mut Desk, chance: &mut Chance) -> Result<()> {
    let mut daemon = Daemon::start(&desk.installation, &[])?;
    let until = Instant::now() + Duration::from_millis(chance.below(LIFE_MAX_MS) as u64);
    for _ in 0..chance.below(3) {
        desk.deliver(chance.one_of(&JOBS)?)?;
    }
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    daemon.kill().with_context(|| daemon.log())
}

#[test]
fn nothing_is_lost_or_doubled_however_often_it_is_killed() -> Result<()> {
    let (further, seed) = (setting(FURTHER_KILLS, FURTHER_KILLS_DEFAULT)?, setting(SEED, 1)?);
    let time_max = Duration::from_secs(setting(MINUTES, u64::MAX / 60)? * 60);
    let (mut desk, mut chance, begun) = (Desk::new()?, Chance(seed), Instant::now());
    let points = points(&desk)?;
    ensure!(points.len() > 20, "too few: {points:?}");
    let mut kills = 0;
    for job in JOBS {
        for point in &points {
            desk.deliver(job)?;
            desk.kill_at(job, point, 1)?;
            kills += 1;
        }
    }
    let often: Vec<&str> = points.iter().map(String::as_str).filter(|point| *point != ONCE).collect();
    for number in 0..further {
        if begun.elapsed() > time_max {
            break;
        }
        if number % 2 == 0 {
            kill_at_any_time(&mut desk, &mut chance)?;
        } else {
            let (job, point) = (chance.one_of(&JOBS)?, *chance.one_of(&often)?);
            desk.deliver(job)?;
            let most = if FOR_EACH_MESSAGE.contains(&point) { 2 } else { 1 };
            desk.kill_at(job, point, 1 + chance.below(most))?;
        }
        kills += 1;
        if kills % 50 == 0 {
            eprintln!("{kills} kills in {:.0?}", begun.elapsed());
        }
    }
    let figures = desk.finish()?;
    eprintln!("{kills} kills in {:.0?}, seed {seed}: {figures:?}", begun.elapsed());
    Ok(())
}

#[test]
fn nothing_is_lost_or_doubled_wherever_the_disk_fills_up() -> Result<()> {
    let Some(mut desk) = Desk::on_a_small_disk()? else {
        eprintln!("a small disk cannot be mounted here: that takes root; binary(imap) has a full disk without");
        return Ok(());
    };
    let (mut reached, points) = (0, points(&desk)?);
    for (at, point) in points.iter().enumerate() {
        // Each point with one protocol: what is written is the same.
        let job = JOBS.get(at % JOBS.len()).context("no job")?;
        desk.deliver(job)?;
        reached += usize::from(desk.fill_at(job, point)?);
    }
    // The points of the outbox are not passed where there was no room for its entries, nor is the first one, of the migration.
    ensure!(reached + 6 > points.len(), "only {reached} points were reached");
    let figures = desk.finish()?;
    eprintln!("{reached} times the disk was full: {figures:?}");
    Ok(())
}

/// How often the server restarts, and how many conversations it holds each time.
const RESTARTS: usize = 4;
const CONVERSATIONS: usize = 10;

#[test]
fn nothing_is_lost_or_doubled_when_the_server_restarts_in_the_middle() -> Result<()> {
    let (mut desk, mut chance) = (Desk::new()?, Chance(1));
    let mut daemon = Daemon::start(&desk.installation, &[])?;
    for _ in 0..RESTARTS {
        for _ in 0..CONVERSATIONS {
            JOBS.into_iter().try_for_each(|job| desk.deliver(job))?;
        }
        std::thread::sleep(Duration::from_millis(chance.below(LIFE_MAX_MS / 2) as u64));
        desk.restart_server()?;
    }
    // Pauses grow with each failure: a new start makes them short again.
    ensure!(daemon.terminate()?.success(), "{}", daemon.log());
    desk.finish()?;
    Ok(())
}

/// In a release build there is nothing left of the fault points: not even their names.
#[test]
fn a_release_build_has_no_fault_points() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let compile = |source: &str, arguments: &[&str]| -> Result<()> {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "-Copt-level=3", "-Cdebug-assertions=off", "-Aunused"]).args(arguments);
        let output = rustc.arg(path(source)).current_dir(folder.path()).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../host/src/fault.rs"), path("fault.rs"))?;
    std::fs::write(path("program.rs"), PROGRAM)?;
    std::fs::write(path("libc.rs"), LIBC)?;
    let has_points = || Ok::<_, anyhow::Error>(std::fs::read(path("program.o"))?.windows(14).any(|it| it == VARIABLE));
    let program = ["--crate-type=lib", "--emit=obj", "-o", "program.o"];
    compile("program.rs", &program)?;
    ensure!(!has_points()?, "a release build has fault points");
    // How it looks with them.
    compile("libc.rs", &["--crate-type=rlib", "--crate-name=libc"])?;
    std::fs::write(path("tokio.rs"), TOKIO)?;
    compile("tokio.rs", &["--crate-type=rlib", "--crate-name=tokio"])?;
    let with_points =
        ["--cfg", "feature=\"faults\"", "--extern", "libc=liblibc.rlib", "--extern", "tokio=libtokio.rlib"];
    compile("program.rs", &[&program[..], &with_points].concat())?;
    ensure!(has_points()?, "the feature `faults` has no effect");
    Ok(())
}

const VARIABLE: &[u8] = b"MAILMILL_FAULT";
const PROGRAM: &str =
    "mod fault; pub fn run() -> bool { fault::pass(fault::Point::CommitBefore); fault::arm().is_ok() }";
/// As much of them as there is a use for.
const TOKIO: &str = "pub mod task { pub fn block_in_place<T>(work: impl FnOnce() -> T) -> T { work() } }";
const LIBC: &str = "pub const SIGKILL: i32 = 9;
unsafe extern \"C\" { pub fn kill(pid: i32, signal: i32) -> i32; pub fn getpid() -> i32; }";
