//! The daemon is killed (SIGKILL) at every fault point and at random times while it drains 500 messages, by IMAP and by POP3: every
//! message is handled exactly once, and what it causes is sent at least once, under the same name.
//!
//! `cargo xtask soak --kills 1000` runs the same with more kills.

mod desk;
mod receiver;

use anyhow::{Context, Result, bail, ensure};
use desk::{Desk, JOBS, LEFT_MIN};
use mailmill_tests::Daemon;
use std::process::Command;
use std::time::{Duration, Instant};

/// Points that are passed for what all jobs have done; the others are of the start or of a session.
const OF_ALL_JOBS: [&str; 2] = ["commit.", "outbox."];
/// How many kills, beside those at each point of a session with each protocol alone.
const FURTHER_KILLS: &str = "MAILMILL_CRASH_FURTHER_KILLS";
/// Each point that can be passed more than once, and half as many times of chance.
const FURTHER_KILLS_DEFAULT: usize = 39;
/// After how many minutes there are no further kills, if not before.
const MINUTES: &str = "MAILMILL_CRASH_MINUTES";
/// Where the random numbers start.
const SEED: &str = "MAILMILL_CRASH_SEED";
/// Passed only where a mailbox is seen for the first time.
const ONCE: &str = "sight.noted";
/// Up to which passing a kill waits: all of them are in the middle of a backlog. Other points are passed once or twice in it.
const PASSINGS_MAX: [(&str, usize); 10] = [
    ("fetch.message", 60),
    ("parse.after", 60),
    ("thread.after", 60),
    ("rules.after", 60),
    ("commit.before", 3),
    ("commit.written", 3),
    ("commit.answered", 60),
    ("outbox.claimed", 20),
    ("outbox.sent", 20),
    ("outbox.recorded", 20),
];
/// Passed for each message by POP3, and for each batch by IMAP.
const MARK: (&str, usize) = ("mark.inside", 40);
/// How long a daemon lives at most: long enough to start and to handle much of a backlog.
const LIFE_MAX_MS: usize = 800;
/// How often a kill is tried that is to come before a backlog is drained; each time it may come after half the time.
const TRIES_MAX: usize = 10;

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
}

/// The kills of a desk that has a backlog to drain.
struct Kills {
    desk: Desk,
    chance: Chance,
    begun: Instant,
    /// How many messages each one left to be marked or, at the points of sending, to be sent.
    left: Vec<usize>,
}

impl Kills {
    /// A kill at a point, with these jobs.
    fn at(&mut self, jobs: &[&'static str], point: &str) -> Result<()> {
        let each_message = PASSINGS_MAX.into_iter().chain((jobs != ["imap"]).then_some(MARK));
        let most = each_message.into_iter().find(|(name, _)| *name == point).map_or(1, |(_, most)| most);
        let nth = 1 + self.chance.below(most);
        self.in_the_middle(point, |desk, _| desk.kill_at(jobs, point, nth))
    }

    /// A kill at a time of chance.
    fn at_any_time(&mut self) -> Result<()> {
        let mut life_max_ms = LIFE_MAX_MS;
        self.in_the_middle("any time", |desk, chance| {
            let life_ms = chance.below(life_max_ms);
            life_max_ms /= 2;
            desk.kill_after(Duration::from_millis(life_ms as u64))
        })
    }

    /// A kill that came when all was done shows nothing: then there is another one.
    fn in_the_middle(&mut self, what: &str, mut kill: impl FnMut(&mut Desk, &mut Chance) -> Result<()>) -> Result<()> {
        for _ in 0..TRIES_MAX {
            kill(&mut self.desk, &mut self.chance)?;
            // Calls are made after the messages are marked, most of them.
            let left = if what.starts_with("outbox.") { self.desk.unsent()? } else { self.desk.left()? };
            if left > 0 {
                self.left.push(left);
                if self.left.len().is_multiple_of(50) {
                    eprintln!("{} kills in {:.0?}", self.left.len(), self.begun.elapsed());
                }
                return Ok(());
            }
        }
        bail!("{what}: the backlog was drained each time")
    }
}

#[test]
fn nothing_is_lost_or_doubled_however_often_it_is_killed() -> Result<()> {
    let (further, seed) = (setting(FURTHER_KILLS, FURTHER_KILLS_DEFAULT)?, setting(SEED, 1)?);
    let time_max = Duration::from_secs(setting(MINUTES, u64::MAX / 60)? * 60);
    let (mut desk, begun) = (Desk::new()?, Instant::now());
    let points = points(&desk)?;
    ensure!(points.len() > 20, "too few: {points:?}");
    desk.fill_up(&JOBS, LEFT_MIN)?;
    let mut kills = Kills { desk, chance: Chance(seed), begun, left: Vec::new() };
    for job in JOBS {
        for point in points.iter().filter(|point| !OF_ALL_JOBS.iter().any(|of_all| point.starts_with(of_all))) {
            // Only where the other job is not there can it be said by which protocol a point is passed.
            kills.at(&[job], point)?;
        }
    }
    let mut often = points.iter().filter(|point| *point != ONCE).cycle();
    for number in 0..further {
        if begun.elapsed() > time_max {
            break;
        }
        match number % 3 {
            0 => kills.at_any_time()?,
            _ => kills.at(&JOBS, often.next().context("no points")?)?,
        }
    }
    let Kills { desk, mut left, .. } = kills;
    let figures = desk.finish()?;
    left.sort_unstable();
    let (kills, median) = (left.len(), left.get(left.len() / 2).copied().unwrap_or_default());
    let took = begun.elapsed();
    eprintln!(
        "{kills} kills in {took:.0?}, seed {seed}, half of them with {median} messages left or more: {figures:?}"
    );
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
        desk.deliver(job, 1)?;
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
        JOBS.into_iter().try_for_each(|job| desk.deliver(job, CONVERSATIONS))?;
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
