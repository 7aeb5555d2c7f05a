//! `mailmill run`, watched.

use crate::installation::Installation;
use crate::servers::signal;
use crate::wait::{PATIENCE, wait_until};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often many lines are looked at: what takes hundredths of a second is still told apart.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A running daemon. It is killed when this value goes; [`Self::terminate`] ends it in order.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Daemon {
    /// Starts `mailmill run` on an installation, with further arguments such as `--once`.
    ///
    /// # Errors
    /// When the binary is missing or cannot be started.
    pub fn start(installation: &Installation, arguments: &[&str]) -> Result<Self> {
        Self::start_in(installation, arguments, &[])
    }

    /// The same, with these variables in its environment.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_in(installation: &Installation, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let mut command = installation.command()?;
        command.envs(variables.iter().copied());
        Self::spawn(command, arguments)
    }

    /// The same by another program, which is given the same arguments and becomes `mailmill`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_by(program: &Path, installation: &Installation, arguments: &[&str]) -> Result<Self> {
        let told = installation.command()?;
        let mut command = Command::new(program);
        command.args(told.get_args());
        for (name, value) in told.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self::spawn(command, arguments)
    }

    fn spawn(mut command: Command, arguments: &[&str]) -> Result<Self> {
        let mut process = command
            .arg("run")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Log::default());
        let stderr = process.stderr.take().context("the daemon's stderr was not captured")?;
        let sink = Arc::clone(&log);
        std::thread::spawn(move || sink.collect(stderr));
        Ok(Self { process, log })
    }

    /// Waits for a line of the log that `is_it`, after the first `skip` lines, and gives its text.
    ///
    /// # Errors
    /// When the daemon ends, or when [`PATIENCE`] runs out; the message shows the whole log.
    pub fn wait_for(&mut self, what: &str, skip: usize, is_it: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let log = Arc::clone(&self.log);
        let mut lines = log.lock();
        loop {
            if let Some(line) = lines.iter().skip(skip).find(|line| is_it(line)) {
                return Ok(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.process.try_wait()?.is_some() {
                bail!("{what}: no such line in the daemon's log:\n{}", lines.join("\n"));
            }
            let slice = left.min(Duration::from_millis(200));
            lines = log.grown.wait_timeout(lines, slice).map_or_else(|error| error.into_inner().0, |woken| woken.0);
        }
    }

    /// Waits until `count` lines of the log after the first `skip` are such, each of which is looked at once.
    ///
    /// # Errors
    /// As [`Self::wait_for`].
    pub fn wait_for_each(
        &mut self,
        what: &str,
        skip: usize,
        count: usize,
        is_one: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let (deadline, mut looked_at, mut found) = (Instant::now() + PATIENCE, skip, 0);
        loop {
            {
                let lines = self.log.lock();
                found += lines.iter().skip(looked_at).filter(|line| is_one(line)).count();
                looked_at = lines.len();
            }
            if found >= count {
                return Ok(());
            }
            if Instant::now() > deadline || self.process.try_wait()?.is_some() {
                bail!("{what}: {found} of {count} such lines in the daemon's log:\n{}", self.log());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A size from the system's account of the process, in bytes: `VmHWM` is the most memory that it ever had, `VmRSS`
    /// what it has now.
    ///
    /// # Errors
    /// When it has ended, or the system keeps no such account.
    pub fn memory(&self, name: &str) -> Result<u64> {
        let account = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = account.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: u64 =
            line.with_context(|| format!("no {name} in the account"))?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How many lines the log has by now: the `skip` that ignores all of them.
    #[must_use]
    pub fn log_length(&self) -> usize {
        self.log.lock().len()
    }

    /// The log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().join("\n")
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        signal("TERM", self.process.id())?;
        self.wait()
    }

    /// Sends it a signal, such as `HUP`, and waits for nothing.
    ///
    /// # Errors
    /// When it has ended before.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(name, self.process.id())
    }

    /// Kills it in the middle of whatever it does (SIGKILL).
    ///
    /// # Errors
    /// When it has ended before.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not end in time; the message shows the whole log.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let ended = wait_until("the daemon to end", || self.ended());
        ended.with_context(|| self.log())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, stderr: impl Read) {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            self.lock().push(line);
            self.grown.notify_all();
        }
    }
}
