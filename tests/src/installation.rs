//! An installation of mailmill in a directory of its own.

use crate::servers::Dovecot;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const SETTINGS: &str = "\
rules = \"rules\"
plugins = \"plugins\"
jobs = \"jobs\"

[store]
path = \"mailmill.db\"
";

/// Settings, rules and plugins as shipped, an empty database, and the jobs a test adds.
#[derive(Debug)]
pub struct Installation {
    directory: TempDir,
}

/// How one call of the program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote on stdout.
    pub stdout: String,
    /// What it wrote on stderr.
    pub stderr: String,
}

impl Installation {
    /// Makes an installation with the repository's rules and the plugins that `cargo xtask plugins` built.
    ///
    /// # Errors
    /// When the plugins are not built (the message says how to) or a file cannot be copied.
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("mailmill-").tempdir()?;
        let installation = Self { directory };
        installation.write("mailmill.toml", SETTINGS)?;
        copy_tree(&repository().join("rules"), &installation.path("rules"))?;
        let plugins = target().join("plugins");
        if !plugins.is_dir() {
            bail!("{} is missing: run `cargo xtask plugins`, or everything with `cargo xtask test`", plugins.display());
        }
        copy_tree(&plugins, &installation.path("plugins"))?;
        std::fs::create_dir_all(installation.path("jobs"))?;
        Ok(installation)
    }

    /// A path inside the installation.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// Writes a file as careful programs do: beside its place first, then renamed, so that nobody reads half of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, relative: &str, text: &str) -> Result<()> {
        let path = self.path(relative);
        let parent = path.parent().context("a file outside the installation")?;
        std::fs::create_dir_all(parent)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(parent)?;
        file.write_all(text.as_bytes())?;
        file.persist(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, relative: &str) -> Result<String> {
        let path = self.path(relative);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Adds the job `name` that reads the INBOX of `user` on `server` over TLS and applies the recommended steps.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_imap_job(&self, name: &str, server: &Dovecot, user: &str) -> Result<()> {
        self.write("password", Dovecot::PASSWORD)?;
        let (port, authority) = (server.imaps, server.certificates.authority.display());
        let password = self.path("password");
        self.write(
            &format!("jobs/{name}.toml"),
            &format!(
                "[source]\ntype = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"tls\"\nca_file = '{authority}'\n\
                 user = \"{user}\"\npassword = {{ file = '{}' }}\nmailbox = \"INBOX\"\n\
                 existing_mail = \"handle\"\n\n\
                 [schedule]\nevery = \"1s\"\n\n[preprocess]\nsteps = \"recommended\"\napply_to = \"all\"\n\n\
                 [handling]\non_success = {{ seen = true }}\non_rejection = {{ seen = true }}\n",
                password.display()
            ),
        )
    }

    /// Changes a file: the first `old` in it becomes `new`.
    ///
    /// # Errors
    /// When there is no `old`, or the file cannot be read or written.
    pub fn edit(&self, relative: &str, old: &str, new: &str) -> Result<()> {
        let text = self.read(relative)?;
        if !text.contains(old) {
            bail!("no {old:?} in {relative}:\n{text}");
        }
        self.write(relative, &text.replacen(old, new, 1))
    }

    /// Adds the job `name` that reads the `.eml` files of the folder `mail` inside the installation.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_folder_job(&self, name: &str) -> Result<()> {
        let mail = self.path("mail");
        std::fs::create_dir_all(&mail)?;
        self.write(
            &format!("jobs/{name}.toml"),
            &format!(
                "[source]\ntype = \"folder\"\npath = '{}'\nsettle_ms = 200\n\n[schedule]\nevery = \"1s\"\n\n\
                 [preprocess]\nsteps = \"recommended\"\napply_to = \"all\"\n",
                mail.display()
            ),
        )
    }

    /// The program, told to use this installation; arguments are still to be added.
    ///
    /// # Errors
    /// When the program is not built; the message says how to build it.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.arg("--config").arg(self.path("mailmill.toml")).current_dir(self.directory.path());
        plain(&mut command);
        Ok(command)
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// When it cannot be started. A failure of the program itself is in [`Run::code`].
    pub fn mailmill(&self, arguments: &[&str]) -> Result<Run> {
        self.finish(self.command()?.args(arguments).stdin(Stdio::null()).output()?)
    }

    /// Runs the program to its end with `input` on stdin.
    ///
    /// # Errors
    /// As [`Self::mailmill`].
    pub fn mailmill_fed(&self, arguments: &[&str], input: &str) -> Result<Run> {
        let mut file = tempfile::tempfile()?;
        file.write_all(input.as_bytes())?;
        std::io::Seek::rewind(&mut file)?;
        self.finish(self.command()?.args(arguments).stdin(file).output()?)
    }

    /// Runs the program to its end in a shell that first sets limits, such as `ulimit -f 64`.
    ///
    /// # Errors
    /// As [`Self::mailmill`].
    pub fn mailmill_limited(&self, limits: &str, arguments: &[&str]) -> Result<Run> {
        let mut command = Command::new("sh");
        // With SIGXFSZ ignored, a write beyond the limit fails with an error, as it does on a full disk.
        let script = format!("trap '' XFSZ; {limits}; exec \"$0\" --config \"$@\"");
        command.arg("-c").arg(script).arg(binary()?).arg(self.path("mailmill.toml")).args(arguments);
        plain(&mut command);
        self.finish(command.current_dir(self.directory.path()).stdin(Stdio::null()).output()?)
    }

    /// Runs the program to its end, and says the most memory that it had at a time (VmHWM), in KiB.
    ///
    /// # Errors
    /// As [`Self::mailmill`].
    pub fn mailmill_measured(&self, arguments: &[&str]) -> Result<(Run, u64)> {
        let mut command = self.command()?;
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        let status = format!("/proc/{}/status", child.id());
        let watch = std::thread::spawn(move || {
            let mut most = 0;
            // The system keeps the mark itself: the last look before the end is enough.
            while let Some(mark) = std::fs::read_to_string(&status).ok().and_then(|text| high_water_mark(&text)) {
                most = most.max(mark);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            most
        });
        let run = self.finish(child.wait_with_output()?)?;
        let most = watch.join().map_err(|_| anyhow::anyhow!("the watch over the memory has failed"))?;
        Ok((run, most))
    }

    /// Runs a line in a shell, as a person does who has changed into the installation and has the program in the path.
    ///
    /// # Errors
    /// As [`Self::mailmill`].
    pub fn shell(&self, line: &str) -> Result<Run> {
        let binary = binary()?;
        let folder = binary.parent().context("a program without a folder")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        plain(&mut command);
        command.arg("-c").arg(line).env("PATH", format!("{}:{path}", folder.display()));
        self.finish(command.current_dir(self.directory.path()).stdin(Stdio::null()).output()?)
    }

    /// A text with what differs from run to run made alike, for goldens.
    #[must_use]
    pub fn normalise(&self, text: &str) -> String {
        text.replace(&self.directory.path().display().to_string(), "[DIR]")
    }

    fn finish(&self, output: Output) -> Result<Run> {
        Ok(Run {
            code: output.status.code(),
            stdout: self.normalise(&String::from_utf8(output.stdout)?),
            stderr: self.normalise(&String::from_utf8(output.stderr)?),
        })
    }
}

/// `VmHWM:     12345 kB`; none once the process has ended.
fn high_water_mark(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// Nothing of the machine or of the terminal may show in what the program prints.
fn plain(command: &mut Command) {
    command
        .env_remove("MAILMILL_LOG")
        .env_remove("MAILMILL_CONFIG")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
}

impl Run {
    /// The run itself when it ended with exit code 0.
    ///
    /// # Errors
    /// When it did not; the message shows all it wrote.
    pub fn success(self) -> Result<Self> {
        if self.code != Some(0) {
            bail!("exit code {:?}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr);
        }
        Ok(self)
    }
}

/// The root of the repository.
#[must_use]
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// One of the sample messages of the demo.
#[must_use]
pub fn sample(name: &str) -> PathBuf {
    repository().join("xtask").join("samples").join(name)
}

/// Cargo's target directory.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Cargo's profile of the program under test; benches set it to `release`.
const PROFILE: &str = "MAILMILL_TEST_PROFILE";

fn binary() -> Result<PathBuf> {
    let profile = std::env::var(PROFILE).unwrap_or_else(|_| "debug".to_owned());
    let path = target().join(&profile).join("mailmill");
    if !path.is_file() {
        bail!("{} is missing: run `cargo build`, or everything with `cargo xtask test`", path.display());
    }
    Ok(path)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let entries = std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
