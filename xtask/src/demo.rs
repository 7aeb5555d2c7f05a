//! `cargo xtask demo`: the daemon on embedded defaults and a watched folder of sample mail.

use crate::command::{self, build, mailmill, output, root, say, target_dir};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `cargo xtask demo` can be told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after the first session instead of watching on
    #[arg(long)]
    once: bool,
    /// Throw away what an earlier demo left: its database, its mail, and edits of its rules
    #[arg(long)]
    fresh: bool,
}

const SETTINGS: &str = r#"# The demo: everything embedded, nothing to set up. Paths are relative to this file.
rules = "rules"
plugins = "plugins"
jobs = "jobs"

[store]
path = "mailmill.db"

# The web admin. The daemon prints a link to set the first password.
[web]
listen = "127.0.0.1:8025"
"#;

const JOB: &str = r#"# Every message dropped into the folder is handled at once. Paths are relative to this file.
[source]
type = "folder"
path = "../mail"

[schedule]
every = "5s"

[preprocess]
steps = "recommended"
kinds = ["quote", "signature"]
# Real jobs cut only what follows up an active ticket; here every message shows its cuts.
apply_to = "all"
"#;

/// Builds, sets the folder up, runs one session, shows what became of the mail, and goes on watching.
pub(crate) fn run(args: &Args) -> Result<()> {
    build()?;
    let demo = Demo { folder: target_dir(&root()?).join("demo") };
    demo.set_up(args.fresh)?;
    command::run(demo.mailmill()?.args(["run", "--once"]))?;
    demo.show()?;
    if args.once {
        return Ok(());
    }
    say(
        "Watching; the web admin is at http://127.0.0.1:8025/ (the link for the first password is below). Stop with Ctrl-C.\n",
    );
    let error = demo.mailmill()?.arg("run").exec();
    Err(error).context("cannot run the daemon")
}

struct Demo {
    folder: PathBuf,
}

impl Demo {
    /// Adds what is missing. Rules and settings that are there stay as the user left them; the database knows the
    /// messages it has seen, so that nothing is added twice.
    fn set_up(&self, fresh: bool) -> Result<()> {
        if fresh && self.folder.exists() {
            fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        let root = root()?;
        fill(&root.join("rules"), &self.folder.join("rules"), Existing::Keep)?;
        fill(&target_dir(&root).join("plugins"), &self.folder.join("plugins"), Existing::Replace)?;
        fill(&root.join("xtask").join("samples"), &self.folder.join("mail"), Existing::Keep)?;
        fs::create_dir_all(self.folder.join("jobs"))?;
        write_missing(&self.folder.join("mailmill.toml"), SETTINGS)?;
        write_missing(&self.folder.join("jobs").join("demo.toml"), JOB)
    }

    fn mailmill(&self) -> Result<Command> {
        let mut command = Command::new(mailmill()?);
        command.arg("--config").arg(self.folder.join("mailmill.toml"));
        Ok(command)
    }

    fn show(&self) -> Result<()> {
        if let Some(session) = self.latest_session()? {
            say("\nWhat became of each message:");
            command::run(self.mailmill()?.args(["log", &session.to_string()]))?;
        }
        say("\nTickets:");
        command::run(self.mailmill()?.args(["ticket", "list"]))?;
        let folder = self.folder.display();
        let binary = mailmill()?;
        let program = format!("{} --config {folder}/mailmill.toml", binary.display());
        say(&format!(
            "\nLook closer:\n  \
             {program} ticket show T00001\n  \
             {program} try {folder}/mail/04-gmail-reply-de.eml\n  \
             {program} quarantine list\n\
             Change something while it runs (without --once):\n  \
             drop a message (.eml) into   {folder}/mail\n  \
             edit a rule below            {folder}/rules\n  \
             copy a plugin (.wasm) into   {folder}/plugins\n"
        ));
        Ok(())
    }

    fn latest_session(&self) -> Result<Option<u64>> {
        let sessions: serde_json::Value = serde_json::from_str(&output(self.mailmill()?.args(["log", "--json"]))?)?;
        let ids = sessions.as_array().into_iter().flatten().filter_map(|session| session.get("id")?.as_u64());
        Ok(ids.max())
    }
}

/// What becomes of a file that is already there.
#[derive(Clone, Copy)]
enum Existing {
    Keep,
    Replace,
}

/// Copies a folder with all it holds.
fn fill(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fill(&entry.path(), &target, existing)?;
        } else if matches!(existing, Existing::Replace) || !target.exists() {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

fn write_missing(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
